// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/layers/sequential.hpp>
#include <quanta/layers/softmax.hpp>

#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

// Of one row, from the definition, in long double.
std::vector<long double> softmax_of(const float* x, Index n) {
  const long double most = static_cast<long double>(*std::max_element(x, x + n));
  std::vector<long double> y;
  long double sum = 0.0L;
  for (Index i = 0; i < n; ++i) {
    y.push_back(std::exp(static_cast<long double>(x[i]) - most));
    sum += y.back();
  }
  for (long double& v : y) v /= sum;
  return y;
}

TEST(Softmax, IsTheDefinitionForEveryLength) {
  for (Index n = 1; n <= 70; ++n) {
    const Matrix x = random_tensor<2>({3, n}, static_cast<std::uint64_t>(n), 5.0f);
    const Matrix y = Softmax{}(x);
    for (Index r = 0; r < 3; ++r) {
      const std::vector<long double> expected = softmax_of(x.data() + r * n, n);
      for (Index i = 0; i < n; ++i) {
        // The difference from the largest is rounded; the exponential, the sum and the quotient are.
        const long double e = expected[usize(i)], allowed = (4.0L - std::log(e)) * 0x1p-24L * e;
        ASSERT_LE(std::fabs(static_cast<long double>(y(r, i)) - e), allowed) << n << ' ' << r << ' ' << i;
      }
    }
  }
}

TEST(Softmax, AddsUpToOneOverLongRows) {
  for (const Index n : {4096, 4097, 50'000}) {
    const Matrix y = Softmax{}(random_tensor<2>({1, n}, 1, 3.0f));
    double sum = 0.0;
    for (Index i = 0; i < n; ++i) sum += static_cast<double>(y(0, i));
    EXPECT_NEAR(sum, 1.0, 1e-7);
  }
}

TEST(Softmax, TakesLogitsOfAnySize) {
  Matrix x(2, 4);
  x.setValues({{1000.0f, 1000.0f, -1000.0f, 999.0f}, {-kMax, kMax, kMax, 0.0f}});
  const Matrix y = Softmax{}(x);
  const double e = std::exp(-1.0);
  EXPECT_NEAR(static_cast<double>(y(0, 0)), 1.0 / (2.0 + e), 1e-7);
  EXPECT_NEAR(static_cast<double>(y(0, 3)), e / (2.0 + e), 1e-7);
  EXPECT_EQ(y(0, 2), 0.0f);
  EXPECT_EQ(y(1, 0), 0.0f);
  EXPECT_EQ(y(1, 1), 0.5f);
  EXPECT_EQ(y(1, 2), 0.5f);
}

TEST(Softmax, OfMaskedAndOfImpossibleRows) {
  for (const Index n : {3, 40}) {
    Matrix x(5, n);
    x.setConstant(1.0f);
    for (Index i = 0; i < n; ++i) x(0, i) = i == n - 1 ? 2.0f : -kInfinity;
    x(1, 0) = -kInfinity;
    x(2, n / 2) = kNan;
    x(3, n - 1) = kInfinity;
    for (Index i = 0; i < n; ++i) x(4, i) = -kInfinity;
    const Matrix y = Softmax{}(x);
    for (Index i = 0; i < n; ++i) {
      EXPECT_EQ(y(0, i), i == n - 1 ? 1.0f : 0.0f);
      EXPECT_FLOAT_EQ(y(1, i), i == 0 ? 0.0f : 1.0f / static_cast<float>(n - 1));
      for (const Index row : {2, 3, 4}) EXPECT_TRUE(std::isnan(y(row, i))) << row << ' ' << i;
    }
  }
}

TEST(Softmax, OfARowDoesNotDependOnTheOthersNorOnStorageOrder) {
  const Matrix x = random_tensor<2>({40, 333}, 7, 4.0f);
  const Matrix y = Sequential{Softmax{}}(x);
  EXPECT_TRUE(same_bits(Softmax{}(col_major(x)), y));
  const Eigen::VectorXf row = Eigen::Map<const Eigen::VectorXf>(x.data() + 17 * 333, 333);
  EXPECT_TRUE(same_bits(Softmax{}(row).data(), y.data() + 17 * 333, 333));
  EXPECT_EQ(Softmax{}(Matrix(0, 5)).size(), 0);
  EXPECT_EQ(Softmax{}(Matrix(5, 0)).size(), 0);
}

}  // namespace
}  // namespace quanta::test
