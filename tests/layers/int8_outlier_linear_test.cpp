// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <quanta/layers/int8_outlier_linear.hpp>
#include <quanta/layers/quantize_model.hpp>
#include <quanta/quant/error_metrics.hpp>

#include "tests/layers/dynamic_linear_oracle.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

constexpr float kNever = std::numeric_limits<float>::infinity();

IntMatrix codes_of_weight(const RowTensor<float, 2>& weight) {
  return plain(SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight), kPerRow);
}

/// From the definition: the product of what is below the threshold, then the outliers one by one.
std::vector<float> outlier_linear(RowTensor<float, 2> x, const IntMatrix& weight, const float* bias, float threshold) {
  const RowTensor<float, 2> all = x;
  for (Index i = 0; i < x.size(); ++i) {
    if (std::isfinite(x.data()[i]) && std::fabs(x.data()[i]) >= threshold) x.data()[i] = 0.0f;
  }
  std::vector<float> y = dynamic_linear(x, weight, bias, true);
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index n = 0; n < weight.rows; ++n) {
      float sum = 0.0f;
      bool any = false;
      for (Index k = 0; k < weight.cols; ++k) {
        if (!(std::fabs(all(b, k)) >= threshold) || !std::isfinite(all(b, k))) continue;
        any = true;
        sum = std::fma(all(b, k), static_cast<float>(weight.codes[static_cast<std::size_t>(n * weight.cols + k)]), sum);
      }
      float& at = y[static_cast<std::size_t>(b * weight.rows + n)];
      if (any) at = std::fma(sum, weight.scales[static_cast<std::size_t>(n)], at);
    }
  }
  return y;
}

/// Rows without outliers, with one, with some, and with nothing else.
RowTensor<float, 2> rows_with_outliers(Index rows, Index k, std::uint64_t seed) {
  RowTensor<float, 2> x = random_tensor<2>({rows, k}, seed);
  for (Index b = 0; b < rows; ++b) {
    for (Index i = 0; i < k; ++i) {
      const bool outlier = b % 4 == 1 ? i == k / 2 : b % 4 == 2 ? i % 7 == 3 : b % 4 == 3;
      if (outlier) x(b, i) = (i % 2 == 0 ? 6.0f : -9.5f) + (i % 3 == 0 ? 0.0f : x(b, i) * (i % 2 == 0 ? 0.0f : -1.0f));
    }
  }
  return x;
}

TEST(Int8OutlierLinear, IsItsDefinitionToTheBit) {
  for (const Index batch : {1, 4, 19}) {
    for (const auto& [n, k] : {std::array<Index, 2>{1, 1}, {5, 3}, {33, 32}, {40, 77}}) {
      const RowTensor<float, 2> x = rows_with_outliers(batch, k, 1), weight = random_tensor<2>({n, k}, 2);
      const RowTensor<float, 1> bias = random_tensor<1>({n}, 3);
      const Int8OutlierLinear<> layer(weight, bias), without(weight);
      const IntMatrix codes = codes_of_weight(weight);
      ASSERT_TRUE(same_bits(layer(x), outlier_linear(x, codes, bias.data(), 6.0f))) << n << 'x' << k;
      ASSERT_TRUE(same_bits(without(x), outlier_linear(x, codes, nullptr, 6.0f))) << n << 'x' << k;
    }
  }
}

TEST(Int8OutlierLinear, WithoutAThresholdIsTheIntegerLayer) {
  const RowTensor<float, 2> x = rows_with_outliers(8, 45, 4), weight = random_tensor<2>({37, 45}, 5);
  const RowTensor<float, 1> bias = random_tensor<1>({37}, 6);
  const Int8OutlierLinear<> layer(weight, bias, kNever);
  EXPECT_TRUE(same_bits(layer(x), dynamic_linear(x, codes_of_weight(weight), bias.data(), true)));
}

// What the layer is for: one activation far beyond the others.
TEST(Int8OutlierLinear, KeepsThePrecisionOfTheOthers) {
  RowTensor<float, 2> x = random_tensor<2>({16, 256}, 7);
  const RowTensor<float, 2> weight = random_tensor<2>({64, 256}, 8);
  for (Index b = 0; b < 16; ++b) x(b, 17 * b % 256) = 300.0f;
  const RowTensor<float, 2> exact = Linear(weight)(x);
  const double with = error_metrics(exact, Int8OutlierLinear<>(weight)(x)).snr_db;
  const double without = error_metrics(exact, Int8OutlierLinear<>(weight, kNever)(x)).snr_db;
  EXPECT_GT(with, without + 6.0);
}

TEST(Int8OutlierLinear, ASampleDoesNotDependOnItsBatch) {
  const RowTensor<float, 2> x = rows_with_outliers(13, 45, 9);
  const Int8OutlierLinear<> layer(random_tensor<2>({37, 45}, 10), random_tensor<1>({37}, 11));
  const RowTensor<float, 2> whole = layer(x);
  for (Index b = 0; b < 13; ++b) {
    const Eigen::TensorMap<const RowTensor<float, 2>> one(x.data() + b * 45, 1, 45);
    const Eigen::TensorMap<const RowTensor<float, 2>> expected(whole.data() + b * 37, 1, 37);
    EXPECT_TRUE(same_bits(layer(one), RowTensor<float, 2>(expected)));
  }
  const ColTensor<float, 2> columns = x.swap_layout().shuffle(std::array<int, 2>{1, 0});
  EXPECT_TRUE(same_bits(layer(columns), whole));
}

TEST(Int8OutlierLinear, RowsThatAreNotFiniteGiveNaN) {
  RowTensor<float, 2> x = rows_with_outliers(5, 20, 12);
  x(1, 3) = std::numeric_limits<float>::quiet_NaN();
  x(2, 0) = std::numeric_limits<float>::infinity();
  const RowTensor<float, 2> weight = random_tensor<2>({6, 20}, 13);
  EXPECT_TRUE(same_bits(Int8OutlierLinear<>(weight)(x), outlier_linear(x, codes_of_weight(weight), nullptr, 6.0f)));
}

TEST(Int8OutlierLinear, PackedBytesAreWhatIsAllocated) {
  const auto weight = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit_quantize(random_tensor<2>({64, 100}, 14));
  const std::int64_t before = allocations().live_bytes;
  const Int8OutlierLinear<> layer(weight);
  EXPECT_EQ(allocations().live_bytes - before, layer.packed_bytes());
}

TEST(Int8OutlierLinear, ForwardAllocatesNothingOnceWarm) {
  const Int8OutlierLinear<> layer(random_tensor<2>({37, 45}, 15));
  const RowTensor<float, 2> x = rows_with_outliers(9, 45, 16);
  RowTensor<float, 2> y(9, 37);
  Context context;
  const auto run = [&] {
    layer.forward(context, TensorView<const float, 2>(x.data(), {9, 45}), TensorView<float, 2>(y.data(), {9, 37}));
  };
  run();
  const std::int64_t before = allocations().count;
  run();
  EXPECT_EQ(allocations().count, before);
}

TEST(Int8OutlierLinear, TakesThePlaceOfEveryLinear) {
  const RowTensor<float, 2> x = rows_with_outliers(5, 20, 20), w1 = random_tensor<2>({6, 20}, 21),
                            w2 = random_tensor<2>({3, 6}, 22);
  const Sequential model{Linear(w1), Relu{}, Sequential{Linear(w2)}};
  const Sequential quantized =
      replace_linears(model, [](const Linear& l) { return Int8OutlierLinear<>(l.weight(), l.bias(), 2.0f); });
  EXPECT_TRUE(same_bits(quantized(x), Int8OutlierLinear<>(w2, 2.0f)(Relu{}(Int8OutlierLinear<>(w1, 2.0f)(x)))));
}

TEST(Int8OutlierLinear, RefusesWhatDoesNotFit) {
  const RowTensor<float, 2> weight = random_tensor<2>({3, 4}, 17);
  EXPECT_ERROR(Int8OutlierLinear<>(weight, 0.0f), "threshold is 0", "above 0");
  EXPECT_ERROR(Int8OutlierLinear<>(weight, std::numeric_limits<float>::quiet_NaN()), "threshold");
  EXPECT_ERROR(Int8OutlierLinear<>(weight, random_tensor<1>({4}, 18)), "Int8OutlierLinear", "4 elements", "3");
  EXPECT_ERROR(Int8OutlierLinear<>(weight)(random_tensor<2>({2, 5}, 19)), "5 features", "expected 4");
}

}  // namespace
}  // namespace quanta::test
