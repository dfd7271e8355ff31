// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <quanta/core/math.hpp>

#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

// long double has 64 bits of precision on x86-64 and 113 on 64-bit Arm: enough to judge a double.
void expect_close(double x) {
  const long double log = std::log(static_cast<long double>(x));
  const long double log10 = std::log10(static_cast<long double>(x));
  ASSERT_LE(std::fabs(static_cast<long double>(math::log(x)) - log), 2e-16L * std::max(1.0L, std::fabs(log)))
      << std::hexfloat << x;
  ASSERT_LE(std::fabs(static_cast<long double>(math::log10(x)) - log10), 4e-16L * std::max(1.0L, std::fabs(log10)))
      << std::hexfloat << x;
}

TEST(Math, LogIsWithinItsBoundOverAllMagnitudes) {
  Random random(1);
  for (int i = 0; i < scaled(200'000, 2000); ++i) {
    const double x = std::bit_cast<double>(random.bits() & 0x7fffffffffffffffu);
    if (!std::isfinite(x) || x == 0.0) continue;
    ASSERT_NO_FATAL_FAILURE(expect_close(x));
  }
}

TEST(Math, LogIsWithinItsBoundAroundOneAndAroundItsSeams) {
  for (const double center : {1.0, 1.4142135623730951, 0.7071067811865476, 2.0, 0.5, 10.0, 100.0, 1e-10}) {
    double above = center, below = center;
    for (int i = 0; i < scaled(2000, 50); ++i) {
      ASSERT_NO_FATAL_FAILURE(expect_close(above));
      ASSERT_NO_FATAL_FAILURE(expect_close(below));
      above = std::nextafter(above, 1e300);
      below = std::nextafter(below, 0.0);
    }
  }
  Random random(2);
  for (int i = 0; i < scaled(100'000, 1000); ++i) {
    ASSERT_NO_FATAL_FAILURE(expect_close(1.0 + static_cast<double>(random.uniform(0.5f))));
  }
}

TEST(Math, LogIsWithinItsBoundOnSubnormals) {
  double x = std::numeric_limits<double>::denorm_min();
  for (; x < 1e-300; x *= 1.5) ASSERT_NO_FATAL_FAILURE(expect_close(x));
  ASSERT_NO_FATAL_FAILURE(expect_close(std::nextafter(std::numeric_limits<double>::min(), 0.0)));
}

TEST(Math, LogOfSpecialValues) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(math::log(1.0), 0.0);
  EXPECT_EQ(math::log10(1.0), 0.0);
  for (double (*log)(double) : {math::log, math::log10}) {
    EXPECT_EQ(log(0.0), -infinity);
    EXPECT_EQ(log(-0.0), -infinity);
    EXPECT_EQ(log(infinity), infinity);
    EXPECT_TRUE(std::isnan(log(-1.0)));
    EXPECT_TRUE(std::isnan(log(-infinity)));
    EXPECT_TRUE(std::isnan(log(-std::numeric_limits<double>::denorm_min())));
    EXPECT_TRUE(std::isnan(log(std::numeric_limits<double>::quiet_NaN())));
  }
}

// ---- exp and erfc ----

void expect_within(double got, long double exact, long double bound, double x) {
  ASSERT_LE(std::fabs(static_cast<long double>(got) - exact), bound * exact) << std::hexfloat << x;
}

TEST(Math, ExpIsWithinItsBound) {
  Random random(3);
  for (int i = 0; i < scaled(200'000, 2000); ++i) {
    const double u = static_cast<double>(random.uniform());
    for (const double x : {700.0 * u, u, 1e-6 * u, 0.34657359027997264 + 1e-12 * u}) {
      ASSERT_NO_FATAL_FAILURE(expect_within(math::exp(x), std::exp(static_cast<long double>(x)), 4e-16L, x));
    }
  }
}

TEST(Math, ExpOfSpecialValues) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(math::exp(0.0), 1.0);
  EXPECT_EQ(math::exp(-0.0), 1.0);
  EXPECT_EQ(math::exp(-infinity), 0.0);
  EXPECT_EQ(math::exp(-709.0), 0.0);
  EXPECT_EQ(math::exp(infinity), infinity);
  EXPECT_EQ(math::exp(710.0), infinity);
  EXPECT_LT(math::exp(709.78), infinity);
  EXPECT_GT(math::exp(-708.3), 0.0);
  EXPECT_TRUE(std::isnan(math::exp(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Math, ErfcIsWithinItsBound) {
  Random random(4);
  for (int i = 0; i < scaled(50'000, 1000); ++i) {
    const double u = static_cast<double>(random.uniform());
    for (const double x : {26.0 * u, 2.0 * u, 2.0 + 1e-9 * u, 1e-9 * u}) {
      ASSERT_NO_FATAL_FAILURE(expect_within(math::erfc(x), std::erfc(static_cast<long double>(x)), 1e-12L, x));
    }
  }
}

TEST(Math, ErfcOfSpecialValues) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(math::erfc(0.0), 1.0);
  EXPECT_EQ(math::erfc(infinity), 0.0);
  EXPECT_EQ(math::erfc(27.0), 0.0);
  EXPECT_EQ(math::erfc(-infinity), 2.0);
  EXPECT_TRUE(std::isnan(math::erfc(std::numeric_limits<double>::quiet_NaN())));
}

}  // namespace
}  // namespace quanta::test
