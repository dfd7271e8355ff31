// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes to levels, whatever the format, and from reals to the codes of formats that are not integers.
#pragma once

#include <quanta/format/bits.hpp>
#include <quanta/format/codebook.hpp>
#include <quanta/format/floating.hpp>
#include <quanta/format/scale_formats.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The smallest and the largest number among the levels.
template <ValueFormat F>
inline constexpr float lowest_level = -FloatCodesOf<F>::max();
template <ValueFormat F>
inline constexpr float highest_level = FloatCodesOf<F>::max();
template <IntegerFormat F>
inline constexpr float lowest_level<F> = static_cast<float>(F::min);
template <IntegerFormat F>
inline constexpr float highest_level<F> = static_cast<float>(F::max);
template <CodebookFormat F>
inline constexpr float lowest_level<F> = kSorted<F>.levels.front();
template <CodebookFormat F>
inline constexpr float highest_level<F> = kSorted<F>.levels.back();

/// The largest code.
template <RealFormat F>
inline constexpr std::int32_t last_code = (1 << F::bits) - 1;
template <CodebookFormat F>
inline constexpr std::int32_t last_code<F> = static_cast<std::int32_t>(F::levels.size()) - 1;

/// What every code stands for; 0 for codes that a codebook does not have, and behind the last where there are not 16.
/// Of formats of at most 8 bits.
template <RealFormat F>
constexpr auto all_levels() {
  constexpr std::size_t codes = usize(Index{1} << F::bits), size = std::max<std::size_t>(codes, 16);
  std::array<float, size> levels{};
  if constexpr (CodebookFormat<F>) {
    for (std::size_t i = 0; i < F::levels.size(); ++i) levels[i] = F::levels[i];
  } else {
    for (std::size_t i = 0; i < codes; ++i) levels[i] = FloatCodesOf<F>::decode(static_cast<std::int32_t>(i));
  }
  return levels;
}
template <RealFormat F>
inline constexpr auto kLevels = all_levels<F>();

/// levels[i] = what codes[i] stands for. Integers of up to 16 bits are exact as float.
template <ValueFormat F>
void codes_to_levels(const typename F::Code* QUANTA_RESTRICT codes, Index n, float* QUANTA_RESTRICT levels) {
  if constexpr (IntegerFormat<F>) {
    Index i = 0;
    for (; i + 16 <= n; i += 16) {  // a count the compiler knows: GCC then makes vectors of it at -O2 too
      for (Index j = 0; j < 16; ++j) levels[i + j] = static_cast<float>(codes[i + j]);
    }
    for (; i < n; ++i) levels[i] = static_cast<float>(codes[i]);
  } else if constexpr (F::bits <= 4) {
    simd::decode(codes, n, simd::SixteenLevels{kLevels<F>.data()}, levels);
  } else if constexpr (FloatingFormat<F>) {
    simd::decode(codes, n, FloatCodesOf<F>{}, levels);
  } else if constexpr (std::is_same_v<F, E8M0>) {
    simd::decode(codes, n, simd::PowersOfTwo{}, levels);
  } else {
    for (Index i = 0; i < n; ++i) levels[i] = kLevels<F>[codes[i]];
  }
}

/// levels[i] = the level of code first + i of the stream.
template <ValueFormat F>
void decode_levels(const std::byte* stream, Index first, Index count, float* levels) {
  constexpr Index kChunk = 256;
  typename F::Code codes[kChunk];
  for (Index done = 0; done < count; done += kChunk) {
    const Index n = count - done < kChunk ? count - done : kChunk;
    unpack_bits<F>(stream, first + count, first + done, n, codes);
    codes_to_levels<F>(codes, n, levels + done);
  }
}

template <RealFormat F>
constexpr auto coder() {
  if constexpr (CodebookFormat<F>) {
    return kNearestLevel<F>;
  } else {
    return FloatCodesOf<F>{};
  }
}

/// From the numbers of sorted levels to codes.
template <RealFormat F>
void finish_codes(typename F::Code* codes, Index n) {
  if constexpr (CodebookFormat<F>) {
    if constexpr (!is_sorted<F>()) {
      for (Index i = 0; i < n; ++i) codes[i] = kSorted<F>.codes[codes[i]];
    }
  }
}

/// codes[i] = the code of x[i] / scale.
template <RealFormat F>
void encode(const float* x, Index n, float scale, typename F::Code* codes) {
  static constexpr auto kCoder = coder<F>();
  simd::encode(x, n, scale, kCoder, codes);
  finish_codes<F>(codes, n);
}

/// The same of `rows` adjacent rows, each column with its own scale.
template <RealFormat F>
void encode_columns(const float* x, Index rows, Index columns, const float* scales, typename F::Code* codes) {
  static constexpr auto kCoder = coder<F>();
  simd::encode_columns(x, rows, columns, scales, kCoder, codes);
  finish_codes<F>(codes, rows * columns);
}

}  // namespace detail
QUANTA_NAMESPACE_END
