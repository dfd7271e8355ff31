// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0

#include <gtest/gtest.h>

#include <quanta/quant/any_quantized_tensor.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class Quantizer>
auto fitted(const Dims<2>& shape) {
  const auto x = random_tensor<2>(shape, 7);
  return Quantizer::fit(x).quantize(x);
}

TEST(AnyQuantizedTensor, KnowsWhatItHolds) {
  const auto tensor = fitted<SymmetricQuantizer<Int<4>, PerGroup<16>>>({6, 100});
  const AnyQuantizedTensor any(tensor);
  EXPECT_EQ(any.format(), "int4");
  EXPECT_EQ(any.bits(), 4);
  EXPECT_EQ(any.rank(), 2);
  EXPECT_EQ(any.shape(), (std::vector<Index>{6, 100}));
  EXPECT_EQ(any.size(), 600);
  EXPECT_EQ(any.params().size, 6 * 7);
  EXPECT_EQ(any.params().zero_points, nullptr);
  EXPECT_EQ(any.description(), "int4 (6, 100) per_group(16, axis 1)");
  const auto channels = fitted<AsymmetricQuantizer<UInt<8>, PerChannel<0>>>({3, 5});
  EXPECT_EQ(AnyQuantizedTensor(channels).description(), "uint8 (3, 5) per_channel(axis 0)");
  EXPECT_EQ(AnyQuantizedTensor(fitted<SymmetricQuantizer<Int<8>>>({3, 5})).description(), "int8 (3, 5) per_tensor");
}

TEST(AnyQuantizedTensor, HoldsOneFormatRankAndGranularity) {
  const AnyQuantizedTensor any(fitted<SymmetricQuantizer<Int<4>, PerGroup<16>>>({6, 100}));
  EXPECT_TRUE((any.holds<Int<4>, 2, PerGroup<16>>()));
  EXPECT_TRUE((any.holds<Int<4>, 2, PerGroup<16, 1>>())) << "the last axis counted from the front";
  EXPECT_TRUE((any.holds<Int<4>, 2, PerGroup<Dynamic>>()));
  EXPECT_FALSE((any.holds<Int<4>, 2, PerGroup<32>>()));
  EXPECT_FALSE((any.holds<Int<4>, 2, PerGroup<16, 0>>()));
  EXPECT_FALSE((any.holds<Int<4>, 3, PerGroup<16>>()));
  EXPECT_FALSE((any.holds<Int<5>, 2, PerGroup<16>>()));
  EXPECT_FALSE((any.holds<UInt<4>, 2, PerGroup<16>>()));
  EXPECT_FALSE((any.holds<Int<4>, 2>()));
  const AnyQuantizedTensor channels(fitted<SymmetricQuantizer<Int<8>, PerChannel<-1>>>({6, 9}));
  EXPECT_TRUE((channels.holds<Int<8>, 2, PerChannel<1>>()));
  EXPECT_FALSE((channels.holds<Int<8>, 2, PerChannel<0>>()));
  EXPECT_FALSE((channels.holds<Int<8>, 2, PerGroup<Dynamic>>()));
}

template <class Quantizer>
void expect_same_tensor(const Dims<2>& shape) {
  const auto tensor = fitted<Quantizer>(shape);
  using Tensor2 = std::remove_const_t<decltype(tensor)>;
  using F = typename Tensor2::FormatType;
  using G = typename Tensor2::GranularityType;
  const AnyQuantizedTensor any(tensor);
  EXPECT_EQ(any.bytes(), tensor.bytes());
  EXPECT_TRUE(same_bits(any.dequantize<2>(), tensor.dequantize()));
  const auto columns = any.dequantize<2, Eigen::ColMajor>();
  EXPECT_TRUE(same_bits(logical_order(columns), logical_order(tensor.dequantize())));
  const auto back = any.get<F, 2, G>();
  EXPECT_TRUE(same_bits(back.codes(), tensor.codes()));
  ASSERT_EQ(back.params().size(), tensor.params().size());
  for (Index i = 0; i < back.params().size(); ++i) {
    EXPECT_EQ(bits_of(back.params().scale(i)), bits_of(tensor.params().scale(i)));
    EXPECT_EQ(back.params().zero_point(i), tensor.params().zero_point(i));
  }
  EXPECT_EQ(back.bytes(), tensor.bytes());
}

TEST(AnyQuantizedTensor, GivesBackTheSameTensor) {
  expect_same_tensor<SymmetricQuantizer<Int<3>>>({5, 13});
  expect_same_tensor<SymmetricQuantizer<Int<8>, PerChannel<0>>>({5, 13});
  expect_same_tensor<AsymmetricQuantizer<UInt<5>, PerChannel<1>>>({5, 13});
  expect_same_tensor<AsymmetricQuantizer<Int<16>, PerGroup<4>>>({5, 13});
  expect_same_tensor<AsymmetricQuantizer<UInt<2>, PerGroup<2, 0>>>({5, 13});
}

TEST(AnyQuantizedTensor, GivesBackGroupsOfASizeKnownAtRunTime) {
  const auto x = random_tensor<2>({4, 50}, 3);
  const auto tensor = SymmetricQuantizer<Int<6>, PerGroup<Dynamic>>::fit(x, PerGroup<Dynamic>{12}).quantize(x);
  const AnyQuantizedTensor any(tensor);
  EXPECT_TRUE((any.holds<Int<6>, 2, PerGroup<12>>()));
  EXPECT_EQ((any.get<Int<6>, 2, PerGroup<Dynamic>>().params().granularity().size()), 12);
  EXPECT_TRUE(same_bits(any.get<Int<6>, 2, PerGroup<12>>().codes(), tensor.codes()));
}

TEST(AnyQuantizedTensor, CopiesDeeply) {
  AnyQuantizedTensor first(fitted<SymmetricQuantizer<Int<8>>>({3, 5}));
  const auto before = first.dequantize<2>();
  const AnyQuantizedTensor second = first;
  EXPECT_NE(first.data(), second.data());
  first = AnyQuantizedTensor(fitted<AsymmetricQuantizer<UInt<4>>>({2, 2}));
  EXPECT_EQ(first.format(), "uint4");
  EXPECT_TRUE(same_bits(second.dequantize<2>(), before));
}

TEST(AnyQuantizedTensor, SaysWhatItHoldsWhenAskedForSomethingElse) {
  const AnyQuantizedTensor any(fitted<SymmetricQuantizer<Int<4>, PerGroup<16>>>({6, 100}));
  EXPECT_ERROR((any.view<Int<8>, 2, PerGroup<16>>()), "int4 (6, 100) per_group(16, axis 1)", "int8");
  EXPECT_ERROR((any.get<Int<4>, 2>()), "int4 (6, 100) per_group(16, axis 1)");
  EXPECT_ERROR((any.dequantize<3>()), "int4 (6, 100)", "rank 3");
  RowTensor<float, 2> wrong(6, 99);
  wrong.setConstant(5.0f);
  EXPECT_ERROR(any.dequantize_into(wrong), "(6, 99)", "int4 (6, 100)");
  for (Index i = 0; i < wrong.size(); ++i) EXPECT_EQ(wrong.data()[i], 5.0f);
}

}  // namespace
}  // namespace quanta::test
