// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From ranges to scales and zero points.
#include <gtest/gtest.h>

#include <quanta/quant/scheme.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

void expect_params(const ScaleZeroPoint& got, const reference::Params& expected, Range range) {
  ASSERT_EQ(bits_of(got.scale), bits_of(expected.scale)) << std::hexfloat << range.min << " to " << range.max;
  ASSERT_EQ(got.zero_point, expected.zero_point) << std::hexfloat << range.min << " to " << range.max;
}

template <class F>
void check_format(const std::vector<Range>& ranges) {
  for (const Range range : ranges) {
    if constexpr (F::is_signed) {
      for (const bool full : {false, true}) {
        ASSERT_NO_FATAL_FAILURE(expect_params(Symmetric::from_range<F>(range, {full}),
                                              reference::symmetric(range.min, range.max, F::min, F::max, full), range));
      }
    }
    ASSERT_NO_FATAL_FAILURE(expect_params(Asymmetric::from_range<F>(range, {}),
                                          reference::asymmetric(range.min, range.max, F::min, F::max), range));
  }
}

void check_formats(const std::vector<Range>& ranges) {
  check_format<Int<2>>(ranges);
  check_format<Int<3>>(ranges);
  check_format<Int<4>>(ranges);
  check_format<Int<5>>(ranges);
  check_format<Int<6>>(ranges);
  check_format<Int<7>>(ranges);
  check_format<Int<8>>(ranges);
  check_format<Int<16>>(ranges);
  check_format<UInt<2>>(ranges);
  check_format<UInt<4>>(ranges);
  check_format<UInt<7>>(ranges);
  check_format<UInt<8>>(ranges);
  check_format<UInt<16>>(ranges);
}

TEST(Scheme, GivesTheDefinedParametersForRangesOfAnyMagnitude) {
  Random random(1);
  std::vector<Range> ranges;
  for (int i = 0; i < scaled(20'000, 500); ++i) {
    float a = random.any_finite_float(), b = random.any_finite_float();
    if (i % 2 == 0) {  // of like magnitude
      a = random.normal(10.0f);
      b = random.normal(10.0f);
    }
    ranges.push_back({std::min(a, b), std::max(a, b)});
  }
  check_formats(ranges);
}

TEST(Scheme, GivesTheDefinedParametersAtTheEdges) {
  const float values[] = {0.0f,  -0.0f,  0x1p-149f, -0x1p-149f, 0x1p-126f, -0x1p-126f, 1e-38f, -1e-38f, 1e-30f, 0.1f,
                          -0.1f, 127.0f, -128.0f,   1e30f,      -1e30f,    1e38f,      -1e38f, kMax,    -kMax};
  std::vector<Range> ranges;
  for (const float a : values) {
    for (const float b : values) {
      if (a <= b) ranges.push_back({a, b});
    }
  }
  check_formats(ranges);
}

TEST(Scheme, SymmetricDividesByTheLargestCodeAndHasNoZeroPoint) {
  EXPECT_EQ(Symmetric::from_range<Int<8>>({-127.0f, 3.0f}, {}).scale, 1.0f);
  EXPECT_EQ(Symmetric::from_range<Int<8>>({-1.0f, 127.0f}, {}).scale, 1.0f);
  EXPECT_EQ(Symmetric::from_range<Int<8>>({-127.5f, 3.0f}, {.full_range = true}).scale, 1.0f);
  EXPECT_EQ(Symmetric::from_range<Int<2>>({-1.5f, 0.0f}, {.full_range = true}).scale, 1.0f);
  EXPECT_EQ(Symmetric::from_range<Int<4>>({3.5f, 7.0f}, {}).zero_point, 0);
  EXPECT_EQ(Symmetric::low<Int<8>>({}), -127);
  EXPECT_EQ(Symmetric::low<Int<8>>({.full_range = true}), -128);
  EXPECT_EQ(Asymmetric::low<UInt<8>>({}), 0);
}

TEST(Scheme, AsymmetricRangesAreWidenedToContainZero) {
  const ScaleZeroPoint positive = Asymmetric::from_range<UInt<8>>({100.0f, 255.0f}, {});
  EXPECT_EQ(positive.scale, 1.0f);
  EXPECT_EQ(positive.zero_point, 0);
  const ScaleZeroPoint negative = Asymmetric::from_range<UInt<8>>({-255.0f, -100.0f}, {});
  EXPECT_EQ(negative.scale, 1.0f);
  EXPECT_EQ(negative.zero_point, 255);
  EXPECT_EQ(Asymmetric::from_range<Int<8>>({-255.0f, 0.0f}, {}).zero_point, 127);
}

TEST(Scheme, AZeroRangeHasScaleOne) {
  for (const Range zero : {Range{0.0f, 0.0f}, Range{-0.0f, 0.0f}, Range{-0.0f, -0.0f}}) {
    EXPECT_EQ(Symmetric::from_range<Int<8>>(zero, {}).scale, 1.0f);
    EXPECT_EQ(Asymmetric::from_range<UInt<8>>(zero, {}).scale, 1.0f);
    EXPECT_EQ(Asymmetric::from_range<UInt<8>>(zero, {}).zero_point, 0);
    EXPECT_EQ(Asymmetric::from_range<Int<8>>(zero, {}).zero_point, -128);
  }
}

TEST(Scheme, AScaleThatWouldUnderflowIsTheSmallestNormalNumber) {
  for (const float tiny : {0x1p-149f, 1e-40f, 0x1p-126f, 1e-37f}) {
    EXPECT_EQ(Symmetric::from_range<Int<8>>({-tiny, tiny}, {}).scale, 0x1p-126f) << tiny;
    EXPECT_EQ(Asymmetric::from_range<UInt<8>>({-tiny, tiny}, {}).scale, 0x1p-126f) << tiny;
  }
  EXPECT_GT(Symmetric::from_range<Int<8>>({0.0f, 1e-35f}, {}).scale, 0x1p-126f);
}

TEST(Scheme, AWidthThatOverflowsIsComputedInDouble) {
  const ScaleZeroPoint p = Asymmetric::from_range<UInt<8>>({-kMax, kMax}, {});
  EXPECT_EQ(p.scale, static_cast<float>(2.0 * static_cast<double>(kMax) / 255.0));
  EXPECT_EQ(p.zero_point, 128);  // 127.5 to even
}

TEST(Scheme, RefusesRangesThatAreNotRanges) {
  EXPECT_ERROR(Symmetric::from_range<Int<8>>({1.0f, -1.0f}, {}), "fit: range [1, -1]", "min <= max");
  EXPECT_ERROR(Symmetric::from_range<Int<8>>({0.0f, kInfinity}, {}), "range [0, inf]", "finite");
  EXPECT_ERROR(Asymmetric::from_range<UInt<8>>({-kInfinity, 0.0f}, {}), "range [-inf, 0]", "finite");
  EXPECT_ERROR(Asymmetric::from_range<UInt<8>>({kNan, 0.0f}, {}), "range [nan, 0]", "finite");
  EXPECT_ERROR(Asymmetric::from_range<UInt<8>>({0.0f, kNan}, {}), "range [0, nan]");
}

}  // namespace
}  // namespace quanta::test
