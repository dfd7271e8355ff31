// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <quanta/core/fp.hpp>

#include "tests/support/random.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(Fp, RoundsHalfToEvenOnEveryQuarter) {
  const int limit = scaled(1 << 20, 4096);
  for (int quarters = -limit; quarters <= limit; ++quarters) {
    const float v = static_cast<float>(quarters) * 0.25f;
    ASSERT_EQ(static_cast<double>(fp::round_half_even(v)), reference::half_even(v)) << v;
  }
}

TEST(Fp, RoundsHalfToEvenUpToTwoToThe22) {
  Random random(1);
  for (int i = 0; i < scaled(1'000'000, 10'000); ++i) {
    const float v = std::ldexp(random.uniform(), random.between(-30, 22));
    ASSERT_EQ(static_cast<double>(fp::round_half_even(v)), reference::half_even(v)) << std::hexfloat << v;
  }
  for (const float v : {4194304.0f, 4194303.75f, 4194303.5f, 4194302.5f, 0.49999997f, 0x1p-149f, 0.0f}) {
    EXPECT_EQ(static_cast<double>(fp::round_half_even(v)), reference::half_even(v)) << v;
    EXPECT_EQ(static_cast<double>(fp::round_half_even(-v)), reference::half_even(-v)) << -v;
  }
  static_assert(fp::round_half_even(2.5f) == 2.0f && fp::round_half_even(-3.5f) == -4.0f);
}

TEST(Fp, IsFiniteAgreesWithTheStandardLibrary) {
  Random random(2);
  for (int i = 0; i < 100'000; ++i) {
    const float v = random.any_float();
    ASSERT_EQ(fp::is_finite(v), std::isfinite(v)) << v;
  }
  EXPECT_FALSE(fp::is_finite(std::numeric_limits<float>::infinity()));
  EXPECT_FALSE(fp::is_finite(-std::numeric_limits<float>::infinity()));
  EXPECT_FALSE(fp::is_finite(std::numeric_limits<float>::quiet_NaN()));
  EXPECT_TRUE(fp::is_finite(std::numeric_limits<float>::max()));
  EXPECT_TRUE(fp::is_finite(-std::numeric_limits<float>::denorm_min()));
}

// A product that goes into a sum is rounded before it, with any -ffp-contract.
TEST(Fp, MulIsNeverContracted) {
  Random random(3);
  int differs_from_fused = 0;
  for (int i = 0; i < scaled(100'000, 1000); ++i) {
    const float a = random.normal(), b = random.normal(), c = random.normal();
    volatile float product = a * b;
    volatile float sum = product + c;
    ASSERT_EQ(bits_of(fp::mul(a, b) + c), bits_of(static_cast<float>(sum)));
    differs_from_fused += std::fma(a, b, c) != sum ? 1 : 0;
  }
  EXPECT_GT(differs_from_fused, 0);  // else the numbers above could not tell
}

TEST(Fp, OpaqueIsTheIdentity) {
  Random random(4);
  for (int i = 0; i < 1000; ++i) {
    const float v = random.any_float();
    EXPECT_EQ(bits_of(fp::opaque(v)), bits_of(v));
    EXPECT_EQ(bits_of(fp::opaque(static_cast<double>(v))), bits_of(static_cast<double>(v)));
  }
  static_assert(fp::opaque(1.5f) == 1.5f && fp::mul(1.5f, 2.0f) == 3.0f);
}

TEST(Fp, SmallestScaleIsTheSmallestNormalNumber) {
  EXPECT_EQ(fp::kMinScale, 0x1p-126f);
  EXPECT_EQ(fp::kMaxFloat, 0x1.fffffep127f);
}

}  // namespace
}  // namespace quanta::test
