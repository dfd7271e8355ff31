// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// NEON with dot product: SDOT multiplies 16 by 16 signed bytes and adds groups of four to 4 int32; its by-element form
// takes four bytes of one register for all groups, so one load of 16 lhs bytes serves four blocks.
//
//   registers     16 accumulators (8 rows x 2 of 4 columns), 8 of lhs, 2 of rhs: 26 of 32
//   per 4 blocks  8 loads of rhs, 8 of lhs, 64 SDOT
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/kernels/dot_operands.hpp>
#include <quanta/gemm/kernels/neon_lhs.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_NEONDOT
#include <arm_neon.h>

QUANTA_NAMESPACE_BEGIN

namespace detail {

template <class LhsCode>
struct NeonDotTile {
  using Lhs = LhsCode;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::NeonDot::name;
  static constexpr std::int32_t kLhsShift = NeonLhs<Lhs>::kLhsShift;
  static constexpr int kMr = 8;
  static constexpr int kNr = 8;
  static constexpr int kKr = 4;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    int32x4_t acc[rows][2];
    if (accumulate) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        acc[r][0] = vld1q_s32(tile.data + r * tile.stride);
        acc[r][1] = vld1q_s32(tile.data + r * tile.stride + 4);
      }
    } else {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) acc[r][0] = acc[r][1] = vdupq_n_s32(0);
    }
    const Lhs* row = lhs.data;
    for (; blocks >= 4; blocks -= 4, row += 4 * kKr, panel += 4 * kNr * kKr) {
      int8x16_t a[rows];
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) a[r] = NeonLhs<Lhs>::load(row + r * lhs.stride);
      unroll<4>([&](auto block) QUANTA_INLINE_LAMBDA {
        const int8x16_t b0 = vld1q_s8(panel + block * (kNr * kKr));
        const int8x16_t b1 = vld1q_s8(panel + block * (kNr * kKr) + 16);
        QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
          acc[r][0] = in_order(vdotq_laneq_s32(acc[r][0], b0, a[r], block.value));
          acc[r][1] = in_order(vdotq_laneq_s32(acc[r][1], b1, a[r], block.value));
        }
      });
    }
    const auto step = [&acc](const Lhs* from, Index stride, const Rhs* block) QUANTA_INLINE_LAMBDA {
      const int8x16_t b0 = vld1q_s8(block);
      const int8x16_t b1 = vld1q_s8(block + 16);
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        const int8x16_t a = NeonLhs<Lhs>::broadcast_four(from + r * stride);
        acc[r][0] = vdotq_s32(acc[r][0], b0, a);
        acc[r][1] = vdotq_s32(acc[r][1], b1, a);
      }
    };
    for (; blocks > 0; --blocks, row += kKr, panel += kNr * kKr) step(row, lhs.stride, panel);
    if (lhs.tail != nullptr) step(lhs.tail, kKr, panel);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      vst1q_s32(tile.data + r * tile.stride, acc[r][0]);
      vst1q_s32(tile.data + r * tile.stride + 4, acc[r][1]);
    }
  }
};

/// SDOT or UDOT as DotTile takes them, for rhs operands of 4 or 2 bits, which are bytes of either kind.
template <class LhsCode, int bits>
struct NeonDotOfSmall {
  static constexpr const char* name = arch::NeonDot::name;
  using Lhs = LhsCode;
  using Rhs = std::uint8_t;
  using Register = int32x4_t;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 32, kMostSums = 12;
  static constexpr int kRhsBits = bits;
  using Lanes = simd::NeonLanes;
  static constexpr std::int32_t kLhsShift = 0;

  QUANTA_ALWAYS_INLINE static Register zero() { return vdupq_n_s32(0); }
  QUANTA_ALWAYS_INLINE static Register load(const void* p) {
    return vreinterpretq_s32_u8(vld1q_u8(static_cast<const std::uint8_t*>(p)));
  }
  QUANTA_ALWAYS_INLINE static void store(void* p, Register v) { vst1q_s32(static_cast<std::int32_t*>(p), v); }
  QUANTA_ALWAYS_INLINE static Register broadcast(std::int32_t four) { return vdupq_n_s32(four); }
  QUANTA_ALWAYS_INLINE static Register add(Register a, Register b) { return vaddq_s32(a, b); }
  QUANTA_ALWAYS_INLINE static Register low_halves(Register v) {
    return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(v), vdupq_n_u8(15)));
  }
  QUANTA_ALWAYS_INLINE static Register high_halves(Register v) {
    return vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(v), 4));
  }
  QUANTA_ALWAYS_INLINE static Register load_half(const void* p) {
    const uint8x8_t half = vld1_u8(static_cast<const std::uint8_t*>(p));
    return vreinterpretq_s32_u8(vshlq_u8(vcombine_u8(half, half), vcombine_s8(vdup_n_s8(0), vdup_n_s8(-2))));
  }
  QUANTA_ALWAYS_INLINE static Register low_quarters(Register v) {
    return vreinterpretq_s32_u8(vandq_u8(vreinterpretq_u8_s32(v), vdupq_n_u8(3)));
  }
  QUANTA_ALWAYS_INLINE static Register high_quarters(Register v) {
    return low_quarters(vreinterpretq_s32_u8(vshrq_n_u8(vreinterpretq_u8_s32(v), 4)));
  }
  template <int lane>
  QUANTA_ALWAYS_INLINE static Register dot_lane(Register acc, Register a, Register b) {
    if constexpr (std::is_signed_v<Lhs>) {
      return vdotq_laneq_s32(acc, vreinterpretq_s8_s32(b), vreinterpretq_s8_s32(a), lane);
    } else {
      return vreinterpretq_s32_u32(
          vdotq_laneq_u32(vreinterpretq_u32_s32(acc), vreinterpretq_u8_s32(b), vreinterpretq_u8_s32(a), lane));
    }
  }
  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    if constexpr (std::is_signed_v<Lhs>) return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
    return vreinterpretq_s32_u32(
        vdotq_u32(vreinterpretq_u32_s32(acc), vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b)));
  }
};

}  // namespace detail

template <>
struct Int8Kernel<arch::NeonDot> : detail::NeonDotTile<std::int8_t> {
  using OtherSign = detail::NeonDotTile<std::uint8_t>;
  using Nibbles = detail::SmallTile<detail::NeonDotOfSmall, 8, 4>;
  using Crumbs = detail::SmallTile<detail::NeonDotOfSmall, 8, 2>;
};

QUANTA_NAMESPACE_END
#endif
