// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes in packed panels (gemm/packed_codes.hpp) to levels, in registers. A decoder says how wide codes are and
// what level a lane's code has; formats that differ in a table alone share one.
//
//   SmallLevels    up to 4 bits, any format           a table in registers
//   IntegerLevels  integers of up to 16 bits          the integer as float
//   WordLevels     4 bits, any format, on NEON        tables of bytes in registers
//   FloatLevels    floating formats                   by their bits
//   HalfLevels     Fp16 and E5M2, where the CPU can   by an instruction
//   TableLevels    codebooks of 5 to 8 bits           a table in memory
#pragma once

#include <array>

#include <quanta/core/unroll.hpp>
#include <quanta/format/coding.hpp>
#include <quanta/gemm/packed_codes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Every decoder has `bits`, and the type `Code` that codes of 8 and 16 bits are loaded as. It is made of a table of
/// levels, for lanes L, where it needs one: 16 for SmallLevels, one for each code for TableLevels.
/// level<at>(word) is that of the code in the bits [at, at + bits) of each lane, whatever the others are; codes of 8
/// and 16 bits come alone.
template <class L, int b>
struct SmallLevels {
  static constexpr int bits = b;
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
  static constexpr int bits = b;
  using Code = std::conditional_t<is_signed, std::int8_t, std::uint8_t>;

  explicit IntegerLevels(const float*) {}
  template <int at = 0>
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I word) const {
    if constexpr (b < 8) {
      // Under the exponent of `offset` a code is that much too large, wherever in the fraction it is.
      constexpr float offset = static_cast<float>(1 << (23 - at));
      const typename L::I code = L::and_int(word, L::set_int(((1 << b) - 1) << at));
      const typename L::F above = L::from_bits(L::or_int(code, L::float_bits(L::set(offset))));
      return L::add_real(above, L::set(kLowest - offset));
    } else if constexpr (b == 16 && is_signed) {
      return L::add_real(L::to_float(word), L::set(kLowest));
    } else {
      return L::to_float(word);
    }
  }

 private:
  static constexpr float kLowest = is_signed ? -static_cast<float>(1 << (b - 1)) : 0.0f;
};

template <class L, int e, int m, Specials s>
struct FloatLevels {
  static constexpr int bits = 1 + e + m;
  static constexpr bool kSignedBytes = bits == 8 && s != Specials::ieee;
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

/// Formats of 4 bits, all codes of a word at once. Levels are looked up byte by byte: of integers the upper two bytes,
/// the others are 0.
template <class L, bool is_integer>
struct WordLevels : SmallLevels<L, 4> {
  explicit WordLevels(const float* levels) : SmallLevels<L, 4>(levels), bytes_(L::load_byte_tables(levels)) {}
  QUANTA_ALWAYS_INLINE void decode_word(typename L::I word, typename L::F (&levels)[8]) const {
    L::template lookup_nibbles<is_integer>(bytes_, word, levels);
  }

 private:
  typename L::ByteTables bytes_;
};
template <class L>
concept LooksUpNibbles = requires(const float* p) {
  L::load_byte_tables(p);
};
template <class D>
concept DecodesWords = requires {
  &D::decode_word;
};

/// IEEE halves, all their bits or the upper 8 alone, where loading them is converting them.
template <class L, int b>
struct HalfLevels {
  static constexpr int bits = b;
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
  static constexpr int bits = b;
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

template <class L, ValueFormat F>
constexpr auto pick_decoder() {
  if constexpr (IntegerFormat<F>) {
    constexpr bool is_signed = std::is_signed_v<typename F::Code>;
    if constexpr (F::bits == 4 && LooksUpNibbles<L>) {
      return std::type_identity<WordLevels<L, true>>{};
    } else if constexpr (F::bits <= 4 && L::kQuickLookup) {
      return std::type_identity<SmallLevels<L, F::bits>>{};
    } else {
      return std::type_identity<IntegerLevels<L, F::bits, is_signed>>{};
    }
  } else if constexpr (F::bits == 4 && LooksUpNibbles<L>) {
    return std::type_identity<WordLevels<L, false>>{};
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

template <ValueFormat F>
constexpr const float* held_levels() {
  if constexpr (F::bits <= 4) return kSixteenLevels<F>.data();
  if constexpr (CodebookFormat<F>) return kLevels<F>.data();
  return nullptr;
}
/// The table of a format's decoder, null where none has one.
template <ValueFormat F>
inline constexpr const float* kHeldLevels = held_levels<F>();

/// Calls step(k, p, level) for the steps [first, last) of every panel p, of each panel in order. Panels take turns from
/// step to step, or from word to word where a decoder makes all levels of a word at once. `stride` bytes after each row
/// of a panel the next begins.
template <class L, class D, int panels, class Step>
QUANTA_ALWAYS_INLINE void for_each_step(const D& decoder, const std::byte* const (&from)[panels], Index stride,
                                        Index first, Index last, Step step) {
  constexpr Index kAhead = 4096;             // bytes; by themselves CPUs do not look into the next page
  constexpr bool whole = 32 % D::bits == 0;  // words hold whole codes
  const auto load_word = [&](int p, Index number) QUANTA_INLINE_LAMBDA {
    return L::load_int(reinterpret_cast<const std::int32_t*>(from[p] + number * stride));
  };
  constexpr Index row = L::width * (D::bits < 8 ? 4 : D::bits / 8);
  const auto prefetch = [&](int p, Index number) QUANTA_INLINE_LAMBDA {
    if (p * row % Index{kCacheLine} == 0) QUANTA_PREFETCH(from[p] + number * stride + kAhead);
  };
  const auto one = [&](Index k) QUANTA_INLINE_LAMBDA {
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
      typename L::I word;
      if constexpr (!whole) prefetch(p, k * D::bits / 32);
      if constexpr (LoadsWords<D>) {
        word = D::load_words(reinterpret_cast<const typename D::Code*>(from[p] + k * stride));
      } else if constexpr (D::bits == 16) {
        word = L::load_words(reinterpret_cast<const std::uint16_t*>(from[p] + k * stride));
      } else if constexpr (D::bits == 8) {
        word = L::load_bytes(reinterpret_cast<const typename D::Code*>(from[p] + k * stride));
      } else {
        const Index number = k * D::bits / 32;
        const int shift = static_cast<int>(k * D::bits % 32);
        word = L::shift_right_by(load_word(p, number), shift);
        if (!whole && shift > 32 - D::bits) {
          word = L::or_int(word, L::shift_left_by(load_word(p, number + 1), 32 - shift));
        }
      }
      step(k, p, decoder.template level<0>(word));
    }
  };
  Index k = first;
  if constexpr (D::bits < 8 && whole) {
    constexpr int all = 32 / D::bits;
    for (; k < last && k % all != 0; ++k) one(k);
    for (; k + all <= last; k += all) {
      typename L::I words[panels];
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
        words[p] = load_word(p, k / all);
        prefetch(p, k / all);
      }
      if constexpr (DecodesWords<D>) {
        QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
          typename L::F levels[all];
          decoder.decode_word(words[p], levels);
          QUANTA_UNROLL for (int i = 0; i < all; ++i) step(k + i, p, levels[i]);
        }
      } else {
        // The levels of several panels first, then what is done with them, where registers hold so many.
        constexpr int side_by_side = L::width == 16 ? panels : 1;
        unroll<all>([&](auto i) QUANTA_INLINE_LAMBDA {
          constexpr int at = D::bits * i % 16;
          QUANTA_UNROLL for (int p = 0; p < panels; p += side_by_side) {
            typename L::F levels[side_by_side];
            QUANTA_UNROLL for (int j = 0; j < side_by_side; ++j) {
              if constexpr (i > 0 && at == 0) words[p + j] = L::template shift_right<16>(words[p + j]);
              levels[j] = decoder.template level<at>(words[p + j]);
            }
            QUANTA_UNROLL for (int j = 0; j < side_by_side; ++j) step(k + i, p + j, levels[j]);
          }
        });
      }
    }
  }
  for (; k < last; ++k) one(k);
}

}  // namespace detail
QUANTA_NAMESPACE_END
