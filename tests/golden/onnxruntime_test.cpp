// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// ONNX Runtime's QuantizeLinear and DynamicQuantizeLinear, reproduced to the bit.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/support/npy.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class T>
Npy<T> onnx(const std::string& name) {
  return read_npy<T>("golden/onnxruntime/" + name + ".npy");
}

class GoldenOnnx : public testing::TestWithParam<const char*> {
 protected:
  std::string prefix(const char* operation) const { return std::string(operation) + "_" + GetParam(); }
  RowTensor<float, 2> x() const { return onnx<float>(prefix("dq") + "_x").tensor<2>(); }
};

TEST_P(GoldenOnnx, DynamicQuantizeLinear) {
  const RowTensor<float, 2> input = x();
  const auto quantizer = AsymmetricQuantizer<UInt<8>>::fit(input);
  EXPECT_EQ(bits_of(quantizer.params().scale(0)), bits_of(onnx<float>(prefix("dq") + "_scale").data[0]));
  EXPECT_EQ(quantizer.params().zero_point(0), onnx<std::uint8_t>(prefix("dq") + "_zero_point").data[0]);
  const auto expected = onnx<std::uint8_t>(prefix("dq") + "_y").tensor<2>();
  EXPECT_TRUE(same_bits(quantizer.quantize(input).codes(), expected));
  EXPECT_TRUE(same_bits(quantizer.quantize(col_major(input)).codes(), expected));
}

// Per row, int8, over the whole range of codes.
TEST_P(GoldenOnnx, QuantizeLinear) {
  const RowTensor<float, 2> input = x();
  const auto expected = onnx<std::int8_t>(prefix("ql") + "_y").tensor<2>();
  const QuantParams<PerChannel<0>> params(onnx<float>("ql_scale").data, onnx<std::int8_t>("ql_z").data);
  const SymmetricQuantizer<Int<8>, PerChannel<0>> symmetric(params, {.full_range = true});
  EXPECT_TRUE(same_bits(symmetric.quantize(input).codes(), expected));
  const AsymmetricQuantizer<Int<8>, PerChannel<0>> asymmetric(params);
  EXPECT_TRUE(same_bits(asymmetric.quantize(input).codes(), expected));
  EXPECT_TRUE(same_bits(asymmetric.quantize(col_major(input)).codes(), expected));
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenOnnx, testing::Values("normal", "positive", "negative", "ties", "tiny"),
                         [](const auto& test) { return std::string(test.param); });

// Every element separates x / scale from x * (1 / scale).
TEST(GoldenOnnxFixtures, QuantizeLinearDivides) {
  const auto x = onnx<float>("neartie_x").tensor<2>();
  const std::vector<float> scales = onnx<float>("neartie_scale").data;
  const auto expected = onnx<std::int8_t>("neartie_y").tensor<2>();
  const SymmetricQuantizer<Int<8>, PerChannel<0>> quantizer(QuantParams<PerChannel<0>>(scales), {.full_range = true});
  EXPECT_TRUE(same_bits(quantizer.quantize(x).codes(), expected));
  Index separated = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const float scale = scales[usize(i / x.dimension(1))];
    const double inverse = static_cast<double>(reference::quotient(1.0f, scale));
    const double product = reference::to_float(static_cast<double>(x.data()[i]) * inverse);
    const double quotient = reference::quotient(x.data()[i], scale);
    separated += reference::half_even(product) != reference::half_even(quotient) ? 1 : 0;
  }
  EXPECT_EQ(separated, x.size());  // that is what the fixture is for
}

// Every range separates a scale computed in float32 from one computed in double.
TEST(GoldenOnnxFixtures, ScalesAndZeroPointsOfRanges) {
  const Npy<float> ranges = onnx<float>("scale_ranges");
  const std::vector<float> scales = onnx<float>("scale_ranges_scale").data;
  const std::vector<std::uint8_t> zero_points = onnx<std::uint8_t>("scale_ranges_zero_point").data;
  ASSERT_EQ(scales.size(), 32u);
  int separated = 0;
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const Range range{ranges.data[2 * i], ranges.data[2 * i + 1]};
    const auto quantizer = AsymmetricQuantizer<UInt<8>>::fit(range);
    EXPECT_EQ(bits_of(quantizer.params().scale(0)), bits_of(scales[i])) << i;
    EXPECT_EQ(quantizer.params().zero_point(0), zero_points[i]) << i;
    const double width = std::max(0.0, static_cast<double>(range.max)) - std::min(0.0, static_cast<double>(range.min));
    separated += static_cast<float>(width / 255.0) != scales[i] ? 1 : 0;
  }
  EXPECT_EQ(separated, 32);
}

}  // namespace
}  // namespace quanta::test
