// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes in packed panels (gemm/packed_codes.hpp) to levels, in registers. A decoder says how wide codes are and
// what level a lane's code has; formats that differ in a table alone share one.
//
//   SmallLevels    up to 4 bits, any format           a table in registers
//   IntegerLevels  integers of up to 16 bits          the integer as float
//   WordLevels     4 bits, where lanes can            tables of bytes in registers
//   FloatLevels    floating formats                   by their bits
//   HalfLevels     Fp16 and E5M2, where the CPU can   by an instruction
//   TableLevels    codebooks of 5 to 8 bits           a table in memory
#pragma once

#include <algorithm>
#include <array>
#include <bit>

#include <quanta/format/coding.hpp>
#include <quanta/gemm/packed_codes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Every decoder has `bits`, the type `Code` that codes of 8 and 16 bits are loaded as, and `cost`, about how many
/// instructions a level takes. It is made of a table of levels, for lanes L, where it needs one: 16 for SmallLevels,
/// one for each code for TableLevels. level<at>(word) is that of the code in the bits [at, at + bits) of each lane,
/// whatever the others are (prepare_word); codes of 8 and 16 bits come alone.
template <class L, int b>
struct SmallLevels {
  static constexpr int bits = b, cost = L::kQuickLookup ? 2 : 5;
  using Code = std::uint8_t;

  explicit SmallLevels(const float* levels) : table_(L::load_table(levels)) {}
  template <int at = 0>
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I word) const {
    if constexpr (at > 0) word = L::template shift_right<at>(word);
    return L::lookup(table_, word);
  }

 private:
  typename L::Table table_;
};

/// Codes of 8 bits that are signed are loaded as they are; of all others 0 stands for the lowest.
template <class L, int b, bool is_signed>
struct IntegerLevels {
  static constexpr int bits = b, cost = 2;
  using Code = std::conditional_t<is_signed, std::int8_t, std::uint8_t>;

  explicit IntegerLevels(const float*) {}
  /// What words are made before `level` takes codes of fewer than 8 bits from them: with every bit of a float's
  /// exponent set, so that one AND leaves a code and the exponent it needs.
  static typename L::I prepare(typename L::I word) { return L::or_int(word, L::set_int(kExponents)); }
  template <int at = 0>
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I word) const {
    if constexpr (b < 8) {
      static_assert(at + b <= 23);
      // Under the exponent of `offset` a code is that much too large, wherever in the fraction it is.
      constexpr float offset = static_cast<float>(1 << (23 - at));
      constexpr std::int32_t fields = std::bit_cast<std::int32_t>(offset) | ((1 << b) - 1) << at;
      return L::add_real(L::from_bits(L::and_int(word, L::set_int(fields))), L::set(kLowest - offset));
    } else if constexpr (b == 16 && is_signed) {
      return L::add_real(L::to_float(word), L::set(kLowest));
    } else {
      return L::to_float(word);
    }
  }

 private:
  static constexpr float kLowest = is_signed ? -static_cast<float>(1 << (b - 1)) : 0.0f;
  static constexpr std::int32_t kExponents = 0x7f800000;
};

template <class L, int e, int m, Specials s>
struct FloatLevels {
  static constexpr int bits = 1 + e + m;
  static constexpr bool kSignedBytes = bits == 8 && s != Specials::ieee;
  static constexpr int cost = simd::FloatCodes<e, m, s>::kUpperHalf ? 2 : s == Specials::none ? 4 : 7;
  using Code = std::conditional_t<kSignedBytes, std::int8_t, std::uint8_t>;

  explicit FloatLevels(const float*) {}
  template <int at = 0>
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I code) const {
    using Codes = simd::FloatCodes<e, m, s>;
    if constexpr (Codes::kUpperHalf) {
      return Codes::template decode_upper_half<L>(code);
    } else if constexpr (kSignedBytes) {
      return Codes::template decode_signed_bytes<L>(code);
    } else {
      return Codes::template decode_lanes<L>(code);
    }
  }
};

/// Formats of 4 bits, all codes of a word at once. Levels are looked up byte by byte, or the upper two bytes alone
/// where the others are 0.
template <class L, bool upper_halves>
struct WordLevels : SmallLevels<L, 4> {
  static constexpr int cost = 3;
  explicit WordLevels(const float* levels) : SmallLevels<L, 4>(levels), bytes_(L::load_byte_tables(levels)) {}
  QUANTA_ALWAYS_INLINE auto look_up(typename L::I word) const {
    return L::template lookup_nibbles<upper_halves>(bytes_, word);
  }

 private:
  typename L::ByteTables bytes_;
};
template <class L, bool upper_halves>
concept LooksUpNibbles = requires(typename L::ByteTables tables, typename L::I word) {
  L::template lookup_nibbles<upper_halves>(tables, word);
};
template <class D>
concept DecodesWords = requires {
  &D::look_up;
};

/// IEEE halves, all their bits or the upper 8 alone, where loading them is converting them.
template <class L, int b>
struct HalfLevels {
  static constexpr int bits = b, cost = 2;
  using Code = std::conditional_t<b == 16, std::uint16_t, std::uint8_t>;

  explicit HalfLevels(const float*) {}
  static typename L::I load_words(const Code* p) {
    if constexpr (b == 16) {
      return L::float_bits(L::load_halves(p));
    } else {
      return L::float_bits(L::load_upper_halves(p));
    }
  }
  template <int at = 0>
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I word) const {
    return L::from_bits(word);
  }
};
template <class L>
concept LoadsHalves = requires(const std::uint16_t* p) {
  L::load_halves(p);
};
template <class F>
concept IsHalf = FloatingFormat<F> && F::exponent_bits == 5 && F::specials == Specials::ieee &&
                 (F::bits == 16 || F::bits == 8);
template <class D>
concept LoadsWords = requires(const typename D::Code* p) {
  D::load_words(p);
};

template <class L, int b>
struct TableLevels {
  static constexpr int bits = b, cost = 2 * L::width;
  using Code = std::uint8_t;

  explicit TableLevels(const float* levels) : table_(levels) {}
  template <int at = 0>
  typename L::F level(typename L::I code) const {
    std::int32_t codes[L::width];
    float values[L::width];
    L::store_int(codes, L::and_int(code, L::set_int((1 << b) - 1)));
    for (int i = 0; i < L::width; ++i) values[i] = table_[codes[i]];
    return L::load(values);
  }

 private:
  const float* table_;
};

/// Are codes held signed?
template <class F>
inline constexpr bool kHeldSigned = false;
template <IntegerFormat F>
inline constexpr bool kHeldSigned<F> = std::is_signed_v<typename F::Code>&& F::bits == 8;

/// The bits that are turned in codes while they are held, so that 0 is the lowest.
template <class F>
inline constexpr std::uint32_t kHeldFlip = 0;
template <IntegerFormat F>
inline constexpr std::uint32_t kHeldFlip<F> =
    std::is_signed_v<typename F::Code> && !kHeldSigned<F> ? std::uint32_t{1} << (F::bits - 1) : 0;

/// Sixteen levels, by the low four bits of anything that ends in a code as it is held.
template <ValueFormat F>
constexpr std::array<float, 16> sixteen_levels() {
  std::array<float, 16> levels{};
  for (std::size_t i = 0; i < 16; ++i) {
    const std::size_t code = i & ((std::size_t{1} << F::bits) - 1);
    if constexpr (IntegerFormat<F>) {
      constexpr std::int32_t lowest = std::is_signed_v<typename F::Code> ? -(1 << (F::bits - 1)) : 0;
      levels[i] = static_cast<float>(static_cast<std::int32_t>(code) + lowest);
    } else {
      levels[i] = kLevels<F>[code];
    }
  }
  return levels;
}
template <ValueFormat F>
inline constexpr auto kSixteenLevels = sixteen_levels<F>();

/// Are levels of up to 4 bits the upper halves of floats, the lower ones 0?
template <ValueFormat F>
constexpr bool in_upper_halves() {
  if constexpr (F::bits > 4) return false;
  return std::all_of(kSixteenLevels<F>.begin(), kSixteenLevels<F>.end(),
                     [](float level) { return (std::bit_cast<std::uint32_t>(level) & 0xffffu) == 0; });
}

template <class L, class F>
concept InNibbles = F::bits == 4 && LooksUpNibbles<L, in_upper_halves<F>()> && !(IntegerFormat<F> && L::kQuickIntegers);

template <class L, ValueFormat F>
constexpr auto pick_decoder() {
  if constexpr (InNibbles<L, F>) {
    return std::type_identity<WordLevels<L, in_upper_halves<F>()>>{};
  } else if constexpr (IntegerFormat<F>) {
    if constexpr (F::bits <= 4 && L::kQuickLookup) {
      return std::type_identity<SmallLevels<L, F::bits>>{};
    } else {
      return std::type_identity<IntegerLevels<L, F::bits, std::is_signed_v<typename F::Code>>>{};
    }
  } else if constexpr (F::bits <= 4) {
    return std::type_identity<SmallLevels<L, F::bits>>{};
  } else if constexpr (LoadsHalves<L> && IsHalf<F>) {
    return std::type_identity<HalfLevels<L, F::bits>>{};
  } else if constexpr (FloatingFormat<F>) {
    return std::type_identity<FloatLevels<L, F::exponent_bits, F::fraction_bits, F::specials>>{};
  } else {
    return std::type_identity<TableLevels<L, F::bits>>{};
  }
}
/// The decoder of a format.
template <class L, ValueFormat F>
using DecoderOf = typename decltype(pick_decoder<L, F>())::type;

/// The decoder of a format of 8 bits, but for codes that are infinite or NaN, where those cost instructions.
template <class L, class D>
struct Finite {};
template <class L, int e, int m, Specials s>
requires(1 + e + m == 8 && s != Specials::none) struct Finite<L, FloatLevels<L, e, m, s>> {
  using Decoder = FloatLevels<L, e, m, Specials::none>;
  static constexpr int last = simd::FloatCodes<e, m, s>::max_code;
};
template <class L, class D>
concept HasFinite = requires {
  typename Finite<L, D>::Decoder;
};

template <ValueFormat F>
constexpr const float* held_levels() {
  if constexpr (F::bits <= 4) return kSixteenLevels<F>.data();
  if constexpr (CodebookFormat<F>) return kLevels<F>.data();
  return nullptr;
}
/// The table of a format's decoder, null where none has one.
template <ValueFormat F>
inline constexpr const float* kHeldLevels = held_levels<F>();

}  // namespace detail
QUANTA_NAMESPACE_END
