// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products of every pair of formats, and of every granularity the operands can have.
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

using Signed = PortableKernel<3, 7, 2, S8, S8>;

template <class F>
class LhsFormats : public testing::Test {};
using LhsTypes = testing::Types<Int<2>, Int<5>, Int<7>, UInt<2>, UInt<3>, UInt<7>>;  // those of 8 bits: everywhere else
TYPED_TEST_SUITE(LhsFormats, LhsTypes);

TYPED_TEST(LhsFormats, AreMultipliedExactly) {
  Random random(1);
  for (const Fill codes : kCodeFills) {
    for (const Fill zeros : kZeroFills) {
      const IntMatrix lhs = int_matrix<TypeParam>(9, 21, kPerRow, codes, zeros, random);
      const IntMatrix rhs = int_matrix<Int<8>>(17, 21, kPerRow, codes, zeros, random);
      ASSERT_TRUE((int32_product_is_exact<NativeKernel, TypeParam, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
      ASSERT_TRUE((int32_product_is_exact<Signed, TypeParam, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
    }
  }
}

template <class F>
class RhsFormats : public testing::Test {};
using RhsTypes = testing::Types<Int<2>, Int<4>, Int<6>, UInt<3>, UInt<7>>;
TYPED_TEST_SUITE(RhsFormats, RhsTypes);

TYPED_TEST(RhsFormats, AreMultipliedExactly) {
  Random random(2);
  for (const Fill codes : kCodeFills) {
    for (const Fill zeros : kZeroFills) {
      const IntMatrix lhs = int_matrix<UInt<8>>(9, 21, kOne, codes, zeros, random);
      const IntMatrix rhs = int_matrix<TypeParam>(17, 21, kPerRow, codes, zeros, random);
      ASSERT_TRUE((int32_product_is_exact<NativeKernel, UInt<8>, PerTensor, TypeParam, PerChannel<0>>(lhs, rhs)));
    }
  }
}

// PerChannel<-2> of a matrix is PerChannel<0>, and PerGroup<g, 1> is PerGroup<g, -1>.
TEST(Granularities, NamedByNegativeAxesAreTheSame) {
  Random random(3);
  const IntMatrix lhs = int_matrix<Int<8>>(5, 21, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix channels = int_matrix<Int<8>>(6, 21, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix groups = int_matrix<Int<8>>(6, 21, 8, Fill::random, Fill::random, random);
  using K = NativeKernel;
  EXPECT_TRUE((int32_product_is_exact<K, Int<8>, PerChannel<-2>, Int<8>, PerChannel<-2>>(lhs, channels)));
  EXPECT_TRUE((int32_product_is_exact<K, Int<8>, PerChannel<0>, Int<8>, PerGroup<8, 1>>(lhs, groups)));
  EXPECT_TRUE((int32_product_is_exact<K, Int<8>, PerChannel<-2>, Int<8>, PerGroup<8>>(lhs, groups)));
}

// All pairs of lhs and rhs granularity, through int32 and through Dequantize.
template <class LhsG, class RhsG>
void check_pair(Index lhs_params, Index rhs_params) {
  Random random(4);
  const IntMatrix lhs = int_matrix<UInt<8>>(31, 45, lhs_params, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<4>>(37, 45, rhs_params, Fill::random, Fill::random, random);
  ASSERT_TRUE((int32_product_is_exact<NativeKernel, UInt<8>, LhsG, Int<4>, RhsG>(lhs, rhs)));
  RowTensor<float, 2> y(31, 37);
  gemm(quantized<UInt<8>, LhsG>(lhs), pack(quantized<Int<4>, RhsG>(rhs)), y, Dequantize{});
  ASSERT_TRUE(equals(y, 31, 37, [&](Index i, Index j) { return real_dot(lhs, i, rhs, j); }));
}

TEST(Granularities, AllPairsGiveTheirScalesToTheRightResults) {
  check_pair<PerTensor, PerTensor>(kOne, kOne);
  check_pair<PerTensor, PerChannel<0>>(kOne, kPerRow);
  check_pair<PerTensor, PerGroup<16>>(kOne, 16);
  check_pair<PerChannel<0>, PerTensor>(kPerRow, kOne);
  check_pair<PerChannel<0>, PerChannel<0>>(kPerRow, kPerRow);
  check_pair<PerChannel<0>, PerGroup<16>>(kPerRow, 16);
}

}  // namespace
}  // namespace quanta::test
