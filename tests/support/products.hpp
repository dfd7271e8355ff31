// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What integer products are checked against: operands in plain vectors and loops over them in int64. No library code
// takes part in a result here; the library's types are only filled from the same vectors.
#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/gemm/gemm.hpp>

#include "tests/support/random.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

/// How codes, or zero points, are chosen from a format's range.
enum class Fill { random, lowest, highest, alternating, zero };
inline constexpr Fill kCodeFills[] = {Fill::random, Fill::lowest, Fill::highest, Fill::alternating};
inline constexpr Fill kZeroFills[] = {Fill::zero, Fill::lowest, Fill::highest, Fill::random};

template <class F>
std::int32_t pick(Fill fill, Index i, Random& random) {
  switch (fill) {
    case Fill::random:
      return random.between(F::min, F::max);
    case Fill::lowest:
      return F::min;
    case Fill::highest:
      return F::max;
    case Fill::alternating:
      return i % 2 == 0 ? F::min : F::max;
    case Fill::zero:
      break;
  }
  return 0;
}

/// How many parameters an operand has: one, one per row, or (a positive number) one per group of so many columns.
inline constexpr Index kOne = -1, kPerRow = 0;

/// A matrix of codes with its scales and zero points.
struct IntMatrix {
  Index rows = 0, cols = 0, params = kOne;
  std::vector<std::int32_t> codes;  ///< row-major
  std::vector<std::int32_t> zeros;
  std::vector<float> scales;

  Index groups() const { return params > 0 ? (cols + params - 1) / params : 1; }
  std::size_t param(Index row, Index col) const {
    if (params == kOne) return 0;
    return static_cast<std::size_t>(params == kPerRow ? row : row * groups() + col / params);
  }
  std::int32_t code(Index row, Index col) const { return codes[static_cast<std::size_t>(row * cols + col)]; }
  std::int64_t centred(Index row, Index col) const { return std::int64_t{code(row, col)} - zeros[param(row, col)]; }
  float scale(Index row, Index col = 0) const { return scales[param(row, col)]; }
};

template <class F>
IntMatrix int_matrix(Index rows, Index cols, Index params, Fill codes, Fill zeros, Random& random) {
  IntMatrix x{rows, cols, params, {}, {}, {}};
  for (Index i = 0; i < rows * cols; ++i) x.codes.push_back(pick<F>(codes, i, random));
  const Index count = params == kOne ? 1 : rows * x.groups();
  for (Index i = 0; i < count; ++i) {
    x.zeros.push_back(pick<F>(zeros, i, random));
    x.scales.push_back(static_cast<float>(random.between(1 << 19, 1 << 22)) * 0x1p-26f);
  }
  return x;
}

/// The same as the library holds it. G is PerTensor, PerChannel<0> or PerGroup as x.params says.
template <class F, class G>
QuantizedTensor<F, 2, G> quantized(const IntMatrix& x) {
  using Code = typename F::Code;
  RowTensor<Code, 2> codes(x.rows, x.cols);
  for (Index i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<Code>(x.codes[static_cast<std::size_t>(i)]);
  if constexpr (std::default_initializable<G>) {
    return QuantizedTensor<F, 2, G>(codes, QuantParams<G>(x.scales, x.zeros));
  } else {
    return QuantizedTensor<F, 2, G>(codes, QuantParams<G>(x.scales, x.zeros, G(x.params)));
  }
}

/// sum of (lhs - zero)(rhs - zero) over k in [first, last).
inline std::int64_t dot(const IntMatrix& lhs, Index i, const IntMatrix& rhs, Index j, Index first, Index last) {
  std::int64_t sum = 0;
  for (Index k = first; k < last; ++k) sum += lhs.centred(i, k) * rhs.centred(j, k);
  return sum;
}
inline std::int64_t dot(const IntMatrix& lhs, Index i, const IntMatrix& rhs, Index j) {
  return dot(lhs, i, rhs, j, 0, lhs.cols);
}

/// What Dequantize gives, then the bias: one rounding for both. Per group the groups are added up in order.
inline float real_dot(const IntMatrix& lhs, Index i, const IntMatrix& rhs, Index j, float bias = 0.0f) {
  if (rhs.params <= 0) return std::fma(static_cast<float>(dot(lhs, i, rhs, j)), lhs.scale(i) * rhs.scale(j), bias);
  float f = 0.0f;
  for (Index k = 0; k < rhs.cols; k += rhs.params) {
    const Index last = std::min(k + rhs.params, rhs.cols);
    f = std::fma(static_cast<float>(dot(lhs, i, rhs, j, k, last)), rhs.scale(j, k), f);
  }
  return std::fma(f, lhs.scale(i), bias);
}

/// Is got[i, j] == expected(i, j) for the whole of an (m, n) result?
template <class Dst, class Expected>
testing::AssertionResult equals(const Dst& got, Index m, Index n, Expected expected) {
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      const auto want = expected(i, j);
      if (bits_of(got(i, j)) != bits_of(static_cast<std::remove_cvref_t<decltype(got(i, j))>>(want))) {
        return testing::AssertionFailure() << "(" << i << ", " << j << ") of (" << m << ", " << n << ") is "
                                           << +got(i, j) << ", expected " << +want;
      }
    }
  }
  return testing::AssertionSuccess();
}

/// The whole way for one kernel: pack, multiply to int32, compare with the loops.
template <class Kernel, class LhsFormat, class LhsG, class RhsFormat, class RhsG>
testing::AssertionResult int32_product_is_exact(const IntMatrix& lhs, const IntMatrix& rhs) {
  const auto weights = pack<Kernel>(quantized<RhsFormat, RhsG>(rhs));
  RowTensor<std::int32_t, 2> dst(lhs.rows, rhs.rows);
  dst.setConstant(-77);
  gemm(quantized<LhsFormat, LhsG>(lhs), weights, dst);
  const auto result = equals(dst, lhs.rows, rhs.rows, [&](Index i, Index j) { return dot(lhs, i, rhs, j); });
  return result ? result
                : testing::AssertionFailure() << Kernel::name << ' ' << Kernel::kMr << 'x' << Kernel::kNr << 'x'
                                              << Kernel::kKr << ", k = " << lhs.cols << ": " << result.message();
}

}  // namespace quanta::test
