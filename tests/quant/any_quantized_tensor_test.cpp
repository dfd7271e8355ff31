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

AnyQuantizedTensor of_parts(std::vector<Index> shape, GranularityInfo granularity, Index bytes,
                            std::initializer_list<float> scales, std::initializer_list<std::int32_t> zero_points) {
  Buffer<float> s(static_cast<Index>(scales.size()));
  std::copy(scales.begin(), scales.end(), s.begin());
  Buffer<std::int32_t> z(static_cast<Index>(zero_points.size()));
  std::copy(zero_points.begin(), zero_points.end(), z.begin());
  return AnyQuantizedTensor(format_info<UInt<4>>, std::move(shape), granularity,
                            Buffer<std::byte>(bytes, std::byte{0x52}), std::move(s), std::move(z));
}

TEST(AnyQuantizedTensor, IsMadeOfParts) {
  const GranularityInfo channels{GranularityKind::per_channel, -1, 0};
  const AnyQuantizedTensor any = of_parts({1, 2}, channels, 1, {0.5f, 2.0f}, {1, 3});
  EXPECT_TRUE((any.holds<UInt<4>, 2, PerChannel<1>>()));
  EXPECT_EQ(any.dequantize<2>()(0, 0), 0.5f);
  EXPECT_EQ(any.dequantize<2>()(0, 1), 4.0f);
  EXPECT_EQ(of_parts({2}, {}, 1, {0.5f}, {0}).bytes(), 5);  // a zero point of 0 is not kept
  EXPECT_EQ(of_parts({2}, {}, 1, {0.5f}, {}).bytes(), 5);
  EXPECT_EQ((of_parts({2}, {}, 1, {0.5f}, {}).get<UInt<4>, 1>().codes()(1)), 5);
}

TEST(AnyQuantizedTensor, RefusesPartsThatDoNotFit) {
  const GranularityInfo groups{GranularityKind::per_group, 1, 2};
  EXPECT_ERROR(of_parts({}, {}, 1, {1.0f}, {}), "rank 0, expected 1 to 5");
  EXPECT_ERROR(of_parts({1, 1, 1, 1, 1, 2}, {}, 1, {1.0f}, {}), "rank 6");
  EXPECT_ERROR(of_parts({-1}, {}, 0, {1.0f}, {}), "shape (-1)");
  EXPECT_ERROR(of_parts({0, std::numeric_limits<Index>::max()}, {}, 0, {1.0f}, {}), "too large");
  EXPECT_ERROR(of_parts({3}, {}, 1, {1.0f}, {}), "1 bytes of codes for shape (3) of uint4, expected 2");
  EXPECT_ERROR(of_parts({2}, {}, 1, {1.0f, 2.0f}, {}), "2 scales for a tensor of shape (2) that has 1");
  EXPECT_ERROR(of_parts({2}, groups, 1, {1.0f}, {}), "axis 1 of a tensor of rank 1");
  EXPECT_ERROR(of_parts({1, 2}, groups, 1, {1.0f}, {1, 2}), "2 zero points for 1 scales");
  EXPECT_ERROR(of_parts({2}, {}, 1, {0.0f}, {}), "scale 0 is 0");
  EXPECT_ERROR(of_parts({2}, {}, 1, {1.0f}, {16}), "zero point 0 is 16, expected a code of the format, 0 to 15");
}

}  // namespace
}  // namespace quanta::test
