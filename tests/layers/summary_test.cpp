// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

struct UntoldLayer : CallableLayer<UntoldLayer> {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>&, const TensorView<float, 2>&) const {}
  std::string name() const { return "Untold"; }
  Index packed_bytes() const { return 12; }
};

void expect_info(const LayerInfo& got, const char* format, const char* granularity) {
  EXPECT_EQ(got.shape, "(40, 50)");
  EXPECT_EQ(got.format, format);
  EXPECT_EQ(got.granularity, granularity);
  EXPECT_EQ(got.parameters, 40 * 50 + 40);
}

TEST(LayerInformation, NamesFormatAndGranularity) {
  expect_info(Linear(kWeight1).info(), "float32", "");
  expect_info(DynamicLinear<>(kWeight1).info(), "int8", "per_channel(axis 0)");
  expect_info(DynamicLinear<Int<4>, PerGroup<32>>(kWeight1).info(), "int4", "per_group(32, axis 1)");
  expect_info(DynamicLinear<Int<8>, PerGroup<Dynamic>>(kWeight1, PerGroup<Dynamic>(10)).info(), "int8",
              "per_group(10, axis 1)");
  expect_info(StaticLinear<Int<8>, PerTensor>(kWeight1, AsymmetricQuantizer<UInt<8>>(0.1f, 3)).info(), "int8",
              "per_tensor");
  expect_info(WeightOnlyLinear<UInt<4>, PerGroup<64>>(kWeight1).info(), "uint4", "per_group(64, axis 1)");
  const LayerInfo norm = LayerNorm(kBias1, kBias1).info();
  EXPECT_EQ(norm.shape + norm.format + norm.granularity, "(40)float32");
  EXPECT_EQ(norm.parameters, 80);
}

TEST(Summary, HasALineForEveryLayerAndTheSums) {
  Sequential model = quantize_dynamic(float_model());
  model.push_back(UntoldLayer{});
  model.push_back(Softmax{});
  const Summary all = summary(model);
  ASSERT_EQ(all.layers.size(), 6u);
  EXPECT_EQ(all.layers[2].name, "DynamicLinear");
  EXPECT_EQ(all.layers[2].info.shape, "(10, 40)");
  EXPECT_EQ(all.layers[4].name, "Untold");
  EXPECT_EQ(all.layers[4].info.format, "");
  EXPECT_EQ(all.layers[4].bytes, 12);
  EXPECT_EQ(all.parameters, 40 * 50 + 40 + 10 * 40 + 10);
  EXPECT_EQ(all.bytes, model.packed_bytes());
}

TEST(Summary, PrintsAsATable) {
  // 32 outputs need no padding on any CPU.
  const RowTensor<float, 1> bias = random_tensor<1>({32}, 2);
  const Sequential model{WeightOnlyLinear<>(random_tensor<2>({32, 50}, 1), bias), Gelu{}, LayerNorm(bias, bias)};
  EXPECT_EQ(summary(model).text(),
            "   layer             shape     format   granularity          parameters  bytes\n"
            "0  WeightOnlyLinear  (32, 50)  int8     per_channel(axis 0)        1632   1856\n"
            "1  Gelu                                                               0      0\n"
            "2  LayerNorm         (32)      float32                               64    256\n"
            "   all                                                             1696   2112\n");
  EXPECT_EQ(summary(Sequential{}).text(),
            "  layer  shape  format  granularity  parameters  bytes\n"
            "  all                                         0      0\n");
}

}  // namespace
}  // namespace quanta::test
