// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <quanta/quant/error_metrics.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

struct Sums {
  long double max = 0, absolute = 0, squared = 0, signal = 0, approx = 0, dot = 0;
};

// In long double; only the error itself is a float, as documented.
template <int rank>
Sums plain_sums(const RowTensor<float, rank>& x, const RowTensor<float, rank>& y) {
  Sums s;
  for (Index i = 0; i < x.size(); ++i) {
    const long double a = x.data()[i], b = y.data()[i];
    const long double e = static_cast<float>(x.data()[i] - y.data()[i]);
    s.max = std::max(s.max, std::fabs(e));
    s.absolute += std::fabs(e);
    s.squared += e * e;
    s.signal += a * a;
    s.approx += b * b;
    s.dot += a * b;
  }
  return s;
}

void expect_close(double got, long double expected) {
  EXPECT_LE(std::fabs(static_cast<long double>(got) - expected), 1e-13L * std::max(1e-30L, std::fabs(expected)))
      << got << ", expected " << static_cast<double>(expected);
}

RowTensor<float, 2> nearby(const RowTensor<float, 2>& x, float deviation) {
  RowTensor<float, 2> y = x;
  Random random(77);
  for (Index i = 0; i < y.size(); ++i) y.data()[i] += random.normal(deviation);
  return y;
}

TEST(ErrorMetrics, AreThoseOfTheDefinition) {
  for (const Index columns : {1, 3, 17, 500, 5000}) {
    for (const float size : {1e-12f, 1.0f, 1e12f}) {
      const RowTensor<float, 2> x = random_tensor<2>({3, columns}, 1, size);
      const RowTensor<float, 2> y = nearby(x, size * 0.01f);
      const ErrorMetrics m = error_metrics(x, y);
      const Sums s = plain_sums(x, y);
      const long double n = static_cast<long double>(x.size());
      EXPECT_EQ(static_cast<long double>(m.max_error), s.max);
      expect_close(m.mean_error, s.absolute / n);
      expect_close(m.mse, s.squared / n);
      expect_close(m.snr_db, 10.0L * std::log10(s.signal / s.squared));
      expect_close(m.cosine, s.dot / (std::sqrt(s.signal) * std::sqrt(s.approx)));
      expect_close(m.relative_error, std::sqrt(s.squared / s.signal));
    }
  }
}

TEST(ErrorMetrics, AreSummedInTheDocumentedOrder) {
  for (const Index n : {1, 15, 16, 17, 4095, 4096, 4097, 20'000}) {
    const RowTensor<float, 2> x = random_tensor<2>({1, n}, 2), y = nearby(x, 0.1f);
    std::vector<double> absolute, squared, signal;
    for (Index i = 0; i < n; ++i) {
      const float e = x.data()[i] - y.data()[i];
      absolute.push_back(std::fabs(static_cast<double>(e)));
      squared.push_back(static_cast<double>(e) * static_cast<double>(e));
      signal.push_back(static_cast<double>(x.data()[i]) * static_cast<double>(x.data()[i]));
    }
    const ErrorMetrics m = error_metrics(x, y);
    const double count = static_cast<double>(n);
    EXPECT_EQ(bits_of(m.mean_error), bits_of(reference::blocked_sum(absolute) / count));
    EXPECT_EQ(bits_of(m.mse), bits_of(reference::blocked_sum(squared) / count));
    EXPECT_EQ(bits_of(m.relative_error),
              bits_of(std::sqrt(reference::blocked_sum(squared) / reference::blocked_sum(signal))));
  }
}

void expect_same(const ErrorMetrics& a, const ErrorMetrics& b) {
  EXPECT_EQ(bits_of(a.max_error), bits_of(b.max_error));
  EXPECT_EQ(bits_of(a.mean_error), bits_of(b.mean_error));
  EXPECT_EQ(bits_of(a.mse), bits_of(b.mse));
  EXPECT_EQ(bits_of(a.snr_db), bits_of(b.snr_db));
  EXPECT_EQ(bits_of(a.cosine), bits_of(b.cosine));
  EXPECT_EQ(bits_of(a.relative_error), bits_of(b.relative_error));
}

TEST(ErrorMetrics, AreTheSameBitsInAnyStorageOrder) {
  const RowTensor<float, 2> x = random_tensor<2>({70, 130}, 3), y = nearby(x, 0.1f);
  const ErrorMetrics expected = error_metrics(x, y);
  expect_same(error_metrics(col_major(x), y), expected);
  expect_same(error_metrics(x, col_major(y)), expected);
  using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const Eigen::Map<const RowMatrix> a(x.data(), 70, 130), b(y.data(), 70, 130);
  const Eigen::MatrixXf c = a, d = b;
  expect_same(error_metrics(c, b), expected);
  expect_same(error_metrics(c.cast<double>(), y), expected);
  expect_same(error_metrics(c * 1.0f, d.array()), expected);
}

TEST(ErrorMetrics, OfEqualTensorsAreZeroAndInfiniteDecibels) {
  const RowTensor<float, 2> x = random_tensor<2>({5, 9}, 4);
  expect_same(error_metrics(x, x), {0.0, 0.0, 0.0, kInfinity, error_metrics(x, x).cosine, 0.0});
  EXPECT_NEAR(error_metrics(x, x).cosine, 1.0, 1e-15);
  const RowTensor<float, 2> zeros = RowTensor<float, 2>(3, 3).setZero();
  expect_same(error_metrics(zeros, zeros), {0.0, 0.0, 0.0, kInfinity, 1.0, 0.0});
}

TEST(ErrorMetrics, OfAZeroSignalAreMinusInfiniteDecibels) {
  RowTensor<float, 2> zeros(1, 4), ones(1, 4);
  zeros.setZero();
  ones.setConstant(1.0f);
  expect_same(error_metrics(zeros, ones), {1.0, 1.0, 1.0, -kInfinity, 0.0, kInfinity});
  expect_same(error_metrics(ones, zeros), {1.0, 1.0, 1.0, 0.0, 0.0, 1.0});
  RowTensor<float, 2> minus(1, 4);
  minus.setConstant(-1.0f);
  EXPECT_EQ(error_metrics(ones, minus).cosine, -1.0);
}

TEST(ErrorMetrics, OfEmptyTensorsAreZero) {
  const RowTensor<float, 2> empty(0, 3);
  expect_same(error_metrics(empty, empty), {0.0, 0.0, 0.0, kInfinity, 1.0, 0.0});
}

TEST(ErrorMetrics, NanInTheDataGivesNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const Index where : {0, 5, 6000}) {
    for (const bool in_x : {true, false}) {
      RowTensor<float, 1> x = random_tensor<1>({6001}, 5), y = random_tensor<1>({6001}, 6);
      (in_x ? x : y)(where) = nan;
      const ErrorMetrics m = error_metrics(x, y);
      for (const double v : {m.max_error, m.mean_error, m.mse, m.snr_db, m.cosine, m.relative_error}) {
        EXPECT_TRUE(std::isnan(v)) << where;
      }
    }
  }
  RowTensor<float, 1> x(2), zeros(2);
  x.setConstant(nan);
  zeros.setZero();
  EXPECT_TRUE(std::isnan(error_metrics(x, zeros).cosine));
  EXPECT_TRUE(std::isnan(error_metrics(zeros, x).cosine));
}

TEST(ErrorMetrics, OfAnErrorThatOverflowsAreInfinite) {
  const float max = std::numeric_limits<float>::max();
  RowTensor<float, 1> x(1), y(1);
  x(0) = max;
  y(0) = -max;
  const ErrorMetrics m = error_metrics(x, y);
  EXPECT_EQ(m.max_error, kInfinity);
  EXPECT_EQ(m.mse, kInfinity);
  y(0) = max / 2;
  EXPECT_NEAR(error_metrics(x, y).snr_db, 6.0206, 1e-3);  // squares of the largest floats do not overflow
}

TEST(ErrorMetrics, RefuseAnotherShape) {
  const RowTensor<float, 2> x = random_tensor<2>({2, 3}, 1), y = random_tensor<2>({3, 2}, 1);
  EXPECT_ERROR(error_metrics(x, y), "error_metrics", "approximation", "(3, 2)", "expected (2, 3)");
  const RowTensor<float, 2> z = random_tensor<2>({2, 4}, 1);
  EXPECT_ERROR(error_metrics(x, z), "(2, 4)", "expected (2, 3)");
}

}  // namespace
}  // namespace quanta::test
