// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From float models to networks of integers: every integer against its definition, what becomes of each layer, biases
// that int32 cannot hold, and what is refused.
#include <quanta/layers/integer_only.hpp>
#include <quanta/layers/layer_norm.hpp>
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quanta.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

IntegerModel integers(const Sequential& model, const Matrix& data = kData, IntegerOnly options = {}) {
  return quantize_static(model, std::vector<Matrix>{data}, MinMaxCalibrator<>{}, options);
}

/// The asymmetric int8 parameters of some floats, from the definition.
reference::Params params_of(const Matrix& x) {
  float low = 0.0f, high = 0.0f;
  for (Index i = 0; i < x.size(); ++i) low = std::min(low, x.data()[i]);
  for (Index i = 0; i < x.size(); ++i) high = std::max(high, x.data()[i]);
  const float scale = (high - low) / 255.0f;
  return {scale, std::lrint(-128.0f - low / scale)};
}

void expect_params(const QuantParams<PerTensor>& got, const reference::Params& expected) {
  EXPECT_EQ(got.scale(0), expected.scale);
  EXPECT_EQ(got.zero_point(0), expected.zero_point);
}

// The layer of a network against the definition: N6, and what the zero point of x adds in the bias.
void expect_layer(const integer::Layer& got, const Matrix& weight, const Vector& bias, const reference::Params& x,
                  const reference::Params& y, int low, int high) {
  ASSERT_EQ(got.kind, integer::Kind::linear);
  ASSERT_EQ(got.outputs, weight.dimension(0));
  ASSERT_EQ(got.inputs, weight.dimension(1));
  EXPECT_EQ(got.zero_point, y.zero_point);
  EXPECT_EQ(got.low, low);
  EXPECT_EQ(got.high, high);
  for (int n = 0; n < got.outputs; ++n) {
    float most = 0.0f;
    for (int k = 0; k < got.inputs; ++k) most = std::max(most, std::fabs(weight(n, k)));
    const float scale = most / 127.0f;
    long sum = 0;
    for (int k = 0; k < got.inputs; ++k) {
      const long code = std::lrint(weight(n, k) / scale);
      ASSERT_EQ(got.weight[n * got.inputs + k], code) << n << ' ' << k;
      sum += code;
    }
    const double unit = double{x.scale} * double{scale};
    ASSERT_EQ(got.bias[n], std::lrint(double{bias(n)} / unit) - x.zero_point * sum) << n;
    const Multiplier factor(unit / double{y.scale});
    ASSERT_EQ(got.multiplier[n], factor.m) << n;
    ASSERT_EQ(got.shift[n], factor.shift) << n;
  }
}

TEST(IntegerOnly, HoldsTheIntegersOfTheDefinition) {
  const IntegerModel model = integers(Sequential{Linear(kWeight1, kBias1), Relu{}, Linear(kWeight2, kBias2)});
  const Matrix hidden = Relu{}(Linear(kWeight1, kBias1)(kData)), output = Linear(kWeight2, kBias2)(hidden);
  const reference::Params x = params_of(kData), h = params_of(hidden), y = params_of(output);
  expect_params(model.input_params(), x);
  expect_params(model.output_params(), y);
  EXPECT_EQ(h.zero_point, -128);
  const IntegerNetwork owner = model.network();
  const integer::Network network = owner.network();
  ASSERT_EQ(network.count, 2);
  expect_layer(network.layers[0], kWeight1, kBias1, x, h, -128, 127);
  expect_layer(network.layers[1], kWeight2, kBias2, h, y, -128, 127);
}

TEST(IntegerOnly, ComputesWhatItsIntegersSay) {
  for (const bool twice : {false, true}) {
    const Sequential model{Linear(kWeight1, kBias1), Tanh{}, Linear(kWeight2, kBias2), Softmax{}};
    const IntegerModel fixed = integers(model, kData, {.double_rounding = twice});
    const IntegerNetwork owner = fixed.network();
    EXPECT_EQ(owner.network().layers[0].double_rounding, twice ? 1 : 0);
    const auto codes = AsymmetricQuantizer<Int<8>>(fixed.input_params()).quantize(kData).codes();
    const auto got = fixed.run(codes);
    const Matrix y = fixed(kData);
    for (Index r = 0; r < 60; ++r) {
      const Codes row(codes.data() + r * 50, codes.data() + (r + 1) * 50);
      const Codes expected = network_by_definition(owner.network(), row);
      ASSERT_TRUE(same_bits(got.data() + r * 10, expected.data(), 10)) << r;
      for (Index i = 0; i < 10; ++i) {
        ASSERT_EQ(y(r, i), static_cast<float>(expected[usize(i)] + 128) / 256.0f) << r << ' ' << i;
      }
    }
  }
}

TEST(IntegerOnly, StaysCloseToTheFloatModel) {
  const Linear one(kWeight1, kBias1), two(kWeight2, kBias2);
  const auto snr = [](const Sequential& model, const auto& calibrator) {
    const IntegerModel fixed = quantize_static(model, batches_of({20, 40}), calibrator, IntegerOnly{});
    return error_metrics(model(kData), fixed(kData)).snr_db;
  };
  const Sequential relu{one, Relu{}, two};
  EXPECT_GT(snr(relu, MinMaxCalibrator<>{}), 35.0);
  EXPECT_GT(snr(relu, MovingAverageCalibrator<>{}), 20.0);
  EXPECT_GT(snr(relu, PercentileCalibrator<>{}), 30.0);
  EXPECT_GT(snr(relu, MseCalibrator<>{}), 35.0);
  EXPECT_GT(snr(relu, EntropyCalibrator<>{}), 15.0);
  const MinMaxCalibrator<> calibrator;
  EXPECT_GT(snr(Sequential{one, Relu6{}, two}, calibrator), 35.0);
  EXPECT_GT(snr(Sequential{one, Clamp(-2.0f, 3.0f), two}, calibrator), 33.0);
  EXPECT_GT(snr(Sequential{one, Sigmoid{}, two}, calibrator), 30.0);
  EXPECT_GT(snr(Sequential{one, Tanh{}, two}, calibrator), 30.0);
  EXPECT_GT(snr(Sequential{one, Gelu{}, two}, calibrator), 33.0);
  EXPECT_GT(snr(Sequential{one, GeluTanh{}, two, Softmax{}}, calibrator), 25.0);
  EXPECT_GT(snr(Sequential{Clamp(-1.0f, 2.0f), one, Flatten{}, Tanh{}, Relu{}, two, Sigmoid{}}, calibrator), 30.0);
}

// ---- What becomes of each layer ----

std::string kinds_of(const IntegerModel& model) {
  const IntegerNetwork owner = model.network();
  std::string kinds;
  for (int i = 0; i < owner.network().count; ++i) kinds += "lts"[static_cast<int>(owner.network().layers[i].kind)];
  return kinds;
}

TEST(IntegerOnly, JoinsBoundsWithTheLinearBeforeThemAndDropsFlatten) {
  const Linear one(kWeight1, kBias1), two(kWeight2, kBias2);
  EXPECT_EQ(kinds_of(integers(Sequential{one, Relu{}, Flatten{}, Relu6{}, two, Clamp(-1.0f, 1.0f)})), "ll");
  EXPECT_EQ(kinds_of(integers(Sequential{Relu{}, Clamp(0.5f, 1.0f), one, Tanh{}, Relu{}, Sigmoid{}, Softmax{}})),
            "tlttts");
  EXPECT_EQ(kinds_of(integers(Sequential{Flatten{}})), "");
  EXPECT_EQ(kinds_of(integers(Sequential{})), "");
}

TEST(IntegerOnly, TakesNestedModelsAsOne) {
  const Linear one(kWeight1, kBias1), two(kWeight2, kBias2);
  const IntegerModel nested = integers(Sequential{Sequential{one}, Sequential{Relu{}, Sequential{two, Tanh{}}}});
  const IntegerModel flat = integers(Sequential{one, Relu{}, two, Tanh{}});
  EXPECT_TRUE(same_bits(nested(kData), flat(kData)));
}

TEST(IntegerOnly, RoundsBoundsToCodes) {
  const Matrix weight = Matrix(Matrix(1, 50).setConstant(1.0f));
  const Linear linear(weight);
  const auto bounds = [&](const auto&... layers) {
    const IntegerNetwork owner = integers(Sequential{linear, layers...}).network();
    const integer::Layer& layer = owner.network().layers[0];
    return std::vector<int>{layer.low, layer.high, layer.zero_point};
  };
  // The calibrated range is that of the bounds themselves where sums pass them on both sides: 50 numbers do.
  EXPECT_EQ(bounds(Relu{}), (std::vector<int>{-128, 127, -128}));
  EXPECT_EQ(bounds(Relu6{}), (std::vector<int>{-128, 127, -128}));
  EXPECT_EQ(bounds(Clamp(-1.0f, 2.0f)), (std::vector<int>{-128, 127, -43}));
  // Not where 0, which a range always holds, is outside: 2/3 of 255 steps from -128.
  EXPECT_EQ(bounds(Clamp(2.0f, 3.0f)), (std::vector<int>{42, 127, -128}));
  EXPECT_EQ(bounds(Clamp(-4.0f, -1.0f)), (std::vector<int>{-128, 63, 127}));
  EXPECT_EQ(bounds(Relu{}, Clamp(-2.0f, 3.0f)), bounds(Clamp(0.0f, 3.0f)));
  EXPECT_EQ(bounds(Relu{}, Clamp(-2.0f, -1.0f)), bounds(Clamp(-1.0f, -1.0f)));
}

TEST(IntegerOnly, GivesOutputsTheScalesOfTheSpecification) {
  const Linear one(kWeight1, kBias1);
  expect_params(integers(Sequential{one, Sigmoid{}}).output_params(), {1.0f / 256.0f, -128});
  expect_params(integers(Sequential{one, Softmax{}}).output_params(), {1.0f / 256.0f, -128});
  expect_params(integers(Sequential{one, Tanh{}}).output_params(), {1.0f / 128.0f, 0});
  expect_params(integers(Sequential{one, Gelu{}}).output_params(), params_of(Gelu{}(one(kData))));
  expect_params(integers(Sequential{one, Sigmoid{}, Relu{}}).output_params(), {1.0f / 256.0f, -128});
  expect_params(integers(Sequential{Relu{}}).output_params(), params_of(kData));
}

TEST(IntegerOnly, BoundsOfTheirOwnKeepTheScale) {
  const IntegerModel model = integers(Sequential{Clamp(-1.0f, 0.5f)});
  const reference::Params params = params_of(kData);
  for (int code = -128; code < 128; ++code) {
    const float real = std::min(0.5f, std::max(-1.0f, reference::real(code, params)));
    const RowTensor<std::int8_t, 1> x = RowTensor<std::int8_t, 1>(50).setConstant(static_cast<std::int8_t>(code));
    EXPECT_EQ(model.run(x)(7), reference::code(real, params, -128, 127)) << code;
  }
}

// ---- Scales of all sizes ----

float step(const IntegerModel& model) { return model.output_params().scale(0); }
float zero(const IntegerModel& model) { return step(model) * static_cast<float>(model.output_params().zero_point(0)); }

TEST(IntegerOnly, WidensAScaleAtWhichTheBiasWouldOverflow) {
  Matrix weight = kWeight1;
  Vector bias = kBias1;
  for (Index k = 0; k < 50; ++k) weight(3, k) *= 1e-12f;
  for (Index k = 0; k < 50; ++k) weight(4, k) *= 1e-9f;
  bias(3) = 1.5f;
  bias(4) = -0.7f;
  bias(5) = 0.25f;
  for (Index k = 0; k < 50; ++k) weight(5, k) = 0.0f;
  const Sequential model{Linear(weight, bias)};
  const IntegerModel fixed = integers(model);
  const Matrix y = model(kData), got = fixed(kData);
  for (Index r = 0; r < 60; ++r) {
    for (const Index n : {3, 4, 5}) ASSERT_NEAR(got(r, n), y(r, n), 0.5001f * step(fixed)) << n;  // constants, all but
  }
  // As little as need be: the bias, without what the zero point adds, and the largest sum fill int32.
  const IntegerNetwork owner = fixed.network();
  const integer::Layer& layer = owner.network().layers[0];
  const std::int64_t zero = fixed.input_params().zero_point(0);
  for (const int n : {3, 4}) {
    std::int64_t sum = 0;
    for (int k = 0; k < 50; ++k) sum += layer.weight[n * 50 + k];
    const std::int64_t units = std::abs(layer.bias[n] + zero * sum);
    EXPECT_LE(units, INT32_MAX);
    EXPECT_GT(units, INT32_MAX - 255 * 128 * 50 - 1024) << n;
  }
  // The others are as they would be without these.
  const IntegerNetwork before = integers(Sequential{Linear(kWeight1, kBias1)}).network();
  const integer::Layer& others = before.network().layers[0];
  EXPECT_TRUE(same_bits(layer.weight + 6 * 50, others.weight + 6 * 50, 34 * 50));
  EXPECT_TRUE(same_bits(layer.bias + 6, others.bias + 6, 34));
}

TEST(IntegerOnly, AllowsMultipliersOfZeroAndAboveOne) {
  Matrix data = kData;  // the second input nearly repeats the first, and their difference is wanted
  for (Index r = 0; r < 60; ++r) data(r, 1) = data(r, 0) + 0.01f * data(r, 2);
  Matrix weight = Matrix(Matrix(3, 50).setZero());
  weight(0, 0) = 1000.0f;
  weight(0, 1) = -1000.0f;
  weight(1, 7) = 1e-20f;
  const Sequential model{Linear(weight)};
  for (const bool twice : {false, true}) {
    const IntegerModel fixed = integers(model, data, {.double_rounding = twice});
    const IntegerNetwork owner = fixed.network();
    const integer::Layer& layer = owner.network().layers[0];
    EXPECT_GE(layer.shift[0], 1);
    EXPECT_EQ(layer.multiplier[1], 0);
    const Matrix got = fixed(data);
    const reference::Params x = params_of(data);
    const auto real = [&](Index r, Index k) { return reference::real(reference::code(data(r, k), x, -128, 127), x); };
    for (Index r = 0; r < 60; ++r) {
      EXPECT_EQ(got(r, 1), 0.0f);
      EXPECT_EQ(got(r, 2), 0.0f);
      const float difference = 1000.0f * (real(r, 0) - real(r, 1));  // 0, or a step of x, which is far too coarse
      const float saturated =
          std::clamp(difference, -128.0f * step(fixed) - zero(fixed), 127.0f * step(fixed) - zero(fixed));
      EXPECT_NEAR(got(r, 0), saturated, step(fixed)) << r;
    }
  }
}

// ---- What it refuses ----

TEST(IntegerOnly, NamesALayerWithoutAnIntegerCounterpartBeforeItReadsABatch) {
  const std::vector<Matrix> bad = {random_tensor<2>({3, 7}, 1)};  // no batch for these models
  const auto convert = [&](const Sequential& model) {
    return quantize_static(model, bad, MinMaxCalibrator<>{}, IntegerOnly{});
  };
  const Linear one(kWeight1, kBias1);
  const Vector ones = Vector(Vector(40).setConstant(1.0f));
  EXPECT_ERROR(convert(Sequential{one, Relu{}, LayerNorm(ones, ones)}), "quantize_static: layer 2 (LayerNorm)",
               "no integer counterpart");
  EXPECT_ERROR(convert(Sequential{Sequential{one, Relu{}}, DynamicLinear<>(kWeight2, kBias2)}),
               "quantize_static: layer 2 (DynamicLinear)", "no integer counterpart");
}

TEST(IntegerOnly, RefusesDataThatIsNoneOrDoesNotFit) {
  const auto convert = [](const Sequential& model, const std::vector<Matrix>& batches) {
    return quantize_static(model, batches, MinMaxCalibrator<>{}, IntegerOnly{});
  };
  EXPECT_ERROR(convert(float_model(), {}), "quantize_static", "no samples");
  EXPECT_ERROR(convert(float_model(), {kData, random_tensor<2>({3, 49}, 10)}), "batch 1", "layer 0 (Linear)",
               "49 features", "50");
  EXPECT_ERROR(convert(Sequential{Relu{}}, {kData, random_tensor<2>({3, 49}, 10)}), "batch 1", "49 features", "50");
  Matrix bad = kData;
  bad(3, 4) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(convert(float_model(), {bad}), "batch 0", "layer 0 (Linear)", "nan as element 154");
  bad = kData;
  bad(3, 4) = 3e38f;
  EXPECT_ERROR(convert(Sequential{Linear(kWeight1, kBias1)}, {kData, bad}), "batch 1", "the model's output", "inf");
  MinMaxCalibrator<> used;
  used.observe(kData);
  EXPECT_ERROR(quantize_static(float_model(), std::vector<Matrix>{kData}, used, IntegerOnly{}), "has seen data");
}

TEST(IntegerOnly, RefusesSumsAndBiasesThatCannotFit) {
  constexpr Index kMany = 70000;
  const Matrix weight = Matrix(Matrix(1, kMany).setConstant(1.0f)), x = Matrix(Matrix(2, kMany).setConstant(1.0f));
  EXPECT_ERROR(integers(Sequential{Linear(weight)}, x), "layer 0 (Linear)", "70000", "int32");
  Vector bias = kBias1;
  bias(2) = 1e38f;
  Matrix tiny = kData;
  for (Index i = 0; i < tiny.size(); ++i) tiny.data()[i] *= 1e-36f;
  EXPECT_ERROR(integers(Sequential{Linear(kWeight1, bias)}, tiny), "layer 0 (Linear)", "bias 2", "too large");
}

TEST(Snippets, IntegersAlone) {
  const Sequential model = float_model();
  const std::vector<Matrix> calibration_batches = batches_of({30, 30});
  const Matrix batch = kData;
  // clang-format off
  auto fixed = quanta::quantize_static(model, calibration_batches, quanta::EntropyCalibrator<>{}, quanta::IntegerOnly{});
  auto y     = fixed(batch);                                           // floats in, floats out, and int8 between them
  const auto x     = quanta::AsymmetricQuantizer<quanta::Int<8>>(fixed.input_params()).quantize(batch);
  const auto codes = fixed.run(x.codes());                             // int8 in, int8 out: of fixed.output_params()
  const quanta::IntegerNetwork arrays = fixed.network();               // arrays.network() is for integer::run
  // clang-format on
  EXPECT_GT(error_metrics(model(batch), y).snr_db, 20.0);
  const QuantizedTensor<Int<8>, 2> result(codes, fixed.output_params());
  EXPECT_TRUE(same_bits(result.dequantize(), y));
  EXPECT_EQ(arrays.network().outputs, 10);
}

}  // namespace
}  // namespace quanta::test
