// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

/// Of one batch the sums differ from error_metrics' in their order alone.
void expect_like(const ErrorMetrics& got, const ErrorMetrics& expected) {
  EXPECT_EQ(got.max_error, expected.max_error);
  if (std::isinf(expected.snr_db)) {
    EXPECT_EQ(got.snr_db, expected.snr_db);
  } else {
    EXPECT_NEAR(got.snr_db, expected.snr_db, 1e-9);
  }
  EXPECT_NEAR(got.cosine, expected.cosine, 1e-12);
  EXPECT_NEAR(got.mse, expected.mse, 1e-12 * expected.mse);
  EXPECT_NEAR(got.mean_error, expected.mean_error, 1e-12 * expected.mean_error);
}

TEST(Compare, MeasuresEveryLayerInItsChainAndAlone) {
  const Linear first(kWeight1, kBias1), second(kWeight2, kBias2);
  const DynamicLinear<> small_first(kWeight1, kBias1);
  const WeightOnlyLinear<Int<4>> small_second(kWeight2, kBias2);
  const Comparison result =
      compare(Sequential{first, Tanh{}, second}, Sequential{Sequential{small_first, Tanh{}}, small_second},
              std::vector<Matrix>{kData});
  ASSERT_EQ(result.layers.size(), 3u);
  EXPECT_EQ(result.samples, 60);
  EXPECT_EQ(result.layers[0].float_layer, "Linear");
  EXPECT_EQ(result.layers[0].layer, "DynamicLinear");
  const Matrix hidden = first(kData), small_hidden = small_first(kData);
  const Matrix active = Tanh{}(hidden), small_active = Tanh{}(small_hidden), y = second(active);
  expect_like(result.layers[0].chain, error_metrics(hidden, small_hidden));
  expect_like(result.layers[0].alone, error_metrics(hidden, small_hidden));
  expect_like(result.layers[1].chain, error_metrics(active, small_active));
  expect_like(result.layers[1].alone, error_metrics(active, active));
  expect_like(result.layers[2].chain, error_metrics(y, small_second(small_active)));
  expect_like(result.layers[2].alone, error_metrics(y, small_second(active)));
}

TEST(Compare, DoesNotDependOnHowSamplesAreSplit) {
  const Sequential model = float_model(), small = quantize_dynamic(model);
  const Comparison once = compare(model, small, batches_of({60}));
  for (const Comparison& again :
       {compare(model, small, batches_of({1, 0, 52, 7})), compare(model, small, std::vector{col_major(kData)})}) {
    EXPECT_EQ(again.samples, 60);
    for (std::size_t i = 0; i < once.layers.size(); ++i) {
      EXPECT_EQ(again.layers[i].chain.snr_db, once.layers[i].chain.snr_db);
      EXPECT_EQ(again.layers[i].chain.cosine, once.layers[i].chain.cosine);
      EXPECT_EQ(again.layers[i].alone.mse, once.layers[i].alone.mse);
    }
  }
  std::vector<Eigen::VectorXf> samples;
  for (Index r = 0; r < 60; ++r) samples.emplace_back(Eigen::Map<const Eigen::VectorXf>(kData.data() + 50 * r, 50));
  EXPECT_EQ(compare(model, small, samples).layers.back().chain.snr_db, once.layers.back().chain.snr_db);
}

TEST(Compare, OfAModelWithItselfFindsNothing) {
  const Sequential model = float_model();
  for (const LayerComparison& layer : compare(model, model, batches_of({60})).layers) {
    EXPECT_EQ(layer.chain.snr_db, std::numeric_limits<double>::infinity());
    EXPECT_EQ(layer.chain.max_error, 0.0);
  }
  EXPECT_EQ(compare(model, model, std::vector<Matrix>{}).samples, 0);
  EXPECT_TRUE(compare(Sequential{}, Sequential{}, batches_of({60})).layers.empty());
}

TEST(Compare, PrintsAsATable) {
  Matrix weight(1, 2), nearby(1, 2), x(1, 2);
  weight.setValues({{3.0f, 4.0f}});
  nearby.setValues({{3.0f, 3.0f}});
  x.setValues({{1.0f, 1.0f}});
  const Comparison result =
      compare(Sequential{Linear(weight), Relu{}}, Sequential{Linear(nearby), Relu{}}, std::vector<Matrix>{x});
  EXPECT_EQ(result.text(),
            "   float   quantized  SNR, dB    cosine  alone: SNR, dB\n"
            "0  Linear  Linear        16.9  1.000000            16.9\n"
            "1  Relu    Relu          16.9  1.000000             inf\n");
}

TEST(Compare, RefusesModelsThatDoNotFit) {
  const Sequential model = float_model();
  const std::vector<Matrix> batches = {kData}, narrow = {random_tensor<2>({3, 49}, 1)};
  EXPECT_ERROR(compare(model, Sequential{Linear(kWeight1)}, batches), "compare", "4 layers", "quantized one 1");
  EXPECT_ERROR(compare(Sequential{Linear(kWeight1)}, Sequential{Linear(random_tensor<2>({41, 50}, 1))}, batches),
               "compare", "layer 0", "41 features", "40");
  EXPECT_ERROR_BEGINS(compare(model, model, narrow), "compare: layer 0 (Linear): x has 49 features, expected 50");
}

}  // namespace
}  // namespace quanta::test
