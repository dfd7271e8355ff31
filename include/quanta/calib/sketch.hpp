// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What calibration remembers of the data: counts of values in bins that are fixed beforehand. One pass, fixed memory,
// nothing of the data kept. The state is a function of the set of values alone: any split over batches, threads and
// processes, in any order, gives the same bits.
//
// A float's own leading bits are its bin: sign, exponent, and the top `mantissa_bits` of the mantissa. So bins are
// 2^-mantissa_bits of their value wide at most (of 2^-126 below that), no range ever has to grow, and merging adds
// counts.
//
//   |x|  ... 2^(e-31) |  2^(e-30) ... 2^(e-1) | 2^e ... 2^(e+1)       e: exponent of the largest |x| seen
//        one bin      |  31 octaves of 2^mantissa_bits bins, for each sign
//
// Values more than 30 octaves below the largest share one bin around 0: they are below half a step of a 16-bit code. So
// do zeros of both signs, and what is below 2^-(126 + mantissa_bits).
// When a larger value comes, octaves that fall out at the bottom join that bin, exactly as if it had been known before.
//
// Power-of-two bin widths that double by merging pairs would be the other order-free choice. They spend all bins on one
// linear range, so that one outlier takes the resolution of everything else; here it costs octaves nobody uses.
#pragma once

#include <array>
#include <vector>

#include <quanta/core/eigen.hpp>
#include <quanta/quant/granularity.hpp>
#include <quanta/simd/min_max.hpp>
#include <quanta/simd/sketch_slots.hpp>

QUANTA_NAMESPACE_BEGIN

template <Granularity G>
class CalibrationSketch;
template <int mantissa_bits>
struct SketchBytes;

/// Counts of values in bins; calib/sketch.hpp says which. 2^-mantissa_bits is the relative resolution. Counts take
/// 16 * (31 * 2^mantissa_bits + 8) bytes.
template <int mantissa_bits>
class Sketch {
  static_assert(mantissa_bits >= 1 && mantissa_bits <= 10, "quanta::Sketch: 1 to 10 bits of mantissa");

 public:
  /// Powers of two that have bins of their own, for each sign: the largest value's and those below it.
  static constexpr int kOctaves = 31;
  /// The width of a bin, at most, relative to its values; to 2^-126 for those below that.
  static constexpr double kResolution = 1.0 / (1 << mantissa_bits);

  /// Without values.
  Sketch() : counts_(2 * kHalf, 0) {}

  /// Adds n adjacent values. Throws Error, and stays as it was, when one is not finite or check_room does.
  void add(const float* x, Index n);

  /// Adds what another sketch saw. Throws Error, and stays as it was, when check_room does.
  void merge(const Sketch& other);

  /// Throws Error unless n more values can be counted: 2^64 - 1 are the most, which merging may reach.
  void check_room(const char* where, std::uint64_t n) const {
    detail::check(n <= ~std::uint64_t{0} - count_, where, ": ", n, " values more than the ", count_,
                  " counted, expected less than 2^64 in all");
  }

  /// How many values, and how many of them were 0.
  std::uint64_t count() const { return count_; }
  std::uint64_t zeros() const { return zeros_; }  ///< values that are 0 or -0
  bool empty() const { return count_ == 0; }      ///< true before the first value
  /// Exact; 0 when empty.
  float min() const { return empty() ? 0.0f : min_; }
  float max() const { return empty() ? 0.0f : max_; }  ///< exact; 0 when empty

  /// Calls f(low, high, count) for every bin that holds values, ascending. Bins are cut to [min, max]; the bin around 0
  /// is (0, 0).
  template <class F>
  void for_each_bin(F f) const;

  /// Equal counts in equal bins, and equal ends: sketches of the same values in any order and split are equal.
  bool operator==(const Sketch& other) const;

  /// Memory held.
  Index bytes() const { return static_cast<Index>(sizeof(*this) + counts_.bytes()); }

 private:
  template <Granularity G>
  friend class CalibrationSketch;
  friend struct SketchBytes<mantissa_bits>;

  /// Adds adjacent finite values, all within `range`: a wider one costs resolution, a narrower one memory not held.
  void add(const float* x, Index n, Range range);

  // Counts of one sign: kSlots bins for what lies below the window (several, so that equal values in a row, the zeros
  // after a Relu, do not wait for each other), then the window from its lowest bin up.
  static constexpr int kSlots = 8;
  static constexpr Index kBinsPerOctave = Index{1} << mantissa_bits;
  static constexpr Index kWindow = kOctaves * kBinsPerOctave;
  static constexpr Index kHalf = kSlots + kWindow;

  /// A float's bin among all of its sign.
  static std::int32_t key_of(float v) {
    return static_cast<std::int32_t>((std::bit_cast<std::uint32_t>(v) & 0x7fffffffu) >> (23 - mantissa_bits));
  }
  static float lower_edge(std::int64_t key) {
    return std::bit_cast<float>(static_cast<std::uint32_t>(key) << (23 - mantissa_bits));
  }
  /// The lowest key of the window whose highest octave holds `key`. Key 0, that of both zeros, is always below it.
  static std::int32_t base_for(std::int32_t key) {
    const std::int32_t octave = key >> mantissa_bits;
    return std::max(std::max(octave - (kOctaves - 1), 0) << mantissa_bits, 1);
  }
  void raise_base(std::int32_t base);
  std::uint64_t below_window() const;

  std::int32_t base_ = 1;  ///< the window's lowest key
  float min_ = 0.0f, max_ = 0.0f;
  std::uint64_t count_ = 0, zeros_ = 0;
  Buffer<std::uint64_t> counts_;  ///< negative half, positive half
};

// ---- bodies ----

template <int mantissa_bits>
void Sketch<mantissa_bits>::raise_base(std::int32_t base) {
  if (base <= base_) return;
  const Index shift = std::min<Index>(base - base_, kWindow);
  for (std::uint64_t* half : {counts_.data(), counts_.data() + kHalf}) {
    std::uint64_t* window = half + kSlots;
    for (Index i = 0; i < shift; ++i) half[0] += window[i];
    std::copy(window + shift, window + kWindow, window);
    std::fill(window + kWindow - shift, window + kWindow, std::uint64_t{0});
  }
  base_ = base;
}

template <int mantissa_bits>
void Sketch<mantissa_bits>::add(const float* x, Index n) {
  if (n == 0) return;
  const simd::MinMax seen = simd::min_max(x, n);
  detail::check(seen.finite, "Sketch: values that are not finite");
  check_room("Sketch", static_cast<std::uint64_t>(n));
  add(x, n, {seen.min + 0.0f, seen.max + 0.0f});  // + 0 turns -0 into +0
}

template <int mantissa_bits>
void Sketch<mantissa_bits>::add(const float* x, Index n, Range range) {
  if (n == 0) return;
  raise_base(base_for(std::max(key_of(range.min), key_of(range.max))));
  min_ = empty() ? range.min : std::min(min_, range.min);
  max_ = empty() ? range.max : std::max(max_, range.max);
  count_ += static_cast<std::uint64_t>(n);
  constexpr Index kChunk = 1024;
  std::int32_t slots[kChunk];
  std::uint64_t* counts = counts_.data();
  for (Index first = 0; first < n; first += kChunk) {
    const Index chunk = std::min(kChunk, n - first);
    zeros_ += static_cast<std::uint64_t>(chunk - simd::sketch_slots<23 - mantissa_bits, kSlots>(
                                                     x + first, chunk, base_, static_cast<std::int32_t>(kHalf), slots));
    // Sixteen at a time: the loop itself would cost as much as the counting. Counting leaves the memory idle, so it
    // asks for the values that come next.
    Index i = 0;
    for (; i + 16 <= chunk; i += 16) {
      QUANTA_PREFETCH(x + std::min(first + kChunk + i, n - 1));
      QUANTA_UNROLL for (int j = 0; j < 16; ++j)++ counts[slots[i + j]];
    }
    for (; i < chunk; ++i) ++counts[slots[i]];
  }
}

template <int mantissa_bits>
void Sketch<mantissa_bits>::merge(const Sketch& other) {
  if (other.empty()) return;
  check_room("merge", other.count_);
  raise_base(other.base_);
  const Index shift = std::min<Index>(base_ - other.base_, kWindow);
  for (const Index half : {Index{0}, kHalf}) {
    for (Index i = 0; i < kSlots; ++i) counts_[half] += other.counts_[half + i];
    for (Index i = 0; i < kWindow; ++i) {
      counts_[half + (i < shift ? 0 : kSlots + i - shift)] += other.counts_[half + kSlots + i];
    }
  }
  min_ = empty() ? other.min_ : std::min(min_, other.min_);
  max_ = empty() ? other.max_ : std::max(max_, other.max_);
  count_ += other.count_;
  zeros_ += other.zeros_;
}

template <int mantissa_bits>
std::uint64_t Sketch<mantissa_bits>::below_window() const {
  std::uint64_t n = 0;
  for (Index i = 0; i < kSlots; ++i) n += counts_[i] + counts_[kHalf + i];
  return n;
}

template <int mantissa_bits>
template <class F>
void Sketch<mantissa_bits>::for_each_bin(F f) const {
  const auto clip = [&](float v) { return std::min(std::max(v, min_), max_); };
  for (Index i = kWindow; i-- > 0;) {
    const std::uint64_t n = counts_[kSlots + i];
    if (n != 0) f(clip(-lower_edge(base_ + i + 1)), clip(-lower_edge(base_ + i)), n);
  }
  if (const std::uint64_t n = below_window(); n != 0) f(0.0f, 0.0f, n);
  for (Index i = 0; i < kWindow; ++i) {
    const std::uint64_t n = counts_[kHalf + kSlots + i];
    if (n != 0) f(clip(lower_edge(base_ + i)), clip(lower_edge(base_ + i + 1)), n);
  }
}

template <int mantissa_bits>
bool Sketch<mantissa_bits>::operator==(const Sketch& other) const {
  if (count_ != other.count_) return false;
  if (empty()) return true;
  return zeros_ == other.zeros_ && min_ == other.min_ && max_ == other.max_ && base_ == other.base_ &&
         below_window() == other.below_window() &&
         std::equal(counts_.begin() + kSlots, counts_.begin() + kHalf, other.counts_.begin() + kSlots) &&
         std::equal(counts_.begin() + kHalf + kSlots, counts_.end(), other.counts_.begin() + kHalf + kSlots);
}

QUANTA_NAMESPACE_END
