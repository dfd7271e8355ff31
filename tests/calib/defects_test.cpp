// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Defects that calibrators of other tools have had. Each test has the data that showed one.
#include <gtest/gtest.h>

#include "tests/calib/calibrators.hpp"
#include "tests/calib/entropy_oracle.hpp"
#include "tests/calib/mse_oracle.hpp"

namespace quanta::test {
namespace {

using Int8 = SymmetricQuantizer<Int<8>>;
using UInt8 = AsymmetricQuantizer<UInt<8>>;

template <class C>
Range whole_of(const C& calibrator) {
  return {calibrator.sketch().sketch().min(), calibrator.sketch().sketch().max()};
}

// As seen in ONNX Runtime: with as many histogram bins as levels there is one candidate, the whole range.
TEST(CalibrationDefects, EntropySearchHasOneCandidateOnly) {
  const auto heavy = observing(EntropyCalibrator<>{}, {laplace_cubed_values(30000, 1)});
  EXPECT_LT(heavy.range<Int8>().max, 0.9f * whole_of(heavy).max);
  EXPECT_LT(heavy.range<UInt8>().max, 0.9f * whole_of(heavy).max);
  // Other data, other ranges: it is a search, not another constant.
  const auto normal = observing(EntropyCalibrator<>{}, {normal_values(30000, 2)});
  const float heavy_part = heavy.range<Int8>().max / whole_of(heavy).max;
  EXPECT_GT(normal.range<Int8>().max / whole_of(normal).max, 1.5f * heavy_part);
}

// As seen in ONNX Runtime: Q's counts are cut to integers, so that a level with fewer counts than bins prices as empty.
TEST(CalibrationDefects, EntropyCutsFractionsOfLevels) {
  // Wide levels of thin counts: 2048 bins, 8 levels, about 3 values in a bin.
  const auto calibrator = observing(EntropyCalibrator<>{}, {absolute_values(heavy_values(6000, 3))});
  const EntropyOracle oracle(calibrator.sketch().sketch(), true, 4);
  const Range best = oracle.range(oracle.best());
  ASSERT_LT(best.max, whole_of(calibrator).max);
  EXPECT_TRUE(same_range(calibrator.range<SymmetricQuantizer<Int<4>>>(), best));
  // The mass that is clipped counts: with the tail's weight, less is cut.
  Values x = normal_values(30000, 4);
  const float light = observing(EntropyCalibrator<>{}, {x, {20.0f}}).range<Int8>().max;
  const float weighty = observing(EntropyCalibrator<>{}, {x, normal_values(3000, 5, 6.0f), {20.0f}}).range<Int8>().max;
  EXPECT_LT(light, 10.0f);
  EXPECT_GT(weighty, 1.3f * light);
}

// As seen in ONNX Runtime: two counts taken for two bins of counts, and a bin's left edge for the quantile.
TEST(CalibrationDefects, PercentileIsOneBinTooLow) {
  Values x;
  for (int i = 1; i <= 100000; ++i) x.push_back(static_cast<float>(i));
  CalibrationSketch<> seen;
  seen.observe(as_eigen(x));
  double bias = 0.0;
  int n = 0;
  for (double percent = 20.0; percent < 100.0; percent += 0.37, ++n) {
    const double expected = 1.0 + 99999.0 * percent / 100.0;
    bias += double{PercentileCalibrator<>(Abs{percent}, seen).range<Int8>().max} / expected - 1.0;
  }
  EXPECT_LT(std::fabs(bias / n), 1e-4);  // a left edge would be half a bin, 1.4e-3, too low on average
}

// Three tools, three meanings of "90 %" of the same data.
TEST(CalibrationDefects, PercentSaysNotOfWhat) {
  Values x;
  for (int i = -1000; i <= 1000; ++i) x.push_back(static_cast<float>(i) * (i < 0 ? 0.1f : 1.0f));
  const Range two_sided = observing(PercentileCalibrator<>(TwoSided{90.0}), {x}).range<UInt8>();
  EXPECT_NEAR(two_sided.min, -90.0f, 0.4f);
  EXPECT_NEAR(two_sided.max, 900.0f, 4.0f);
  const Range magnitudes = observing(PercentileCalibrator<>(Abs{90.0}), {x}).range<UInt8>();
  EXPECT_EQ(magnitudes.min, -100.0f);
  EXPECT_NEAR(magnitudes.max, 800.0f, 4.0f);
}

// As seen in TensorRT and all that follow it: after one far outlier the rest of the data is one bin of the histogram,
// no candidate is short enough, and the whole range looks perfect.
TEST(CalibrationDefects, EntropyKeepsOneFarOutlier) {
  const auto calibrator = observing(EntropyCalibrator<>{}, {normal_values(10000, 14), {1e6f}});
  EXPECT_LT(calibrator.range<Int8>().max, 5.0f);
  EXPECT_LT(calibrator.range<UInt8>().max, 5.0f);
  EXPECT_GT(calibrator.range<Int8>().max, 2.0f);
  EXPECT_GT(calibrator.range<UInt8>().max, 2.0f);
}

// As seen in several tools: after a Relu most values are 0, and the search keeps little but that bin.
TEST(CalibrationDefects, EntropyCollapsesOnMostlyZeroData) {
  const Values positive = absolute_values(normal_values(20000, 6));
  Values sorted = positive;
  std::sort(sorted.begin(), sorted.end());
  for (const int zeros : {20000, 380000, 4000000}) {  // 50 %, 95 % and 99.5 %
    auto with = observing(EntropyCalibrator<>{}, {Values(static_cast<std::size_t>(zeros), 0.0f), positive});
    const auto without = observing(EntropyCalibrator<>{}, {positive, {0.0f}});
    const auto before = with.sketch().serialize();
    const auto check = [&]<class Q>(typename Q::FitOptions) {
      EXPECT_TRUE(same_range(with.range<Q>(), without.range<Q>()));
      // Fewer levels may cut more, but never into what most of the values are.
      const std::size_t kept = Q::FormatType::bits >= 8 ? 990 : 950;
      EXPECT_GE(with.range<Q>().max, sorted[sorted.size() * kept / 1000]);
    };
    for_each_quantizer<PerTensor>(check);
    EXPECT_EQ(with.sketch().serialize(), before);  // as seen in TensorRT Model Optimizer, where the search changes it
  }
}

// As seen in TensorRT Model Optimizer: the search never tries the whole range, nor one below the 128th bin.
TEST(CalibrationDefects, MseNeverTriesTheWholeRange) {
  Values uniform(4000);
  Random random(7);
  for (float& v : uniform) v = random.uniform();
  const auto calibrator = observing(MseCalibrator<>{}, {uniform});
  EXPECT_TRUE(same_range(calibrator.range<Int8>(), whole_of(calibrator)));
  EXPECT_TRUE(same_range(calibrator.range<UInt8>(), whole_of(calibrator)));
  // One far outlier among very many values: the best range is below the sixteenth part of the whole.
  CalibrationSketch<> seen;
  seen.observe(as_eigen(normal_values(4096, 8)));
  for (int i = 0; i < 16; ++i) seen.merge(CalibrationSketch<>(seen));
  seen.observe(as_eigen({200.0f}));
  EXPECT_LT(MseCalibrator<>(seen).range<Int8>().max, 200.0f / 16.0f);
}

// As seen in MXNet: one side of the histogram is empty, and the divergence a division by zero.
TEST(CalibrationDefects, EntropyDividesByAnEmptySide) {
  const Values positive = absolute_values(laplace_cubed_values(30000, 9));
  const auto above = observing(EntropyCalibrator<>{}, {positive});
  const auto below = observing(EntropyCalibrator<>{}, {scaled_values(positive, -1.0f)});
  for_each_quantizer<PerTensor>([&]<class Q>(typename Q::FitOptions options) {
    const Range a = above.range<Q>(0, options), b = below.range<Q>(0, options);
    EXPECT_TRUE(std::isfinite(a.min) && std::isfinite(a.max) && a.max > 0.0f);
    EXPECT_EQ(a.max, -b.min);  // the mirror image
    EXPECT_EQ(a.min, -b.max);
  });
  EXPECT_LT(above.range<UInt8>().max, 0.9f * whole_of(above).max);
}

// As seen where activations are half precision: the histogram's range overflows near its largest values.
TEST(CalibrationDefects, LargeHalfPrecisionDataOverflow) {
  Values x = normal_values(30000, 10, 10000.0f);
  for (float& v : x) v = std::min(std::max(v, -65504.0f), 65504.0f);
  x.push_back(65504.0f);
  x.push_back(-65504.0f);
  for_each_calibrator<PerTensor>([&](const char* name, const auto& calibrator) {
    SCOPED_TRACE(name);
    for (const float end : all_ranges(observing(calibrator, {x}))) {
      EXPECT_GT(std::fabs(end), 5000.0f);
      EXPECT_LE(std::fabs(end), 65504.0f);
    }
  });
}

// As seen in PyTorch: first batches that are zero or nearly constant make a tiny bin width, then as many bins as the
// later data is wide: a crash, or a histogram that starts anew.
TEST(CalibrationDefects, ZeroOrNearlyConstantFirstBatchLosesTheData) {
  const Values data = heavy_values(5000, 11, 1e6f);
  const Values nearly = {1e-30f, std::nextafter(1e-30f, 1.0f)};
  for (const Values& first : {Values(100, 0.0f), nearly, Values(50, 1e-38f), Values{0x1p-149f}}) {
    for_each_calibrator<PerTensor>([&](const char* name, const auto& calibrator) {
      SCOPED_TRACE(name);
      EXPECT_TRUE(same_bits(all_ranges(observing(calibrator, {first, data})),
                            all_ranges(observing(calibrator, {data, first}))));
    });
    const auto seen = observing(EntropyCalibrator<>{}, {first, data}).sketch();
    EXPECT_EQ(seen.sketch().count(), first.size() + data.size());
    EXPECT_EQ(seen.sketch().max(), *std::max_element(data.begin(), data.end()));
  }
}

// As seen in PyTorch: bins are float32, and 2^24 + 1 is 2^24.
TEST(CalibrationDefects, CountsStopAtTwoToThe24) {
  CalibrationSketch<> seen;
  seen.observe(as_eigen(Values(1, 1.0f)));
  for (int i = 0; i < 33; ++i) seen.merge(CalibrationSketch<>(seen));
  seen.observe(as_eigen(Values(3, 1.0f)));
  std::uint64_t count = 0;
  seen.sketch().for_each_bin([&](float, float, std::uint64_t n) { count += n; });
  EXPECT_EQ(count, (std::uint64_t{1} << 33) + 3);
}

// As seen in AIMET: the first batch fixes the range at three times its own, and later values beyond it are dropped;
// each batch weighs the same however long it is.
TEST(CalibrationDefects, FirstBatchFixesTheRangeAndItsLengthDoesNotCount) {
  const Values first = normal_values(100, 12), later = normal_values(9900, 13, 50.0f);
  for_each_calibrator<PerTensor>([&](const char* name, const auto& calibrator) {
    SCOPED_TRACE(name);
    Values all = first;
    all.insert(all.end(), later.begin(), later.end());
    EXPECT_TRUE(same_bits(all_ranges(observing(calibrator, {first, later})), all_ranges(observing(calibrator, {all}))));
  });
  const auto percentile = observing(PercentileCalibrator<>(Abs{99.0}), {first, later}).range<Int8>();
  EXPECT_GT(percentile.max, 100.0f);
}

// As seen in compressed-tensors: 0 is put into each batch's range before the average, not after it.
TEST(CalibrationDefects, MovingAverageFoldsZeroIn) {
  const auto calibrator = observing(MovingAverageCalibrator<>(0.5f), {{2.0f, 4.0f}, {3.0f, 5.0f}, {-1.0f, 1.0f}});
  EXPECT_TRUE(same_range(calibrator.seen(), {0.75f, 2.75f}));
  EXPECT_EQ(UInt8::fit(calibrator).params().zero_point(0), 0);  // only here it is widened to contain 0
}

// As seen in TensorFlow: an average that starts at 0 takes hundreds of batches to reach the data.
TEST(CalibrationDefects, MovingAverageStartsAtZero) {
  const auto calibrator = observing(MovingAverageCalibrator<>{}, {{-10.0f, 20.0f}});
  EXPECT_TRUE(same_range(calibrator.range<UInt8>(), {-10.0f, 20.0f}));
}

}  // namespace
}  // namespace quanta::test
