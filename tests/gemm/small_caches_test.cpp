// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products of several blocks of rows and several groups of panels (gemm/loop_nest.hpp), which small caches make of
// small products.
#define QUANTA_L2_KILOBYTES 4
#include <quanta/quanta.hpp>

#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"
#include "tests/support/thread_pool.hpp"

namespace quanta::test {
namespace {

constexpr Index kSmallCacheInputs = 130, kSmallCacheOutputs = 100;

using OfSmallTiles = PortableKernel<5, 12, 3, S8, U8>;

TEST(SmallCaches, BlocksAreAsHighAsSaid) {
  EXPECT_EQ(detail::rows_together(128, 1 << 20), 128);
  EXPECT_EQ(detail::rows_together(1000, 2), 1000);
  EXPECT_EQ(detail::rows_together(1000, 3), 682);   // half of the cache
  EXPECT_EQ(detail::rows_together(1000, 16), 512);  // many, where they fit four times the cache
  EXPECT_EQ(detail::rows_together(1000, 64), 256);
  EXPECT_EQ(detail::rows_together(1000, 1 << 20), 128);
}

TEST(SmallCaches, ProductsOfSeveralBlocksAreExact) {
  Random random(1);
  for (const Index m : {129, 256, 300}) {
    const IntMatrix lhs = int_matrix<UInt<8>>(m, kSmallCacheInputs, kPerRow, Fill::random, Fill::random, random);
    const IntMatrix rhs =
        int_matrix<Int<8>>(kSmallCacheOutputs, kSmallCacheInputs, kPerRow, Fill::random, Fill::random, random);
    ASSERT_TRUE((int32_product_is_exact<NativeKernel, UInt<8>, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
    ASSERT_TRUE((int32_product_is_exact<OfSmallTiles, UInt<8>, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
    const IntMatrix groups =
        int_matrix<Int<4>>(kSmallCacheOutputs, kSmallCacheInputs, 48, Fill::random, Fill::random, random);
    ASSERT_TRUE((int32_product_is_exact<NativeKernel, UInt<8>, PerChannel<0>, Int<4>, PerGroup<48>>(lhs, groups)));
  }
}

TEST(SmallCaches, RowsThatAreCopiedOrMadeComeInSeveralBlocks) {
  constexpr Index kRows = 300;
  const RowTensor<float, 2> x = random_tensor<2>({kRows, kSmallCacheInputs}, 2),
                            weight = random_tensor<2>({kSmallCacheOutputs, kSmallCacheInputs}, 3);
  const DynamicLinear<> layer(weight);
  const RowTensor<float, 2> all = layer(x);
  const ColTensor<float, 2> by_columns = x.swap_layout().shuffle(Eigen::array<Index, 2>{1, 0});
  EXPECT_TRUE(same_bits(layer(by_columns), all));
  PlainThreads threads(3);
  Context context(threads);
  EXPECT_TRUE(same_bits(layer(context, x), all));
  for (Index i = 0; i < kRows; ++i) {  // one row is one block
    const RowTensor<float, 2> row = x.slice(Eigen::array<Index, 2>{i, 0}, Eigen::array<Index, 2>{1, kSmallCacheInputs});
    const RowTensor<float, 2> expected =
        all.slice(Eigen::array<Index, 2>{i, 0}, Eigen::array<Index, 2>{1, kSmallCacheOutputs});
    ASSERT_TRUE(same_bits(layer(row), expected)) << "row " << i;
  }
}

}  // namespace
}  // namespace quanta::test
