// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Per tensor and per channel, on every axis of tensors of every rank, against the reference.
#include <gtest/gtest.h>

#include "tests/quant/oracle.hpp"

namespace quanta::test {
namespace {

template <class G, int rank>
void check(const Dims<rank>& shape, const Sharing& sharing) {
  SCOPED_TRACE(testing::Message() << "rank " << rank << ", axis " << sharing.axis);
  const RowTensor<float, rank> x = uneven_tensor<rank>(shape, 1);
  expect_reference_results<SymmetricQuantizer<Int<8>, G>>(x, G{}, sharing);
  expect_reference_results<AsymmetricQuantizer<UInt<4>, G>>(x, G{}, sharing);
}

template <int axis, int rank>
void check_channel(const Dims<rank>& shape) {
  check<PerChannel<axis>, rank>(shape, {Sharing::channel, axis, 0});
}

TEST(QuantizerChannels, PerTensorOfEveryRank) {
  check<PerTensor, 1>({37}, {});
  check<PerTensor, 2>({5, 9}, {});
  check<PerTensor, 3>({3, 5, 7}, {});
  check<PerTensor, 4>({2, 3, 4, 5}, {});
  check<PerTensor, 5>({2, 3, 2, 3, 5}, {});
}

TEST(QuantizerChannels, OfRanksOneToThree) {
  check_channel<0, 1>({37});
  check_channel<0, 2>({5, 9});
  check_channel<1, 2>({5, 9});
  check_channel<-1, 2>({5, 40});
  check_channel<0, 3>({3, 5, 7});
  check_channel<1, 3>({3, 5, 7});
  check_channel<2, 3>({3, 5, 7});
}

TEST(QuantizerChannels, OfRanksFourAndFive) {
  check_channel<0, 4>({2, 3, 4, 5});
  check_channel<1, 4>({2, 3, 4, 5});
  check_channel<-2, 4>({2, 3, 4, 5});
  check_channel<3, 4>({2, 3, 4, 5});
  check_channel<0, 5>({2, 3, 2, 3, 5});
  check_channel<1, 5>({2, 3, 2, 3, 5});
  check_channel<2, 5>({2, 3, 2, 3, 5});
  check_channel<3, 5>({2, 3, 2, 3, 5});
  check_channel<-1, 5>({2, 3, 2, 3, 5});
}

TEST(QuantizerChannels, OfTensorsLargerThanAChunk) {
  check_channel<0, 2>({3, 5000});
  check_channel<1, 2>({700, 9});
  check_channel<1, 3>({7, 11, 130});
}

TEST(QuantizerChannels, ADeadChannelIsZeroAndHarmsNoOther) {
  RowTensor<float, 2> x = random_tensor<2>({4, 20}, 5);
  for (Index j = 0; j < 20; ++j) x(2, j) = 0.0f;
  using Q = SymmetricQuantizer<Int<8>, PerChannel<0>>;
  expect_reference_results<Q>(x, {}, {Sharing::channel, 0, 0});
  EXPECT_EQ(Q::fit(x).params().scale(2), 1.0f);
  EXPECT_EQ(Q::fit(x).fake_quantize(x)(2, 7), 0.0f);
}

}  // namespace
}  // namespace quanta::test
