// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The counts, extremes and edges of a sketch against counting value by value.
#include <gtest/gtest.h>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

template <int mantissa_bits>
void check_family(const Family& family) {
  SCOPED_TRACE(mantissa_bits);
  const Values all = joined(family.batches);
  const Sketch<mantissa_bits> sketch = sketch_of<mantissa_bits>(family.batches);
  EXPECT_EQ(bins_in(sketch), counted_bins(all, mantissa_bits));
  EXPECT_EQ(sketch.count(), all.size());
  EXPECT_EQ(sketch.zeros(), static_cast<std::uint64_t>(std::count(all.begin(), all.end(), 0.0f)));
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  EXPECT_EQ(bits_of(sketch.min()), bits_of(*least == 0.0f ? 0.0f : *least));
  EXPECT_EQ(bits_of(sketch.max()), bits_of(*most == 0.0f ? 0.0f : *most));
}

TEST(SketchCounts, AreThoseOfEveryBinCountedByHand) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    check_family<1>(family);
    check_family<6>(family);
    check_family<8>(family);
    check_family<10>(family);
  }
}

TEST(SketchCounts, HoldManyValuesOfEveryMagnitude) {
  Random random(1);
  Family family{"magnitudes", {{}}};
  for (int i = 0; i < 5000; ++i) {
    family.batches[0].push_back(std::ldexp(random.uniform(), random.between(-45, 5)));
    if (i % 7 == 0) family.batches[0].push_back(0.0f);
  }
  check_family<6>(family);
  check_family<8>(family);
}

// Of normal floats. Below 2^-126 floats themselves are evenly spaced, and so are the bins.
TEST(SketchCounts, NoBinIsWiderThanTheStatedResolution) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const auto check = [](const auto& sketch) {
      using S = std::decay_t<decltype(sketch)>;
      for (const CountedBin& bin : bins_in(sketch)) {
        const double size = std::max(std::fabs(double{bin.low}), std::fabs(double{bin.high}));
        EXPECT_LE(double{bin.high} - double{bin.low}, S::kResolution * std::max(size, 0x1p-126)) << bin.low;
      }
    };
    check(sketch_of<8>(family.batches));
    check(sketch_of<6>(family.batches));
  }
  static_assert(CalibrationSketch<>::ChannelSketch::kResolution <= 0.004);
  static_assert(CalibrationSketch<PerChannel<0>>::ChannelSketch::kResolution <= 0.016);
}

TEST(SketchCounts, BinsAscendDoNotOverlapAndAddUp) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const Sketch<8> sketch = sketch_of<8>(family.batches);
    std::uint64_t total = 0;
    float end = -std::numeric_limits<float>::infinity();
    for (const CountedBin& bin : bins_in(sketch)) {
      EXPECT_LE(end, bin.low);
      EXPECT_LE(bin.low, bin.high);
      EXPECT_GT(bin.count, 0u);
      end = bin.high;
      total += bin.count;
    }
    EXPECT_EQ(total, sketch.count());
  }
}

TEST(SketchCounts, AValueOnAnEdgeIsInTheBinAwayFromZero) {
  for (const float sign : {1.0f, -1.0f}) {
    const Sketch<8> sketch = sketch_of<8>({{sign * 1.0f, sign * 1.5f, sign * std::nextafter(1.5f, 0.0f)}});
    const std::vector<CountedBin> bins = bins_in(sketch);
    EXPECT_EQ(bins.size(), 3u);
  }
}

TEST(SketchCounts, TheWindowIsThirtyOneOctaves) {
  const Values in = {1.0f, 0x1p-30f}, out = {1.0f, std::nextafter(0x1p-30f, 0.0f)};
  EXPECT_EQ(bins_in(sketch_of<8>({in})).front().low, 0x1p-30f);
  EXPECT_EQ(bins_in(sketch_of<8>({out})).front(), (CountedBin{0.0f, 0.0f, 1}));
  // Nothing that is out of the window is lost when the minimum is.
  EXPECT_EQ(sketch_of<8>({out}).min(), out[1]);
}

TEST(SketchCounts, FindTheRangeOfWhatIsAddedThemselves) {
  Sketch<8> sketch;
  const Values wrong = {1.0f, std::numeric_limits<float>::infinity()};
  EXPECT_ERROR(sketch.add(wrong.data(), 2), "Sketch", "finite");
  EXPECT_TRUE(sketch.empty());
  const Values x = {1e-30f, 3e38f, -2.0f, -0.0f};
  for (const float& v : x) sketch.add(&v, 1);
  EXPECT_TRUE(sketch == sketch_of<8>({x}));
}

TEST(SketchCounts, OfNothingAreNone) {
  const Sketch<8> sketch;
  EXPECT_TRUE(sketch.empty());
  EXPECT_EQ(sketch.count(), 0u);
  EXPECT_EQ(sketch.zeros(), 0u);
  EXPECT_EQ(sketch.min(), 0.0f);
  EXPECT_EQ(sketch.max(), 0.0f);
  EXPECT_TRUE(bins_in(sketch).empty());
}

}  // namespace
}  // namespace quanta::test
