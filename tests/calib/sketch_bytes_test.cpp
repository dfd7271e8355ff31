// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A sketch as bytes: back again unchanged, and never a sketch that no data has.
#include <cstring>

#include <gtest/gtest.h>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

using Bytes = std::vector<std::byte>;

template <int bits>
Bytes bytes_of(const Sketch<bits>& sketch) {
  Bytes bytes;
  SketchBytes<bits>::write(sketch, bytes);
  return bytes;
}

// Does a sketch hold what some data has?
template <class S>
void expect_possible(const S& sketch) {
  std::uint64_t total = 0;
  float end = -std::numeric_limits<float>::infinity();
  const std::vector<CountedBin> bins = bins_in(sketch);
  for (const CountedBin& bin : bins) {
    ASSERT_LE(end, bin.low);
    ASSERT_LE(bin.low, bin.high);
    end = bin.high;
    total += bin.count;
  }
  ASSERT_EQ(total, sketch.count());
  ASSERT_LE(sketch.zeros(), sketch.count());
  ASSERT_TRUE(sketch.zeros() == 0 || (sketch.min() <= 0.0f && sketch.max() >= 0.0f));
  if (sketch.empty()) {
    ASSERT_EQ(sketch.min(), 0.0f);
    ASSERT_EQ(sketch.max(), 0.0f);
    return;
  }
  // The first and the last bin are those of the extremes; the bin at 0 holds what is too small for another.
  const float small = std::max(std::max(std::fabs(sketch.min()), std::fabs(sketch.max())) * 0x1p-29f, 0x1p-126f);
  ASSERT_TRUE(sketch.zeros() != 0 || (sketch.min() != 0.0f && sketch.max() != 0.0f));
  ASSERT_TRUE(sketch.zeros() != sketch.count() || (sketch.min() == 0.0f && sketch.max() == 0.0f));
  ASSERT_TRUE(bins.front().low == sketch.min() || (bins.front().low == 0.0f && std::fabs(sketch.min()) <= small));
  ASSERT_TRUE(bins.back().high == sketch.max() || (bins.back().high == 0.0f && std::fabs(sketch.max()) <= small));
  // It goes on as any sketch does.
  S more = sketch;
  const float v = 1.0f;
  more.add(&v, 1);
  ASSERT_EQ(more.count(), sketch.count() + 1);
}

TEST(SketchBytes, ComeBackAsTheSameSketch) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const CalibrationSketch<> sketch = observed(family.batches);
    const Bytes bytes = sketch.serialize();
    CalibrationSketch<> back = CalibrationSketch<>::deserialize(bytes);
    EXPECT_TRUE(back == sketch);
    EXPECT_EQ(back.serialize(), bytes);
    EXPECT_EQ(bins_in(back.sketch()), bins_in(sketch.sketch()));
    EXPECT_EQ(back.sketch().zeros(), sketch.sketch().zeros());
    back.observe(as_eigen({1e30f, 0.5f}));
    EXPECT_TRUE(back == observed({joined(family.batches), {1e30f, 0.5f}}));
  }
}

TEST(SketchBytes, ComeBackPerChannelAndFromNothing) {
  CalibrationSketch<PerChannel<1>> sketch;
  const Bytes nothing = sketch.serialize();
  EXPECT_TRUE(CalibrationSketch<PerChannel<1>>::deserialize(nothing) == sketch);
  sketch.observe(heavy_tensor<3>({4, 3, 7}, 1));
  EXPECT_TRUE(CalibrationSketch<PerChannel<1>>::deserialize(sketch.serialize()) == sketch);
  const Sketch<8> empty;
  std::size_t position = 0;
  EXPECT_TRUE(SketchBytes<8>::read(bytes_of(empty), position) == empty);
}

TEST(SketchBytes, StandBehindOthers) {
  const Sketch<8> a = sketch_of<8>({{1.0f, -2.0f}}), b = sketch_of<8>({{0.0f}});
  Bytes bytes(3, std::byte{9});
  SketchBytes<8>::write(a, bytes);
  SketchBytes<8>::write(b, bytes);
  std::size_t position = 3;
  EXPECT_TRUE(SketchBytes<8>::read(bytes, position) == a);
  EXPECT_TRUE(SketchBytes<8>::read(bytes, position) == b);
  EXPECT_EQ(position, bytes.size());
  EXPECT_ERROR(SketchBytes<8>::read(bytes, position), "Sketch", "0 bytes left");
  position = bytes.size() + 1;
  EXPECT_ERROR(SketchBytes<8>::read(bytes, position), "Sketch");
  EXPECT_EQ(position, bytes.size() + 1);
}

TEST(SketchBytes, CutAnywhereAreAnErrorThatMovesNothing) {
  const Bytes bytes = bytes_of(sketch_of<6>({{1.0f, -2.0f, 0.0f, 3e-20f, 7.0f}}));
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    const Bytes part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(n));
    std::size_t position = 0;
    EXPECT_ERROR(SketchBytes<6>::read(part, position), "Sketch");
    EXPECT_EQ(position, 0u);
  }
  CalibrationSketch<PerChannel<0>> two;
  two.observe(random_tensor<2>({2, 3}, 1));
  const Bytes all = two.serialize();
  for (std::size_t n = 0; n < all.size(); ++n) {
    const Bytes part(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(n));
    EXPECT_ERROR(CalibrationSketch<PerChannel<0>>::deserialize(part), "Sketch");
  }
  Bytes longer = all;
  longer.push_back(std::byte{0});
  EXPECT_ERROR(CalibrationSketch<PerChannel<0>>::deserialize(longer), "1 bytes too many");
}

TEST(SketchBytes, TwoEndsInOneBinNeedTwoValues) {
  constexpr std::size_t kMax = 4 + 3 * 8 + 4;  // behind the mark, three counts and the minimum
  const auto with_max = [](Bytes bytes, float max) {
    std::memcpy(bytes.data() + kMax, &max, sizeof max);
    std::size_t position = 0;
    return SketchBytes<8>::read(bytes, position);
  };
  EXPECT_ERROR(with_max(bytes_of(sketch_of<8>({{1.0f}})), 1.0001f), "Sketch: 1 values cannot reach both ends");
  EXPECT_TRUE(with_max(bytes_of(sketch_of<8>({{1.0f, 1.0f}})), 1.0001f) == sketch_of<8>({{1.0f, 1.0001f}}));
  // Around 0: values far below the largest share one bin with zero.
  const Bytes tiny = bytes_of(sketch_of<8>({{-1e-45f, 0.0f}}));
  EXPECT_ERROR(with_max(tiny, 1e-45f), "Sketch: 2 values cannot reach both ends");
}

TEST(SketchBytes, OfAnotherResolutionOrKindAreAnError) {
  const Bytes bytes = bytes_of(sketch_of<6>({{1.0f, 2.0f}}));
  std::size_t position = 0;
  EXPECT_ERROR(SketchBytes<8>::read(bytes, position), "not a sketch with 8 bits");
  CalibrationSketch<PerChannel<0>> channels;
  channels.observe(random_tensor<1>({1}, 1));
  EXPECT_ERROR(CalibrationSketch<>::deserialize(channels.serialize()), "PerChannel<0>, expected PerTensor");
  const Bytes whole = observed({{1.0f}}).serialize();
  EXPECT_ERROR(CalibrationSketch<PerChannel<0>>::deserialize(whole), "PerTensor, expected PerChannel<0>");
}

TEST(SketchBytes, OfAnotherAxisAreAnError) {
  // A square batch: the numbers of channels are no help.
  CalibrationSketch<PerChannel<0>> rows;
  rows.observe(random_tensor<2>({3, 3}, 1));
  EXPECT_ERROR(CalibrationSketch<PerChannel<1>>::deserialize(rows.serialize()), "PerChannel<0>", "PerChannel<1>");
  EXPECT_ERROR(CalibrationSketch<PerChannel<-2>>::deserialize(rows.serialize()), "PerChannel<0>", "PerChannel<-2>");
  EXPECT_ERROR(CalibrationSketch<PerChannel<1>>::deserialize(CalibrationSketch<PerChannel<0>>{}.serialize()),
               "PerChannel<0>", "PerChannel<1>");
  Bytes unknown = rows.serialize();
  unknown[0] = std::byte{7};
  EXPECT_ERROR(CalibrationSketch<PerChannel<0>>::deserialize(unknown), "kind 7");
}

// Every byte in turn changes in every bit, in some and in all. What is accepted must be a sketch that some data has,
// and be one state with one form.
TEST(SketchBytes, ThatAreWrongAreAnErrorOrAnotherPossibleSketch) {
  const std::vector<Values> data = {
      {}, {0.0f, 0.0f}, {1.0f}, {-1.0f, 1.0f, 1.0f, 0.0f}, {1.5f, 3e-20f, 7.0f}, {1e-38f, 0.0f}};
  int refused = 0, accepted = 0;
  for (const Values& values : data) {
    const Bytes bytes = bytes_of(sketch_of<6>({values}));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const int change : {1, 2, 4, 8, 16, 32, 64, 128, 85, 255}) {
        Bytes wrong = bytes;
        wrong[at] ^= static_cast<std::byte>(change);
        std::size_t position = 0;
        try {
          const Sketch<6> sketch = SketchBytes<6>::read(wrong, position);
          ASSERT_NO_FATAL_FAILURE(expect_possible(sketch)) << "byte " << at << " changed by " << change;
          const Bytes again = bytes_of(sketch);
          ASSERT_TRUE(position == again.size() && std::equal(again.begin(), again.end(), wrong.begin()))
              << "byte " << at;
          ++accepted;
        } catch (const Error&) {
          ASSERT_EQ(position, 0u);
          ++refused;
        }
      }
    }
  }
  EXPECT_GT(refused, 10 * accepted);
}

Bytes header(std::uint64_t count, std::uint64_t zeros, std::uint64_t below, float min, float max, std::uint64_t bins) {
  Bytes bytes = bytes_of(Sketch<8>{});
  bytes.resize(4);
  const auto put = [&](auto value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), raw, raw + sizeof value);
  };
  put(count);
  put(zeros);
  put(below);
  put(min);
  put(max);
  put(bins);
  return bytes;
}

TEST(SketchBytes, WithNumbersThatContradictEachOtherAreAnError) {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
  std::size_t at = 0;
  EXPECT_EQ(SketchBytes<8>::read(header(3, 3, 3, 0.0f, 0.0f, 0), at).zeros(), 3u);  // the form is right
  const Bytes wrong[] = {
      header(3, 4, 3, 0.0f, 0.0f, 0),     header(3, 3, 2, 0.0f, 0.0f, 0),     header(2, 2, 3, 0.0f, 0.0f, 0),
      header(3, 3, 3, 0.0f, 1.0f, 0),     header(3, 3, 3, nan, nan, 0),       header(3, 3, 3, -infinity, 0.0f, 0),
      header(3, 3, 3, 0.0f, 0.0f, 1),     header(3, 3, 3, 0.0f, 0.0f, ~0ull), header(0, 0, 0, 1.0f, 1.0f, 0),
      header(3, 3, 3, -0.0f, 0.0f, 0),    header(1, 0, 1, 2.0f, 2.0f, 0),     header(0, 0, 0, -1.0f, 1e30f, 0),
      header(3, 3, 3, 1e-45f, 1e-45f, 0),
  };
  for (const Bytes& bytes : wrong) {
    std::size_t position = 0;
    EXPECT_ERROR(SketchBytes<8>::read(bytes, position), "Sketch");
  }
}

TEST(SketchBytes, OfAChannelThatSawNothingAreAnError) {
  // observe() gives every channel values, and calibrators rely on it.
  Bytes bytes = observed({{1.0f}}).serialize();
  bytes.resize(16);  // one channel follows
  SketchBytes<8>::write(Sketch<8>{}, bytes);
  EXPECT_ERROR(CalibrationSketch<>::deserialize(bytes), "CalibrationSketch", "channel 0");
  Bytes two = observed({{1.0f}}).serialize();
  two[8] = std::byte{2};
  const Bytes more = bytes_of(sketch_of<8>({{1.0f}}));
  two.insert(two.end(), more.begin(), more.end());
  EXPECT_ERROR(CalibrationSketch<>::deserialize(two), "2 sketches of one tensor");
}

}  // namespace
}  // namespace quanta::test
