// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What every kernel is put through, one compiled in or one emulated: each function checks one property of the whole
// product (packing, loop nest, zero points) with that kernel.
#pragma once

#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {

/// All of m, n and k from 0 to two tiles and one. Codes and zero points go through all fills on the way.
template <class Kernel, class LhsFormat, class RhsFormat>
void check_tails() {
  Random random(1);
  std::size_t turn = 0;
  for (const Index m : tail_sizes(Kernel::kMr)) {
    for (const Index n : tail_sizes(Kernel::kNr)) {
      for (const Index k : tail_sizes(Kernel::kKr)) {
        // Periods 4 and 5 have no common factor, so every fill of one operand meets every fill of the other.
        const Fill codes = kCodeFills[turn % 4], zeros = kZeroFills[turn / 4 % 4];
        const Fill other_codes = kCodeFills[turn % 5 % 4], other_zeros = kZeroFills[turn / 5 % 4];
        ++turn;
        const IntMatrix lhs = int_matrix<LhsFormat>(m, k, kPerRow, codes, zeros, random);
        const IntMatrix rhs = int_matrix<RhsFormat>(n, k, kPerRow, other_codes, other_zeros, random);
        ASSERT_TRUE((int32_product_is_exact<Kernel, LhsFormat, PerChannel<0>, RhsFormat, PerChannel<0>>(lhs, rhs)))
            << "turn " << turn;
      }
    }
  }
}

/// Codes and zero points at all ends of their formats, at a shape with a tail in every direction.
template <class Kernel, class LhsFormat, class RhsFormat>
void check_extremes() {
  Random random(2);
  const Index m = Kernel::kMr + 1, n = Kernel::kNr + 1;
  for (const Index k : {Index{1}, Index{Kernel::kKr} * 5, Index{Kernel::kKr} * 40 + 1}) {
    for (const Fill lhs_codes : kCodeFills) {
      for (const Fill rhs_codes : kCodeFills) {
        for (const Fill lhs_zero : kZeroFills) {
          for (const Fill rhs_zero : kZeroFills) {
            const IntMatrix lhs = int_matrix<LhsFormat>(m, k, kOne, lhs_codes, lhs_zero, random);
            const IntMatrix rhs = int_matrix<RhsFormat>(n, k, kOne, rhs_codes, rhs_zero, random);
            ASSERT_TRUE((int32_product_is_exact<Kernel, LhsFormat, PerTensor, RhsFormat, PerTensor>(lhs, rhs)));
          }
        }
      }
    }
  }
}

/// Group sizes 1 to 40, with k that fill the last group or do not; zero points per group; int32 and float results.
template <class Kernel, class LhsFormat, class RhsFormat>
void check_groups() {
  using G = PerGroup<Dynamic>;
  Random random(3);
  const Index m = Kernel::kMr + 1, n = Kernel::kNr + 1;
  const int step = 40 / scaled(40, 8);
  for (Index group = 1; group <= 40; group += step) {
    for (const Index k : {group - 1, group, group + 1, 3 * group, 3 * group + group / 2 + 1}) {
      const IntMatrix lhs = int_matrix<LhsFormat>(m, k, kPerRow, Fill::random, Fill::random, random);
      const IntMatrix rhs = int_matrix<RhsFormat>(n, k, group, Fill::random, Fill::random, random);
      const auto x = quantized<LhsFormat, PerChannel<0>>(lhs);
      const auto weights = pack<Kernel>(quantized<RhsFormat, G>(rhs));
      RowTensor<std::int32_t, 2> sums(m, n);
      gemm(x, weights, sums);
      ASSERT_TRUE(equals(sums, m, n, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }))
          << "group " << group << ", k = " << k;
      RowTensor<float, 2> reals(m, n);
      gemm(x, weights, reals, Dequantize{});
      ASSERT_TRUE(equals(reals, m, n, [&](Index i, Index j) { return real_dot(lhs, i, rhs, j); }))
          << "group " << group << ", k = " << k;
    }
  }
}

}  // namespace quanta::test
