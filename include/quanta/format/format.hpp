// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a code is. A format says how many bits a code takes, which integers or levels codes stand for, and its name; how
// reals map to codes (scale, zero point, granularity) is not its business. There are three kinds:
//
//   IntegerFormat    codes are the integers [min, max]                                          Int<b>, UInt<b>
//   CodebookFormat   code i stands for levels[i]; a real gets the nearest level,                NF4, FP4
//                    of two as near the one with the lower code
//   FloatingFormat   a sign, an exponent and a fraction; nearest, of two as near the even one   E4M3, Fp16, ...
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <string_view>
#include <type_traits>

#include <quanta/core/types.hpp>
#include <quanta/simd/float_codes.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {
/// Can codes of this many bits, handed out in a type of this many bytes, be packed (format/bits.hpp)?
constexpr bool is_packable(int bits, std::size_t bytes) {
  return (bytes == 1 && bits >= 1 && bits <= 8) || (bytes == 2 && bits == 16);
}
/// Are min to max integers that so many bits hold, in two's complement where codes are signed?
constexpr bool hold_range(int bits, bool is_signed, std::int32_t min, std::int32_t max) {
  const std::int32_t lowest = is_signed ? -(1 << (bits - 1)) : 0;
  return lowest <= min && min < max && max <= lowest + (1 << bits) - 1;
}
}  // namespace detail

/// Any number format: `Code` is the C++ type codes are handed out in, of one byte, or of two for 16 bits; `bits` what a
/// code takes in memory (1 to 8, or 16), `name` what files and tables call it.
template <class F>
concept Format = requires {
  typename F::Code;
  { F::bits } -> std::convertible_to<int>;
  { F::name } -> std::convertible_to<std::string_view>;
  requires detail::is_packable(F::bits, sizeof(typename F::Code));
};

/// A format whose codes are the integers [F::min, F::max], two at least, which F::bits bits hold; as two's complement
/// where `Code` is signed.
template <class F>
concept IntegerFormat = Format<F> && std::integral<typename F::Code> && requires {
  { F::min } -> std::convertible_to<std::int32_t>;
  { F::max } -> std::convertible_to<std::int32_t>;
  requires detail::hold_range(F::bits, std::is_signed_v<typename F::Code>, F::min, F::max);
};

/// A format whose code i stands for F::levels[i]: a std::array of up to 2^bits floats, finite, in any order, of which
/// one is positive or negative at least. `Code` is std::uint8_t.
template <class F>
concept CodebookFormat = Format<F> && std::same_as<typename F::Code, std::uint8_t> && requires {
  { F::levels[0] } -> std::convertible_to<float>;
  requires F::levels.size() >= 1 && F::levels.size() <= (std::size_t{1} << F::bits);
};

/// A format whose codes are a sign, F::exponent_bits and F::fraction_bits (format/floating.hpp), 1 + both bits wide.
template <class F>
concept FloatingFormat = Format<F> && std::unsigned_integral<typename F::Code> && requires {
  { F::specials } -> std::convertible_to<Specials>;
  requires F::bits == 1 + F::exponent_bits + F::fraction_bits;
};

/// A format whose codes stand for reals that are not integers.
template <class F>
concept RealFormat = CodebookFormat<F> || FloatingFormat<F>;

/// A format the library can quantize to.
template <class F>
concept ValueFormat = IntegerFormat<F> || RealFormat<F>;

namespace detail {
inline constexpr const char* kIntNames[] = {"", "", "int2", "int3", "int4", "int5", "int6", "int7", "int8",
                                            "", "", "",     "",     "",     "",     "",     "int16"};
inline constexpr const char* kUIntNames[] = {"", "", "uint2", "uint3", "uint4", "uint5", "uint6", "uint7", "uint8",
                                             "", "", "",      "",      "",      "",      "",      "uint16"};
constexpr bool is_integer_width(int b) { return (b >= 2 && b <= 8) || b == 16; }
}  // namespace detail

/// Two's complement integers of b bits: [-2^(b-1), 2^(b-1) - 1]. b is 2 to 8, or 16.
template <int b>
struct Int {
  static_assert(detail::is_integer_width(b), "quanta::Int<b>: b is 2, 3, 4, 5, 6, 7, 8 or 16");
  using Code = std::conditional_t<(b <= 8), std::int8_t, std::int16_t>;  ///< a code as it is handed out
  static constexpr int bits = b;                                         ///< of a code in memory
  static constexpr bool is_signed = true;                                ///< has it negative codes?
  static constexpr std::int32_t min = -(1 << (b - 1));                   ///< the least code
  static constexpr std::int32_t max = (1 << (b - 1)) - 1;                ///< the largest code
  static constexpr std::string_view name = detail::kIntNames[b];         ///< in files and tables: "int8"
};

/// Unsigned integers of b bits: [0, 2^b - 1]. b is 2 to 8, or 16.
template <int b>
struct UInt {
  static_assert(detail::is_integer_width(b), "quanta::UInt<b>: b is 2, 3, 4, 5, 6, 7, 8 or 16");
  using Code = std::conditional_t<(b <= 8), std::uint8_t, std::uint16_t>;  ///< a code as it is handed out
  static constexpr int bits = b;                                           ///< of a code in memory
  static constexpr bool is_signed = false;                                 ///< has it negative codes?
  static constexpr std::int32_t min = 0;                                   ///< the least code
  static constexpr std::int32_t max = (1 << b) - 1;                        ///< the largest code
  static constexpr std::string_view name = detail::kUIntNames[b];          ///< in files and tables: "uint8"
};

QUANTA_NAMESPACE_END
