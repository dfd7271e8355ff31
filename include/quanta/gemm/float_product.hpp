// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The float product, with one order for every sum: per output, ascending k, one fma per term, starting from 0. Vectors
// run over outputs, never over k, so the result is the same bits on every CPU, for every batch size. It is there for
// float layers, whose activations calibration sees; it is not the fastest float product.
//
//   weights in panels: for each of the panel's columns side by side, k by k
//   tile: kRows rows x kVectors vectors of accumulators
#pragma once

#include <algorithm>

#include <quanta/core/buffer.hpp>
#include <quanta/core/context.hpp>
#include <quanta/core/tensor_view.hpp>
#include <quanta/core/unroll.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The tile: rows of x times a panel of weights, which lie k by k, kColumns side by side.
class FloatTile {
  using L = simd::NativeLanes;

 public:
  // Registers: 16 on x86 below AVX-512, else 32. Accumulators, one row of weights and a broadcast fit.
  static constexpr int kRows = L::width == 1 ? 2 : 6;
  static constexpr int kVectors = L::width >= 8 ? 2 : 4;
  static constexpr int kColumns = kVectors * L::width;

  /// Steps in groups: `size` steps each, the last perhaps fewer. scales[v] are those of the panel's vector v, a vector
  /// of them for each group, `stride` floats apart.
  struct Groups {
    Index size, stride;
    const float* scales[kVectors];
  };

  /// Adds the products of the rows [first, last) of x and a panel to `sums`, kColumns of each row; k goes on where
  /// those end.
  static void add(const TensorView<const float, 2>& x, Index first, Index last, const float* panel, float* sums) {
    for_each_tile(first, last, [&](auto rows, Index row) QUANTA_INLINE_LAMBDA {
      run<rows>(x, row, panel, sums + (row - first) * kColumns);
    });
  }
  /// The same group by group: each is summed by itself, from 0, and what is added is scale * that, in one fma.
  static void add_groups(const TensorView<const float, 2>& x, Index first, Index last, const float* panel,
                         const Groups& groups, float* sums) {
    for_each_tile(first, last, [&](auto rows, Index row) QUANTA_INLINE_LAMBDA {
      run_groups<rows>(x, row, panel, groups, sums + (row - first) * kColumns);
    });
  }
  /// Ends a group that `add` has summed: adds it, scaled by the first row of scales, to the sums of so many rows.
  static void add_scaled(const float* group, Index rows, const Groups& groups, float* sums);

 private:
  static constexpr int kFew = (kRows + 2) / 3;

  /// f(integral_constant of rows, row) for all tiles.
  template <class F>
  static void for_each_tile(Index first, Index last, F f) {
    Index row = first;
    for (; row + kRows <= last; row += kRows) f(std::integral_constant<int, kRows>{}, row);
    for (; row + kFew <= last; row += kFew) f(std::integral_constant<int, kFew>{}, row);
    for (; row < last; ++row) f(std::integral_constant<int, 1>{}, row);
  }

  template <int rows>
  static void run(const TensorView<const float, 2>& x, Index row, const float* weights, float* sums);
  template <int rows>
  static void run_groups(const TensorView<const float, 2>& x, Index row, const float* weights, const Groups& groups,
                         float* sums);
  template <int rows>
  static void load_sums(const float* sums, typename L::F (&acc)[rows][kVectors]);
  template <int rows>
  static void store_sums(const typename L::F (&acc)[rows][kVectors], float* sums);
  /// Steps [first, last) of x and weights.
  template <int rows>
  static void add_steps(const TensorView<const float, 2>& x, Index row, Index first, Index last, const float* weights,
                        typename L::F (&acc)[rows][kVectors]);
};

/// How a product of (m, k) by (n, k) is split among a context's threads: by rows or by panels.
struct FloatSplit {
  Index rows, panels, tasks;
  bool by_rows;
  double cycles;  ///< of a task

  struct Part {
    Index first_row, last_row, first_panel, last_panel;
  };
  Part part(Index task) const {
    const auto from = [&](Index size, Index i) { return size * i / tasks; };
    if (by_rows) return {from(rows, task), from(rows, task + 1), 0, panels};
    return {0, rows, from(panels, task), from(panels, task + 1)};
  }
};

/// panels_cost: making a panel is work too, so panels are shared out, not made by every task, where there are enough.
QUANTA_LAZY FloatSplit split_float_product(const Context& context, Index m, Index n, Index k,
                                           bool panels_cost = false) {
  const Index panels = ceil_div(n, FloatTile::kColumns);
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  const Index threads = work < 100000.0 ? 1 : context.threads();
  const bool by_rows = m >= threads * FloatTile::kRows && !(panels_cost && panels >= threads);
  const Index tasks = std::min(threads, by_rows ? m : panels);
  return {m, panels, tasks, by_rows, work / static_cast<double>(std::max<Index>(tasks, 1)) / 8.0};
}

/// A (n, k) float weight packed for the product.
class FloatPanels {
 public:
  static constexpr int kColumns = FloatTile::kColumns;

  FloatPanels() = default;
  explicit FloatPanels(const TensorView<const float, 2>& weight)
      : n_(weight.extent(0)), k_(weight.extent(1)), panels_(round_up(n_, kColumns) * k_, 0.0f) {
    for (Index c = 0; c < n_; ++c) {
      for (Index i = 0; i < k_; ++i) {
        panels_[position(c, i)] = weight.data()[c * weight.stride(0) + i * weight.stride(1)];
      }
    }
  }

  Index n() const { return n_; }
  Index k() const { return k_; }
  float weight(Index column, Index step) const { return panels_[position(column, step)]; }
  Index bytes() const { return static_cast<Index>(panels_.bytes()); }

  /// Calls store(row, column, count, values) for every piece of a row of x * weight^T. x is (m, k). Pieces come from
  /// several threads at once.
  template <class Store>
  void multiply(Context& context, const TensorView<const float, 2>& x, Store store) const {
    const FloatSplit split = split_float_product(context, x.extent(0), n_, k_);
    context.parallel(split.tasks, split.cycles, [&](Index task) {
      const FloatSplit::Part part = split.part(task);
      for (Index panel = part.first_panel; panel < part.last_panel; ++panel) {
        const Index column = panel * kColumns, count = std::min<Index>(kColumns, n_ - column);
        alignas(kCacheLine) float sums[FloatTile::kRows * kColumns];
        for (Index first = part.first_row; first < part.last_row; first += FloatTile::kRows) {
          const Index last = std::min<Index>(first + FloatTile::kRows, part.last_row);
          std::fill_n(sums, (last - first) * kColumns, 0.0f);
          FloatTile::add(x, first, last, panels_.data() + column * k_, sums);
          for (Index row = first; row < last; ++row) store(row, column, count, sums + (row - first) * kColumns);
        }
      }
    });
  }

 private:
  Index position(Index column, Index step) const {
    return column / kColumns * kColumns * k_ + step * kColumns + column % kColumns;
  }

  Index n_ = 0, k_ = 0;
  Buffer<float> panels_;
};

// ---- bodies ----

template <int rows>
QUANTA_ALWAYS_INLINE void FloatTile::load_sums(const float* sums, typename L::F (&acc)[rows][kVectors]) {
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = L::load(sums + r * kColumns + v * L::width);
  }
}

template <int rows>
QUANTA_ALWAYS_INLINE void FloatTile::store_sums(const typename L::F (&acc)[rows][kVectors], float* sums) {
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) L::store(sums + r * kColumns + v * L::width, acc[r][v]);
  }
}

template <int rows>
QUANTA_ALWAYS_INLINE void FloatTile::add_steps(const TensorView<const float, 2>& x, Index row, Index first, Index last,
                                               const float* weights, typename L::F (&acc)[rows][kVectors]) {
  const float* from = x.data() + row * x.stride(0) + first * x.stride(1);
  weights += first * kColumns;
  for (Index i = first; i < last; ++i, weights += kColumns, from += x.stride(1)) {
    typename L::F w[kVectors];
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) w[v] = L::load(weights + v * L::width);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      const typename L::F a = L::set(from[r * x.stride(0)]);
      QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = L::fma(a, w[v], acc[r][v]);
    }
  }
}

template <int rows>
void FloatTile::run(const TensorView<const float, 2>& x, Index row, const float* weights, float* sums) {
  typename L::F acc[rows][kVectors];
  load_sums(sums, acc);
  add_steps(x, row, 0, x.extent(1), weights, acc);
  store_sums(acc, sums);
}

template <int rows>
void FloatTile::run_groups(const TensorView<const float, 2>& x, Index row, const float* weights, const Groups& groups,
                           float* sums) {
  // Where registers hold the sums of all groups too, they stay there.
  constexpr bool kept = L::width == 16 || rows <= kFew;
  typename L::F total[rows][kVectors];
  if constexpr (kept) load_sums(sums, total);
  for (Index k = 0, at = 0; k < x.extent(1); k += groups.size, at += groups.stride) {
    typename L::F acc[rows][kVectors];
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = L::set(0.0f);
    }
    add_steps(x, row, k, std::min(k + groups.size, x.extent(1)), weights, acc);
    float* const to = left_in_memory(sums);
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) {
      const typename L::F scale = L::load(groups.scales[v] + at);
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        float* const sum = to + r * kColumns + v * L::width;
        if constexpr (!kept) total[r][v] = L::load(sum);
        total[r][v] = L::fma(acc[r][v], scale, total[r][v]);
        if constexpr (!kept) L::store(sum, total[r][v]);
      }
    }
  }
  if constexpr (kept) store_sums(total, sums);
}

inline void FloatTile::add_scaled(const float* group, Index rows, const Groups& groups, float* sums) {
  for (int v = 0; v < kVectors; ++v) {
    const typename L::F scale = L::load(groups.scales[v]);
    for (Index i = v * L::width; i < rows * kColumns; i += kColumns) {
      L::store(sums + i, L::fma(L::load(group + i), scale, L::load(sums + i)));
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
