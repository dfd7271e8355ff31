// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The squared-error search against a search over all of its grid, and against what quantizing the data then costs.
#include <gtest/gtest.h>

#include <quanta/calib/mse.hpp>
#include <quanta/quant/error_metrics.hpp>

#include "tests/calib/calibrators.hpp"
#include "tests/calib/mse_oracle.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <class Q>
void expect_best_of_grid(const CalibrationSketch<>& seen, typename Q::FitOptions options = {},
                         bool full_range = false) {
  const std::vector<CountedBin> bins = coarse_bins(seen.sketch());
  const Range whole{seen.sketch().min(), seen.sketch().max()};
  const MseChoice best = best_of_grid<Q>(bins, whole, full_range);
  const Range got = MseCalibrator<>(seen).range<Q>(0, options);
  EXPECT_TRUE(same_range(got, best.range)) << static_cast<double>(error_of_range<Q>(bins, got, full_range))
                                           << " against " << static_cast<double>(best.error);
  EXPECT_LE(best.error, error_of_range<Q>(bins, whole, full_range));
}

std::vector<Family> search_families() {
  return {{"normal", {normal_values(2000, 1)}},
          {"heavy", {heavy_values(2000, 2)}},
          {"cubed", {laplace_cubed_values(2000, 3)}},
          {"positive", {absolute_values(heavy_values(2000, 4))}},
          {"negative", {scaled_values(absolute_values(heavy_values(2000, 5)), -1e-3f)}},
          {"relu", {absolute_values(heavy_values(500, 6)), Values(1500, 0.0f)}},
          {"uneven",
           {absolute_values(heavy_values(1000, 7)), scaled_values(absolute_values(normal_values(1000, 8)), -0.1f)}},
          {"huge", {heavy_values(1000, 9, 1e30f)}},
          {"small", {heavy_values(1000, 10, 1e-25f)}},
          {"few", {{-3.0f, 1.0f, 1.0f, 1.0f, 100.0f}}}};
}

TEST(MseCalibrator, IsTheBestOfItsGridForASymmetricRange) {
  for (const Family& family : search_families()) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    for (const Values& batch : family.batches) seen.observe(as_eigen(batch));
    expect_best_of_grid<SymmetricQuantizer<Int<2>>>(seen);
    expect_best_of_grid<SymmetricQuantizer<Int<4>>>(seen);
    expect_best_of_grid<SymmetricQuantizer<Int<8>>>(seen);
    expect_best_of_grid<SymmetricQuantizer<Int<4>>>(seen, {.full_range = true}, true);
    expect_best_of_grid<SymmetricQuantizer<Int<8>>>(seen, {.full_range = true}, true);
  }
}

TEST(MseCalibrator, IsTheBestOfItsGridForAnAsymmetricRange) {
  for (const Family& family : search_families()) {
    if (test_scale() < 1.0 && family.name != std::string("few")) continue;
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    Values some = joined(family.batches);
    if (some.size() > 100) some.resize(100);  // 6561 candidates
    seen.observe(as_eigen(some));
    expect_best_of_grid<AsymmetricQuantizer<UInt<4>>>(seen);
    expect_best_of_grid<AsymmetricQuantizer<Int<2>>>(seen);
  }
  for (const std::uint64_t seed : {11u, 12u}) {  // with one end
    CalibrationSketch<> seen;
    seen.observe(as_eigen(absolute_values(laplace_cubed_values(2000, seed))));
    expect_best_of_grid<AsymmetricQuantizer<UInt<8>>>(seen);
  }
}

TEST(MseCalibrator, ThePartsOfTheOracleAddUpToTheClosedForm) {
  // Half a step away from every level the mean over many whole steps is step^2 / 12.
  const reference::Params p{0.5f, 3};
  EXPECT_NEAR(static_cast<double>(step_by_step(-1.25L, 2.75L, p, 0, 255)), 4.0 * 0.25 / 12.0, 1e-15);
  EXPECT_NEAR(static_cast<double>(step_by_step(-3.5L, -1.5L, p, 0, 255)), 8.0 / 3.0, 1e-15);  // clipped at -1.5
}

// The real thing: quantize the data, and compare with it.
template <class Q>
double snr(const Values& x, const Q& quantizer) {
  return error_metrics(as_eigen(x), quantizer.fake_quantize(as_eigen(x))).snr_db;
}

template <class Q>
void expect_gain(const Values& x, double least_gain_db) {
  const double searched = snr(x, Q::fit(observing(MseCalibrator<>{}, {x})));
  const double whole = snr(x, Q::fit(observing(MinMaxCalibrator<>{}, {x})));
  EXPECT_GE(searched, whole + least_gain_db);
}

TEST(MseCalibrator, BeatsMinMaxOnHeavyTails) {
  Values outliers = normal_values(20000, 1);
  outliers[17] = 60.0f;
  outliers[1700] = -50.0f;
  for (const Values& x : {laplace_cubed_values(20000, 2), outliers}) {
    expect_gain<SymmetricQuantizer<Int<4>>>(x, 0.3);
    expect_gain<AsymmetricQuantizer<UInt<4>>>(x, 0.3);
  }
  expect_gain<SymmetricQuantizer<Int<8>>>(outliers, 0.1);
  expect_gain<AsymmetricQuantizer<UInt<8>>>(outliers, 0.1);
  expect_gain<SymmetricQuantizer<Int<8>>>(laplace_cubed_values(20000, 3), 0.0);
  expect_gain<AsymmetricQuantizer<UInt<8>>>(laplace_cubed_values(20000, 3), 0.0);
}

TEST(MseCalibrator, LosesNothingWhereTheWholeRangeIsBest) {
  Values uniform(5000);
  Random random(4);
  for (float& v : uniform) v = random.uniform();
  CalibrationSketch<> seen;
  seen.observe(as_eigen(uniform));
  const Range whole{seen.sketch().min(), seen.sketch().max()};
  EXPECT_TRUE(same_range(MseCalibrator<>(seen).range<SymmetricQuantizer<Int<8>>>(), whole));
  EXPECT_TRUE(same_range(MseCalibrator<>(seen).range<AsymmetricQuantizer<UInt<8>>>(), whole));
  EXPECT_TRUE(same_range(MseCalibrator<>(seen).range<SymmetricQuantizer<Int<16>>>(), whole));
}

TEST(MseCalibrator, FindsTheDataUnderAnOutlierManyOctavesAbove) {
  Values x = normal_values(100000, 5);
  for (const float outlier : {30.0f, 300.0f}) {
    x[5] = outlier;
    const Range range = observing(MseCalibrator<>{}, {x}).range<SymmetricQuantizer<Int<4>>>();
    EXPECT_LT(range.max, outlier / 2.0f);
    EXPECT_GT(range.max, 2.0f);
  }
  // A lost outlier costs its square: worth it only where the others are many. The grid reaches ten octaves down.
  CalibrationSketch<> seen;
  seen.observe(as_eigen(normal_values(4096, 6)));
  for (int i = 0; i < 20; ++i) seen.merge(CalibrationSketch<>(seen));
  seen.observe(as_eigen({1000.0f}));
  const Range range = MseCalibrator<>(seen).range<AsymmetricQuantizer<UInt<8>>>();
  EXPECT_LT(range.max, 10.0f);
  EXPECT_GT(range.max, 2.0f);
}

TEST(MseCalibrator, OfEqualsTakesTheLargestRange) {
  const Range zeros = observing(MseCalibrator<>{}, {Values(100, 0.0f)}).range<AsymmetricQuantizer<UInt<8>>>();
  EXPECT_TRUE(same_range(zeros, {0.0f, 0.0f}));
  // All of it rounds to 0 whatever the range, because no scale is below 2^-126.
  const Values tiny = {0x1p-140f, -0x1p-141f, 0x1p-149f, 0.0f};
  const Range range = observing(MseCalibrator<>{}, {tiny}).range<AsymmetricQuantizer<UInt<8>>>();
  EXPECT_TRUE(same_range(range, {-0x1p-141f, 0x1p-140f}));
}

TEST(MseCalibrator, SearchesForTheFormatThatAsks) {
  const auto calibrator = observing(MseCalibrator<>{}, {laplace_cubed_values(20000, 7)});
  const float two = calibrator.range<SymmetricQuantizer<Int<2>>>().max,
              four = calibrator.range<SymmetricQuantizer<Int<4>>>().max,
              eight = calibrator.range<SymmetricQuantizer<Int<8>>>().max;
  EXPECT_LT(two, four);
  EXPECT_LT(four, eight);
}

}  // namespace
}  // namespace quanta::test
