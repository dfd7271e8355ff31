// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The emulated fused multiply-add against std::fma, which the C library computes by other means.
#include <cmath>
#include <limits>

#include <gtest/gtest.h>

#include <quanta/core/fp.hpp>

#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

void expect_fused(float a, float b, float c) {
  const float expected = std::fma(a, b, c);
  ASSERT_EQ(bits_of(fp::fma_emulated(a, b, c)), bits_of(expected)) << std::hexfloat << a << " * " << b << " + " << c;
  ASSERT_EQ(bits_of(fp::fma(a, b, c)), bits_of(expected)) << std::hexfloat << a << " * " << b << " + " << c;
}

// A float of this exponent with random fraction and sign.
float with_exponent(Random& random, int exponent) {
  return std::ldexp(1.0f + static_cast<float>(random.between(0, (1 << 23) - 1)) * 0x1p-23f, exponent) *
         (random.between(0, 1) == 0 ? 1.0f : -1.0f);
}

TEST(FpFma, EqualsStdFmaOnAnyBitPatterns) {
  Random random(1);
  for (int i = 0; i < scaled(2'000'000, 20'000); ++i) {
    const float a = random.any_float(), b = random.any_float(), c = random.any_float();
    ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, c));
  }
}

TEST(FpFma, EqualsStdFmaWhereProductAndAddendOverlap) {
  Random random(2);
  for (int i = 0; i < scaled(2'000'000, 20'000); ++i) {
    const int ea = random.between(-60, 60), eb = random.between(-60, 60);
    const float a = with_exponent(random, ea), b = with_exponent(random, eb);
    ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, with_exponent(random, ea + eb + random.between(-50, 50) / 8)));
  }
}

TEST(FpFma, EqualsStdFmaWhereTheSumAlmostCancels) {
  Random random(3);
  for (int i = 0; i < scaled(1'000'000, 20'000); ++i) {
    const float a = with_exponent(random, random.between(-40, 40)), b = with_exponent(random, random.between(-40, 40));
    float c = -(a * b);
    for (int steps = random.between(-2, 2); steps != 0; steps += steps < 0 ? 1 : -1) {
      c = std::nextafter(c, steps < 0 ? -INFINITY : INFINITY);
    }
    ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, c));
  }
}

TEST(FpFma, EqualsStdFmaWhereTheResultIsSubnormal) {
  Random random(4);
  for (int i = 0; i < scaled(1'000'000, 20'000); ++i) {
    const int ea = random.between(-100, -40);
    const float a = with_exponent(random, ea), b = with_exponent(random, random.between(-152, -124) - ea);
    ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, with_exponent(random, random.between(-152, -124))));
  }
}

TEST(FpFma, EqualsStdFmaAroundOverflow) {
  Random random(5);
  for (int i = 0; i < scaled(500'000, 20'000); ++i) {
    const int ea = random.between(30, 90);
    const float a = with_exponent(random, ea), b = with_exponent(random, 127 - ea + random.between(-1, 1));
    ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, with_exponent(random, random.between(100, 127))));
  }
}

TEST(FpFma, EqualsStdFmaOnSpecialValues) {
  using Limits = std::numeric_limits<float>;
  const float specials[] = {0.0f,
                            -0.0f,
                            1.0f,
                            -1.0f,
                            Limits::min(),
                            -Limits::min(),
                            Limits::max(),
                            -Limits::max(),
                            Limits::denorm_min(),
                            0.5f,
                            -Limits::denorm_min(),
                            Limits::infinity(),
                            3.0f,
                            -Limits::infinity(),
                            Limits::quiet_NaN()};
  for (const float a : specials) {
    for (const float b : specials) {
      for (const float c : specials) ASSERT_NO_FATAL_FAILURE(expect_fused(a, b, c));
    }
  }
}

// Known answers, which depend on no other implementation: (1 + 2^-12)^2 = 1 + 2^-11 + 2^-24 lies half way between two
// floats, and an addend far below decides. Two roundings would get one of the three wrong.
TEST(FpFma, RoundsOnceOnHalfwayProducts) {
  const float a = 1.0f + 0x1p-12f;
  const float below = 1.0f + 0x1p-11f, above = 1.0f + 0x1p-11f + 0x1p-23f;
  for (const float tiny : {0x1p-60f, 0x1p-100f, 0x1p-149f}) {
    EXPECT_EQ(fp::fma_emulated(a, a, tiny), above);
    EXPECT_EQ(fp::fma_emulated(a, a, -tiny), below);
  }
  EXPECT_EQ(fp::fma_emulated(a, a, 0.0f), below);  // to even
  EXPECT_EQ(fp::fma_emulated(a, a, -(1.0f + 0x1p-11f)), 0x1p-24f);
}

}  // namespace
}  // namespace quanta::test
