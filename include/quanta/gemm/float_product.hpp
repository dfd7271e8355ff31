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
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The tile: rows of x times one panel of weights, which lie k by k, kColumns side by side.
class FloatTile {
  using L = simd::NativeLanes;
  // Registers: 16 on x86 below AVX-512, else 32. Accumulators, one row of weights and a broadcast fit.
  static constexpr int kVectors = L::width >= 8 ? 2 : 4;

 public:
  static constexpr int kRows = L::width == 16 ? 12 : L::width == 1 ? 2 : 6;
  static constexpr int kColumns = kVectors * L::width;

  /// Calls store(row, sums) with the kColumns sums of every row of x in [first, last).
  template <class Store>
  static void multiply(const TensorView<const float, 2>& x, Index first, Index last, const float* panel, Store store) {
    Index row = first;
    for (; row + kRows <= last; row += kRows) run<kRows>(x, row, panel, store);
    for (; row < last; ++row) run<1>(x, row, panel, store);
  }

 private:
  template <int rows, class Store>
  static void run(const TensorView<const float, 2>& x, Index row, const float* weights, Store& store);
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
        FloatTile::multiply(x, part.first_row, part.last_row, panels_.data() + column * k_,
                            [&](Index row, const float* sums) { store(row, column, count, sums); });
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

template <int rows, class Store>
void FloatTile::run(const TensorView<const float, 2>& x, Index row, const float* weights, Store& store) {
  typename L::F acc[rows][kVectors];
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = L::set(0.0f);
  }
  const float* from = x.data() + row * x.stride(0);
  for (Index i = 0; i < x.extent(1); ++i, weights += kColumns, from += x.stride(1)) {
    typename L::F w[kVectors];
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) w[v] = L::load(weights + v * L::width);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      const typename L::F a = L::set(from[r * x.stride(0)]);
      QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) acc[r][v] = L::fma(a, w[v], acc[r][v]);
    }
  }
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
    alignas(kCacheLine) float sums[kColumns];
    QUANTA_UNROLL for (int v = 0; v < kVectors; ++v) L::store(sums + v * L::width, acc[r][v]);
    store(row + r, static_cast<const float*>(sums));
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
