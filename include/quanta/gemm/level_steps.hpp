// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The levels of a few packed panels, step by step of k: what words and rows of codes are, and in which order decoders
// (gemm/level_decoders.hpp) get them.
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/level_decoders.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Do words hold whole codes, and so many of them? Words are then decoded at once, see for_each_word.
template <class D>
inline constexpr bool kWholeWords = D::bits < 8 && 32 % D::bits == 0;
template <class D>
inline constexpr Index kWordSteps = kWholeWords<D> ? 32 / D::bits : 1;

/// Asks for what will be read soon, once for each cache line of the rows side by side of several panels.
template <class L, class D>
QUANTA_ALWAYS_INLINE void prefetch_row(int panel, const std::byte* row) {
  constexpr Index kBytes = L::width * (D::bits < 8 ? 4 : D::bits / 8);
  if (panel * kBytes % Index{kCacheLine} == 0) QUANTA_PREFETCH(row + kReadAhead);
}

/// What D takes codes of fewer than 8 bits from.
template <class L, class D>
concept Prepares = D::bits < 8 && requires(typename L::I word){D::prepare(word);
};  // namespace detail
template <class L, class D>
QUANTA_ALWAYS_INLINE typename L::I prepare_word(typename L::I word) {
  // At once, and held: compilers would rather make a part of it anew for every code, or read the word anew.
  if constexpr (Prepares<L, D>) return in_order(D::prepare(word));
  if constexpr (L::width == 16) return in_order(word);
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
    constexpr int side_by_side = L::width == 16 ? std::min(panels, 4) : 1;
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
      // Where rows side by side fill less than a cache line, each line would be asked for more than once.
      constexpr bool fills_line = panels * L::width * D::bits >= 8 * int{kCacheLine};
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
    if (k < last) {  // as every word does that for_each_word takes
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) prefetch_row<L, D>(p, from[p] + k / all * stride);
    }
  }
  for (; k < last; ++k) one(k);
}

}  // namespace detail
QUANTA_NAMESPACE_END
