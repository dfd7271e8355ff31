// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// NEON without dot product: SMULL multiplies 8 by 8 signed bytes to int16, -128 * -128 included, and SADALP adds pairs
// of those to int32. Adding two products in int16 first (SMLAL) would overflow for -128 * -128 twice, and saves nothing
// where multiplications have a pipe of their own. A lane holds every fourth sum of one result, so that no operand is
// broadcast; the lanes are added up at the end.
//
//   registers   24 accumulators (3 rows x 8 columns), 3 of lhs, 1 of rhs, 2 products: 30 of 32
//   per block   8 loads of rhs, 3 of lhs, 48 SMULL, 48 SADALP: 48 cycles of one multiplier and one adder
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/kernels/neon_lhs.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_NEON
#include <arm_neon.h>

QUANTA_NAMESPACE_BEGIN

namespace detail {

template <class LhsCode>
struct NeonTile {
  using Lhs = LhsCode;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::Neon::name;
  static constexpr std::int32_t kLhsShift = NeonLhs<Lhs>::kLhsShift;
  static constexpr int kMr = 3;
  static constexpr int kNr = 8;
  static constexpr int kKr = 16;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    int32x4_t acc[rows][kNr];
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int c = 0; c < kNr; ++c) acc[r][c] = vdupq_n_s32(0);
    }
    const auto step = [&acc](const Lhs* row, Index stride, const Rhs* block) QUANTA_INLINE_LAMBDA {
      int8x16_t a[rows];
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) a[r] = NeonLhs<Lhs>::load(row + r * stride);
      QUANTA_UNROLL for (int c = 0; c < kNr; ++c) {
        const int8x16_t b = vld1q_s8(block + c * kKr);
        QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
          acc[r][c] = vpadalq_s16(acc[r][c], vmull_s8(vget_low_s8(a[r]), vget_low_s8(b)));
          acc[r][c] = in_order(vpadalq_s16(acc[r][c], vmull_high_s8(a[r], b)));
        }
      }
    };
    const Lhs* row = lhs.data;
    for (; blocks > 0; --blocks, row += kKr, panel += kNr * kKr) step(row, lhs.stride, panel);
    if (lhs.tail != nullptr) step(lhs.tail, kKr, panel);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int four = 0; four < kNr / 4; ++four) {
        const int32x4_t* const lanes = acc[r] + four * 4;
        int32x4_t sums = vpaddq_s32(vpaddq_s32(lanes[0], lanes[1]), vpaddq_s32(lanes[2], lanes[3]));
        std::int32_t* const to = tile.data + r * tile.stride + four * 4;
        if (accumulate) sums = vaddq_s32(sums, vld1q_s32(to));
        vst1q_s32(to, sums);
      }
    }
  }
};

}  // namespace detail

template <>
struct Int8Kernel<arch::Neon> : detail::NeonTile<std::int8_t> {
  using OtherSign = detail::NeonTile<std::uint8_t>;
};

QUANTA_NAMESPACE_END
#endif
