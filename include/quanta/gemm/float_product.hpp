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

/// A (n, k) float weight packed for the product.
class FloatPanels {
  using L = simd::NativeLanes;
  // Registers: 16 on x86 below AVX-512, else 32. Accumulators, one row of weights and a broadcast fit.
  static constexpr int kVectors = L::width >= 8 ? 2 : 4;
  static constexpr int kRows = L::width == 16 ? 12 : L::width == 1 ? 2 : 6;

 public:
  static constexpr int kColumns = kVectors * L::width;

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
    const Index m = x.extent(0), panels = ceil_div(n_, kColumns);
    const double work = static_cast<double>(m) * static_cast<double>(n_) * static_cast<double>(k_);
    const Index threads = work < 100000.0 ? 1 : context.threads();
    const bool by_rows = m >= threads * kRows;
    const Index tasks = std::min(threads, by_rows ? m : panels);
    context.parallel(tasks, work / static_cast<double>(std::max<Index>(tasks, 1)) / 8.0, [&](Index task) {
      const auto part = [&](Index size, Index i) { return size * i / tasks; };
      const Index row0 = by_rows ? part(m, task) : 0, row1 = by_rows ? part(m, task + 1) : m;
      const Index panel0 = by_rows ? 0 : part(panels, task), panel1 = by_rows ? panels : part(panels, task + 1);
      for (Index panel = panel0; panel < panel1; ++panel) {
        Index row = row0;
        for (; row + kRows <= row1; row += kRows) tile<kRows>(x, row, panel, store);
        for (; row < row1; ++row) tile<1>(x, row, panel, store);
      }
    });
  }

 private:
  Index position(Index column, Index step) const {
    return column / kColumns * kColumns * k_ + step * kColumns + column % kColumns;
  }

  template <int rows, class Store>
  void tile(const TensorView<const float, 2>& x, Index row, Index panel, Store& store) const {
    typename L::F acc[rows][kVectors];
    unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
      unroll<kVectors>([&](auto v) QUANTA_INLINE_LAMBDA { acc[r][v] = L::set(0.0f); });
    });
    const float* weights = panels_.data() + panel * kColumns * k_;
    const float* from = x.data() + row * x.stride(0);
    for (Index i = 0; i < k_; ++i, weights += kColumns, from += x.stride(1)) {
      typename L::F w[kVectors];
      unroll<kVectors>([&](auto v) QUANTA_INLINE_LAMBDA { w[v] = L::load(weights + v * L::width); });
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
        const typename L::F a = L::set(from[r * x.stride(0)]);
        unroll<kVectors>([&](auto v) QUANTA_INLINE_LAMBDA { acc[r][v] = L::fma(a, w[v], acc[r][v]); });
      });
    }
    unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
      alignas(kCacheLine) float values[kColumns];
      unroll<kVectors>([&](auto v) QUANTA_INLINE_LAMBDA { L::store(values + v * L::width, acc[r][v]); });
      store(row + r, panel * kColumns, std::min<Index>(kColumns, n_ - panel * kColumns), values);
    });
  }

  Index n_ = 0, k_ = 0;
  Buffer<float> panels_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
