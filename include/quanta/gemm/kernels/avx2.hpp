// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX2 without a dot product. What others use for it, vpmaddubsw, adds two products of u8 and s8 in a saturating int16
// and is wrong from 32768 on. So there are two forms, both exact, that read one layout:
//
//   general  bytes are widened to int16 inside their 32-bit lane, the even and the odd ones of four apart, and
//            vpmaddwd adds their products in int32: two instructions where vpmaddubsw is one, and nothing can overflow
//   proven   vpmaddubsw, for panels whose weights cannot reach that bound with any lhs; packing finds out which.
//            All of Int<7> and narrower are such
//
//   registers   8 accumulators (4 rows x 2 of 8 columns), 4 of widened rhs, 2 of widened lhs, 1 mask, 1 product: 16 of
//   16;
//               proven 8, 2 of rhs, 1 lhs broadcast, 1 of ones, 1 product: 13
//   per block   general 2 loads of rhs, 6 to widen it, 4 broadcast loads of 4 lhs bytes, 8 to widen them, 16 vpmaddwd,
//               16 additions: 11.5 cycles of four vector units; proven 8 vpmaddubsw, 8 vpmaddwd, 8 additions: 8 cycles
//               of two multipliers
#pragma once

#include <quanta/core/buffer.hpp>
#include <quanta/core/unroll.hpp>
#include <quanta/gemm/kernels/dot_operands.hpp>
#include <quanta/gemm/kernels/ymm_registers.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_AVX2
#include <immintrin.h>

#include <algorithm>
#include <cstring>
#include <type_traits>

QUANTA_NAMESPACE_BEGIN

namespace detail {

inline constexpr struct alignas(32) {
  std::uint64_t value[4] = {0x8080808080808080, 0x8080808080808080, 0x8080808080808080, 0x8080808080808080};
} kHighestBits;

/// Signed lhs codes become unsigned operands: turning the highest bit adds 128. For these bits no register is left.
template <class LhsCode>
struct Avx2Tile {
  using Lhs = LhsCode;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::Avx2::name;
  static constexpr std::int32_t kLhsShift = std::is_signed_v<Lhs> ? 128 : 0;
  static constexpr int kMr = 4;
  static constexpr int kNr = 16;
  static constexpr int kKr = 4;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    const __m256i even_bytes = _mm256_set1_epi16(0xff);
    multiply<rows>(
        lhs, panel, blocks, tile, accumulate,
        [&](auto& acc, const auto& four, __m256i b0, __m256i b1) QUANTA_INLINE_LAMBDA {
          const __m256i even0 = _mm256_srai_epi16(_mm256_slli_epi16(b0, 8), 8), odd0 = _mm256_srai_epi16(b0, 8);
          const __m256i even1 = _mm256_srai_epi16(_mm256_slli_epi16(b1, 8), 8), odd1 = _mm256_srai_epi16(b1, 8);
          QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
            const __m256i a = four(r);
            const __m256i even = _mm256_and_si256(a, even_bytes), odd = _mm256_srli_epi16(a, 8);
            acc[r][0] = in_order(_mm256_add_epi32(acc[r][0], _mm256_madd_epi16(even, even0)));
            acc[r][1] = in_order(_mm256_add_epi32(acc[r][1], _mm256_madd_epi16(even, even1)));
            acc[r][0] = in_order(_mm256_add_epi32(acc[r][0], _mm256_madd_epi16(odd, odd0)));
            acc[r][1] = in_order(_mm256_add_epi32(acc[r][1], _mm256_madd_epi16(odd, odd1)));
          }
        });
  }

  /// vpmaddubsw adds what steps 0 and 1 of a block contribute, and 2 and 3. No lhs makes it saturate where 255 times
  /// the positive weights of such a pair, and 255 times the negative ones, are int16.
  static bool proves(const Rhs* panel, Index blocks) {
    constexpr Index kPiece = 64;  // blocks: most panels that are not proven are known by the first few
    const __m256i zero = _mm256_setzero_si256(), ones = _mm256_set1_epi8(1);
    for (Index first = 0; first < blocks; first += kPiece) {
      __m256i most = zero, least = zero;  // sums of the positive weights of a pair, and of the negative ones
      for (Index i = first * kNr * kKr; i < std::min(first + kPiece, blocks) * kNr * kKr; i += 32) {
        const __m256i weights = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(panel + i));
        most = _mm256_max_epi16(most, _mm256_maddubs_epi16(ones, _mm256_max_epi8(weights, zero)));
        least = _mm256_min_epi16(least, _mm256_maddubs_epi16(ones, _mm256_min_epi8(weights, zero)));
      }
      const __m256i beyond = _mm256_or_si256(_mm256_cmpgt_epi16(most, _mm256_set1_epi16(32767 / 255)),
                                             _mm256_cmpgt_epi16(_mm256_set1_epi16(-32768 / 255), least));
      if (_mm256_testz_si256(beyond, beyond) == 0) return false;
    }
    return true;
  }

  template <int rows>
  static void run_proven(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    const __m256i ones = _mm256_set1_epi16(1);
    multiply<rows>(
        lhs, panel, blocks, tile, accumulate,
        [&](auto& acc, const auto& four, __m256i b0, __m256i b1) QUANTA_INLINE_LAMBDA {
          QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
            const __m256i a = four(r);
            acc[r][0] = in_order(_mm256_add_epi32(acc[r][0], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b0), ones)));
            acc[r][1] = in_order(_mm256_add_epi32(acc[r][1], _mm256_madd_epi16(_mm256_maddubs_epi16(a, b1), ones)));
          }
        });
  }

 private:
  /// What both forms share. add_block(acc, four, b0, b1) adds a block's products; four(r) are four bytes of lhs row r
  /// in every lane, b0 and b1 the block's columns.
  template <int rows, class AddBlock>
  QUANTA_ALWAYS_INLINE static void multiply(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks,
                                            const SumTile& tile, bool accumulate, AddBlock add_block) {
    __m256i acc[rows][2];
    if (accumulate) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        acc[r][0] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile.data + r * tile.stride));
        acc[r][1] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile.data + r * tile.stride + 8));
      }
    } else {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) acc[r][0] = acc[r][1] = _mm256_setzero_si256();
    }
    const auto step = [&](const Lhs* row, Index stride, const Rhs* block) QUANTA_INLINE_LAMBDA {
      const auto four = [&](int r) QUANTA_INLINE_LAMBDA {
        std::int32_t bytes;
        std::memcpy(&bytes, row + r * stride, sizeof bytes);
        const __m256i a = _mm256_set1_epi32(bytes);
        if constexpr (kLhsShift == 0) return a;
        return _mm256_xor_si256(a, _mm256_load_si256(reinterpret_cast<const __m256i*>(left_in_memory(&kHighestBits))));
      };
      add_block(acc, four, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block)),
                _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32)));
    };
    const Lhs* row = lhs.data;
    for (; blocks > 0; --blocks, row += kKr, panel += kNr * kKr) {
      if constexpr (rows == 1) QUANTA_PREFETCH(panel + kReadAhead);  // CPUs do not look far beyond so many instructions
      step(row, lhs.stride, panel);
    }
    if (lhs.tail != nullptr) step(lhs.tail, kKr, panel);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile.data + r * tile.stride), acc[r][0]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile.data + r * tile.stride + 8), acc[r][1]);
    }
  }
};

}  // namespace detail

namespace detail {
/// vpmaddubsw of operands of at most 4 bits cannot saturate: two products are 2 * 15 * 255 at most.
struct Avx2SmallDot : YmmRegisters {
  static constexpr const char* name = arch::Avx2::name;
  static constexpr int kMostSums = 8;  // one holds ones, and one a product
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;

  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    return in_order(add(acc, _mm256_madd_epi16(_mm256_maddubs_epi16(a, b), _mm256_set1_epi16(1))));
  }
};
template <class LhsCode, int bits>
using Avx2DotOfSmall = SmallDot<Avx2SmallDot, LhsCode, bits>;
}  // namespace detail

template <>
struct Int8Kernel<arch::Avx2> : detail::Avx2Tile<std::uint8_t> {
  using OtherSign = detail::Avx2Tile<std::int8_t>;
  using Nibbles = detail::SmallTile<detail::Avx2DotOfSmall, 4, 4>;
  using Crumbs = detail::SmallTile<detail::Avx2DotOfSmall, 4, 2>;
};

QUANTA_NAMESPACE_END
#endif
