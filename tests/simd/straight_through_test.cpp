// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Fake quantization backwards with every lane type, at every length, against plain code in double.
#include <gtest/gtest.h>

#include <quanta/simd/straight_through.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class L>
class StraightThrough : public testing::Test {};
TYPED_TEST_SUITE(StraightThrough, AllLanes);

std::vector<float> finite_floats(Index n, std::uint64_t seed, float scale) {
  std::vector<float> x = mixed_floats(usize(n), seed);
  for (float& v : x) v = std::isfinite(v * scale) ? v * scale : 2.5f * scale;
  return x;
}

void expect_element(float x, float dy, const simd::QuantizeStep& step, float dx, float slope) {
  const double u = reference::quotient(x, step.scale);
  const double low = step.low - step.zero_point, high = step.high - step.zero_point;
  const bool inside = u >= low && u <= high;
  const double level = reference::half_even(std::min(std::max(u, low), high));
  ASSERT_EQ(bits_of(dx), bits_of(inside ? dy : 0.0f)) << x << " / " << step.scale;
  ASSERT_EQ(slope, static_cast<float>(inside ? level - u : level)) << x << " / " << step.scale;
}

TYPED_TEST(StraightThrough, FollowsTheDefinitionAtEveryLength) {
  const simd::QuantizeStep steps[] = {{0.37f, 0, -8, 7}, {0.25f, 3, 0, 15}, {0x1p-126f, 0, -1, 1}, {1e30f, 0, 0, 255}};
  for (const simd::QuantizeStep& step : steps) {
    for (Index n = 0; n <= 40; ++n) {
      const std::vector<float> x = finite_floats(n, 1, step.scale), dy = finite_floats(n, 2, 1.0f);
      std::vector<float> dx(usize(n) + 1, 77.0f), slopes(usize(n) + 1, 77.0f);
      simd::straight_through<TypeParam>(x.data(), dy.data(), n, step, dx.data(), slopes.data());
      for (std::size_t i = 0; i < usize(n); ++i) {
        ASSERT_NO_FATAL_FAILURE(expect_element(x[i], dy[i], step, dx[i], slopes[i]));
      }
      ASSERT_EQ(dx[usize(n)], 77.0f);
      ASSERT_EQ(slopes[usize(n)], 77.0f);
    }
  }
}

TYPED_TEST(StraightThrough, GivesEachColumnItsOwnStep) {
  for (const Index columns : {1, 3, 16, 37}) {
    const Index rows = 3;
    std::vector<float> scales;
    std::vector<std::int32_t> zero_points;
    for (Index j = 0; j < columns; ++j) {
      scales.push_back(0.1f * static_cast<float>(j + 1));
      zero_points.push_back(static_cast<std::int32_t>(j % 16));
    }
    const std::vector<float> x = finite_floats(rows * columns, 3, 1.0f), dy = finite_floats(rows * columns, 4, 1.0f);
    std::vector<float> dx(x.size()), slopes(x.size());
    for (const bool zero : {true, false}) {
      const simd::QuantizeColumns steps{scales.data(), zero ? nullptr : zero_points.data(), 0, 15};
      simd::straight_through_columns<TypeParam>(x.data(), dy.data(), rows, columns, steps, dx.data(), slopes.data());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const simd::QuantizeStep step = steps.step(static_cast<Index>(i) % columns);
        ASSERT_NO_FATAL_FAILURE(expect_element(x[i], dy[i], step, dx[i], slopes[i]));
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
