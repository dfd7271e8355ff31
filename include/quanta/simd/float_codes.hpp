// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Between floats and the codes of small floating formats: a sign, an exponent and a fraction, side by side. By bits and
// one addition, the same for every lane type.
//
//   |x| + c, where c = 2^(23 - m) times the power of two at or below |x|, has |x| rounded to m bits of fraction, half
//   to even, in its low bits. Below the smallest normal number c stays what it is there: that rounds subnormal numbers.
#pragma once

#include <bit>
#include <limits>

#include <quanta/core/types.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN

/// What the codes of a floating format with the largest exponent stand for.
enum class Specials : std::uint8_t {
  none,  ///< numbers, as all others
  nan,   ///< numbers, but NaN where every bit of the fraction is set too (E4M3)
  ieee,  ///< infinity where the fraction is 0, else NaN
};

namespace simd {

/// The layout of a floating format with e bits of exponent and m of fraction. Codes are 1 + e + m bits wide, the sign
/// first; the exponent's bias is 2^(e-1) - 1.
template <int e, int m, Specials s>
struct FloatCodes {
  static_assert(e >= 1 && e <= 8 && m >= 0 && m <= 10 && (s != Specials::nan || m >= 1));
  static constexpr int bias = (1 << (e - 1)) - 1;
  static constexpr std::int32_t magnitude_mask = (1 << (e + m)) - 1;
  static constexpr std::int32_t sign_bit = 1 << (e + m);
  /// The code of the largest number.
  static constexpr std::int32_t max_code = magnitude_mask - (s == Specials::none ? 0 : s == Specials::nan ? 1 : 1 << m);

  /// What a code stands for, exactly. NaN is the one quiet NaN.
  static constexpr float decode(std::int32_t code);
  static constexpr float max() { return decode(max_code); }

  /// The code nearest to v, half to even; beyond the largest number, infinity too, that of the largest. NaN becomes the
  /// code of all bits but the sign, or, where there is no NaN, 0.
  template <class L>
  static typename L::I encode(typename L::F v);
  /// `decode` in lanes; bits above those of a code do not matter.
  template <class L>
  static typename L::F decode_lanes(typename L::I code);
  /// The same of codes of 8 bits that lanes were loaded with as signed bytes, where the format has no infinity; which
  /// NaN it is may differ between lane types.
  template <class L>
  static typename L::F decode_signed_bytes(typename L::I code);
  /// The same where a code is the upper half of a float; which NaN it is may differ between lane types here too.
  template <class L>
  static typename L::F decode_upper_half(typename L::I code);
  static constexpr bool kUpperHalf = e == 8 && m == 7;

 private:
  static constexpr std::int32_t kInfinity = 0x7f800000;
  /// 2^k for k >= -126.
  static constexpr float power(int k) { return std::bit_cast<float>((k + 127) << 23); }
};

// ---- bodies ----

template <int e, int m, Specials s>
constexpr float FloatCodes<e, m, s>::decode(std::int32_t code) {
  const std::int32_t magnitude = code & magnitude_mask, exponent = magnitude >> m;
  float value = 0.0f;
  if (magnitude > max_code) {
    if (s == Specials::nan || magnitude > max_code + 1) return std::numeric_limits<float>::quiet_NaN();
    value = std::numeric_limits<float>::infinity();
  } else if constexpr (e == 8) {
    value = std::bit_cast<float>(magnitude << (23 - m));
  } else {
    const std::int32_t whole = exponent == 0 ? magnitude : (magnitude & ((1 << m) - 1)) | 1 << m;
    value = static_cast<float>(whole) * power((exponent == 0 ? 1 : exponent) - bias - m);
  }
  return (code & sign_bit) != 0 ? -value : value;
}

template <int e, int m, Specials s>
template <class L>
typename L::I FloatCodes<e, m, s>::encode(typename L::F v) {
  using I = typename L::I;
  v = s == Specials::none ? L::nan_to_zero(v) : L::one_nan(v);
  const I any = L::magnitude_bits(v);
  const typename L::F absolute = L::min(L::from_bits(any), L::set(max()));  // of NaN, the largest
  const I bits = L::float_bits(absolute);
  I code;
  if constexpr (e == 8) {  // the float's own exponents: rounding is an addition to the bits
    const I odd = L::and_int(L::template shift_right<23 - m>(bits), L::set_int(1));
    code = L::template shift_right<23 - m>(L::add(L::add(bits, L::set_int((1 << (22 - m)) - 1)), odd));
  } else {
    const I smallest = L::set_int((128 - bias) << 23);  // exponent fields, of the smallest normal number and of v
    const I field = L::max_int(L::and_int(bits, L::set_int(kInfinity)), smallest);
    const I c = L::add(field, L::set_int((23 - m) << 23));
    const I units = L::sub(L::float_bits(L::add_real(absolute, L::from_bits(c))), c);
    code = L::add(units, L::template shift_right<23 - m>(L::sub(field, smallest)));
  }
  code = L::or_int(code, L::and_int(L::sign_mask(v), L::set_int(sign_bit)));
  if constexpr (s != Specials::none) {
    const I is_nan = L::sign_mask(L::from_bits(L::sub(L::set_int(kInfinity), any)));
    code = L::or_int(code, L::and_int(is_nan, L::set_int(magnitude_mask)));
  }
  return code;
}

template <int e, int m, Specials s>
template <class L>
typename L::F FloatCodes<e, m, s>::decode_lanes(typename L::I code) {
  using I = typename L::I;
  if constexpr (kUpperHalf) return L::one_nan(decode_upper_half<L>(code));
  const I magnitude = L::and_int(code, L::set_int(magnitude_mask));
  const I sign = L::template shift_left<31 - e - m>(L::and_int(code, L::set_int(sign_bit)));
  I bits = L::template shift_left<23 - m>(magnitude);
  if constexpr (e < 8) {
    // With the fraction in its place the exponent is too small by the difference of the biases, of subnormal numbers
    // too: one exact product puts that right.
    bits = L::float_bits(L::mul(L::from_bits(bits), L::set(power(127 - bias))));
    if constexpr (s != Specials::none) {
      const I special = L::sign_mask(L::from_bits(L::sub(L::set_int(max_code), magnitude)));
      constexpr std::int32_t quiet_nan = 0x7fc00000;
      bits = L::or_int(bits, L::and_int(special, L::set_int(s == Specials::nan ? quiet_nan : kInfinity)));
    }
  }
  const typename L::F value = L::from_bits(L::or_int(bits, sign));
  return s == Specials::none ? value : L::one_nan(value);
}

template <int e, int m, Specials s>
template <class L>
typename L::F FloatCodes<e, m, s>::decode_signed_bytes(typename L::I code) {
  static_assert(1 + e + m == 8 && e < 8 && s != Specials::ieee);
  // The sign is in all bits above the fields, so in the highest too wherever they are moved.
  constexpr auto fields = static_cast<std::int32_t>(0x80000000u | std::uint32_t{magnitude_mask} << (23 - m));
  const typename L::I bits = L::and_int(L::template shift_left<23 - m>(code), L::set_int(fields));
  const typename L::F value = L::mul(L::from_bits(bits), L::set(power(127 - bias)));
  if constexpr (s == Specials::none) return value;
  return L::nan_where_same(value, L::and_int(code, L::set_int(magnitude_mask)), L::set_int(magnitude_mask));
}

template <int e, int m, Specials s>
template <class L>
typename L::F FloatCodes<e, m, s>::decode_upper_half(typename L::I code) {
  static_assert(kUpperHalf);
  return L::from_bits(L::template shift_left<16>(code));
}

}  // namespace simd
QUANTA_NAMESPACE_END
