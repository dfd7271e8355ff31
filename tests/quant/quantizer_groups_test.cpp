// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Per group, on every axis of tensors of every rank and with ragged last groups, against the reference.
#include <gtest/gtest.h>

#include "tests/quant/oracle.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <int size, int axis, int rank>
void check_group(const Dims<rank>& shape) {
  SCOPED_TRACE(testing::Message() << "rank " << rank << ", axis " << axis << ", size " << size);
  const RowTensor<float, rank> x = uneven_tensor<rank>(shape, 2);
  using G = PerGroup<size, axis>;
  expect_reference_results<SymmetricQuantizer<Int<4>, G>>(x, G{}, {Sharing::group, axis, size});
}

TEST(QuantizerGroups, OfRanksOneToThree) {
  check_group<4, 0, 1>({37});
  check_group<3, 0, 2>({7, 9});
  check_group<4, 1, 2>({7, 9});
  check_group<1, 1, 2>({7, 9});
  check_group<100, -1, 2>({7, 9});
  check_group<2, 0, 3>({3, 5, 7});
  check_group<2, 1, 3>({3, 5, 7});
  check_group<2, -1, 3>({3, 5, 7});
}

TEST(QuantizerGroups, OfRanksFourAndFive) {
  check_group<2, 0, 4>({3, 3, 4, 5});
  check_group<2, 1, 4>({2, 3, 4, 5});
  check_group<3, -2, 4>({2, 3, 4, 5});
  check_group<3, 3, 4>({2, 3, 4, 5});
  check_group<2, 0, 5>({3, 2, 2, 3, 5});
  check_group<2, 2, 5>({2, 2, 3, 3, 5});
  check_group<2, -1, 5>({2, 2, 3, 3, 5});
}

TEST(QuantizerGroups, AsymmetricOnesHaveZeroPointsOfTheirOwn) {
  const RowTensor<float, 2> x = uneven_tensor<2>({6, 50}, 3);
  expect_reference_results<AsymmetricQuantizer<UInt<8>, PerGroup<16>>>(x, {}, {Sharing::group, -1, 16});
  expect_reference_results<AsymmetricQuantizer<Int<3>, PerGroup<4, 0>>>(x, {}, {Sharing::group, 0, 4});
}

// A group size need not divide the extent: every extent from 1 to 300, with groups of 64 and of sizes around it.
TEST(QuantizerGroups, RaggedLastGroupsOfEveryLength) {
  const int step = 300 / scaled(300, 30);
  for (Index k = 1; k <= 300; k += step) {
    SCOPED_TRACE(k);
    const RowTensor<float, 2> x = uneven_tensor<2>({2, k}, static_cast<std::uint64_t>(k));
    using Q = SymmetricQuantizer<Int<4>, PerGroup<64>>;
    ASSERT_NO_FATAL_FAILURE(expect_reference_results<Q>(x, {}, {Sharing::group, -1, 64}));
    EXPECT_EQ(Q::fit(x).params().size(), 2 * ((k + 63) / 64));
  }
}

TEST(QuantizerGroups, OfASizeKnownAtRunTime) {
  using G = PerGroup<Dynamic>;
  using Q = AsymmetricQuantizer<UInt<4>, G>;
  const RowTensor<float, 2> x = uneven_tensor<2>({3, 45}, 4);
  for (const Index size : {1, 2, 7, 16, 44, 45, 46, 1000}) {
    SCOPED_TRACE(size);
    expect_reference_results<Q>(x, G{size}, {Sharing::group, -1, size});
    const auto quantized = Q::fit(x, G{size}).quantize(x);
    EXPECT_EQ(quantized.params().granularity().size(), size);
    EXPECT_EQ(quantized.view().granularity().size(), size);
  }
  // The size can also come with parameters that were made elsewhere.
  const auto fitted = Q::fit(x, G{7});
  const Q given(QuantParams<G>(fitted.params()));
  EXPECT_TRUE(same_bits(given.quantize(x).codes(), fitted.quantize(x).codes()));
}

}  // namespace
}  // namespace quanta::test
