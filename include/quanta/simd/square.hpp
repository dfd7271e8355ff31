// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Squares of bytes, turned: words of as many units as there are words, where unit u of word r and unit r of word u
// change places. A unit is 1, 2, 4 or 8 bytes.
#pragma once

#include <cstdint>

#include <quanta/simd/avx2.hpp>
#include <quanta/simd/neon.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// Of eight bytes: halves of the square change places, then quarters within these, and so on.
struct ScalarSquare {
  using Word = std::uint64_t;

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

/// Of sixteen bytes: each step zips the first half of the words with the second. Zip has the type Word and, for units,
/// low(a, b) and high(a, b): those of the low halves of two words in turns, and of the high ones.
template <class Zip>
struct ZippedSquare {
  using Word = typename Zip::Word;

  template <int unit>
  QUANTA_ALWAYS_INLINE static void turn(Word (&words)[16 / unit]) {
    constexpr int side = 16 / unit;
    QUANTA_UNROLL for (int step = 1; step < side; step *= 2) {
      Word zipped[side];
      QUANTA_UNROLL for (int r = 0; r < side / 2; ++r) {
        zipped[2 * r] = Zip::template low<unit>(words[r], words[r + side / 2]);
        zipped[2 * r + 1] = Zip::template high<unit>(words[r], words[r + side / 2]);
      }
      QUANTA_UNROLL for (int r = 0; r < side; ++r) words[r] = zipped[r];
    }
  }
};

#if QUANTA_HAS_AVX2
using NativeSquare = ZippedSquare<Avx2Zip>;
#elif QUANTA_HAS_NEON
using NativeSquare = ZippedSquare<NeonZip>;
#else
using NativeSquare = ScalarSquare;
#endif

}  // namespace simd
QUANTA_NAMESPACE_END
