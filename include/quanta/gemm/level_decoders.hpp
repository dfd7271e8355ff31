// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes in packed panels (gemm/packed_codes.hpp) to levels, in registers. A decoder says how wide codes are and
// what level a lane's code has; formats that differ in numbers alone share one. All of a format that is known only at
// run time is in HeldLevels.
//
//   SmallLevels    up to 4 bits, any format        a table in registers
//   IntegerLevels  integers of up to 16 bits       the integer as float
//   FloatLevels    floating formats                by their bits
//   TableLevels    codebooks of 5 to 8 bits        a table in memory
#pragma once

#include <array>

#include <quanta/core/unroll.hpp>
#include <quanta/format/coding.hpp>
#include <quanta/gemm/packed_codes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// What is held of a format beside its decoder.
struct HeldLevels {
  const float* table = nullptr;  ///< of SmallLevels, 16 floats, and TableLevels, one for each code
  float lowest = 0.0f;           ///< of IntegerLevels: the level of code 0 as it is held
  float largest = 0.0f;          ///< no |level - zero point| is larger, infinity aside
};

/// Every decoder has `bits`, the type `Code` that codes of 8 and 16 bits are loaded as, kShifted: must
/// HeldLevels::lowest be added to its levels? and kInfinite: can a level be infinite? It is made of HeldLevels, for
/// lanes L; level(code) takes a code in the low bits of each lane, with anything above.
template <class L, int b>
struct SmallLevels {
  static constexpr int bits = b;
  using Code = std::uint8_t;
  static constexpr bool kShifted = false, kInfinite = false;

  explicit SmallLevels(const HeldLevels& levels) : table_(L::load_table(levels.table)) {}
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I code) const { return L::lookup(table_, code); }

 private:
  typename L::Table table_;
};

/// Codes of 8 bits that are signed are loaded as they are; of all others 0 stands for the lowest.
template <class L, int b, bool is_signed = false>
struct IntegerLevels {
  static constexpr int bits = b;
  using Code = std::conditional_t<is_signed, std::int8_t, std::uint8_t>;
  static constexpr bool kShifted = !is_signed, kInfinite = false;

  explicit IntegerLevels(const HeldLevels&) {}
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I code) const {
    if constexpr (b < 8) code = L::and_int(code, L::set_int((1 << b) - 1));
    return L::to_float(code);
  }
};

template <class L, int e, int m, Specials s>
struct FloatLevels {
  static constexpr int bits = 1 + e + m;
  using Code = std::uint8_t;
  static constexpr bool kShifted = false, kInfinite = s == Specials::ieee;

  explicit FloatLevels(const HeldLevels&) {}
  QUANTA_ALWAYS_INLINE typename L::F level(typename L::I code) const {
    return simd::FloatCodes<e, m, s>::template decode_lanes<L>(code);
  }
};

template <class L, int b>
struct TableLevels {
  static constexpr int bits = b;
  using Code = std::uint8_t;
  static constexpr bool kShifted = false, kInfinite = false;

  explicit TableLevels(const HeldLevels& levels) : table_(levels.table) {}
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
    if constexpr (F::bits <= 4 && L::kQuickLookup) {
      return std::type_identity<SmallLevels<L, F::bits>>{};
    } else {
      return std::type_identity<IntegerLevels<L, F::bits, kHeldSigned<F>>>{};
    }
  } else if constexpr (F::bits <= 4) {
    return std::type_identity<SmallLevels<L, F::bits>>{};
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
constexpr HeldLevels make_levels() {
  HeldLevels levels;
  if constexpr (F::bits <= 4) {
    levels.table = kSixteenLevels<F>.data();
  } else if constexpr (CodebookFormat<F>) {
    levels.table = kLevels<F>.data();
  }
  if constexpr (IntegerFormat<F>) {
    const int half = 1 << (F::bits - 1);
    levels.lowest = static_cast<float>(std::is_signed_v<typename F::Code> ? -half : 0);
    levels.largest = static_cast<float>(2 * half);
  } else {
    levels.largest = -lowest_level<F> > highest_level<F> ? -lowest_level<F> : highest_level<F>;
  }
  return levels;
}
template <ValueFormat F>
inline constexpr HeldLevels kLevelsOf = make_levels<F>();

/// Calls step(k, codes) for the steps [first, last) in order; codes[p] are those of panel p, in the low bits.
template <class L, class D, int panels, class Step>
QUANTA_ALWAYS_INLINE void for_each_step(const std::byte* const (&from)[panels], Index first, Index last, Step step) {
  typename L::I codes[panels];
  if constexpr (D::bits >= 8) {
    constexpr int row = L::width * D::bits / 8;
    for (Index k = first; k < last; ++k) {
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
        const std::byte* const at = from[p] + k * row;
        if constexpr (D::bits == 8) {
          codes[p] = L::load_bytes(reinterpret_cast<const typename D::Code*>(at));

        } else {
          codes[p] = L::load_words(reinterpret_cast<const std::uint16_t*>(at));
        }
      }
      step(k, codes);
    }
  } else {
    const auto words = [&](int p, Index row) QUANTA_INLINE_LAMBDA {
      return L::load_int(reinterpret_cast<const std::int32_t*>(from[p]) + row * L::width);
    };
    const auto one = [&](Index k) QUANTA_INLINE_LAMBDA {
      const Index row = k * D::bits / 32;
      const int shift = static_cast<int>(k * D::bits % 32);
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
        codes[p] = L::shift_right_by(words(p, row), shift);
        if (32 % D::bits != 0 && shift > 32 - D::bits) {
          codes[p] = L::or_int(codes[p], L::shift_left_by(words(p, row + 1), 32 - shift));
        }
      }
      step(k, codes);
    };
    Index k = first;
    if constexpr (32 % D::bits == 0) {
      constexpr int all = 32 / D::bits, unrolled = std::min(all, 8);
      while (k < last) {
        if (k % all != 0 || last - k < all) {
          one(k++);
          continue;
        }
        typename L::I word[panels];
        QUANTA_UNROLL for (int p = 0; p < panels; ++p) word[p] = words(p, k / all);
        for (int part = 0; part < all; part += unrolled, k += unrolled) {
          unroll<unrolled>([&](auto i) QUANTA_INLINE_LAMBDA {
            QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
              codes[p] = word[p];
              if constexpr (i > 0) codes[p] = L::template shift_right<D::bits * i>(word[p]);
            }
            step(k + i, codes);
          });
          if constexpr (all > unrolled) {
            QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
              word[p] = L::template shift_right<D::bits * unrolled>(word[p]);
            }
          }
        }
      }
    } else {
      for (; k < last; ++k) one(k);
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
