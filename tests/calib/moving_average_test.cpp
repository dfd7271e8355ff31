// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The moving average against a loop that says what it is: the first batch sets it, then v + c (batch - v), each
// operation rounded to float.
#include <gtest/gtest.h>

#include <quanta/calib/moving_average.hpp>

#include "tests/calib/calibrators.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

using Q = AsymmetricQuantizer<UInt<8>>;

// Each result goes through memory: GCC narrows float(double(a) * double(b)) to a float product and may then fuse it
// with the addition that follows.
float moved(float v, float batch, float constant) {
  const volatile float difference = batch - v;
  const volatile float step = constant * difference;
  return v + step;
}

Range reference_average(const std::vector<Values>& batches, float constant) {
  Range average{};
  bool first = true;
  for (const Values& batch : batches) {
    const auto [least, most] = std::minmax_element(batch.begin(), batch.end());
    average =
        first ? Range{*least, *most} : Range{moved(average.min, *least, constant), moved(average.max, *most, constant)};
    first = false;
  }
  return average;
}

std::vector<Values> random_batches(int count, std::uint64_t seed, float offset = 0.0f) {
  Random random(seed);
  std::vector<Values> batches;
  for (int i = 0; i < count; ++i) {
    batches.push_back(normal_values(static_cast<std::size_t>(random.between(1, 90)), random.bits()));
    for (float& v : batches.back()) v += offset;
  }
  return batches;
}

TEST(MovingAverageCalibrator, FollowsTheReferenceLoop) {
  for (const float constant : {0.01f, 0.3f, 0.999f}) {
    for (const float offset : {0.0f, 10.0f, -10.0f}) {
      const std::vector<Values> batches = random_batches(60, 1, offset);
      const auto calibrator = observing(MovingAverageCalibrator<>(constant), batches);
      EXPECT_TRUE(same_range(calibrator.range<Q>(), reference_average(batches, constant)));
      EXPECT_EQ(calibrator.batches(), 60u);
    }
  }
  const std::vector<Values> batches = random_batches(10, 2);
  EXPECT_TRUE(same_range(observing(MovingAverageCalibrator<>{}, batches).seen(), reference_average(batches, 0.01f)));
}

TEST(MovingAverageCalibrator, PerChannelEachHasItsOwnAverage) {
  MovingAverageCalibrator<PerChannel<1>> calibrator(0.25f);
  std::vector<std::vector<Values>> columns(3);
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const RowTensor<float, 2> x = random_tensor<2>({static_cast<Index>(2 + seed), 3}, seed);
    calibrator.observe(x);
    for (Index c = 0; c < 3; ++c) {
      Values column;
      for (Index i = 0; i < x.dimension(0); ++i) column.push_back(x(i, c));
      columns[usize(c)].push_back(column);
    }
  }
  for (Index c = 0; c < 3; ++c)
    EXPECT_TRUE(same_range(calibrator.seen(c), reference_average(columns[usize(c)], 0.25f)));
}

TEST(MovingAverageCalibrator, AnEmptyBatchIsNone) {
  MovingAverageCalibrator<> calibrator(0.5f);
  calibrator.observe(RowTensor<float, 1>(0));
  calibrator.observe(as_eigen({1.0f, 3.0f}));
  calibrator.observe(RowTensor<float, 1>(0));
  EXPECT_EQ(calibrator.batches(), 1u);
  EXPECT_TRUE(same_range(calibrator.seen(), {1.0f, 3.0f}));
}

TEST(MovingAverageCalibrator, MergesAsTheMeanByNumbersOfBatches) {
  const std::vector<Values> left = random_batches(3, 3), right = random_batches(5, 4);
  const auto a = observing(MovingAverageCalibrator<>(0.1f), left),
             b = observing(MovingAverageCalibrator<>(0.1f), right);
  auto ab = a, ba = b;
  ab.merge(b);
  ba.merge(a);
  const auto mean = [](float x, float y) { return static_cast<float>((3.0 * double{x} + 5.0 * double{y}) / 8.0); };
  const Range expected{mean(a.seen().min, b.seen().min), mean(a.seen().max, b.seen().max)};
  EXPECT_TRUE(same_range(ab.seen(), expected));
  EXPECT_TRUE(same_range(ba.seen(), expected));
  EXPECT_EQ(ab.batches(), 8u);
  MovingAverageCalibrator<> nothing(0.1f), onto(0.1f);
  onto.merge(a);
  EXPECT_TRUE(same_range(onto.seen(), a.seen()));
  onto.merge(nothing);
  EXPECT_TRUE(same_range(onto.seen(), a.seen()));
  EXPECT_EQ(onto.batches(), 3u);
}

TEST(MovingAverageCalibrator, OfHugeDataStaysFinite) {
  for (const float constant : {0.01f, 0.5f, 1.0f}) {
    const auto calibrator = observing(MovingAverageCalibrator<>(constant), {{-3e38f, 3e38f}, {3e38f}, {-3e38f}});
    const Range range = calibrator.seen();
    const double c = constant, max = 3e38 + c * (-3e38 - 3e38), min = -3e38 + c * (3e38 + 3e38);
    EXPECT_NEAR(double{range.max} / 3e38, max / 3e38, 1e-6);
    EXPECT_NEAR(double{range.min} / 3e38, (min + c * (-3e38 - min)) / 3e38, 1e-6);
    EXPECT_NO_THROW(Q::fit(calibrator));
  }
}

TEST(MovingAverageCalibrator, NeverLeavesWhatTheBatchesSpan) {
  // Rounding v + (batch - v) goes astray where v is much larger than the batch.
  const auto calibrator = observing(MovingAverageCalibrator<>(1.0f), {{-1.0f, 1e10f}, {0.25f, 0.5f}});
  EXPECT_TRUE(same_range(calibrator.seen(), {0.25f, 0.5f}));
  Random random(5);
  for (int round = 0; round < 2000; ++round) {
    const float constant = random.between(0, 1) == 0 ? 1.0f : std::nextafter(1.0f, 0.0f);
    std::vector<Values> batches(3);
    for (Values& batch : batches) {
      for (int i = 0; i < 2; ++i) batch.push_back(std::ldexp(random.uniform(), random.between(-3, 40)));
    }
    const Range range = observing(MovingAverageCalibrator<>(constant), batches).seen();
    ASSERT_LE(range.min, range.max);
  }
}

TEST(MovingAverageCalibrator, RefusesConstantsThatAreNone) {
  for (const float constant : {0.0f, -0.1f, 1.1f, std::numeric_limits<float>::quiet_NaN()}) {
    EXPECT_ERROR(MovingAverageCalibrator<>(constant), "MovingAverageCalibrator", "constant");
  }
  EXPECT_NO_THROW(MovingAverageCalibrator<>(1.0f));
}

TEST(MovingAverage, DoesNotMergeWithAnotherConstant) {
  MovingAverageCalibrator<> slow(0.01f);
  const MovingAverageCalibrator<> fast(0.5f);
  EXPECT_ERROR(slow.merge(fast), "constant", "0.5");
}

}  // namespace
}  // namespace quanta::test
