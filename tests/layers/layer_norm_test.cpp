// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/layers/layer_norm.hpp>
#include <quanta/layers/sequential.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

// Of one row before weight and bias, from the definition, in long double.
std::vector<long double> normalized(const float* x, Index n, float epsilon) {
  long double mean = 0.0L, variance = 0.0L;
  for (Index i = 0; i < n; ++i) mean += static_cast<long double>(x[i]) / static_cast<long double>(n);
  for (Index i = 0; i < n; ++i) {
    const long double e = static_cast<long double>(x[i]) - mean;
    variance += e * e / static_cast<long double>(n);
  }
  std::vector<long double> y;
  for (Index i = 0; i < n; ++i) {
    y.push_back((static_cast<long double>(x[i]) - mean) / std::sqrt(variance + static_cast<long double>(epsilon)));
  }
  return y;
}

// The bound: a few roundings of (x - mean) * scale, and the mean's own, which is relative to the largest value.
void expect_normalized(const Matrix& x, float epsilon) {
  const Index n = x.dimension(1);
  const Vector weight = random_tensor<1>({n}, 1), bias = random_tensor<1>({n}, 2);
  const Matrix y = LayerNorm(weight, bias, epsilon)(x);
  for (Index r = 0; r < x.dimension(0); ++r) {
    const std::vector<long double> expected = normalized(x.data() + r * n, n, epsilon);
    for (Index i = 0; i < n; ++i) {
      const long double w = static_cast<long double>(weight(i)), b = static_cast<long double>(bias(i));
      const long double got = static_cast<long double>(y(r, i)), e = expected[usize(i)];
      const long double allowed = 0x1p-21L * (std::fabs(w) * std::max(1.0L, std::fabs(e)) + std::fabs(e * w + b));
      ASSERT_LE(std::fabs(got - (e * w + b)), allowed) << n << ' ' << r << ' ' << i;
    }
  }
}

TEST(LayerNorm, IsTheDefinitionForEveryLength) {
  for (Index n = 1; n <= 70; ++n)
    expect_normalized(random_tensor<2>({3, n}, static_cast<std::uint64_t>(n), 3.0f), 1e-5f);
  expect_normalized(random_tensor<2>({2, 4097}, 8), 1e-12f);
}

// As far from 0 as leaves a row a few different values, and at all magnitudes.
TEST(LayerNorm, IsExactWhereTheMeanIsFarFromZero) {
  for (const float mean : {1e3f, -1e5f, 1e7f}) {
    Matrix x = random_tensor<2>({3, 100}, 3);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] += mean;
    expect_normalized(x, 1e-5f);
  }
  for (const float size : {1e-15f, 1e15f}) expect_normalized(random_tensor<2>({3, 100}, 4, size), 1e-38f);
}

TEST(LayerNorm, OfEqualValuesIsTheBias) {
  const Vector weight = random_tensor<1>({33}, 5), bias = random_tensor<1>({33}, 6);
  for (const float value : {0.0f, 0.1f, -1e30f, kMax}) {
    Matrix x(2, 33);
    x.setConstant(value);
    const Matrix y = LayerNorm(weight, bias)(x);
    for (Index i = 0; i < 33; ++i) EXPECT_EQ(y(0, i), bias(i)) << value;
  }
}

TEST(LayerNorm, OfARowThatIsNotFiniteIsNan) {
  const LayerNorm layer(random_tensor<1>({20}, 1), random_tensor<1>({20}, 2));
  for (const float bad : {kInfinity, -kInfinity, kNan}) {
    Matrix x = random_tensor<2>({3, 20}, 3);
    const Matrix good = layer(x);
    x(1, 7) = bad;
    const Matrix y = layer(x);
    for (Index i = 0; i < 20; ++i) {
      EXPECT_EQ(y(0, i), good(0, i));
      EXPECT_TRUE(std::isnan(y(1, i)));
      EXPECT_EQ(y(2, i), good(2, i));
    }
  }
  Matrix far(1, 20);
  far.setConstant(kMax);
  far(0, 3) = -kMax;
  const Matrix y = layer(far);
  for (Index i = 0; i < 20; ++i) EXPECT_TRUE(std::isnan(y(0, i)));
}

TEST(LayerNorm, IsALayerOfEveryStorageOrder) {
  const Vector weight = random_tensor<1>({60}, 1), bias = random_tensor<1>({60}, 2);
  const LayerNorm layer(weight, bias);
  const Matrix x = random_tensor<2>({30, 60}, 3);
  EXPECT_TRUE(same_bits(layer(col_major(x)), layer(x)));
  EXPECT_TRUE(same_bits(Sequential{layer}(x), layer(x)));
  EXPECT_TRUE(same_bits(layer.weight().data(), weight.data(), 60));
  EXPECT_TRUE(same_bits(layer.bias().data(), bias.data(), 60));
  EXPECT_EQ(layer.epsilon(), 1e-5f);
  EXPECT_EQ(layer.packed_bytes(), 480);
  EXPECT_EQ(layer(Matrix(0, 60)).size(), 0);
}

TEST(LayerNorm, RefusesWhatDoesNotFit) {
  const Vector weight = random_tensor<1>({60}, 1);
  EXPECT_ERROR(LayerNorm(weight, random_tensor<1>({59}, 2)), "LayerNorm", "59", "60");
  EXPECT_ERROR(LayerNorm(weight, weight, 0.0f), "LayerNorm", "epsilon is 0");
  EXPECT_ERROR(LayerNorm(weight, weight, kNan), "LayerNorm", "nan");
  EXPECT_ERROR(LayerNorm(weight, weight)(random_tensor<2>({3, 61}, 3)), "LayerNorm", "61 features", "60");
}

}  // namespace
}  // namespace quanta::test
