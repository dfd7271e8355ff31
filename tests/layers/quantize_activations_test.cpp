// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Layers without weights to quantize pass through the making of quantized models, and what lies behind them is
// calibrated with what they give.
#include <gtest/gtest.h>

#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// Every layer there is that is no linear one.
Sequential model_of_all_layers() {
  return Sequential{Flatten{}, Linear(kWeight1, kBias1),       LayerNorm(kBias1, kBias1),
                    Gelu{},    Sequential{GeluTanh{}, Tanh{}}, Clamp(-0.9f, 0.9f),
                    Relu6{},   Linear(kWeight2, kBias2),       Sigmoid{},
                    Softmax{}};
}

std::string names(const Sequential& model) {
  std::string text;
  for (const LayerSummary& layer : summary(model).layers) text += layer.name + ' ';
  return text;
}

TEST(QuantizeActivations, TheyPassThroughUnchanged) {
  const Sequential model = model_of_all_layers();
  const std::string between = " LayerNorm Gelu GeluTanh Tanh Clamp Relu6 ", after = " Sigmoid Softmax ";
  const auto expected = [&](const std::string& linear) { return "Flatten " + linear + between + linear + after; };
  const std::vector<RowTensor<float, 2>> batches = batches_of({20, 40});
  const Sequential fixed = quantize_static(model, batches, MinMaxCalibrator<>{});
  EXPECT_EQ(names(quantize_dynamic(model)), expected("DynamicLinear"));
  EXPECT_EQ(names(quantize_weights<Int<4>>(model)), expected("WeightOnlyLinear"));
  EXPECT_EQ(names(fixed), expected("StaticLinear"));
  // What the second Linear is shown lies in [0, 0.9], whatever came before.
  const auto* second = fixed[7].target<StaticLinear<>>();
  ASSERT_NE(second, nullptr);
  EXPECT_EQ(second->activation().scale, 0.9f / 255.0f);
  EXPECT_EQ(second->activation().zero_point, 0);
  EXPECT_GT(error_metrics(model(kData), fixed(kData)).snr_db, 30.0);
  const auto* norm = fixed[2].target<LayerNorm>();
  ASSERT_NE(norm, nullptr);
  EXPECT_TRUE(same_bits(norm->weight().data(), kBias1.data(), 40));
}

}  // namespace
}  // namespace quanta::test
