// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A sketch as bytes, and back: never a sketch that no data has.
//
//   "QKS" and the resolution   u32                           little-endian, nothing between
//   values, zeros, values in the bin around 0                u64 each
//   minimum, maximum           f32 each
//   bins that hold values      u64, then for each, ascending in |x|, the negative ones first: place u32, count u64
#pragma once

#include <cstring>

#include <quanta/calib/sketch.hpp>

QUANTA_NAMESPACE_BEGIN

/// How a sketch is written and read, for a sketch and for the channels of a CalibrationSketch.
template <int mantissa_bits>
struct SketchBytes {
  /// The state as bytes, equal for equal states, added to `out`, a std::vector<std::byte>.
  template <class Bytes>
  static void write(const Sketch<mantissa_bits>& sketch, Bytes& out);
  /// The sketch that starts at bytes[position], which then moves behind it. Throws Error, and leaves position, when
  /// there is none of this resolution or its numbers contradict each other.
  template <class Bytes>
  static Sketch<mantissa_bits> read(const Bytes& bytes, std::size_t& position);

 private:
  using S = Sketch<mantissa_bits>;
  static constexpr std::uint32_t kMagic = 0x514b5300u + mantissa_bits;  // "QKS" and the resolution
};

// ---- bodies ----

template <int mantissa_bits>
template <class Bytes>
void SketchBytes<mantissa_bits>::write(const Sketch<mantissa_bits>& sketch, Bytes& out) {
  const auto put = [&](auto value) {
    const auto* raw = reinterpret_cast<const std::byte*>(&value);
    out.insert(out.end(), raw, raw + sizeof value);
  };
  std::uint64_t bins = 0;
  for (const Index half : {Index{0}, S::kHalf}) {
    for (Index i = S::kSlots; i < S::kHalf; ++i) bins += sketch.counts_[half + i] != 0 ? 1u : 0u;
  }
  put(kMagic);
  put(sketch.count_);
  put(sketch.zeros_);
  put(sketch.below_window());
  put(sketch.min());
  put(sketch.max());
  put(bins);
  for (const Index half : {Index{0}, S::kHalf}) {
    for (Index i = S::kSlots; i < S::kHalf; ++i) {
      if (sketch.counts_[half + i] == 0) continue;
      put(static_cast<std::uint32_t>(half + i));
      put(sketch.counts_[half + i]);
    }
  }
}

template <int mantissa_bits>
template <class Bytes>
Sketch<mantissa_bits> SketchBytes<mantissa_bits>::read(const Bytes& bytes, std::size_t& position) {
  std::size_t at = position;
  const auto get = [&](auto& value) {
    const std::size_t left = bytes.size() - std::min(at, bytes.size());
    detail::check(left >= sizeof value, "Sketch: ", left, " bytes left at ", at, ", expected ", sizeof value);
    std::memcpy(&value, bytes.data() + at, sizeof value);
    at += sizeof value;
  };
  S sketch;
  std::uint32_t magic = 0;
  std::uint64_t below = 0, bins = 0;
  get(magic);
  detail::check(magic == kMagic, "Sketch: the bytes at ", position, " are not a sketch with ", mantissa_bits,
                " bits of mantissa");
  get(sketch.count_);
  get(sketch.zeros_);
  get(below);
  get(sketch.min_);
  get(sketch.max_);
  get(bins);
  const float low = sketch.min_, high = sketch.max_;
  const auto is_minus_zero = [](float v) { return std::bit_cast<std::uint32_t>(v) == 0x80000000u; };
  detail::check(fp::is_finite(low) && fp::is_finite(high) && low <= high && !is_minus_zero(low) && !is_minus_zero(high),
                "Sketch: range [", low, ", ", high, "]");
  detail::check(
      sketch.zeros_ <= below && below <= sketch.count_ && (sketch.zeros_ == 0 || (low <= 0.0f && high >= 0.0f)),
      "Sketch: ", sketch.zeros_, " zeros of ", sketch.count_, " values in [", low, ", ", high, "]");
  sketch.base_ = S::base_for(std::max(S::key_of(low), S::key_of(high)));
  sketch.counts_[0] = below;
  // Bins in their order, the one around 0 being 0: the least and the most that hold values are those of the extremes.
  const auto place_of = [&](float v) {
    const std::int64_t place = std::max(S::key_of(v) - sketch.base_ + 1, 0);
    return v < 0.0f ? -place : place;
  };
  std::int64_t least = below != 0 ? 0 : S::kWindow + 1, most = -least;
  std::uint64_t total = below, last = 0;
  for (std::uint64_t i = 0; i < bins; ++i) {
    std::uint32_t slot = 0;
    std::uint64_t n = 0;
    get(slot);
    get(n);
    const bool in_window = slot < 2 * S::kHalf && slot % S::kHalf >= S::kSlots;
    detail::check(in_window && slot > last && n != 0 && n <= sketch.count_ - total, "Sketch: bin ", i, " of ", bins,
                  " does not fit the others");
    sketch.counts_[slot] = n;
    total += n;
    last = slot;
    const std::int64_t place = static_cast<std::int64_t>(slot % S::kHalf) - S::kSlots + 1;
    least = std::min(least, slot < S::kHalf ? -place : place);
    most = std::max(most, slot < S::kHalf ? -place : place);
  }
  detail::check(total == sketch.count_, "Sketch: ", total, " values in bins, ", sketch.count_, " counted");
  const auto is_seen = [&](float v, std::int64_t place) {
    return place_of(v) == place && (place != 0 || (v == 0.0f ? sketch.zeros_ != 0 : below > sketch.zeros_));
  };
  detail::check(total == 0 ? low == 0.0f && high == 0.0f : is_seen(low, least) && is_seen(high, most),
                "Sketch: range [", low, ", ", high, "] is not that of its bins");
  if (low != high && least == most) {  // two values of one bin
    const std::uint64_t not_zero = (low != 0.0f ? 1u : 0u) + (high != 0.0f ? 1u : 0u);
    detail::check(least != 0 ? total >= 2 : below - sketch.zeros_ >= not_zero, "Sketch: ", total,
                  " values cannot reach both ends of [", low, ", ", high, "]");
  }
  position = at;
  return sketch;
}

QUANTA_NAMESPACE_END
