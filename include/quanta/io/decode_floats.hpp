// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The floats of files, little-endian and at any alignment, as float: F32, F16 and BF16 exactly, F64 rounded once (to
// infinity beyond float's range).
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class Word>
Word load_little_endian(const std::byte* from) {
  std::array<std::byte, sizeof(Word)> bytes;
  std::memcpy(bytes.data(), from, sizeof(Word));
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Word>(bytes);
}

/// IEEE 754 binary16, exactly.
constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 0x3ffu;
  if (exponent == 0) {  // subnormal: an integer times 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t biased = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | biased << 23 | fraction << 13);
}

/// Converts the words of little-endian bytes. There are as many bytes as `to` has room for words.
template <class Word, class Convert>
void decode_words(std::span<const std::byte> bytes, float* to, Convert convert) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Word)) *to++ = convert(load_little_endian<Word>(&bytes[i]));
}

/// Is this one of the types above, by its name in safetensors?
constexpr bool is_float_type(std::string_view dtype) {
  return dtype == "F32" || dtype == "F64" || dtype == "F16" || dtype == "BF16";
}

/// Decodes bytes of such a type. There is room for all of them.
inline void decode_floats(std::string_view dtype, std::span<const std::byte> bytes, float* to) {
  if (dtype == "F32") {
    decode_words<std::uint32_t>(bytes, to, [](std::uint32_t w) { return std::bit_cast<float>(w); });
  } else if (dtype == "F64") {
    decode_words<std::uint64_t>(bytes, to,
                                [](std::uint64_t w) { return static_cast<float>(std::bit_cast<double>(w)); });
  } else if (dtype == "F16") {
    decode_words<std::uint16_t>(bytes, to, &half_to_float);
  } else {
    decode_words<std::uint16_t>(bytes, to,
                                [](std::uint16_t w) { return std::bit_cast<float>(std::uint32_t{w} << 16); });
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
