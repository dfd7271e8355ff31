// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The entropy search against one that writes P and Q out, and the properties it promises.
#include <gtest/gtest.h>

#include <quanta/calib/entropy.hpp>

#include "tests/calib/calibrators.hpp"
#include "tests/calib/entropy_oracle.hpp"

namespace quanta::test {
namespace {

template <class Q>
void expect_oracles_range(const CalibrationSketch<>& seen) {
  constexpr bool symmetric = std::is_same_v<typename Q::SchemeType, Symmetric>;
  const Range whole{seen.sketch().min(), seen.sketch().max()};
  const int kept = best_bins(entropy_sides(seen.sketch(), symmetric, Q::FormatType::bits));
  const double fraction = static_cast<double>(kept) / kEntropyBins;
  Range expected{static_cast<float>(whole.min * fraction), static_cast<float>(whole.max * fraction)};
  if (symmetric) {
    const float t = static_cast<float>(std::max(std::fabs(whole.min), std::fabs(whole.max)) * fraction);
    expected = {std::max(whole.min, -t), std::min(whole.max, t)};
  }
  const Range got = EntropyCalibrator<>(seen).range<Q>();
  EXPECT_TRUE(same_range(got, expected)) << kept << " bins";
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
          {"few", {normal_values(2000, 12)}}};
}

TEST(EntropyCalibrator, ChoosesAsTheSearchWrittenOut) {
  for (const Family& family : long_families()) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    for (const Values& batch : family.batches) seen.observe(as_eigen(batch));
    expect_oracles_range<SymmetricQuantizer<Int<8>>>(seen);
    expect_oracles_range<SymmetricQuantizer<Int<4>>>(seen);
    expect_oracles_range<AsymmetricQuantizer<UInt<8>>>(seen);
    expect_oracles_range<AsymmetricQuantizer<Int<8>>>(seen);
    expect_oracles_range<AsymmetricQuantizer<UInt<2>>>(seen);
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
  const auto calibrator = observing(EntropyCalibrator<>{}, {Values(3000, 1.0f), Values(3000, -7.0f)});
  const auto sides = entropy_sides(calibrator.sketch().sketch(), true, 4);
  EXPECT_LT(std::fabs(divergence(sides, kEntropyBins)), 1e-15L);
  EXPECT_LT(std::fabs(divergence(sides, 328)), 1e-15L);
  EXPECT_TRUE(same_range(calibrator.range<SymmetricQuantizer<Int<4>>>(), {-7.0f, 1.0f}));
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
