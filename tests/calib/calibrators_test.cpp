// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What all calibrators have in common: ranges that depend on the values alone, errors, and quantizers fitted to them.
#include "tests/calib/calibrators.hpp"

#include <gtest/gtest.h>

#include "tests/support/expect_error.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <class G>
constexpr bool all_are_calibrators() {
  return Calibrator<MinMaxCalibrator<G>> && Calibrator<MovingAverageCalibrator<G>> &&
         Calibrator<PercentileCalibrator<G>> && Calibrator<MseCalibrator<G>> && Calibrator<EntropyCalibrator<G>>;
}
static_assert(all_are_calibrators<PerTensor>() && all_are_calibrators<PerChannel<0>>() &&
              all_are_calibrators<PerChannel<-1>>());
static_assert(!Calibrator<int>);

std::vector<Family> range_families() {
  std::vector<Family> all = families();
  all.push_back({"many, heavy", {heavy_values(3000, 50), heavy_values(1500, 51, 0.01f)}});
  all.push_back({"many, positive", {absolute_values(normal_values(4000, 52))}});
  return all;
}

TEST(Calibrators, RangesDoNotDependOnSplitOrderOrMergeTree) {
  Random random(1);
  for (const Family& family : range_families()) {
    SCOPED_TRACE(family.name);
    const Values all = joined(family.batches);
    for_each_calibrator<PerTensor>([&]<class C>(const char* name, const C& calibrator) {
      SCOPED_TRACE(name);
      const Values expected = all_ranges(observing(calibrator, {all}));
      for (int round = 0; round < scaled(2, 1); ++round) {
        std::vector<C> parts;
        for (const Values& batch : shuffled(all, random)) {
          if (parts.empty() || random.between(0, 2) == 0) parts.push_back(calibrator);
          parts.back().observe(as_eigen(batch));
        }
        parts.push_back(calibrator);  // one that saw nothing
        EXPECT_TRUE(same_bits(all_ranges(merged_at_random(std::move(parts), random)), expected));
      }
    });
  }
}

TEST(Calibrators, OneSketchAnswersAllAsIfEachHadSeenTheData) {
  for (const Family& family : range_families()) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> seen;
    for (const Values& batch : family.batches) seen.observe(as_eigen(batch));
    const auto before = seen.serialize();
    std::vector<Values> own;
    for_each_calibrator<PerTensor>(
        [&](const char*, const auto& calibrator) { own.push_back(all_ranges(observing(calibrator, family.batches))); });
    std::size_t i = 0;
    for_each_calibrator<PerTensor>(
        [&](const char* name, const auto& calibrator) {
          EXPECT_TRUE(same_bits(all_ranges(calibrator), own[i++])) << name;
        },
        seen);
    EXPECT_EQ(seen.serialize(), before);  // asking changes nothing
  }
}

TEST(Calibrators, PerChannelEachSeesItsOwnChannelAlone) {
  constexpr Index rows = 700, channels = 4;
  RowTensor<float, 2> x = heavy_tensor<2>({rows, channels}, 1);
  const float sizes[channels] = {1.0f, 0.0f, -1e-20f, 1e20f};
  for (Index i = 0; i < x.size(); ++i) x.data()[i] *= sizes[i % channels];
  for_each_calibrator<PerChannel<1>>([&](const char* name, const auto& fresh) {
    SCOPED_TRACE(name);
    auto calibrator = fresh;
    calibrator.observe(x);
    ASSERT_EQ(calibrator.channels(), channels);
    for (Index c = 0; c < channels; ++c) {
      RowTensor<float, 2> column(rows, 1);
      for (Index i = 0; i < rows; ++i) column(i, 0) = x(i, c);
      auto alone = fresh;
      alone.observe(column);
      for_each_quantizer<PerChannel<1>>([&]<class Q>(typename Q::FitOptions options) {
        EXPECT_TRUE(same_range(calibrator.template range<Q>(c, options), alone.template range<Q>(0, options)));
      });
    }
  });
}

TEST(Calibrators, RangesAreFiniteOrderedAndWithinTheData) {
  for (const Family& family : range_families()) {
    SCOPED_TRACE(family.name);
    const Values all = joined(family.batches);
    const float least = std::min(*std::min_element(all.begin(), all.end()), 0.0f);
    const float most = std::max(*std::max_element(all.begin(), all.end()), 0.0f);
    for_each_calibrator<PerTensor>([&](const char* name, const auto& calibrator) {
      SCOPED_TRACE(name);
      const Values ranges = all_ranges(observing(calibrator, family.batches));
      for (std::size_t i = 0; i < ranges.size(); i += 2) {
        // Asymmetric ranges of one-sided data may end nearer to 0: they are widened to contain it.
        EXPECT_LE(ranges[i], ranges[i + 1]);
        EXPECT_GE(ranges[i], least);
        EXPECT_LE(ranges[i + 1], most);
      }
    });
  }
}

TEST(Calibrators, AQuantizerIsFittedToTheRanges) {
  for (const Family& family : range_families()) {
    SCOPED_TRACE(family.name);
    for_each_calibrator<PerTensor>([&](const char*, const auto& calibrator) {
      const auto seen = observing(calibrator, family.batches);
      for_each_quantizer<PerTensor>([&]<class Q>(typename Q::FitOptions options) {
        const Q got = Q::fit(seen, options), expected = Q::fit(seen.template range<Q>(0, options), options);
        EXPECT_EQ(got.params().scale(0), expected.params().scale(0));
        EXPECT_EQ(got.params().zero_point(0), expected.params().zero_point(0));
        EXPECT_EQ(got.min_code(), expected.min_code());
      });
    });
  }
}

TEST(Calibrators, ADeadChannelHasScaleOneAndTheOthersTheirOwn) {
  using Q = AsymmetricQuantizer<UInt<8>, PerChannel<0>>;
  RowTensor<float, 2> x = random_tensor<2>({3, 50}, 1);
  for (Index i = 0; i < 50; ++i) x(1, i) = 0.0f;
  const auto check = [&](const char* name, auto calibrator) {
    SCOPED_TRACE(name);
    calibrator.observe(x);
    const Q quantizer = Q::fit(calibrator);
    ASSERT_EQ(quantizer.params().size(), 3);
    EXPECT_EQ(quantizer.params().scale(1), 1.0f);
    EXPECT_EQ(quantizer.params().zero_point(1), 0);
    EXPECT_LT(quantizer.params().scale(0), 0.1f);
    EXPECT_LT(quantizer.params().scale(2), 0.1f);
    const auto fake = quantizer.fake_quantize(x);
    for (Index i = 0; i < 50; ++i) EXPECT_EQ(fake(1, i), 0.0f);
  };
  for_each_calibrator<PerChannel<0>>(check);
  check("moving average", MovingAverageCalibrator<PerChannel<0>>{});
}

TEST(Calibrators, ConstantDataComesBackWithinHalfAStep) {
  for (const float v : {3.5f, -3.5f, 1e-36f, 3e38f, -3e38f}) {
    for_each_calibrator<PerTensor>([&](const char* name, const auto& calibrator) {
      SCOPED_TRACE(name);
      const auto seen = observing(calibrator, {Values(3000, v)});
      for_each_quantizer<PerTensor>([&]<class Q>(typename Q::FitOptions options) {
        const Q quantizer = Q::fit(seen, options);
        const double step = quantizer.params().scale(0);
        EXPECT_LE(std::fabs(double{quantizer.fake_quantize(as_eigen({v}))(0)} - double{v}), 0.500001 * step);
        const bool full =
            quantizer.min_code() == -8;  // amax is half way between two codes: a smaller one may do better
        EXPECT_TRUE(full || same_range(seen.template range<Q>(0, options), {v, v}));
      });
    });
  }
}

TEST(Calibrators, ThatSawNothingCannotBeAsked) {
  const auto check = [](const char* name, auto calibrator) {
    SCOPED_TRACE(name);
    using G = typename decltype(calibrator)::GranularityType;
    using Q = AsymmetricQuantizer<UInt<8>, G>;
    EXPECT_EQ(calibrator.channels(), 0);
    EXPECT_ERROR(Q::fit(calibrator), "fit", "no data");
    EXPECT_ERROR(calibrator.template range<Q>(), "no data");
    calibrator.observe(RowTensor<float, 2>(0, 3));
    EXPECT_ERROR(Q::fit(calibrator), "no data");
    calibrator.observe(random_tensor<2>({2, 3}, 1));
    EXPECT_ERROR(calibrator.template range<Q>(calibrator.channels()), "channel");
    EXPECT_ERROR(calibrator.template range<Q>(-1), "channel -1");
  };
  for_each_calibrator<PerTensor>(check);
  for_each_calibrator<PerChannel<1>>(check);
  check("moving average", MovingAverageCalibrator<>{});
  check("moving average", MovingAverageCalibrator<PerChannel<1>>{});
}

TEST(Calibrators, StayAsTheyWereWhenTheyThrow) {
  const auto check = [](const char* name, auto calibrator) {
    SCOPED_TRACE(name);
    RowTensor<float, 2> wrong = random_tensor<2>({2, 3}, 2, 100.0f);
    wrong(1, 2) = std::numeric_limits<float>::quiet_NaN();
    EXPECT_ERROR(calibrator.observe(wrong), "observe", "element 5 (row-major)");
    EXPECT_EQ(calibrator.channels(), 0);
    calibrator.observe(random_tensor<2>({40, 3}, 1));
    const Values before = all_ranges(calibrator);
    EXPECT_ERROR(calibrator.observe(wrong), "observe", "element 5 (row-major)");
    EXPECT_ERROR(calibrator.observe(random_tensor<2>({4, 5}, 3, 100.0f)), "observe", "5 channels", "3");
    decltype(calibrator) other;
    other.observe(random_tensor<2>({4, 5}, 3, 100.0f));
    EXPECT_ERROR(calibrator.merge(other), "merge", "5 channels", "3");
    EXPECT_TRUE(same_bits(all_ranges(calibrator), before));
  };
  for_each_calibrator<PerChannel<1>>(check);
  check("moving average", MovingAverageCalibrator<PerChannel<1>>{});
}

}  // namespace
}  // namespace quanta::test
