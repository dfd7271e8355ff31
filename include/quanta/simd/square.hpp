// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Squares of bytes, turned: words of as many units as there are words, where unit u of word r and unit r of word u
// change places.
//
// And rows of small codes, joined: words of 8 / bits rows, whose bytes hold as many fields of `bits` bits, 4 or 2. Then
// byte s of the words, one behind the other, holds field s of all rows, that of row r at bit r * bits.
//
// Or a row of codes of 4 bits, spread: byte s of two words, one behind the other, holds field s of one.
#pragma once

#include <cstdint>

#include <quanta/simd/avx2.hpp>
#include <quanta/simd/avx512.hpp>
#include <quanta/simd/neon.hpp>
#include <quanta/simd/sse2.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// What words are turned and joined with. A Zip has the type Word and, for units, low(a, b) and high(a, b): those of
/// the low halves of two words in turns, and of the high ones; swap_fields, by which the fields of `bits` bits at odd
/// places of a and those at even places of b change places; and flip, which turns bits. Those of x86 have low_nibbles
/// and high_nibbles, of each byte its low or high half; up, which moves small enough bytes up by `bits` bits; both, the
/// bits of both words; and sub, of bytes modulo 256, too. Here of eight bytes, in units of one.
struct ScalarZip {
  using Word = std::uint64_t;

  template <int unit>
  static Word low(Word a, Word b) {
    static_assert(unit == 1);
    return apart(a) | apart(b) << 8;
  }
  template <int unit>
  static Word high(Word a, Word b) {
    return low<unit>(a >> 32, b >> 32);
  }
  template <int bits>
  static void swap_fields(Word& a, Word& b) {
    const Word changed = (a >> bits ^ b) & (~Word{0} / ((Word{1} << bits) + 1));
    a ^= changed << bits;
    b ^= changed;
  }
  static Word flip(Word a, Word bits) { return a ^ bits; }

 private:
  /// The low four bytes, each with a zero above it.
  static Word apart(Word v) {
    v = ((v & 0xffffffff) | v << 16) & 0x0000ffff0000ffff;
    return (v | v << 8) & 0x00ff00ff00ff00ff;
  }
};

/// Zips the first half of the words with the second.
template <int unit, class Zip, int count>
QUANTA_ALWAYS_INLINE void zip_halves(typename Zip::Word (&words)[count]) {
  typename Zip::Word zipped[count];
  QUANTA_UNROLL for (int r = 0; r < count / 2; ++r) {
    zipped[2 * r] = Zip::template low<unit>(words[r], words[r + count / 2]);
    zipped[2 * r + 1] = Zip::template high<unit>(words[r], words[r + count / 2]);
  }
  QUANTA_UNROLL for (int r = 0; r < count; ++r) words[r] = zipped[r];
}

/// Joins rows.
template <int bits, class Zip>
QUANTA_ALWAYS_INLINE void join_rows(typename Zip::Word (&words)[8 / bits]) {
  static_assert(bits == 4 || bits == 2);
  if constexpr (bits == 2) {
    QUANTA_UNROLL for (int r = 0; r < 2; ++r) Zip::template swap_fields<4>(words[r], words[r + 2]);
  }
  QUANTA_UNROLL for (int r = 0; r < 8 / bits; r += 2) Zip::template swap_fields<bits>(words[r], words[r + 1]);
  QUANTA_UNROLL for (int step = 1; step < 8 / bits; step *= 2) zip_halves<1, Zip>(words);
}

/// Spreads a row.
template <class Zip>
QUANTA_ALWAYS_INLINE void spread_row(typename Zip::Word row, typename Zip::Word (&words)[2]) {
  words[0] = Zip::low_nibbles(row);
  words[1] = Zip::high_nibbles(row);
  zip_halves<1, Zip>(words);
}

/// A square has the type Word, kSide<unit>, how many units a word has, or 0 where it does not turn such units, and
/// turn. What is too small for it the square Smaller moves, if there is one. Where kTurnsHalf it turns half as many
/// rows too: then words have two units of each, the first word the first two.
///
/// Of eight bytes: halves of the square change places, then quarters within these, and so on.
struct ScalarSquare {
  using Zip = ScalarZip;
  using Word = Zip::Word;
  using Smaller = void;
  static constexpr bool kTurnsHalf = false;
  template <int unit>
  static constexpr int kSide = 8 % unit == 0 ? 8 / unit : 0;

  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[8 / unit]) {
    QUANTA_UNROLL for (int apart = 4 / unit; apart > 0; apart /= 2) {
      const int shift = apart * unit * 8;
      const Word low = ~Word{0} / ((Word{1} << shift) + 1);  // every other field of so many bits
      QUANTA_UNROLL for (int r = 0; r < 8 / unit; ++r) {
        if ((r & apart) != 0) continue;
        const Word changed = (words[r] >> shift ^ words[r + apart]) & low;
        words[r] ^= changed << shift;
        words[r + apart] ^= changed;
      }
    }
  }
};

/// Of sixteen bytes, in units of 1, 2, 4 or 8: each step zips the first half of the words with the second.
template <class Zipper>
struct ZippedSquare {
  using Zip = Zipper;
  using Word = typename Zip::Word;
  using Smaller = void;
  static constexpr bool kTurnsHalf = false;
  template <int unit>
  static constexpr int kSide = 16 % unit == 0 ? 16 / unit : 0;

  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[16 / unit]) {
    QUANTA_UNROLL for (int step = 1; step < 16 / unit; step *= 2) zip_halves<unit, Zip>(words);
  }
};

#if QUANTA_HAS_AVX2
/// Each four rows as units of lanes of 16 bytes: word i of the four has unit i of every lane of them.
template <int unit, class Zip, int rows>
QUANTA_ALWAYS_INLINE void zip_fours(typename Zip::Word (&words)[rows], typename Zip::Word (&zipped)[rows / 4][4]) {
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) zipped[r / 4][r % 4] = words[r];
  QUANTA_UNROLL for (int i = 0; i < rows / 4; ++i) {
    zip_halves<unit, Zip>(zipped[i]);
    zip_halves<unit, Zip>(zipped[i]);
  }
}

/// Of 32 bytes, in units of 4: squares of four words within their lanes of 16 bytes, then lanes change places.
struct Avx2Square {
  using Zip = Avx2Zip;
  using Word = Zip::Word;
  using Smaller = ZippedSquare<Sse2Zip>;
  static constexpr bool kTurnsHalf = true;
  template <int unit>
  static constexpr int kSide = unit == 4 ? 8 : 0;

  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[8]) {
    Word rows[2][4];
    zip_fours<unit, Zip>(words, rows);
    QUANTA_UNROLL for (int i = 0; i < 4; ++i) {
      words[i] = Zip::first_lanes(rows[0][i], rows[1][i]);
      words[4 + i] = Zip::last_lanes(rows[0][i], rows[1][i]);
    }
  }
  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[4]) {
    Word rows[1][4];
    zip_fours<unit, Zip>(words, rows);
    QUANTA_UNROLL for (int i = 0; i < 2; ++i) {
      words[i] = Zip::first_lanes(rows[0][2 * i], rows[0][2 * i + 1]);
      words[2 + i] = Zip::last_lanes(rows[0][2 * i], rows[0][2 * i + 1]);
    }
  }
};
#endif

#if QUANTA_HAS_AVX512
/// Of 64 bytes, in the same way.
struct Avx512Square {
  using Zip = Avx512Zip;
  using Word = Zip::Word;
  using Smaller = ZippedSquare<Sse2Zip>;
  static constexpr bool kTurnsHalf = true;
  template <int unit>
  static constexpr int kSide = unit == 4 ? 16 : 0;

  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[16]) {
    Word rows[4][4];
    zip_fours<unit, Zip>(words, rows);
    QUANTA_UNROLL for (int i = 0; i < 4; ++i) {
      const Word first = Zip::first_lanes(rows[0][i], rows[1][i]), last = Zip::last_lanes(rows[0][i], rows[1][i]);
      const Word then = Zip::first_lanes(rows[2][i], rows[3][i]), end = Zip::last_lanes(rows[2][i], rows[3][i]);
      words[i] = Zip::even_lanes(first, then);
      words[4 + i] = Zip::odd_lanes(first, then);
      words[8 + i] = Zip::even_lanes(last, end);
      words[12 + i] = Zip::odd_lanes(last, end);
    }
  }
  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[8]) {
    Word rows[2][4];
    zip_fours<unit, Zip>(words, rows);
    QUANTA_UNROLL for (int i = 0; i < 2; ++i) {
      const Word first = Zip::first_lanes(rows[0][2 * i], rows[1][2 * i]);
      const Word then = Zip::first_lanes(rows[0][2 * i + 1], rows[1][2 * i + 1]);
      const Word last = Zip::last_lanes(rows[0][2 * i], rows[1][2 * i]);
      const Word end = Zip::last_lanes(rows[0][2 * i + 1], rows[1][2 * i + 1]);
      words[i] = Zip::even_lanes(first, then);
      words[2 + i] = Zip::odd_lanes(first, then);
      words[4 + i] = Zip::even_lanes(last, end);
      words[6 + i] = Zip::odd_lanes(last, end);
    }
  }
};
#endif

#if QUANTA_HAS_AVX512
using NativeSquare = Avx512Square;
using NativeZip = Sse2Zip;
#elif QUANTA_HAS_AVX2
using NativeSquare = Avx2Square;
using NativeZip = Sse2Zip;
#elif QUANTA_HAS_SSE2
using NativeSquare = ZippedSquare<Sse2Zip>;
using NativeZip = Sse2Zip;
#elif QUANTA_HAS_NEON
using NativeSquare = ZippedSquare<NeonZip>;
using NativeZip = NeonZip;
#else
using NativeSquare = ScalarSquare;
using NativeZip = ScalarZip;
#endif

}  // namespace simd
QUANTA_NAMESPACE_END
