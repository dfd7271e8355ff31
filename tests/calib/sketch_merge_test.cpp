// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A sketch is a function of the set of values alone: no split, order or merge tree shows in it.
#include <gtest/gtest.h>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <class G>
void expect_same(const CalibrationSketch<G>& got, const CalibrationSketch<G>& expected) {
  EXPECT_TRUE(got == expected);
  EXPECT_EQ(got.serialize(), expected.serialize());
}

TEST(SketchMerge, AnySplitOrderAndTreeGivesTheSameState) {
  Random random(1);
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const Values all = joined(family.batches);
    const CalibrationSketch<> whole = observed({all});
    expect_same(observed(family.batches), whole);
    for (int round = 0; round < scaled(8, 2); ++round) {
      const std::vector<Values> batches = shuffled(all, random);
      expect_same(observed(batches), whole);
      std::vector<CalibrationSketch<>> parts;
      for (const Values& batch : batches) {
        if (random.between(0, 2) == 0 && !parts.empty()) {
          parts.back().observe(as_eigen(batch));
        } else {
          parts.push_back(observed({batch}));
        }
      }
      parts.emplace_back();  // one that saw nothing
      expect_same(merged_at_random(std::move(parts), random), whole);
    }
  }
}

TEST(SketchMerge, AnySplitOrderAndTreeGivesTheSameStatePerChannel) {
  // Channels of very different sizes, and one that is always zero; the batches have different lengths.
  constexpr Index channels = 5;
  const auto batch = [](Index rows, std::uint64_t seed) {
    RowTensor<float, 2> x = heavy_tensor<2>({rows, channels}, seed);
    const float sizes[channels] = {1.0f, 1e-30f, 0.0f, 1e30f, -100.0f};
    for (Index i = 0; i < x.size(); ++i) x.data()[i] *= sizes[i % channels];
    return x;
  };
  std::vector<RowTensor<float, 2>> batches;
  for (std::uint64_t i = 0; i < 6; ++i) batches.push_back(batch(static_cast<Index>(1 + 7 * i), i));
  CalibrationSketch<PerChannel<1>> whole;
  for (const auto& x : batches) whole.observe(x);
  EXPECT_EQ(whole.channels(), channels);
  Random random(2);
  for (int round = 0; round < 5; ++round) {
    std::vector<CalibrationSketch<PerChannel<1>>> parts(batches.size() + 1);
    for (std::size_t i = 0; i < batches.size(); ++i) parts[(i + random.bits() % 2)].observe(batches[i]);
    expect_same(merged_at_random(std::move(parts), random), whole);
  }
}

TEST(SketchMerge, TellsDifferentDataApart) {
  const CalibrationSketch<> sketch = observed({{1.0f, 2.0f, 3.0f}});
  EXPECT_FALSE(sketch == observed({{1.0f, 2.0f, 4.0f}}));
  EXPECT_FALSE(sketch == observed({{1.0f, 2.0f, 3.0f, 3.0f}}));
  EXPECT_FALSE(sketch == observed({{1.0f, 1.0f, 3.0f}}));
  EXPECT_FALSE(sketch == observed({{1.0f, -2.0f, 3.0f}}));
  EXPECT_FALSE(sketch == CalibrationSketch<>{});
  EXPECT_FALSE(observed({{0.0f, 1.0f}}) == observed({{1e-30f, 1.0f}}));
  EXPECT_FALSE(observed({{1.0f}}) == observed({{std::nextafter(1.0f, 2.0f)}}));
}

TEST(SketchMerge, OfANewOneWithAnyIsThatOne) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const CalibrationSketch<> seen = observed(family.batches);
    CalibrationSketch<> left, right = seen;
    left.merge(seen);
    right.merge(CalibrationSketch<>{});
    expect_same(left, seen);
    expect_same(right, seen);
  }
  CalibrationSketch<> nothing;
  nothing.merge(CalibrationSketch<>{});
  EXPECT_TRUE(nothing.empty());
  EXPECT_EQ(nothing.channels(), 0);
}

TEST(SketchMerge, WithItselfDoublesEveryCount) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    CalibrationSketch<> twice = observed(family.batches);
    twice.merge(twice);
    const Values all = joined(family.batches);
    expect_same(twice, observed({all, all}));
  }
}

TEST(SketchMerge, RefusesAnotherNumberOfChannelsAndStaysAsItWas) {
  CalibrationSketch<PerChannel<0>> three, two;
  three.observe(random_tensor<2>({3, 4}, 1));
  two.observe(random_tensor<2>({2, 4}, 2));
  const std::vector<std::byte> before = three.serialize();
  EXPECT_ERROR(three.merge(two), "merge", "2 channels", "3");
  EXPECT_EQ(three.serialize(), before);
}

TEST(SketchMerge, RefusesCountsThatWouldWrapAndStaysAsItWas) {
  CalibrationSketch<PerChannel<1>> many;
  many.observe(random_tensor<2>({1, 2}, 3));
  for (int i = 0; i < 63; ++i) many.merge(CalibrationSketch<PerChannel<1>>(many));
  const std::vector<std::byte> before = many.serialize();
  EXPECT_EQ(many.sketch(1).count(), std::uint64_t{1} << 63);
  EXPECT_ERROR(many.merge(CalibrationSketch<PerChannel<1>>(many)), "merge", "2^64");
  EXPECT_ERROR(many.merge(many), "merge", "2^64");
  EXPECT_EQ(many.serialize(), before);
  // As many as there is room for, then one more.
  CalibrationSketch<> full = observed({{1.0f}});
  for (int i = 0; i < 63; ++i) {
    full.merge(CalibrationSketch<>(full));
    full.observe(as_eigen({1.0f}));
  }
  EXPECT_EQ(full.sketch().count(), ~std::uint64_t{0});
  const std::vector<std::byte> all = full.serialize();
  EXPECT_ERROR(full.observe(as_eigen({2.0f})), "observe", "2^64");
  EXPECT_EQ(full.serialize(), all);
  EXPECT_TRUE(CalibrationSketch<>::deserialize(all) == full);
}

TEST(SketchMerge, CountsPastAllFloatAnd32BitLimits) {
  CalibrationSketch<> sketch = observed({{-1.0f, 0.0f, 0.0f, 0.0f, 2.0f}});
  for (int i = 0; i < 34; ++i) sketch.merge(CalibrationSketch<>(sketch));
  constexpr std::uint64_t times = std::uint64_t{1} << 34;
  sketch.observe(as_eigen({0.0f, 2.0f}));
  const auto& counted = sketch.sketch();
  EXPECT_EQ(counted.count(), 5 * times + 2);
  EXPECT_EQ(counted.zeros(), 3 * times + 1);
  const std::vector<CountedBin> bins = bins_in(counted);
  ASSERT_EQ(bins.size(), 3u);
  EXPECT_EQ(bins[0].count, times);
  EXPECT_EQ(bins[1].count, 3 * times + 1);
  EXPECT_EQ(bins[2].count, times + 1);
}

}  // namespace
}  // namespace quanta::test
