// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <quanta/gemm/fixed_point.hpp>

#include "tests/gemm/fixed_point_oracle.hpp"
#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

constexpr std::int32_t kHighest = std::numeric_limits<std::int32_t>::max();
constexpr std::int32_t kLowest = std::numeric_limits<std::int32_t>::min();

// ---- from_real ----

double value_of(FixedPoint f) { return std::ldexp(static_cast<double>(f.multiplier), f.shift - 31); }

TEST(FixedPoint, FromRealIsNormalisedAndNearest) {
  Random random(1);
  for (int i = 0; i < scaled(200000, 5000); ++i) {
    const double mantissa = 1.0 + static_cast<double>(random.bits() >> 12) * 0x1p-52;
    const double real = std::ldexp(mantissa, random.between(-32, 29));
    const FixedPoint f = FixedPoint::from_real(real);
    ASSERT_GE(f.multiplier, 1 << 30) << real;
    ASSERT_GE(f.shift, -31);
    ASSERT_LE(f.shift, 30);
    // Half a unit of the multiplier, and the error itself is exact in double.
    ASSERT_LE(std::fabs(value_of(f) - real), std::ldexp(0.5, f.shift - 31)) << real;
  }
}

TEST(FixedPoint, FromRealOfPowersOfTwoIsExact) {
  for (int e = -32; e <= 29; ++e)
    EXPECT_EQ(value_of(FixedPoint::from_real(std::ldexp(1.0, e))), std::ldexp(1.0, e)) << e;
}

TEST(FixedPoint, FromRealCarriesIntoTheShift) {
  const FixedPoint f = FixedPoint::from_real(std::nextafter(1.0, 0.0));  // rounds to 2^31, which is no int32
  EXPECT_EQ(f.multiplier, 1 << 30);
  EXPECT_EQ(f.shift, 1);
}

TEST(FixedPoint, FromRealOfLessThan2ToMinus32IsZero) {
  for (const double real : {0.0, 0x1p-33, 0x1p-100, 0x1p-252, std::numeric_limits<double>::denorm_min()}) {
    EXPECT_EQ(FixedPoint::from_real(real).multiplier, 0) << real;
    EXPECT_EQ(FixedPoint::from_real(real).shift, 0) << real;
  }
}

TEST(FixedPoint, FromRealSaturatesFrom2To30) {
  for (const double real : {0x1p30, 0x1.8p30, 0x1p31, 0x1p300, std::numeric_limits<double>::max()}) {
    EXPECT_EQ(FixedPoint::from_real(real).multiplier, kHighest) << real;
    EXPECT_EQ(FixedPoint::from_real(real).shift, 30) << real;
  }
}

// ---- multiply ----

std::int32_t some_int(Random& random) {
  const std::int32_t special[] = {kLowest, kLowest + 1, -2, -1, 0, 1, 2, kHighest - 1, kHighest};
  const int kind = random.between(0, 3);
  if (kind == 0) return special[random.between(0, 8)];
  const std::int32_t any = static_cast<std::int32_t>(static_cast<std::uint32_t>(random.bits() >> 32));
  return kind == 1 ? any / 65536 : any;
}

std::int32_t some_multiplier(Random& random) {
  const int kind = random.between(0, 9);
  if (kind == 0) return 0;
  if (kind == 1) return 1 << 30;
  if (kind == 2) return kHighest;
  return random.between(1 << 30, kHighest);
}

TEST(Multiply, RoundsTheExactProductOnceForEveryShift) {
  Random random(2);
  for (int i = 0; i < scaled(3000000, 50000); ++i) {
    const FixedPoint f{some_multiplier(random), i % 62 - 31};
    const std::int32_t x = some_int(random);
    ASSERT_TRUE(multiply(x, f) == exact_multiply(x, f.multiplier, f.shift))
        << x << " * " << f.multiplier << ", shift " << f.shift;
  }
}

TEST(Multiply, RoundsTiesUp) {
  const FixedPoint half = FixedPoint::from_real(0.5);
  const std::int64_t expected[] = {-2, -1, -1, 0, 0, 1, 1, 2, 2};  // of -4 / 2 to 4 / 2, and -3/2 -> -1, 3/2 -> 2
  for (int x = -4; x <= 4; ++x) EXPECT_EQ(multiply(x, half), expected[x + 4]) << x;
}

TEST(Multiply, ByZeroIsZeroAndByMoreThanOneMayPassInt32) {
  for (const std::int32_t x : {kLowest, -1, 0, 1, kHighest}) {
    EXPECT_EQ(multiply(x, FixedPoint{}), 0);
    EXPECT_EQ(multiply(x, FixedPoint::from_real(1.0)), x);
    EXPECT_EQ(multiply(x, FixedPoint::from_real(1000.0)), std::int64_t{x} * 1000);
    EXPECT_EQ(multiply(x, FixedPoint::from_real(0x1p29)), std::int64_t{x} * (1 << 29));
  }
}

// ---- multiply_double_rounding ----

TEST(MultiplyDoubleRounding, IsGemmlowpsForEveryShift) {
  Random random(3);
  for (int i = 0; i < scaled(3000000, 50000); ++i) {
    const FixedPoint f{some_multiplier(random), i % 62 - 31};
    const std::int32_t x = some_int(random);
    ASSERT_EQ(multiply_double_rounding(x, f), gemmlowp_multiply(x, f.multiplier, f.shift))
        << x << " * " << f.multiplier << ", shift " << f.shift;
  }
}

// As seen in TensorFlow (25087): 7984 * 0.00144027 = 11.4991 becomes 12 by two roundings; and 1 * 0.25 becomes 1.
TEST(MultiplyDoubleRounding, DiffersFromSingleRoundingWhereItIsKnownTo) {
  const FixedPoint small = FixedPoint::from_real(0.00144027);
  EXPECT_EQ(multiply(7984, small), 11);
  EXPECT_EQ(multiply_double_rounding(7984, small), 12);
  const FixedPoint quarter = FixedPoint::from_real(0.25);
  EXPECT_EQ(multiply(1, quarter), 0);
  EXPECT_EQ(multiply_double_rounding(1, quarter), 1);
}

}  // namespace
}  // namespace quanta::test
