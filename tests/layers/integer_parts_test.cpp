// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What summary and compare show of the layers within an IntegerModel, against loops over its integers.
#include <cmath>

#include <quanta/calib/min_max.hpp>
#include <quanta/layers/integer_only.hpp>
#include <quanta/layers/layer_norm.hpp>
#include <quanta/report.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/integer_networks.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {
namespace {

using PartsMatrix = RowTensor<float, 2>;

IntegerModel integers_of(const Sequential& model) {
  return quantize_static(model, batches_of({60}), MinMaxCalibrator<>{}, IntegerOnly{});
}

reference::Params params_at(const IntegerModel& model, std::size_t activation) {
  const QuantParams<PerTensor>& params = model.activation_params()[activation];
  return {params.scale(0), params.zero_point(0)};
}

Codes codes_of_row(const PartsMatrix& x, Index row, const reference::Params& params) {
  Codes codes;
  for (Index i = 0; i < x.dimension(1); ++i) {
    codes.push_back(static_cast<std::int8_t>(reference::code(x(row, i), params, -128, 127)));
  }
  return codes;
}

/// SNR and cosine, from their definitions.
struct Closeness {
  double signal = 0.0, error = 0.0, square = 0.0, product = 0.0;

  void add(float x, float approx) {
    const double a = double{x}, b = double{approx};
    signal += a * a;
    error += (a - b) * (a - b);
    square += b * b;
    product += a * b;
  }
  void expect(const ErrorMetrics& got) const {
    EXPECT_NEAR(got.snr_db, 10.0 * std::log10(signal / error), 1e-7);
    EXPECT_NEAR(got.cosine, product / std::sqrt(signal * square), 1e-12);
  }
};

TEST(IntegerParts, AreComparedOneByOne) {
  const Linear one(kWeight1, kBias1), two(kWeight2, kBias2);
  const Sequential model{Sequential{Flatten{}, one, Relu{}}, two, Tanh{}, Relu6{}, Softmax{}};
  const IntegerModel fixed = integers_of(model);
  const Comparison result = compare(model, fixed, batches_of({13, 47}));
  const std::vector<std::string> floats = {"Flatten + Linear + Relu", "Linear", "Tanh", "Relu6", "Softmax"};
  const std::vector<std::string> kinds = {"linear", "linear", "table", "table", "softmax"};
  ASSERT_EQ(result.layers.size(), 5u);

  // Each layer's input and output in float.
  std::vector<PartsMatrix> at = {kData, Relu{}(one(kData))};
  at.push_back(two(at[1]));
  at.push_back(Tanh{}(at[2]));
  at.push_back(Relu6{}(at[3]));
  at.push_back(Softmax{}(at[4]));
  const IntegerNetwork owner = fixed.network();
  std::vector<Codes> rows;
  for (Index r = 0; r < 60; ++r) rows.push_back(codes_of_row(kData, r, params_at(fixed, 0)));
  for (std::size_t i = 0; i < 5; ++i) {
    SCOPED_TRACE(i);
    EXPECT_EQ(result.layers[i].float_layer, floats[i]);
    EXPECT_EQ(result.layers[i].layer, "IntegerModel: " + kinds[i]);
    const integer::Layer& layer = owner.network().layers[i];
    Closeness chain, alone;
    for (Index r = 0; r < 60; ++r) {
      Codes& codes = rows[usize(r)];
      codes = layer_by_definition(layer, codes);
      const Codes by_itself = layer_by_definition(layer, codes_of_row(at[i], r, params_at(fixed, i)));
      for (Index c = 0; c < layer.outputs; ++c) {
        chain.add(at[i + 1](r, c), reference::real(codes[usize(c)], params_at(fixed, i + 1)));
        alone.add(at[i + 1](r, c), reference::real(by_itself[usize(c)], params_at(fixed, i + 1)));
      }
    }
    chain.expect(result.layers[i].chain);
    alone.expect(result.layers[i].alone);
  }
}

TEST(IntegerParts, EndWithTheModelsOwnOutput) {
  const Sequential model = float_model();
  const IntegerModel fixed = integers_of(model);
  const ErrorMetrics whole = error_metrics(model(kData), fixed(kData));
  const Comparison result = compare(model, Sequential{fixed}, batches_of({60}));
  EXPECT_NEAR(result.layers.back().chain.snr_db, whole.snr_db, 1e-9);
  EXPECT_EQ(result.layers.back().chain.max_error, whole.max_error);
}

TEST(IntegerParts, StandForTheFloatLayersInTheirPlace) {
  const Linear one(kWeight1, kBias1), two(kWeight2, kBias2);
  const LayerNorm norm(kBias1, kBias1);
  const IntegerModel first = integers_of(Sequential{one});
  const auto names = [](const Sequential& model, const Sequential& quantized) {
    std::string all;
    for (const LayerComparison& layer : compare(model, quantized, batches_of({60})).layers) {
      all += layer.float_layer + " | " + layer.layer + "; ";
    }
    return all;
  };
  EXPECT_EQ(names(Sequential{one, Relu{}, norm, two}, Sequential{integers_of(Sequential{one, Relu{}}), norm, two}),
            "Linear + Relu | IntegerModel: linear; LayerNorm | LayerNorm; Linear | Linear; ");
  // A Relu that stayed in float is not the integer layer's.
  EXPECT_EQ(names(Sequential{one, Relu{}, two}, Sequential{first, Relu{}, two}),
            "Linear | IntegerModel: linear; Relu | Relu; Linear | Linear; ");
  EXPECT_ERROR(compare(Sequential{one, Tanh{}}, first, batches_of({60})), "compare", "2 layers", "quantized one 1");
  EXPECT_ERROR(compare(Sequential{one}, integers_of(Sequential{one, Tanh{}}), batches_of({60})), "1 layers", "one 2");
}

TEST(IntegerParts, AreSummedUpOneByOne) {
  const IntegerModel fixed =
      integers_of(Sequential{Linear(kWeight1, kBias1), Relu{}, Gelu{}, Linear(kWeight2, kBias2), Softmax{}});
  const Summary all = summary(Sequential{Linear(random_tensor<2>({50, 7}, 1)), fixed, Relu{}});
  ASSERT_EQ(all.layers.size(), 6u);
  const auto line = [&](std::size_t i) {
    const LayerSummary& layer = all.layers[i];
    return layer.name + " " + layer.info.shape + " " + layer.info.format + " " + layer.info.granularity + " " +
           std::to_string(layer.info.parameters);
  };
  EXPECT_EQ(line(1), "IntegerModel: linear (40, 50) int8 per_channel(axis 0) 2040");
  EXPECT_EQ(line(2), "IntegerModel: table (256) int8  0");
  EXPECT_EQ(line(3), "IntegerModel: linear (10, 40) int8 per_channel(axis 0) 410");
  EXPECT_EQ(line(4), "IntegerModel: softmax (256) int32  0");
  EXPECT_EQ(all.layers[2].bytes, 256 + 8);  // and what its output stands for
  EXPECT_EQ(all.layers[4].bytes, 1024 + 8);
  Index bytes = 0;
  for (const LayerSummary& layer : all.layers) bytes += layer.bytes;
  EXPECT_EQ(bytes, all.bytes);
  EXPECT_EQ(summary(fixed).bytes, fixed.packed_bytes());
  EXPECT_EQ(summary(fixed).parameters, fixed.info().parameters);
  EXPECT_EQ(summary(integers_of(Sequential{})).layers.size(), 1u);
}

}  // namespace
}  // namespace quanta::test
