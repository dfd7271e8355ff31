// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products of sizes at which packing and loop nest change their way, of none, and of random ones.
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

using Odd = PortableKernel<5, 12, 3, S8, U8>;

TEST(Sizes, RowsOfManyTiles) {
  Random random(1);
  for (const Index m : {111, 112, 113, 224, 225, 300}) {
    const IntMatrix lhs = int_matrix<UInt<8>>(m, 5, kPerRow, Fill::random, Fill::random, random);
    const IntMatrix rhs = int_matrix<Int<8>>(33, 5, 2, Fill::random, Fill::random, random);
    ASSERT_TRUE((int32_product_is_exact<NativeKernel, UInt<8>, PerChannel<0>, Int<8>, PerGroup<2>>(lhs, rhs)));
    ASSERT_TRUE((int32_product_is_exact<Odd, UInt<8>, PerChannel<0>, Int<8>, PerGroup<2>>(lhs, rhs)));
  }
}

TEST(Sizes, LongSumsAcrossTheChunksOfPacking) {
  Random random(2);
  for (const Index k : {1022, 1023, 1024, 1025, 2047, 2049, 4100}) {
    const IntMatrix lhs = int_matrix<Int<8>>(3, k, kOne, Fill::random, Fill::random, random);
    const IntMatrix rhs = int_matrix<Int<5>>(3, k, kPerRow, Fill::random, Fill::random, random);
    ASSERT_TRUE((int32_product_is_exact<NativeKernel, Int<8>, PerTensor, Int<5>, PerChannel<0>>(lhs, rhs)));
    ASSERT_TRUE((int32_product_is_exact<Odd, Int<8>, PerTensor, Int<5>, PerChannel<0>>(lhs, rhs)));
  }
}

TEST(Sizes, RaggedGroupsForEveryKTo300) {
  Random random(3);
  const int step = 300 / scaled(300, 20);
  for (Index k = 1; k <= 300; k += step) {
    for (const Index group : {7, 16, 32, 100}) {
      const IntMatrix lhs = int_matrix<Int<8>>(3, k, kPerRow, Fill::random, Fill::zero, random);
      const IntMatrix rhs = int_matrix<Int<4>>(9, k, group, Fill::random, Fill::random, random);
      const auto x = quantized<Int<8>, PerChannel<0>>(lhs);
      const auto weights = pack(quantized<Int<4>, PerGroup<Dynamic>>(rhs));
      RowTensor<std::int32_t, 2> sums(3, 9);
      gemm(x, weights, sums);
      ASSERT_TRUE(equals(sums, 3, 9, [&](Index i, Index j) { return dot(lhs, i, rhs, j); })) << k << '/' << group;
      RowTensor<float, 2> y(3, 9);
      gemm(x, weights, y, Dequantize{});
      ASSERT_TRUE(equals(y, 3, 9, [&](Index i, Index j) { return real_dot(lhs, i, rhs, j); })) << k << '/' << group;
    }
  }
}

TEST(Sizes, WithoutInputsTheResultIsZeroOrTheBias) {
  Random random(4);
  const IntMatrix lhs = int_matrix<UInt<8>>(3, 0, kOne, Fill::random, Fill::highest, random);
  const IntMatrix rhs = int_matrix<Int<8>>(5, 0, kPerRow, Fill::random, Fill::highest, random);
  const auto x = quantized<UInt<8>, PerTensor>(lhs);
  const auto weights = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  RowTensor<std::int32_t, 2> sums(3, 5);
  sums.setConstant(9);
  gemm(x, weights, sums);
  EXPECT_TRUE(equals(sums, 3, 5, [](Index, Index) { return 0; }));
  const Eigen::VectorXf bias = Eigen::VectorXf::LinSpaced(5, 1.0f, 5.0f);
  RowTensor<float, 2> y(3, 5);
  gemm(x, weights, y, Dequantize{}, AddBias{bias});
  EXPECT_TRUE(equals(y, 3, 5, [&](Index, Index j) { return bias[j]; }));
  const IntMatrix no_groups = int_matrix<Int<8>>(5, 0, 4, Fill::random, Fill::highest, random);
  gemm(x, pack(quantized<Int<8>, PerGroup<4>>(no_groups)), y, Dequantize{}, AddBias{bias});
  EXPECT_TRUE(equals(y, 3, 5, [&](Index, Index j) { return bias[j]; }));
}

TEST(Sizes, WithoutRowsOrOutputsNothingIsWritten) {
  Random random(5);
  for (const auto& [m, n] : {std::array<Index, 2>{0, 4}, {4, 0}, {0, 0}}) {
    const IntMatrix lhs = int_matrix<Int<8>>(m, 6, kPerRow, Fill::random, Fill::random, random);
    const IntMatrix rhs = int_matrix<Int<8>>(n, 6, kPerRow, Fill::random, Fill::random, random);
    EXPECT_TRUE((int32_product_is_exact<NativeKernel, Int<8>, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
  }
}

// Everything at once, drawn at random. The seed of a failure is in its message.
TEST(Sizes, RandomProductsAreExact) {
  const int runs = scaled(200, 20);
  for (int seed = 1; seed <= runs; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Random random(static_cast<std::uint64_t>(seed));
    const Index m = random.between(1, seed % 9 == 0 ? 250 : 40), n = random.between(1, 80);
    const Index k = random.between(1, seed % 7 == 0 ? 1500 : 130);
    const Fill fills[] = {Fill::random, Fill::lowest, Fill::highest, Fill::alternating, Fill::zero};
    const auto fill = [&] { return fills[random.between(0, 4)]; };
    const Fill a = fill(), b = fill(), c = fill(), d = fill();
    const IntMatrix lhs = int_matrix<UInt<8>>(m, k, kPerRow, a, b, random);
    const IntMatrix rhs = int_matrix<Int<8>>(n, k, random.between(1, 200), c, d, random);
    const auto x = quantized<UInt<8>, PerChannel<0>>(lhs);
    const auto weights = quantized<Int<8>, PerGroup<Dynamic>>(rhs);
    RowTensor<std::int32_t, 2> sums(m, n);
    gemm(x, pack(weights), sums);
    ASSERT_TRUE(equals(sums, m, n, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }));
    gemm(x, pack<Odd>(weights), sums);
    ASSERT_TRUE(equals(sums, m, n, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }));
    RowTensor<float, 2> y(m, n);
    gemm(x, pack(weights), y, Dequantize{});
    ASSERT_TRUE(equals(y, m, n, [&](Index i, Index j) { return real_dot(lhs, i, rhs, j); }));
  }
}

}  // namespace
}  // namespace quanta::test
