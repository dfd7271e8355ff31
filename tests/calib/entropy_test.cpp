// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The entropy search against one that writes P and Q out, and the properties it promises.
#include <gtest/gtest.h>

#include <quanta/calib/entropy.hpp>

#include "tests/calib/calibrators.hpp"
#include "tests/calib/entropy_oracle.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <class Q>
EntropyOracle oracle_of(const CalibrationSketch<>& seen) {
  return {seen.sketch(), std::is_same_v<typename Q::SchemeType, Symmetric>, Q::FormatType::bits};
}

template <class Q>
void expect_oracles_range(const CalibrationSketch<>& seen) {
  const EntropyOracle oracle = oracle_of<Q>(seen);
  const EntropyCandidate best = oracle.best();
  EXPECT_TRUE(same_range(EntropyCalibrator<>(seen).range<Q>(), oracle.range(best)))
      << best.i << " bins, doubled " << best.doublings << " times of " << oracle.doublings();
  // Never worse than the whole range, which is the last candidate.
  const EntropyCandidate longest{oracle.doublings(), kEntropyBins};
  EXPECT_TRUE(same_range(oracle.range(longest), oracle.whole));
  EXPECT_LE(oracle.divergence(best), oracle.divergence(longest) + 1e-12L);
}

std::vector<Family> long_families() {
  Values relu = absolute_values(heavy_values(4000, 6));
  relu.resize(20000, 0.0f);
  Values uneven = absolute_values(heavy_values(5000, 7));
  for (const float v : normal_values(5000, 8)) uneven.push_back(-0.02f * std::fabs(v));
  return {{"normal", {normal_values(20000, 1)}},
          {"heavy", {heavy_values(20000, 2)}},
          {"cubed", {laplace_cubed_values(20000, 3)}},
          {"positive", {absolute_values(normal_values(20000, 4))}},
          {"negative", {scaled_values(absolute_values(heavy_values(20000, 5)), -1e-3f)}},
          {"relu", {relu}},
          {"uneven", {uneven}},
          {"almost one-sided", {absolute_values(normal_values(20000, 9)), {-1e-6f}}},
          {"huge", {heavy_values(9000, 10, 1e30f)}},
          {"small", {heavy_values(9000, 11, 1e-25f)}},
          {"two values", {Values(3000, 1.0f), Values(3000, -7.0f)}},
          {"few", {normal_values(2000, 12)}},
          {"outlier", {normal_values(10000, 13), {1e6f}}},
          {"outlier in a Relu", {relu, {3e5f}}},
          {"outliers on both sides", {normal_values(5000, 14), {-100.0f, 20.0f, 1e4f}}},
          {"outlier on the short side", {uneven, {-1e4f}}},
          {"outliers of all sizes", {normal_values(20000, 15), {9.0f, -80.0f, 700.0f, -6e3f, 5e4f, -4e6f}}}};
}

// The search written out is slow, in long doubles: where tests are to be short, only some cases of families times
// quantizers. 7 and 17 have no factor in common with the 5 quantizers.
TEST(EntropyCalibrator, ChoosesAsTheSearchWrittenOut) {
  const int every = test_scale() < 0.1 ? 17 : test_scale() < 1.0 ? 7 : 1;
  int number = 0;
  for (const Family& family : long_families()) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    for (const Values& batch : family.batches) seen.observe(as_eigen(batch));
    const auto check = [&]<class Q>() {
      if (number++ % every == 0) expect_oracles_range<Q>(seen);
    };
    check.operator()<SymmetricQuantizer<Int<8>>>();
    check.operator()<SymmetricQuantizer<Int<4>>>();
    check.operator()<AsymmetricQuantizer<UInt<8>>>();
    check.operator()<AsymmetricQuantizer<Int<8>>>();
    check.operator()<AsymmetricQuantizer<UInt<2>>>();
  }
}

TEST(EntropyCalibrator, CutsHeavyTails) {
  const Values x = laplace_cubed_values(50000, 20);
  const auto calibrator = observing(EntropyCalibrator<>{}, {x});
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  const Range symmetric = calibrator.range<SymmetricQuantizer<Int<8>>>();
  EXPECT_LT(symmetric.max, 0.9f * std::max(*most, -*least));
  const Range asymmetric = calibrator.range<AsymmetricQuantizer<UInt<8>>>();
  EXPECT_LT(asymmetric.max, 0.9f * *most);
  EXPECT_GT(asymmetric.min, 0.9f * *least);
}

TEST(EntropyCalibrator, SearchesForTheFormatThatAsks) {
  const auto calibrator = observing(EntropyCalibrator<>{}, {laplace_cubed_values(50000, 21)});
  EXPECT_LT(calibrator.range<SymmetricQuantizer<Int<4>>>().max, calibrator.range<SymmetricQuantizer<Int<8>>>().max);
}

TEST(EntropyCalibrator, WithFewValuesKeepsTheWholeRange) {
  // 2048 outside the bin at 0 are needed; zeros are not counted.
  Values x = absolute_values(laplace_cubed_values(40000, 22));
  const float end = *std::max_element(x.begin(), x.end());
  std::vector<float> counted;
  for (const float v : x) {
    if (v > end / 1000.0f) counted.push_back(v);
  }
  ASSERT_GT(counted.size(), 2047u);
  std::sort(counted.begin(), counted.end());
  Values few(counted.end() - 2047, counted.end());  // the largest, all outside the bin at 0
  few.insert(few.end(), 5000, 0.0f);
  using Q = SymmetricQuantizer<Int<4>>;
  const Range whole{0.0f, end};
  EXPECT_TRUE(same_range(observing(EntropyCalibrator<>{}, {few}).range<Q>(), whole));
  few.push_back(end / 1000.0f);
  EXPECT_LT(observing(EntropyCalibrator<>{}, {few}).range<Q>().max, end);
}

TEST(EntropyCalibrator, WithFewValuesKeepsTheirOutlier) {
  const Values few = normal_values(2000, 36);
  const auto calibrator = observing(EntropyCalibrator<>{}, {few, {1e6f}});
  EXPECT_EQ(calibrator.range<SymmetricQuantizer<Int<8>>>().max, 1e6f);
  EXPECT_EQ(calibrator.range<AsymmetricQuantizer<UInt<8>>>().max, 1e6f);
}

TEST(EntropyCalibrator, WithAsManyLevelsAsBinsKeepsTheWholeRange) {
  const Values x = laplace_cubed_values(50000, 23);
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  const auto calibrator = observing(EntropyCalibrator<>{}, {x});
  EXPECT_TRUE(same_range(calibrator.range<SymmetricQuantizer<Int<16>>>(), {*least, *most}));
  EXPECT_TRUE(same_range(calibrator.range<AsymmetricQuantizer<UInt<16>>>(), {*least, *most}));
}

TEST(EntropyCalibrator, OfEqualsTakesTheLargestRange) {
  // All that is not 0 is in the last bin: no shorter range holds anything.
  const Range one = observing(EntropyCalibrator<>{}, {Values(5000, 3.0f)}).range<SymmetricQuantizer<Int<8>>>();
  EXPECT_TRUE(same_range(one, {3.0f, 3.0f}));
  // Half of the values far out: with the whole range the divergence is 0, and with one that clips all of them onto the
  // level of the others too. Rounding must not decide.
  using Q = SymmetricQuantizer<Int<4>>;
  const auto calibrator = observing(EntropyCalibrator<>{}, {Values(3000, 1.0f), Values(3000, -7.0f)});
  const EntropyOracle oracle = oracle_of<Q>(calibrator.sketch());
  EXPECT_LT(std::fabs(oracle.divergence({0, kEntropyBins})), 1e-15L);
  EXPECT_LT(std::fabs(oracle.divergence({0, 328})), 1e-15L);
  EXPECT_TRUE(same_range(calibrator.range<Q>(), {-7.0f, 1.0f}));
}

// Candidates of all histograms are judged by one criterion, and the whole range is one of them.
TEST(EntropyCalibrator, ClipsFarOutliers) {
  const Values bulk = normal_values(10000, 30);
  for (const float outlier : {1e3f, 1e6f, 1e8f}) {
    SCOPED_TRACE(outlier);
    const auto one = observing(EntropyCalibrator<>{}, {bulk, {outlier}});
    const auto both = observing(EntropyCalibrator<>{}, {bulk, {outlier, -outlier}});
    for_each_quantizer<PerTensor>([&]<class Q>(typename Q::FitOptions options) {
      if (Q::FormatType::bits > 10) return;
      for (const Range range : {one.range<Q>(0, options), both.range<Q>(0, options)}) {
        EXPECT_LT(range.max, 5.0f);
        EXPECT_GT(range.max, 2.0f);
        EXPECT_GT(range.min, -5.0f);
        EXPECT_LT(range.min, -2.0f);
      }
    });
  }
}

TEST(EntropyCalibrator, ClipsFarOutliersOfAnyBulk) {
  // Even, in few places, tiny, and all on one side: what the outlier hides is seen whatever its shape.
  using Signed = SymmetricQuantizer<Int<8>>;
  using Unsigned = AsymmetricQuantizer<UInt<8>>;
  Values uniform(10000);
  Random random(31);
  for (float& v : uniform) v = random.uniform();
  const auto even = observing(EntropyCalibrator<>{}, {uniform, {1e6f}});
  EXPECT_NEAR(even.range<Signed>().max, 1.0f, 0.1f);
  EXPECT_NEAR(even.range<Unsigned>().min, -1.0f, 0.1f);
  EXPECT_NEAR(even.range<Unsigned>().max, 1.0f, 0.1f);
  const auto places = observing(EntropyCalibrator<>{}, {Values(5000, 1.0f), Values(5000, 2.0f), {1e6f}});
  EXPECT_NEAR(places.range<Signed>().max, 2.0f, 0.02f);
  EXPECT_NEAR(places.range<Unsigned>().max, 2.0f, 0.02f);
  const auto tiny = observing(EntropyCalibrator<>{}, {normal_values(10000, 32, 1e-37f), {1e-33f}});
  EXPECT_LT(tiny.range<Signed>().max, 5e-37f);
  EXPECT_GT(tiny.range<Signed>().max, 2e-37f);
  const auto below =
      observing(EntropyCalibrator<>{}, {scaled_values(absolute_values(normal_values(10000, 33)), -1.0f), {-1e6f}});
  EXPECT_GT(below.range<Unsigned>().min, -5.0f);
  EXPECT_LT(below.range<Unsigned>().min, -2.0f);
  // Of very uneven sides the longer one's outlier is clipped, and that of the shorter.
  Values gelu = normal_values(20000, 34, 2.0f);
  for (float& v : gelu) v = v < 0.0f ? v / (8.0f + v * v) : v;
  const float end = *std::max_element(gelu.begin(), gelu.end());
  for (const float outlier : {1e5f, -1e5f}) {
    const Range range = observing(EntropyCalibrator<>{}, {gelu, {outlier}}).range<Unsigned>();
    EXPECT_GE(range.min, -0.5f);
    EXPECT_LT(range.min, 0.0f);
    EXPECT_LE(range.max, 1.01f * end);
    EXPECT_GT(range.max, 0.5f * end);
  }
}

TEST(EntropyCalibrator, ChangesNothingWhileTheBulkHasBinsEnough) {
  // What lies beyond is no outlier where it is more than one value of a thousand, or not far beyond.
  const Values bulk = normal_values(10000, 35);
  for (const Values& more : {Values(11, 1e4f), Values{20.0f}}) {
    const auto seen = observing(EntropyCalibrator<>{}, {bulk, more}).sketch();
    EXPECT_EQ(oracle_of<SymmetricQuantizer<Int<8>>>(seen).doublings(), 0);
  }
  const auto seen = observing(EntropyCalibrator<>{}, {bulk, Values(10, 1e4f)}).sketch();
  EXPECT_GT(oracle_of<SymmetricQuantizer<Int<8>>>(seen).doublings(), 10);
}

TEST(EntropyCalibrator, CutsBothSidesAtTheSameFraction) {
  const Values x = laplace_cubed_values(50000, 24);
  const auto [least, most] = std::minmax_element(x.begin(), x.end());
  const Range range = observing(EntropyCalibrator<>{}, {x}).range<AsymmetricQuantizer<UInt<4>>>();
  EXPECT_LT(range.max, *most);
  EXPECT_NEAR(double{range.max} / double{*most}, double{range.min} / double{*least}, 1e-6);
  const double bins = double{range.max} / double{*most} * 2048.0 / 8.0;
  EXPECT_NEAR(bins, std::round(bins), 1e-3);
}

}  // namespace
}  // namespace quanta::test
