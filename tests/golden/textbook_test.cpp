// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The figures that textbook demonstrations print, from their own inputs.
#include "tests/support/golden_json.hpp"

#if QUANTA_TEST_HAS_JSON
#include <algorithm>

#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

RowTensor<float, 1> input(const std::string& name) { return read_npy<float>("golden/" + name + ".npy").tensor<1>(); }

// The demonstrations sum in float32, so their means carry an error of their own: of a pairwise sum of n terms about
// log2(n) half units in the last place, 6e-8 each. And they add 1e-10 to the noise.
void expect_metrics(const ErrorMetrics& m, const nlohmann::json& expected) {
  EXPECT_TRUE(relative(m.max_error, expected["max_error"], 0.0));  // a float32 maximum is exact
  EXPECT_TRUE(relative(m.mean_error, expected["mean_error"]));
  EXPECT_TRUE(relative(m.mse, expected["mse"]));
  const double noise = m.mse, signal = m.mse * std::pow(10.0, m.snr_db / 10.0);
  EXPECT_TRUE(relative(10.0 * std::log10(signal / (noise + 1e-10)), expected["snr_db"]));
}

TEST(GoldenTextbook, Demo1SymmetricInt8AndInt4) {
  const RowTensor<float, 1> x = input("demo1_input");
  const auto check = [&](const auto& quantizer, const nlohmann::json& expected) {
    EXPECT_TRUE(relative(quantizer.params().scale(0), expected["scale"], 0.0));
    const auto quantized = quantizer.quantize(x);
    const auto codes = quantized.codes();
    EXPECT_EQ(*std::min_element(codes.data(), codes.data() + codes.size()), expected["qmin"].get<int>());
    EXPECT_EQ(*std::max_element(codes.data(), codes.data() + codes.size()), expected["qmax"].get<int>());
    expect_metrics(error_metrics(x, quantized.dequantize()), expected);
  };
  check(SymmetricQuantizer<Int<8>>::fit(x), figures("demo1_int8"));
  check(SymmetricQuantizer<Int<4>>::fit(x), figures("demo1_int4"));
}

TEST(GoldenTextbook, Demo2SymmetricAndAsymmetric) {
  const RowTensor<float, 1> x = input("demo2_input");
  const auto symmetric = SymmetricQuantizer<Int<8>>::fit(x);
  const auto asymmetric = AsymmetricQuantizer<UInt<8>>::fit(x);
  EXPECT_TRUE(relative(symmetric.params().scale(0), figures("demo2_symmetric")["scale"], 0.0));
  EXPECT_TRUE(relative(asymmetric.params().scale(0), figures("demo2_asymmetric")["scale"], 0.0));
  EXPECT_EQ(asymmetric.params().zero_point(0), figures("demo2_asymmetric")["zero_point"].get<int>());
  expect_metrics(error_metrics(x, symmetric.fake_quantize(x)), figures("demo2_symmetric"));
  expect_metrics(error_metrics(x, asymmetric.fake_quantize(x)), figures("demo2_asymmetric"));
}

TEST(GoldenTextbook, Demo3PerTensorAndPerChannel) {
  const auto weight = read_npy<float>("golden/demo3_weight.npy").tensor<2>();
  const auto tensor = SymmetricQuantizer<Int<8>>::fit(weight);
  const auto channel = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight);
  const nlohmann::json per_tensor = figures("demo3_per_tensor"), per_channel = figures("demo3_per_channel");
  EXPECT_TRUE(relative(tensor.params().scale(0), per_tensor["scale"], 0.0));
  std::vector<float> scales;
  for (Index i = 0; i < channel.params().size(); ++i) scales.push_back(channel.params().scale(i));
  EXPECT_TRUE(relative(*std::min_element(scales.begin(), scales.end()), per_channel["scale_min"], 0.0));
  EXPECT_TRUE(relative(*std::max_element(scales.begin(), scales.end()), per_channel["scale_max"], 0.0));
  const ErrorMetrics a = error_metrics(weight, tensor.fake_quantize(weight));
  const ErrorMetrics b = error_metrics(weight, channel.fake_quantize(weight));
  expect_metrics(a, per_tensor);
  expect_metrics(b, per_channel);
  EXPECT_TRUE(relative(b.snr_db - a.snr_db, per_channel["improvement_db"]));
}

template <int bits>
void check_depth(const RowTensor<float, 1>& x) {
  SCOPED_TRACE(bits);
  const nlohmann::json expected = figures("demo4_" + std::to_string(bits) + "bit");
  const auto quantized = SymmetricQuantizer<Int<bits>>::fit(x).quantize(x);
  expect_metrics(error_metrics(x, quantized.dequantize()), expected);
  EXPECT_TRUE(relative(static_cast<double>(quantized.bytes()) / 1024.0, expected["size_kb"], 0.0));
  EXPECT_TRUE(relative(static_cast<double>(x.size() * 4) / static_cast<double>(quantized.bytes()),
                       expected["compression"], 1e-15));
}

TEST(GoldenTextbook, Demo4BitDepths) {
  const RowTensor<float, 1> x = input("demo4_input");
  check_depth<2>(x);
  check_depth<4>(x);
  check_depth<8>(x);
  check_depth<16>(x);
}

}  // namespace
}  // namespace quanta::test
#endif
