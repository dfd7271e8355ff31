// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales in memory: floats, or codes with what belongs to them (quant/scale_type.hpp). Owned and borrowed.
#pragma once

#include <algorithm>

#include <quanta/core/buffer.hpp>
#include <quanta/core/fp.hpp>
#include <quanta/format/coding.hpp>
#include <quanta/quant/scale_type.hpp>

QUANTA_NAMESPACE_BEGIN

/// Borrowed scales that are codes.
struct NarrowScales {
  /// Gives levels[i] of code first + i of a packed stream.
  using Decode = void (*)(const std::byte* stream, Index first, Index count, float* levels);

  const std::byte* codes = nullptr;  ///< packed as in format/bits.hpp
  Decode decode = nullptr;           ///< null where scales are floats
  const float* outer = nullptr;      ///< null where scales are levels
  Index shared = 1;                  ///< neighbouring scales to an outer one
  float mean = 0.0f;                 ///< added to every scale; 0 unless scales are centered
  int bits = 0;                      ///< of a code

  /// scales[i] = scale first + i.
  void read(Index first, Index count, float* scales) const {
    decode(codes, first, count, scales);
    if (outer == nullptr) return;
    for (Index i = 0, end; i < count; i = end) {  // those that share an outer scale
      const float by = outer[(first + i) / shared];
      end = std::min(count, i + shared - (first + i) % shared);
      for (Index j = i; j < end; ++j) scales[j] = scale_of(by, scales[j], mean);
    }
  }
  /// Scale i, decoded.
  float scale(Index i) const {
    float value = 0.0f;
    read(i, 1, &value);
    return value;
  }

  /// fma(outer, level, mean), at most FLT_MAX.
  static float scale_of(float outer, float level, float mean) {
    const float scale = fp::fma(outer, level, mean);
    return scale < fp::kMaxFloat ? scale : fp::kMaxFloat;
  }
};

namespace detail {

/// The levels of a format in ascending order, by rank: of floating formats those that are not negative.
template <RealFormat S>
struct RankedLevels;

template <CodebookFormat S>
struct RankedLevels<S> {
  static constexpr Index last = static_cast<Index>(kSorted<S>.levels.size()) - 1;
  static float level(Index rank) { return kSorted<S>.levels[usize(rank)]; }
  static std::uint8_t code(Index rank) { return kSorted<S>.codes[usize(rank)]; }
  /// Of the smallest level that is not below v, or of the last.
  static Index at_least(float v) {
    const auto& levels = kSorted<S>.levels;
    return std::lower_bound(levels.begin(), levels.end() - 1, v) - levels.begin();
  }
};

template <FloatingFormat S>
struct RankedLevels<S> {
  static constexpr Index last = FloatCodesOf<S>::max_code;
  static float level(Index rank) { return FloatCodesOf<S>::decode(static_cast<std::int32_t>(rank)); }
  static typename S::Code code(Index rank) { return static_cast<typename S::Code>(rank); }
  /// Of v >= 0.
  static Index at_least(float v) {
    const Index nearest = FloatCodesOf<S>::template encode<simd::ScalarLanes>(v);
    return nearest < last && level(nearest) < v ? nearest + 1 : nearest;
  }
};

class HeldScales {
 public:
  HeldScales() = default;
  explicit HeldScales(Buffer<float> scales) : floats_(std::move(scales)), size_(floats_.size()) {}
  /// From parts: `size` packed codes of so many bits; outer scales, where there are any, and behind them the mean,
  /// where they are centered.
  HeldScales(Buffer<std::byte> codes, Index size, int bits, NarrowScales::Decode decode, Buffer<float> outer,
             const ScaleInfo& info)
      : floats_(std::move(outer)),
        codes_(std::move(codes)),
        size_(size),
        shared_(info.shared > 0 ? info.shared : std::max<Index>(size, 1)),
        centered_(info.centered),
        bits_(bits),
        decode_(decode) {}
  /// How many floats go with `size` scales that are codes: outer scales, and the mean.
  static Index count_floats(Index size, const ScaleInfo& info) {
    if (info.shared == kNoScales) return 0;
    return ceil_div(size, info.shared > 0 ? info.shared : std::max<Index>(size, 1)) + (info.centered ? 1 : 0);
  }

  /// Rounded up to codes of S. Throws Error when a scale is larger than S can hold.
  template <RealFormat S>
  static HeldScales narrow(const Buffer<float>& scales, const ScaleInfo& info);

  /// The same with these codes.
  HeldScales with_codes(Buffer<std::byte> codes) const {
    HeldScales result = *this;
    result.codes_ = std::move(codes);
    return result;
  }

  Index size() const { return size_; }
  /// Null where they are codes.
  const float* floats() const { return decode_ == nullptr ? floats_.data() : nullptr; }
  NarrowScales codes() const {
    if (decode_ == nullptr) return {};
    const bool two_levels = !floats_.empty();
    return {codes_.data(),
            decode_,
            two_levels ? floats_.data() : nullptr,
            shared_,
            centered_ ? floats_[floats_.size() - 1] : 0.0f,
            bits_};
  }
  Index bytes() const { return static_cast<Index>(floats_.bytes() + codes_.bytes()); }

 private:
  Buffer<float> floats_;  ///< the scales; or the outer ones and, where centered, the mean
  Buffer<std::byte> codes_;
  Index size_ = 0, shared_ = 1;
  bool centered_ = false;
  int bits_ = 0;
  NarrowScales::Decode decode_ = nullptr;
};

// ---- bodies ----

/// The outer scale of n scales: their largest distance from the mean is the largest level, and none is out of reach.
template <RealFormat S>
float outer_scale(const float* scales, Index n, float mean) {
  float distance = 0.0f, largest = 0.0f;
  for (Index i = 0; i < n; ++i) {
    distance = std::max(distance, std::fabs(scales[i] - mean));
    largest = std::max(largest, scales[i]);
  }
  float outer = std::max(distance / highest_level<S>, fp::kMinScale);
  while (NarrowScales::scale_of(outer, highest_level<S>, mean) < largest) outer = next_float(outer, true);
  return outer;
}

template <RealFormat S>
HeldScales HeldScales::narrow(const Buffer<float>& scales, const ScaleInfo& info) {
  using Levels = RankedLevels<S>;
  const Index n = scales.size();
  const bool two_levels = info.shared != kNoScales;
  HeldScales held(Buffer<std::byte>(packed_size(n, S::bits)), n, S::bits, &decode_levels<S>,
                  Buffer<float>(count_floats(n, info)), info);
  const Index blocks = ceil_div(n, held.shared_);
  float mean = 0.0f;
  if (info.centered) {
    double sum = 0.0;
    for (const float scale : scales) sum += static_cast<double>(scale);
    mean = n == 0 ? 0.0f : static_cast<float>(sum / static_cast<double>(n));
    held.floats_[blocks] = mean;
  }
  Buffer<typename S::Code> codes(n);
  for (Index block = 0; block < blocks; ++block) {
    const Index first = block * held.shared_, count = std::min(held.shared_, n - first);
    float outer = 1.0f;
    if (two_levels) outer = held.floats_[block] = outer_scale<S>(scales.data() + first, count, mean);
    for (Index i = first; i < first + count; ++i) {
      Index rank = Levels::at_least((scales[i] - mean) / outer);
      // The difference and the quotient are rounded: one level more may be needed.
      while (rank < Levels::last && NarrowScales::scale_of(outer, Levels::level(rank), mean) < scales[i]) ++rank;
      check(two_levels || Levels::level(rank) >= scales[i], "QuantParams: scale ", i, " is ", scales[i],
            ", the largest that ", std::string(S::name), " holds is ", highest_level<S>);
      codes[i] = Levels::code(rank);
    }
  }
  pack_bits<S>(codes.data(), 0, n, held.codes_.data());
  return held;
}

}  // namespace detail
QUANTA_NAMESPACE_END
