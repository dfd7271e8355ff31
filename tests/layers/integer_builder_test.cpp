// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Networks of integers from weights in codes and quantizers that are there already: every integer against its
// definition, codes of all formats of activations, and what is refused.
#include <cmath>

#include <quanta/calib/min_max.hpp>
#include <quanta/layers/integer_only.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/train.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {
namespace {

using BuiltMatrix = RowTensor<float, 2>;

const AsymmetricQuantizer<UInt<8>> kBytes(0.02f, 120);

TEST(IntegerBuilder, HoldsTheIntegersOfTrainedQuantizers) {
  const auto fake = FakeQuantize<Int<3>, PerChannel<0>>::learned(kWeight1);
  const FakeQuantize<UInt<4>> fake_hidden(AsymmetricQuantizer<UInt<4>>(0.3f, 2));
  IntegerBuilder builder(50, kBytes);
  builder.linear(fake.quantizer().quantize(kWeight1), kBias1, fake_hidden.quantizer(), Relu{});
  const IntegerNetwork owner = builder.model().network();
  ASSERT_EQ(owner.network().count, 1);
  const integer::Layer& layer = owner.network().layers[0];
  EXPECT_EQ(layer.zero_point, 2);
  EXPECT_EQ(layer.low, 2);
  EXPECT_EQ(layer.high, 15);
  EXPECT_EQ(layer.double_rounding, 0);
  for (int n = 0; n < 40; ++n) {
    const float scale = fake.scales()(n);
    long sum = 0;
    for (int k = 0; k < 50; ++k) {
      const long code = reference::code(kWeight1(n, k), {scale, 0}, -4, 3);
      ASSERT_EQ(layer.weight[n * 50 + k], 32 * code);  // the same reals, and finer biases
      sum += 32 * code;
    }
    const double unit = double{0.02f} * double{scale} / 32.0;
    EXPECT_EQ(layer.bias[n], std::lrint(double{kBias1(n)} / unit) - (120 - 128) * sum) << n;
    const Multiplier factor(unit / double{0.3f});
    EXPECT_EQ(layer.multiplier[n], factor.m) << n;
    EXPECT_EQ(layer.shift[n], factor.shift) << n;
  }
}

/// A network 50-40-10 whose activations between have the format A.
template <IntegerFormat A>
void expect_rounded_outputs_of_static_layers(const AsymmetricQuantizer<A>& hidden) {
  SCOPED_TRACE(std::string(A::name));
  const auto weight1 = SymmetricQuantizer<Int<4>, PerTensor>::fit_quantize(kWeight1);
  const auto weight2 = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit_quantize(kWeight2);
  const AsymmetricQuantizer<Int<8>> scores(0.25f, -3);
  IntegerBuilder builder(50, kBytes);
  builder.linear(weight1, kBias1, hidden, Relu6{});
  builder.linear(weight2, kBias2, scores);
  const std::vector<AnyLayer> parts = builder.model().parts();
  const Sequential first{StaticLinear<Int<4>, PerTensor>(weight1, kBias1, kBytes), Relu6{}};
  const StaticLinear<> second(weight2, kBias2, hidden);

  // What the static layers make of the same codes, within half a step: of the output, and of the bias.
  const auto expect_rounded = [](const BuiltMatrix& got, const BuiltMatrix& real, const auto& quantizer, float unit) {
    const float scale = quantizer.params().scale(0);
    const auto zero_point = static_cast<float>(quantizer.params().zero_point(0));
    const float low = scale * (static_cast<float>(quantizer.min_code()) - zero_point);
    const float high = scale * (static_cast<float>(quantizer.max_code()) - zero_point);
    for (Index i = 0; i < got.size(); ++i) {
      ASSERT_NEAR(got.data()[i], std::clamp(real.data()[i], low, high), 0.5f * (scale + unit) + 1e-5f) << i;
    }
  };
  const BuiltMatrix got1 = Sequential{parts[0]}(kData), got2 = Sequential{parts[1]}(got1);
  expect_rounded(got1, first(kData), hidden, 0.02f * weight1.params().scale(0) / 16.0f);
  float widest = 0.0f;
  for (Index n = 0; n < 10; ++n) widest = std::max(widest, weight2.params().scale(n));
  expect_rounded(got2, second(got1), scores, hidden.params().scale(0) * widest);
  EXPECT_TRUE(same_bits(builder.model()(kData), got2));
}

TEST(IntegerBuilder, KeepsTheLeastScales) {
  RowTensor<std::int8_t, 2> codes(2, 1);
  codes.setValues({{-2}, {1}});
  const std::vector<float> scales = {0x1p-126f, 0x1p-120f};
  const QuantizedTensor<Int<2>, 2, PerChannel<0>> weight(codes, QuantParams<PerChannel<0>>(scales));
  IntegerBuilder builder(1, kBytes);
  builder.linear(weight, RowTensor<float, 1>(RowTensor<float, 1>(2).setZero()), AsymmetricQuantizer<Int<8>>(1.0f));
  const IntegerNetwork owner = builder.model().network();
  EXPECT_EQ(owner.network().layers[0].weight[0], -2);
  EXPECT_EQ(owner.network().layers[0].weight[1], 64);
}

// Training can leave an output without a weight that counts.
TEST(IntegerBuilder, WidensAScaleAtWhichTheBiasWouldOverflow) {
  RowTensor<std::int8_t, 2> codes(3, 2);
  codes.setValues({{-128, 127}, {100, -128}, {0, 0}});
  const std::vector<float> scales = {0.01f, 1e-30f, 0x1p-126f};
  const QuantizedTensor<Int<8>, 2, PerChannel<0>> weight(codes, QuantParams<PerChannel<0>>(scales));
  RowTensor<float, 1> bias(3);
  bias.setValues({0.5f, -1.5f, 2.25f});
  IntegerBuilder builder(2, kBytes);
  builder.linear(weight, bias, AsymmetricQuantizer<Int<8>>(0.03125f));
  const IntegerModel model = builder.model();
  const IntegerNetwork owner = model.network();
  EXPECT_EQ(owner.network().layers[0].weight[0], -128);
  EXPECT_EQ(owner.network().layers[0].weight[1], 127);
  RowTensor<float, 2> x(2, 2);
  x.setValues({{0.0f, 1.0f}, {-2.0f, 2.0f}});
  const RowTensor<float, 2> y = model(x);
  EXPECT_NEAR(y(0, 0), 0.5f + 1.27f, 0.016f);
  for (Index r = 0; r < 2; ++r) {
    EXPECT_EQ(y(r, 1), -1.5f);
    EXPECT_EQ(y(r, 2), 2.25f);
  }
}

TEST(IntegerBuilder, TakesActivationsOfEveryFormat) {
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<Int<8>>(0.05f, -128));
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<UInt<8>>(0.03f));
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<UInt<8>>(0.03f, 77));
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<UInt<2>>(1.5f));
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<UInt<7>>(0.05f, 1));
  expect_rounded_outputs_of_static_layers(AsymmetricQuantizer<Int<4>>(0.5f, -8));
}

TEST(IntegerBuilder, BuildsWhatACalibrationGives) {
  const Sequential model{Linear(kWeight1, kBias1), Tanh{}, Linear(kWeight2, kBias2), Softmax{}};
  const IntegerModel fixed = quantize_static(model, batches_of({60}), MinMaxCalibrator<>{}, IntegerOnly{true});
  const auto params = [&](std::size_t i) { return AsymmetricQuantizer<Int<8>>(fixed.activation_params()[i]); };
  using Weights = SymmetricQuantizer<Int<8>, PerChannel<0>>;
  IntegerBuilder builder(50, params(0), {.double_rounding = true});
  builder.linear(Weights::fit_quantize(kWeight1), kBias1, params(1));
  builder.table([](double x) { return std::tanh(x); }, params(2));
  builder.linear(Weights::fit_quantize(kWeight2), kBias2, params(3));
  builder.softmax();
  EXPECT_EQ(builder.output_params().zero_point(0), -128);
  EXPECT_TRUE(same_bits(builder.model()(kData), fixed(kData)));
}

TEST(IntegerBuilder, KeepsTablesWithinTheCodesOfTheirFormat) {
  IntegerBuilder builder(1, AsymmetricQuantizer<Int<8>>(1.0f));
  builder.table([](double x) { return 10.0 * x; }, AsymmetricQuantizer<UInt<4>>(2.0f, 3));
  const IntegerModel model = builder.model();
  for (int x = -128; x < 128; ++x) {
    const RowTensor<std::int8_t, 1> code = RowTensor<std::int8_t, 1>(1).setConstant(static_cast<std::int8_t>(x));
    EXPECT_EQ(model.run(code)(0), std::clamp(5 * x + 3, 0, 15));
  }
}

TEST(IntegerBuilder, RefusesWhatIntegersCannotHold) {
  using Narrow = SymmetricQuantizer<Int<8>>;
  EXPECT_ERROR(IntegerBuilder(3, AsymmetricQuantizer<UInt<4>>(1.0f)), "IntegerBuilder: the input", "0 to 15");
  EXPECT_ERROR(IntegerBuilder(3, Narrow(1.0f)), "-127 to 127", "all 256");
  const AsymmetricQuantizer<Int<8>> output(1.0f);
  const auto weight = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit_quantize(kWeight1);
  IntegerBuilder builder(50, kBytes);
  EXPECT_ERROR(builder.linear(weight, kBias2, output), "bias has 10 elements", "40");
  EXPECT_ERROR(IntegerBuilder(49, kBytes).linear(weight, kBias1, output), "layer 0: weight has shape (40, 50)", "49");
  RowTensor<float, 1> bias = kBias1;
  bias(7) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(builder.linear(weight, bias, output), "layer 0 (Linear): bias 7 is nan, expected a finite value");
  bias(7) = 1e38f;
  IntegerBuilder tiny(50, AsymmetricQuantizer<Int<8>>(1e-30f));
  EXPECT_ERROR(tiny.linear(weight, bias, output), "layer 0 (Linear): bias 7", "too large");
  const RowTensor<std::int8_t, 2> many = RowTensor<std::int8_t, 2>(1, 140000).setConstant(127);
  const QuantizedTensor<Int<8>, 2> row(many, QuantParams<PerTensor>(1.0f));
  EXPECT_ERROR(
      IntegerBuilder(140000, kBytes).linear(row, RowTensor<float, 1>(RowTensor<float, 1>(1).setZero()), output),
      "k = 140000", "int32");
  const QuantizedTensor<Int<8>, 2> shifted(RowTensor<std::int8_t, 2>(40, 50).setZero().eval(),
                                           QuantParams<PerTensor>(1.0f, 4));
  EXPECT_ERROR(builder.linear(shifted, kBias1, output), "weight has the zero point 4");
  EXPECT_EQ(builder.model().activation_params().size(), 1u);
}

}  // namespace
}  // namespace quanta::test
