// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Weights of any format and granularity as a float product reads them: codes at their true size in panels, and rows of
// scales. Codes become floats where they are multiplied, in registers or in a block of the first-level cache; there
// never is a float copy of the weights.
//
//   a few rows of x  each by itself with a few panels side by side, one stream of memory     gemm/level_kernels.hpp
//   more rows        240 at a time, for every block of at most 128 steps of k of the panels side by side:
//                      codes -> levels -> float tile, scaled at the end of each group         gemm/float_product.hpp
#pragma once

#include <quanta/gemm/float_product.hpp>
#include <quanta/gemm/level_kernels.hpp>
#include <quanta/gemm/panel_params.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Levels or integers, and scales and zero points for groups of steps of k.
class PackedWeights {
  static constexpr int kLanes = simd::NativeLanes::width;

 public:
  /// From weights (n, k): `stream` as in format/bits.hpp, scales and zero points (null: all 0) as QuantParams has them.
  QUANTA_LAZY
  PackedWeights(const LevelKernels& kernels, Index n, Index k, const GranularityInfo& granularity,
                const std::byte* stream, const HeldScales& scales, const std::int32_t* zero_points)
      : kernels_(&kernels),
        functions_(&kernels.pick(stream, n * k, zero_points != nullptr)),
        codes_(n, k, kernels.bits, kLanes, kernels.flip, stream, kPanelsAtOnce),
        params_(n, k, granularity, scales, zero_points, codes_.beside()) {}

  Index n() const { return codes_.n(); }
  Index k() const { return codes_.k(); }
  const PackedCodes& codes() const { return codes_; }
  const PanelParams& params() const { return params_; }
  /// All memory held, padding included.
  Index bytes() const { return codes_.bytes() + params_.bytes(); }

  /// Calls store(row, column, count, sums) for every piece of a row of the product, groups and steps ascending:
  /// acc = fma(x, level - zero_point, acc) for the steps of a group, from 0; sum = fma(acc, scale, sum) for the groups,
  /// from 0. x is (m, k). Pieces come from several threads at once; one may come twice from a thread.
  template <class Store>
  void multiply(Context& context, const TensorView<const float, 2>& x, Store store) const;

 private:
  static constexpr Index kSteps = 128;    ///< of a block, at most: it stays in the first-level cache
  static constexpr Index kRows = 240;     ///< of x: a multiple of every tile, whose sums stay in the second-level cache
  static constexpr Index kMadeRows = 32;  ///< of parameters, at a time
  static constexpr Index kFewSteps = 512;  ///< of a few rows, at most: codes stay in the first-level cache

  /// Room for the rows of scales that are made for one panel, and as many of zero points.
  Index made_params() const { return params_.has_rows() ? 0 : kLanes * 2 * std::min(params_.rows(), kMadeRows); }
  /// Float tiles of panels that lie side by side.
  Index tiles_beside() const { return ceil_div(codes_.beside(), FloatTile::kVectors); }
  /// Are groups so long that blocks are parts of them?
  bool in_parts() const { return params_.group() > kSteps; }
  /// Where the block ends that begins at this step: it holds whole groups, or lies in one.
  Index end_of_block(Index first) const {
    const Index group = params_.group();
    if (in_parts()) return std::min({first + kSteps, (first / group + 1) * group, k()});
    const Index groups = params_.has_rows() ? kSteps / group : std::min(kSteps / group, kMadeRows);
    return std::min(first + groups * group, k());
  }
  /// Points at the codes and parameters of panel p of the steps, made in `room` where they must be. Their blocks must
  /// be as wide.
  template <int panels>
  void point(PanelSteps<panels>& steps, int p, Index panel, float* room) const;

  /// A few rows of x, `stride` floats apart, times `count` panels from `panel` on, whose blocks are as wide. Where
  /// those are fewer than `panels`, the last stands for several.
  template <int panels, class Store>
  void multiply_panels(const float* x, Index stride, Index rows, Index panel, Index count, float* room,
                       Store store) const;
  /// The same of all panels [first, last).
  template <class Store>
  void multiply_few(const float* x, Index stride, Index rows, Index first, Index last, float* room, Store store) const;
  /// Rows of x times the outputs of `tiles` float tiles, from number `tile` on, which lie side by side.
  template <class Store>
  void multiply_rows(const TensorView<const float, 2>& x, Index first_row, Index last_row, Index tile, Index tiles,
                     float* room, Store store) const;

  const LevelKernels* kernels_;
  const LevelKernels::Functions* functions_;  ///< of those, for these codes
  PackedCodes codes_;
  PanelParams params_;
};

// ---- bodies ----

template <int panels>
void PackedWeights::point(PanelSteps<panels>& steps, int p, Index panel, float* room) const {
  const Index row = steps.first / steps.group;
  steps.codes_stride = codes_.stride(panel);
  steps.codes[p] = codes_.panel(panel);
  if (params_.has_rows()) {
    const float* const zeros = params_.minus_zeros(panel);
    steps.params_stride = params_.stride(panel);
    steps.scales[p] = params_.scales(panel) + row * steps.params_stride;
    steps.minus_zeros[p] = zeros == nullptr ? nullptr : zeros + row * steps.params_stride;
  } else {
    steps.params_stride = kLanes;
    const Index rows = ceil_div(steps.last, steps.group) - row;
    float* const zeros = room + rows * kLanes;
    params_.make_rows(panel, row, rows, room, zeros);
    steps.scales[p] = room;
    steps.minus_zeros[p] = params_.has_zero_points() ? zeros : nullptr;
  }
}

template <int panels, class Store>
void PackedWeights::multiply_panels(const float* x, Index stride, Index rows, Index panel, Index count, float* room,
                                    Store store) const {
  // Where parameters are made, as many steps at a time as there is room for their rows.
  const Index group = params_.group();
  Index most = params_.has_rows() ? k() : kMadeRows * group;
  if (rows > 1) most = std::min(most, std::max<Index>(kFewSteps / group, 1) * group);
  alignas(kCacheLine) float sums[kMostFewRows][panels * kLanes];
  std::fill_n(sums[0], rows * panels * kLanes, 0.0f);
  for (Index k_first = 0; k_first < k(); k_first += most) {
    PanelSteps<panels> steps{k_first, std::min(k_first + most, k()), group, 0, 0, {}, {}, {}};
    for (int p = 0; p < panels; ++p) {
      point(steps, p, panel + std::min<Index>(p, count - 1), room + p * made_params());
    }
    for (Index row = 0; row < rows; ++row) {
      const auto multiply_row = functions_->template multiply_row<panels>();
      multiply_row(kernels_->levels, steps, x + row * stride, sums[row]);
    }
  }
  for (Index row = 0; row < rows; ++row) {
    for (Index p = 0; p < count; ++p) {
      const Index column = (panel + p) * kLanes;
      store(row, column, std::min<Index>(kLanes, n() - column), sums[row] + p * kLanes);
    }
  }
}

template <class Store>
void PackedWeights::multiply_few(const float* x, Index stride, Index rows, Index first, Index last, float* room,
                                 Store store) const {
  for (Index panel = first, count = 0; panel < last; panel += count) {
    // As many as there are, and none of a narrower block.
    count = std::min<Index>(kPanelsAtOnce, last - panel);
    while (codes_.stride(panel + count - 1) != codes_.stride(panel)) --count;
    if (count > kPanelsAtOnce / 2) {
      multiply_panels<kPanelsAtOnce>(x, stride, rows, panel, count, room, store);
    } else {
      multiply_panels<kPanelsAtOnce / 2>(x, stride, rows, panel, count, room, store);
    }
  }
}

template <class Store>
void PackedWeights::multiply_rows(const TensorView<const float, 2>& x, Index first_row, Index last_row, Index tile,
                                  Index tiles, float* room, Store store) const {
  constexpr Index columns = FloatTile::kColumns;
  const Index rows = last_row - first_row, size = columns * rows;
  float* const block = std::exchange(room, room + columns * kSteps);
  float* const all_sums = std::exchange(room, room + tiles * size);
  float* const all_open = std::exchange(room, room + (in_parts() ? tiles * size : 0));  // sums of a group in parts
  std::fill_n(all_sums, tiles * size, 0.0f);
  for (Index first = 0, last; first < k(); first = last) {
    last = end_of_block(first);
    const TensorView<const float, 2> part(x.data() + first * x.stride(1), {x.extent(0), last - first}, x.strides());
    for (Index t = 0; t < tiles; ++t) {
      float *const sums = all_sums + t * size, *const open = all_open + t * size;
      PanelSteps<FloatTile::kVectors> steps{first, last, params_.group(), 0, 0, {}, {}, {}};
      FloatTile::Groups groups{steps.group, 0, {}};
      for (int p = 0; p < FloatTile::kVectors; ++p) {
        // In the place of one that is not there, sums that nobody wants.
        const Index panel = std::min((tile + t) * FloatTile::kVectors + p, codes_.panels() - 1);
        point(steps, p, panel, room + p * made_params());
        groups.scales[p] = steps.scales[p];
      }
      groups.stride = steps.params_stride;
      functions_->decode(kernels_->levels, steps, block);
      if (!in_parts()) {
        FloatTile::add_groups(part, first_row, last_row, block, groups, sums);
        continue;
      }
      if (first % steps.group == 0) std::fill_n(open, size, 0.0f);
      FloatTile::add(part, first_row, last_row, block, open);
      if (last % steps.group == 0 || last == k()) FloatTile::add_scaled(open, rows, groups, sums);
    }
  }
  for (Index t = 0; t < tiles; ++t) {
    const Index column = (tile + t) * columns, count = std::min<Index>(columns, n() - column);
    for (Index row = first_row; row < last_row; ++row) {
      store(row, column, count, all_sums + t * size + (row - first_row) * columns);
    }
  }
}

template <class Store>
void PackedWeights::multiply(Context& context, const TensorView<const float, 2>& x, Store store) const {
  const Index m = x.extent(0), at_once = std::min(m, kRows);
  const FloatSplit split = split_float_product(context, m, n(), k(), true);
  const bool few_rows = m <= functions_->few_rows;
  const Index floats = few_rows ? (x.stride(1) != 1 ? m * k() : 0) + kPanelsAtOnce * made_params()
                                : FloatTile::kColumns * (kSteps + tiles_beside() * (in_parts() ? 2 : 1) * at_once) +
                                      FloatTile::kVectors * made_params();
  context.reserve_scratch(split.tasks, floats * Index{sizeof(float)});
  context.parallel(split.tasks, split.cycles, [&](Index task) {
    const FloatSplit::Part part = split.part(task);
    float* room = reinterpret_cast<float*>(context.scratch(task));
    if (few_rows) {
      const Index rows = part.last_row - part.first_row;
      if (rows == 0) return;
      const Index last = std::min(part.last_panel * FloatTile::kVectors, codes_.panels());
      const float* from = x.data() + part.first_row * x.stride(0);
      Index stride = x.stride(0);
      if (x.stride(1) != 1) {
        for (Index i = 0; i < rows * k(); ++i) room[i] = from[i / k() * x.stride(0) + i % k() * x.stride(1)];
        from = std::exchange(room, room + rows * k());
        stride = k();
      }
      return multiply_few(from, stride, rows, part.first_panel * FloatTile::kVectors, last, room,
                          [&](Index row, Index column, Index count, const float* sums) {
                            store(part.first_row + row, column, count, sums);
                          });
    }
    for (Index tile = part.first_panel, tiles; tile < part.last_panel; tile += tiles) {
      tiles = std::min(tiles_beside() - tile % tiles_beside(), part.last_panel - tile);
      for (Index row = part.first_row; row < part.last_row; row += kRows) {
        multiply_rows(x, row, std::min(row + kRows, part.last_row), tile, tiles, room, store);
      }
    }
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
