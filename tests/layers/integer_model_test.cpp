// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// IntegerModel: the codes of integer::run with this unit's instructions, its two doors, and what it refuses.
#include <quanta/layers/integer_model.hpp>
#include <quanta/layers/sequential.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"
#include "tests/support/thread_pool.hpp"

namespace quanta::test {
namespace {

using CodeMatrix = RowTensor<std::int8_t, 2>;

CodeMatrix code_matrix(const Codes& codes, Index rows) {
  CodeMatrix matrix(rows, static_cast<Index>(codes.size()) / rows);
  std::copy(codes.begin(), codes.end(), matrix.data());
  return matrix;
}

IntegerModel integer_model(const IntegerNetwork& network) {
  return IntegerModel(network.network(), activations_of(network.network()));
}

void expect_portable_codes(const IntegerNetwork& network, Index rows, Random& random) {
  const Codes x = random_codes(rows * network.network().inputs, random);
  const CodeMatrix y = integer_model(network).run(code_matrix(x, rows));
  EXPECT_TRUE(same_bits(y, run_portably(network.network(), x, rows)));
}

TEST(IntegerModel, GivesThePortableCodes) {
  Random random(1);
  for (int i = 0; i < scaled(20, 4); ++i) {
    const auto width = [&] { return Index{random.between(1, 150)}; };
    const Index rows = random.between(1, 40);
    expect_portable_codes(random_network(width(), "l", {width()}, random), rows, random);
    expect_portable_codes(random_network(width(), "d", {width()}, random), rows, random);
    expect_portable_codes(random_network(width(), "tltdsl", {width(), width(), width()}, random), rows, random);
    expect_portable_codes(random_network(width(), "sts", {}, random), rows, random);
  }
  expect_portable_codes(IntegerNetwork(7), 3, random);
  expect_portable_codes(random_network(0, "l", {40}, random), 3, random);
  expect_portable_codes(random_network(9, "ll", {0, 5}, random), 3, random);
}

TEST(IntegerModel, SumsToTheEndsOfInt32) {
  Random random(2);
  for (const bool twice : {false, true}) {
    constexpr Index kInputs = 131072, kOutputs = 3;  // 127 * 128 of each is nearly 2^31
    IntegerNetwork::Linear linear = random_linear(kOutputs, 1, twice, random);
    linear.weight = Buffer<std::int8_t>(kInputs * kOutputs, std::int8_t{-128});
    for (Index k = 0; k < kInputs; ++k) linear.weight[k] = 127;
    linear.bias[0] = INT32_MAX - 127 * 127 * static_cast<std::int32_t>(kInputs);
    linear.bias[1] = linear.bias[2] = -128 * 128;
    for (Index n = 0; n < kOutputs; ++n) {
      linear.multiplier[n] = 0x56789abc;
      linear.shift[n] = -23;
    }
    for (Index k = kInputs - 8; k < kInputs; ++k) linear.weight[kInputs + k] = linear.weight[2 * kInputs + k] = 0;
    IntegerNetwork network(kInputs);
    network.add_linear(std::move(linear));
    for (const int code : {-128, 127}) {
      const Codes x(kInputs, static_cast<std::int8_t>(code));
      EXPECT_TRUE(same_bits(integer_model(network).run(code_matrix(x, 1)), run_portably(network.network(), x, 1)));
      EXPECT_EQ(run_portably(network.network(), x, 1), network_by_definition(network.network(), x));
    }
  }
}

TEST(IntegerModel, TakesCodesInAnyStorageOrderAndVectors) {
  Random random(3);
  const IntegerModel model = integer_model(random_network(30, "ltl", {20, 11}, random));
  const CodeMatrix x = code_matrix(random_codes(150, random), 5), y = model.run(x);
  EXPECT_TRUE(same_bits(model.run(col_major(x)), y));
  const Eigen::Map<const Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> map(x.data(), 5,
                                                                                                          30);
  EXPECT_TRUE(same_bits(model.run(map), y));
  const auto one = model.run(map.row(3).transpose().eval());
  static_assert(std::is_same_v<decltype(one), const Tensor<std::int8_t, 1>>);
  EXPECT_TRUE(same_bits(one.data(), y.data() + 3 * 11, 11));
  EXPECT_EQ(model.run(CodeMatrix(0, 30)).dimension(1), 11);
}

TEST(IntegerModel, QuantizesFloatsOnceAndDequantizesOnce) {
  Random random(4);
  for (const char* kinds : {"ltl", "tll", ""}) {
    const IntegerNetwork network = random_network(30, kinds, {20, 11}, random);
    const IntegerModel model = integer_model(network);
    RowTensor<float, 2> x = random_tensor<2>({6, 30}, 5, 2.0f);
    x(0, 0) = std::numeric_limits<float>::infinity();
    x(1, 1) = -std::numeric_limits<float>::infinity();
    x(2, 2) = std::numeric_limits<float>::quiet_NaN();
    Codes codes;
    for (Index i = 0; i < x.size(); ++i) {
      codes.push_back(static_cast<std::int8_t>(reference::code(x.data()[i], {0.03f, 17}, -128, 127)));
    }
    std::vector<float> expected;
    const QuantParams<PerTensor>& params = model.output_params();
    for (const std::int8_t code : run_portably(network.network(), codes, 6)) {
      expected.push_back(reference::real(code, {params.scale(0), params.zero_point(0)}));
    }
    EXPECT_TRUE(same_bits(model(x), expected)) << kinds;
    EXPECT_TRUE(same_bits(model(col_major(x)), expected)) << kinds;
    EXPECT_TRUE(same_bits(Sequential{model}(x), expected)) << kinds;
  }
}

TEST(IntegerModel, GivesTheSameCodesOnAnyNumberOfThreads) {
  Random random(5);
  const IntegerModel model = integer_model(random_network(300, "ltsl", {400, 200}, random));
  const RowTensor<float, 2> x = random_tensor<2>({64, 300}, 6);
  const CodeMatrix codes = code_matrix(random_codes(64 * 300, random), 64);
  for (const int count : {2, 3, 7}) {
    PlainThreads threads(count);
    Context context(threads);
    EXPECT_TRUE(same_bits(model(context, x), model(x)));
    EXPECT_TRUE(same_bits(model.run(context, codes), model.run(codes)));
  }
}

TEST(IntegerModel, AllocatesNothingButTheResultOnceWarm) {
  Random random(6);
  const IntegerModel model = integer_model(random_network(60, "ltsl", {40, 20}, random));
  const RowTensor<float, 2> x = random_tensor<2>({9, 60}, 7);
  RowTensor<float, 2> y(9, 20);
  const TensorView<const float, 2> from(x.data(), {9, 60});
  const TensorView<float, 2> to(y.data(), {9, 20});
  Context context;
  model.forward(context, from, to);
  const std::int64_t before = allocations().count;
  model.forward(context, from, to);
  EXPECT_EQ(allocations().count, before);
}

TEST(IntegerModel, GivesBackTheNetworkItWasMadeOf) {
  Random random(7);
  const IntegerNetwork network = random_network(30, "ldtsl", {20, 11, 5}, random);
  const IntegerModel model = integer_model(network);
  const IntegerNetwork again = model.network();
  const integer::Network a = network.network(), b = again.network();
  ASSERT_EQ(a.count, b.count);
  EXPECT_EQ(b.inputs, 30);
  EXPECT_EQ(b.outputs, 5);
  for (int i = 0; i < a.count; ++i) {
    const integer::Layer &want = a.layers[i], &got = b.layers[i];
    EXPECT_EQ(got.kind, want.kind);
    EXPECT_EQ(got.inputs, want.inputs);
    EXPECT_EQ(got.outputs, want.outputs);
    if (want.kind == integer::Kind::linear) {
      EXPECT_TRUE(same_bits(got.weight, want.weight, Index{want.inputs} * want.outputs));
      EXPECT_TRUE(same_bits(got.bias, want.bias, want.outputs));
      EXPECT_TRUE(same_bits(got.multiplier, want.multiplier, want.outputs));
      EXPECT_TRUE(same_bits(got.shift, want.shift, want.outputs));
      EXPECT_EQ(got.zero_point, want.zero_point);
      EXPECT_EQ(got.low, want.low);
      EXPECT_EQ(got.high, want.high);
      EXPECT_EQ(got.double_rounding, want.double_rounding);
    } else if (want.kind == integer::Kind::table) {
      EXPECT_TRUE(same_bits(got.table, want.table, 256));
    } else {
      EXPECT_TRUE(same_bits(got.exponentials, want.exponentials, 256));
    }
  }
}

TEST(IntegerModel, SaysWhatItIs) {
  Random random(8);
  const IntegerModel model = integer_model(random_network(30, "ltsl", {20, 11}, random));
  EXPECT_EQ(model.in_features(), 30);
  EXPECT_EQ(model.out_features(), 11);
  EXPECT_EQ(model.input_params().zero_point(0), 17);
  EXPECT_EQ(model.output_params().scale(0), 0.4f);
  EXPECT_EQ(model.info().parameters, 20 * 31 + 11 * 21);
  EXPECT_EQ(model.info().shape, "(11, 30)");
  EXPECT_GT(model.packed_bytes(), 20 * 30 + 11 * 20 + 256 + 1024);
  EXPECT_LT(model.packed_bytes(), 3000 + 20 * 64 + 64 * 64);  // and padding
  EXPECT_ERROR(model(random_tensor<2>({3, 29}, 1)), "IntegerModel", "29 features", "30");
  EXPECT_ERROR(model.run(CodeMatrix(3, 31)), "IntegerModel", "31 features", "30");
}

// ---- What it refuses ----

/// A sound layer (2, 3), to be spoiled.
struct Spoiled {
  std::int8_t codes[256] = {1, 2, 3, 4, 5, 6};
  std::int32_t bias[2] = {7, 8}, multiplier[2] = {1 << 30, 0}, shift[2] = {-31, 30}, exponentials[256] = {1};
  integer::Kind kind = integer::Kind::linear;
  std::int32_t inputs = 3, outputs = 2, zero_point = 0, low = -128, high = 127, network_outputs = 2;
  float scale = 1.0f;

  IntegerModel model() const {
    const integer::Layer layer{kind,       inputs, outputs, codes, bias,  multiplier,  shift,
                               zero_point, low,    high,    0,     codes, exponentials};
    const QuantParams<PerTensor> params(scale, std::min(zero_point, 127));
    return IntegerModel({&layer, 1, 3, network_outputs}, {params, params});
  }
};

TEST(IntegerModel, RefusesNetworksThatAreNotSound) {
  Spoiled s;
  EXPECT_EQ(s.model().out_features(), 2);
  s.network_outputs = 3;
  EXPECT_ERROR(s.model(), "IntegerModel", "2 features", "3");
  s = Spoiled();
  s.inputs = 4;
  EXPECT_ERROR(s.model(), "layer 0", "4 features", "3");
  s = Spoiled();
  s.low = -129;
  EXPECT_ERROR(s.model(), "layer 0", "-129 to 127");
  s = Spoiled();
  s.low = 5;
  s.high = 4;
  EXPECT_ERROR(s.model(), "layer 0", "5 to 4");
  s = Spoiled();
  s.zero_point = 128;
  EXPECT_ERROR(s.model(), "layer 0", "zero point 128");
  for (const std::int32_t multiplier : {-1, 1, (1 << 30) - 1}) {
    s = Spoiled();
    s.multiplier[1] = multiplier;
    EXPECT_ERROR(s.model(), "layer 0", "output 1", std::to_string(multiplier));
  }
  for (const std::int32_t shift : {-32, 31}) {
    s = Spoiled();
    s.shift[1] = shift;
    EXPECT_ERROR(s.model(), "layer 0", "output 1", std::to_string(shift));
  }
  s = Spoiled();
  s.bias[1] = INT32_MAX - 14 * 127;  // 15 is the sum of the weights
  EXPECT_ERROR(s.model(), "layer 0", "output 1", "int32");
  s = Spoiled();
  s.kind = integer::Kind{3};
  EXPECT_ERROR(s.model(), "layer 0", "kind 3");
  for (const integer::Kind kind : {integer::Kind::table, integer::Kind::softmax}) {
    s = Spoiled();
    s.kind = kind;
    EXPECT_ERROR(s.model(), "layer 0", "gives 2 features", "3");
  }
  s.outputs = s.network_outputs = 3;
  s.scale = 0x1p-8f;  // as softmax has them
  s.zero_point = -128;
  EXPECT_EQ(s.model().out_features(), 3);
  s.exponentials[0] = 0;
  EXPECT_ERROR(s.model(), "layer 0", "exponential 0");
  s.exponentials[0] = 1;
  s.exponentials[255] = -1;
  EXPECT_ERROR(s.model(), "layer 0", "exponential 255");
}

TEST(IntegerModel, RefusesParametersThatDoNotFitTheNetwork) {
  const QuantParams<PerTensor> sound(1.0f), other(1.0f, 128);
  EXPECT_ERROR(IntegerModel(IntegerNetwork(3).network(), {other}), "zero point 128");
  EXPECT_ERROR(IntegerModel(IntegerNetwork(3).network(), {sound, sound}), "2 activations", "each of the 0 layers");
  EXPECT_ERROR(IntegerModel(IntegerNetwork(3).network(), {}), "0 activations");
  Random random(10);
  const IntegerNetwork network = random_network(3, "tl", {2}, random);
  std::vector<QuantParams<PerTensor>> activations = activations_of(network.network());
  const int zero_point = activations[2].zero_point(0);
  activations[2] = QuantParams<PerTensor>(1.0f, zero_point ^ 1);
  EXPECT_ERROR(IntegerModel(network.network(), activations), "layer 1", "zero point " + std::to_string(zero_point),
               std::to_string(zero_point ^ 1));
  activations[2] = other;
  EXPECT_ERROR(IntegerModel(network.network(), activations), "zero point 128");
  const IntegerNetwork softmax = random_network(3, "s", {}, random);
  EXPECT_ERROR(IntegerModel(softmax.network(), {sound, sound}), "layer 0 (softmax)", "scale 1 and zero point 0",
               "expected 1/256 and -128");
}

TEST(IntegerNetwork, RefusesArraysOfOtherSizes) {
  Random random(9);
  IntegerNetwork network(3);
  IntegerNetwork::Linear linear = random_linear(2, 3, false, random);
  linear.weight = Buffer<std::int8_t>(5);
  EXPECT_ERROR(network.add_linear(std::move(linear)), "weight", "5", "6");
  linear = random_linear(2, 3, false, random);
  linear.multiplier = Buffer<std::int32_t>(3);
  EXPECT_ERROR(network.add_linear(std::move(linear)), "multiplier", "3", "2");
  linear = random_linear(2, 3, false, random);
  linear.shift = Buffer<std::int32_t>(1);
  EXPECT_ERROR(network.add_linear(std::move(linear)), "shift", "1", "2");
  EXPECT_ERROR(network.add_table(Buffer<std::int8_t>(255)), "table", "255", "256");
  EXPECT_ERROR(network.add_softmax(Buffer<std::int32_t>(257)), "exponentials", "257", "256");
  EXPECT_EQ(network.network().count, 0);
  EXPECT_ERROR(IntegerNetwork(Index{1} << 31), "features");
}

}  // namespace
}  // namespace quanta::test
