// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Percentiles against sorted data: numpy.percentile's linear interpolation.
#include <gtest/gtest.h>

#include <quanta/calib/percentile.hpp>

#include "tests/calib/calibrators.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

using Symmetric8 = SymmetricQuantizer<Int<8>>;
constexpr double kResolution = CalibrationSketch<>::ChannelSketch::kResolution;

double numpy_percentile(Values x, double percent) {
  std::sort(x.begin(), x.end());
  const double rank = static_cast<double>(x.size() - 1) * percent / 100.0, below = std::floor(rank);
  const double a = x[static_cast<std::size_t>(below)],
               b = x[std::min(static_cast<std::size_t>(below) + 1, x.size() - 1)];
  return a + (b - a) * (rank - below);
}

// Each order statistic is known to the resolution, or to lie below 2^-30 of the largest |x|: an interpolated one to
// that of the larger of its neighbours.
void expect_quantile(double got, const Values& x, double percent) {
  Values sorted = x;
  std::sort(sorted.begin(), sorted.end());
  const double rank = static_cast<double>(x.size() - 1) * percent / 100.0;
  const double a = sorted[static_cast<std::size_t>(std::floor(rank))],
               b = sorted[static_cast<std::size_t>(std::ceil(rank))];
  const double largest = std::max(std::fabs(double{sorted.front()}), std::fabs(double{sorted.back()}));
  const double size = std::max({std::fabs(a), std::fabs(b), 0x1p-126});
  EXPECT_NEAR(got, numpy_percentile(x, percent), 1.000001 * std::max(kResolution * size, largest * 0x1p-30))
      << percent << " % of " << x.size();
}

const double kPercents[] = {1e-3, 1.0, 10.0, 33.3, 50.0, 75.0, 90.0, 99.0, 99.9, 99.99, 99.999, 100.0};

void check(const Values& x) {
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  CalibrationSketch<> seen;
  seen.observe(as_eigen(x));
  for (const double percent : kPercents) {
    const Range two_sided = PercentileCalibrator<>(TwoSided{percent}, seen).range<Symmetric8>();
    const double cut = (100.0 - percent) / 2.0;
    expect_quantile(two_sided.min, x, cut);
    expect_quantile(two_sided.max, x, 100.0 - cut);
    const Range of_magnitudes = PercentileCalibrator<>(Abs{percent}, seen).range<Symmetric8>();
    const double t = std::max(-double{of_magnitudes.min}, double{of_magnitudes.max});
    const Values magnitudes = absolute_values(x);
    // The range is cut to the data's own: on a side that ends before t, it says nothing about t.
    const bool told =
        double{of_magnitudes.max} < double{*most} || double{of_magnitudes.min} > double{*least} || percent == 100.0;
    if (told && *least <= 0.0f && *most >= 0.0f) expect_quantile(t, magnitudes, percent);
    EXPECT_GE(of_magnitudes.min, *least);
    EXPECT_LE(of_magnitudes.max, *most);
  }
}

TEST(PercentileCalibrator, IsNumpysQuantileToTheSketchsResolution) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    check(joined(family.batches));
  }
  check(heavy_values(5000, 1));
  check(laplace_cubed_values(4001, 2));
  check(absolute_values(normal_values(1000, 3)));
}

TEST(PercentileCalibrator, OfAFewValuesInterpolatesBetweenThem) {
  for (const Values& x :
       {Values{3.0f}, Values{-3.0f}, Values{0.0f}, Values{1.0f, 2.0f}, Values{-1.0f, 2.0f}, Values{-5.0f, 0.0f, 5.0f},
        Values{1.0f, 2.0f, 4.0f}, Values{-4.0f, -2.0f, -1.0f}, Values{7.0f, 7.0f, 7.0f}}) {
    check(x);
  }
  const Range half = observing(PercentileCalibrator<>(TwoSided{50.0}), {{-1.0f, 3.0f}}).range<Symmetric8>();
  EXPECT_FLOAT_EQ(half.min, 0.0f);
  EXPECT_FLOAT_EQ(half.max, 2.0f);
}

TEST(PercentileCalibrator, AHundredPercentIsExactlyTheExtremes) {
  std::vector<Family> all = families();
  all.push_back({"least below the window", {{-1e-20f, 1.0f, 0.5f}}});
  all.push_back({"most below the window", {{1e-20f, -1.0f, -0.5f}}});
  all.push_back({"positive, least below the window", {{1e-20f, 1.0f, 0.5f}}});
  all.push_back({"below all bins", {{0x1p-140f, -0x1p-149f}}});
  for (const Family& family : all) {
    SCOPED_TRACE(family.name);
    const Values x = joined(family.batches);
    const auto [least, most] = std::minmax_element(x.begin(), x.end());
    const Range expected{*least + 0.0f, *most + 0.0f};
    EXPECT_TRUE(
        same_range(observing(PercentileCalibrator<>(TwoSided{100.0}), family.batches).range<Symmetric8>(), expected));
    EXPECT_TRUE(
        same_range(observing(PercentileCalibrator<>(Abs{100.0}), family.batches).range<Symmetric8>(), expected));
  }
}

TEST(PercentileCalibrator, MorePercentNeverGiveASmallerRange) {
  std::vector<Family> all = families();
  all.push_back({"one bin on both sides", {{-4.003f, -4.006f, 4.001f, 4.002f, 4.008f, -4.009f, 4.0f}}});
  for (const Family& family : all) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    for (const Values& batch : family.batches) seen.observe(as_eigen(batch));
    Range two_sided = PercentileCalibrator<>(TwoSided{0.5}, seen).range<Symmetric8>();
    Range magnitudes = PercentileCalibrator<>(Abs{0.5}, seen).range<Symmetric8>();
    const auto expect_within = [](Range& smaller, Range larger, double percent) {
      EXPECT_LE(larger.min, smaller.min) << percent;
      EXPECT_GE(larger.max, smaller.max) << percent;
      smaller = larger;
    };
    for (double percent = 1.0; percent <= 100.0; percent += 0.5) {
      expect_within(two_sided, PercentileCalibrator<>(TwoSided{percent}, seen).range<Symmetric8>(), percent);
      expect_within(magnitudes, PercentileCalibrator<>(Abs{percent}, seen).range<Symmetric8>(), percent);
    }
  }
}

TEST(PercentileCalibrator, ThePoliciesDifferAsTheirNamesSay) {
  // 900 small values below 0, 100 large ones above.
  Values x;
  for (int i = 0; i < 900; ++i) x.push_back(-1.0f - static_cast<float>(i) / 900.0f);
  for (int i = 0; i < 100; ++i) x.push_back(10.0f + static_cast<float>(i));
  const Range two_sided = observing(PercentileCalibrator<>(TwoSided{90.0}), {x}).range<Symmetric8>();
  EXPECT_NEAR(two_sided.min, numpy_percentile(x, 5.0), 0.01);
  EXPECT_NEAR(two_sided.max, numpy_percentile(x, 95.0), 0.4);
  const Range magnitudes = observing(PercentileCalibrator<>(Abs{95.0}), {x}).range<Symmetric8>();
  EXPECT_EQ(magnitudes.min, *std::min_element(x.begin(), x.end()));  // no value below 0 is cut
  EXPECT_NEAR(magnitudes.max, numpy_percentile(absolute_values(x), 95.0), 0.4);
}

TEST(PercentileCalibrator, CountsEveryValueOfEveryMerge) {
  // 1 % of 2^34 values are large; a counter that stops earlier would see another share.
  Values x(99, 1.0f);
  x.push_back(100.0f);
  CalibrationSketch<> seen;
  seen.observe(as_eigen(x));
  for (int i = 0; i < 28; ++i) seen.merge(CalibrationSketch<>(seen));
  seen.observe(as_eigen({-1.0f}));
  EXPECT_NEAR((PercentileCalibrator<>(Abs{98.9}, seen).range<Symmetric8>().max), 1.0, kResolution);
  EXPECT_NEAR((PercentileCalibrator<>(Abs{99.1}, seen).range<Symmetric8>().max), 100.0, 100.0 * kResolution);
}

// 2^64 - 4 values: more than a double counts.
TEST(PercentileCalibrator, AHundredPercentOfTheMostValuesThereCanBe) {
  const Eigen::Vector4f values(1.0f, 2.0f, 3.0f, 4.0f);
  CalibrationSketch<> one, all;
  one.observe(values);
  for (int bit = 0; bit < 62; ++bit) {  // 4 (2^62 - 1)
    all.merge(one);
    if (bit < 61) one.merge(CalibrationSketch<>(one));
  }
  ASSERT_EQ(all.sketch().count(), ~std::uint64_t{3});
  const Range range = PercentileCalibrator<>(TwoSided{100.0}, all).range<Symmetric8>();
  EXPECT_EQ(range.min, 1.0f);
  EXPECT_EQ(range.max, 4.0f);
  EXPECT_EQ((PercentileCalibrator<>(Abs{100.0}, all).range<Symmetric8>().max), 4.0f);
}

TEST(PercentileCalibrator, TheQuantizerThatAsksDoesNotMatter) {
  const Values ranges = all_ranges(observing(PercentileCalibrator<>(Abs{95.0}), {heavy_values(500, 1)}));
  for (std::size_t i = 0; i < ranges.size(); ++i) EXPECT_EQ(ranges[i], ranges[i % 2]);
}

TEST(PercentileCalibrator, RefusesPercentsThatAreNone) {
  for (const double percent : {0.0, -1.0, 100.001, 1e300, std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_ERROR(PercentileCalibrator<>(Abs{percent}), "PercentileCalibrator", "percent");
    EXPECT_ERROR(PercentileCalibrator<>(TwoSided{percent}), "PercentileCalibrator", "percent");
  }
}

}  // namespace
}  // namespace quanta::test
