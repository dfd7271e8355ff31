// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// NEON with I8MM: USMMLA multiplies two rows of 8 unsigned bytes by two columns of 8 signed bytes and adds to a square
// of 2 x 2 int32. For a signed lhs there is SMMLA.
//
//   lhs rows r and r + 1, in pairs     two columns of the panel      one accumulator
//   | r   k0..7 |                      | c   k0..7 |                 | r,c  r,c+1  r+1,c  r+1,c+1 |
//   | r+1 k0..7 |                      | c+1 k0..7 |
//
//   registers   16 accumulators (2 pairs of rows x 8 pairs of columns), 2 of lhs, up to 8 of rhs
//   per block   8 loads of rhs, 2 of lhs, 16 USMMLA
//
// Rows that are where they are become pairs on the way: ZIP1 and ZIP2 of 16 bytes of each are two blocks. That takes a
// ninth of the vector units' time, so where there are panels enough the rows are paired once for all of them.
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/kernels/neon_dot.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_NEONI8MM
#include <arm_neon.h>

#include <type_traits>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Either signedness of the lhs has its instruction.
template <class LhsCode>
struct NeonI8mmTile {
  using Lhs = LhsCode;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::NeonI8mm::name;
  static constexpr std::int32_t kLhsShift = 0;
  static constexpr int kMr = 4;
  static constexpr int kNr = 16;
  static constexpr int kKr = 8;

  /// See MicroKernel.
  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    constexpr int pairs = (rows + 1) / 2;
    Sums<pairs> acc;
    clear(acc);
    // The last row of an odd number stands for two: its second result is not stored.
    const auto second = [](int p) QUANTA_INLINE_LAMBDA { return 2 * p + 1 < rows ? 2 * p + 1 : 2 * p; };
    const Lhs* row = lhs.data;
    for (; blocks >= 2; blocks -= 2, row += 2 * kKr, panel += 2 * kNr * kKr) {
      uint8x16_t first_block[pairs], second_block[pairs];
      QUANTA_UNROLL for (int p = 0; p < pairs; ++p) {
        const uint64x2_t upper = vreinterpretq_u64_u8(vld1q_u8(bytes(row + 2 * p * lhs.stride)));
        const uint64x2_t lower = vreinterpretq_u64_u8(vld1q_u8(bytes(row + second(p) * lhs.stride)));
        first_block[p] = vreinterpretq_u8_u64(vzip1q_u64(upper, lower));
        second_block[p] = vreinterpretq_u8_u64(vzip2q_u64(upper, lower));
      }
      add_block(acc, first_block, panel);
      add_block(acc, second_block, panel + kNr * kKr);
    }
    const auto step = [&](const Lhs* from, Index stride, const Rhs* block) QUANTA_INLINE_LAMBDA {
      uint8x16_t a[pairs];
      QUANTA_UNROLL for (int p = 0; p < pairs; ++p) {
        a[p] = vcombine_u8(vld1_u8(bytes(from + 2 * p * stride)), vld1_u8(bytes(from + second(p) * stride)));
      }
      add_block(acc, a, block);
    };
    if (blocks > 0) {
      step(row, lhs.stride, panel);
      panel += kNr * kKr;
    }
    if (lhs.tail != nullptr) step(lhs.tail, kKr, panel);
    store<rows>(acc, tile, accumulate);
  }

  /// See HasPairedForm.
  template <int rows>
  static void run_paired(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    constexpr int pairs = (rows + 1) / 2;
    Sums<pairs> acc;
    clear(acc);
    const Lhs* pair = lhs.data;
    for (; blocks > 0; --blocks, pair += 2 * kKr, panel += kNr * kKr) {
      uint8x16_t a[pairs];
      QUANTA_UNROLL for (int p = 0; p < pairs; ++p) a[p] = vld1q_u8(bytes(pair + p * lhs.stride));
      add_block(acc, a, panel);
    }
    store<rows>(acc, tile, accumulate);
  }

 private:
  static constexpr int kColumnPairs = kNr / 2;
  template <int pairs>
  using Sums = int32x4_t[pairs][kColumnPairs];

  template <int pairs>
  QUANTA_ALWAYS_INLINE static void clear(int32x4_t (&acc)[pairs][kColumnPairs]) {
    QUANTA_UNROLL for (int p = 0; p < pairs; ++p) {
      QUANTA_UNROLL for (int c = 0; c < kColumnPairs; ++c) acc[p][c] = vdupq_n_s32(0);
    }
  }
  template <int pairs>
  QUANTA_ALWAYS_INLINE static void add_block(int32x4_t (&acc)[pairs][kColumnPairs], const uint8x16_t (&a)[pairs],
                                             const Rhs* block) {
    QUANTA_UNROLL for (int c = 0; c < kColumnPairs; ++c) {
      const int8x16_t b = vld1q_s8(block + c * 16);
      QUANTA_UNROLL for (int p = 0; p < pairs; ++p) acc[p][c] = in_order(multiply_add(acc[p][c], a[p], b));
    }
  }
  template <int rows, int pairs>
  QUANTA_ALWAYS_INLINE static void store(const int32x4_t (&acc)[pairs][kColumnPairs], const SumTile& tile,
                                         bool accumulate) {
    const auto put = [&](std::int32_t* to, int64x2_t two_pairs) QUANTA_INLINE_LAMBDA {
      const int32x4_t sums = vreinterpretq_s32_s64(two_pairs);
      vst1q_s32(to, accumulate ? vaddq_s32(sums, vld1q_s32(to)) : sums);
    };
    QUANTA_UNROLL for (int p = 0; p < pairs; ++p) {
      QUANTA_UNROLL for (int c = 0; c < kColumnPairs / 2; ++c) {
        const int64x2_t left = vreinterpretq_s64_s32(acc[p][2 * c]);
        const int64x2_t right = vreinterpretq_s64_s32(acc[p][2 * c + 1]);
        std::int32_t* const to = tile.data + 2 * p * tile.stride + 4 * c;
        put(to, vzip1q_s64(left, right));
        if (2 * p + 1 < rows) put(to + tile.stride, vzip2q_s64(left, right));
      }
    }
  }
  QUANTA_ALWAYS_INLINE static const std::uint8_t* bytes(const Lhs* p) {
    return reinterpret_cast<const std::uint8_t*>(p);
  }
  QUANTA_ALWAYS_INLINE static int32x4_t multiply_add(int32x4_t acc, uint8x16_t a, int8x16_t b) {
    if constexpr (std::is_signed_v<Lhs>) {
      return vmmlaq_s32(acc, vreinterpretq_s8_u8(a), b);
    } else {
      return vusmmlaq_s32(acc, a, b);
    }
  }
};

}  // namespace detail

template <>
struct Int8Kernel<arch::NeonI8mm> : detail::NeonI8mmTile<std::uint8_t> {
  using OtherSign = detail::NeonI8mmTile<std::int8_t>;
#if QUANTA_HAS_NEONDOT
  using Nibbles = Int8Kernel<arch::NeonDot>::Nibbles;
  using Crumbs = Int8Kernel<arch::NeonDot>::Crumbs;
#endif
};

QUANTA_NAMESPACE_END
#endif
