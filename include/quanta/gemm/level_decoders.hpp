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

#include <quanta/core/unroll.hpp>
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

/// Do words hold whole codes, and so many of them? Words are then decoded at once, see for_each_word.
template <class D>
inline constexpr bool kWholeWords = D::bits < 8 && 32 % D::bits == 0;
template <class D>
inline constexpr Index kWordSteps = kWholeWords<D> ? 32 / D::bits : 1;

/// Asks for what will be read soon, once for each cache line of the rows side by side of several panels.
template <class L, class D>
QUANTA_ALWAYS_INLINE void prefetch_row(int panel, const std::byte* row) {
  constexpr Index kAhead = 4096;  // bytes; by themselves CPUs do not look into the next page
  constexpr Index kBytes = L::width * (D::bits < 8 ? 4 : D::bits / 8);
  if (panel * kBytes % Index{kCacheLine} == 0) QUANTA_PREFETCH(row + kAhead);
}

/// What D takes codes of fewer than 8 bits from.
template <class L, class D>
concept Prepares = D::bits < 8 && requires(typename L::I word){D::prepare(word);
};  // namespace detail
template <class L, class D>
QUANTA_ALWAYS_INLINE typename L::I prepare_word(typename L::I word) {
  if constexpr (Prepares<L, D>) return D::prepare(word);
  return word;
}

/// Calls step(i, p, level) for the steps i of one word, at rows[p], of every panel p, in order for each panel. Panels
/// take turns from step to step, or from word to word where a decoder makes all levels of a word at once.
template <class L, class D, int panels, class Step>
QUANTA_ALWAYS_INLINE void for_each_in_word(const D& decoder, const std::byte* const (&rows)[panels], Step step) {
  constexpr int all = kWordSteps<D>;
  const auto load = [](const std::byte* row)
                        QUANTA_INLINE_LAMBDA { return L::load_int(reinterpret_cast<const std::int32_t*>(row)); };
  if constexpr (DecodesWords<D>) {
    constexpr int at_once = L::kNibbleWords;
    static_assert(panels % at_once == 0);
    QUANTA_UNROLL for (int p = 0; p < panels; p += at_once) {
      decltype(decoder.look_up(load(rows[p]))) found[at_once];
      QUANTA_UNROLL for (int j = 0; j < at_once; ++j) found[j] = decoder.look_up(load(rows[p + j]));
      unroll<all>([&](auto i) QUANTA_INLINE_LAMBDA {
        QUANTA_UNROLL for (int j = 0; j < at_once; ++j) {
          step(static_cast<int>(i), p + j, L::template nibble_level<i>(found[j]));
        }
      });
    }
  } else {
    // The levels of several panels first, then what is done with them, where registers hold so many.
    constexpr int side_by_side = L::width == 16 ? panels : 1;
    typename L::I words[panels];
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) words[p] = prepare_word<L, D>(load(rows[p]));
    unroll<all>([&](auto i) QUANTA_INLINE_LAMBDA {
      constexpr int at = D::bits * i % 16;
      QUANTA_UNROLL for (int p = 0; p < panels; p += side_by_side) {
        typename L::F levels[side_by_side];
        QUANTA_UNROLL for (int j = 0; j < side_by_side; ++j) {
          auto& word = words[p + j];
          if constexpr (i > 0 && at == 0) {  // what is prepared has lost its upper bits
            if constexpr (Prepares<L, D>) word = load(left_in_memory(rows[p + j]));
            word = prepare_word<L, D>(L::template shift_right<16>(word));
          }
          levels[j] = decoder.template level<at>(word);
        }
        QUANTA_UNROLL for (int j = 0; j < side_by_side; ++j) step(static_cast<int>(i), p + j, levels[j]);
      }
    });
  }
}

/// Calls step(k, p, level) for the steps [first, last), whole words, of every panel p, of each panel in order. `stride`
/// bytes after each row of a panel the next begins.
template <class L, class D, int panels, class Step>
QUANTA_ALWAYS_INLINE void for_each_word(const D& decoder, const std::byte* const (&from)[panels], Index stride,
                                        Index first, Index last, Step step) {
  constexpr Index all = kWordSteps<D>;
  const std::byte* rows[panels];
  QUANTA_UNROLL for (int p = 0; p < panels; ++p) rows[p] = from[p] + first / all * stride;
  for (Index k = first; k < last; k += all) {
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) prefetch_row<L, D>(p, rows[p]);
    for_each_in_word<L>(decoder, rows,
                        [&](int i, int p, const typename L::F& level) QUANTA_INLINE_LAMBDA { step(k + i, p, level); });
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) rows[p] += stride;
  }
}

/// The same of any steps: of those that are not whole words, one after the other.
template <class L, class D, int panels, class Step>
QUANTA_ALWAYS_INLINE void for_each_step(const D& decoder, const std::byte* const (&from)[panels], Index stride,
                                        Index first, Index last, Step step) {
  const auto load_word = [](const std::byte* row)
                             QUANTA_INLINE_LAMBDA { return L::load_int(reinterpret_cast<const std::int32_t*>(row)); };
  const auto one = [&](Index k) QUANTA_INLINE_LAMBDA {
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
      typename L::I word;
      const Index number = D::bits < 8 ? k * D::bits / 32 : k;
      const std::byte* const row = from[p] + number * stride;
      // Where rows of two panels fill less than a cache line, each line would be asked for more than once.
      constexpr bool fills_line = 2 * L::width * D::bits >= 8 * kCacheLine;
      if constexpr (D::bits < 8 ? !kWholeWords<D> : fills_line) prefetch_row<L, D>(p, row);
      if constexpr (LoadsWords<D>) {
        word = D::load_words(reinterpret_cast<const typename D::Code*>(row));
      } else if constexpr (D::bits == 16) {
        word = L::load_words(reinterpret_cast<const std::uint16_t*>(row));
      } else if constexpr (D::bits == 8) {
        word = L::load_bytes(reinterpret_cast<const typename D::Code*>(row));
      } else {
        const int shift = static_cast<int>(k * D::bits % 32);
        word = L::shift_right_by(load_word(row), shift);
        if (!kWholeWords<D> && shift > 32 - D::bits) {
          word = L::or_int(word, L::shift_left_by(load_word(row + stride), 32 - shift));
        }
        word = prepare_word<L, D>(word);
      }
      step(k, p, decoder.template level<0>(word));
    }
  };
  Index k = first;
  if constexpr (kWholeWords<D>) {
    constexpr Index all = kWordSteps<D>;
    for (; k < last && k % all != 0; ++k) one(k);
    if (const Index whole = last - last % all; k < whole) {
      for_each_word<L>(decoder, from, stride, k, whole, step);
      k = whole;
    }
  }
  for (; k < last; ++k) one(k);
}

}  // namespace detail
QUANTA_NAMESPACE_END
