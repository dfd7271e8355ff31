// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX512-VNNI: vpdpbusd multiplies 64 unsigned by 64 signed bytes and adds groups of four to 16 int32.
//
//   registers   28 accumulators (14 rows x 2 of 16 columns), 2 of rhs, 1 lhs broadcast: 31 of 32; for a signed lhs
//               one more, with the bits to turn
//   per block   2 loads of rhs, 14 broadcast loads of 4 lhs bytes, 28 vpdpbusd: 14 cycles of the two dot units
#pragma once

#include <quanta/gemm/kernels/dot_operands.hpp>

#if QUANTA_HAS_AVX512VNNI
#include <immintrin.h>

QUANTA_NAMESPACE_BEGIN

namespace detail {
/// For these no register is left.
inline constexpr struct alignas(64) {
  std::uint64_t value[8] = {0, 0, 0, 0, 2, 2, 2, 2};
} kShiftsOfHalves;

struct Avx512VnniDot {
  static constexpr const char* name = arch::Avx512Vnni::name;
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  using Register = __m512i;
  static constexpr int kLanes = 16;
  static constexpr int kRegisters = 32, kMostSums = 28;
  static constexpr int kRhsBits = 8;
  using Lanes = simd::Avx512Lanes;
  static constexpr std::int32_t kLhsShift = 0;

  QUANTA_ALWAYS_INLINE static Register zero() { return _mm512_setzero_si512(); }
  QUANTA_ALWAYS_INLINE static Register load(const void* p) { return _mm512_loadu_si512(p); }
  QUANTA_ALWAYS_INLINE static void store(void* p, Register v) { _mm512_storeu_si512(p, v); }
  QUANTA_ALWAYS_INLINE static Register broadcast(std::int32_t four) { return _mm512_set1_epi32(four); }
  QUANTA_ALWAYS_INLINE static Register load_fours(const void* p) {
    return _mm512_maskz_broadcast_i32x4(0xffff, _mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  template <int i>
  QUANTA_ALWAYS_INLINE static Register pick_four(Register v) {
    return _mm512_maskz_shuffle_epi32(0xffff, v, static_cast<_MM_PERM_ENUM>(0x55 * i));
  }
  QUANTA_ALWAYS_INLINE static Register turn_signs(Register v) { return _mm512_xor_si512(v, _mm512_set1_epi8(-128)); }
  QUANTA_ALWAYS_INLINE static Register add(Register a, Register b) { return _mm512_add_epi32(a, b); }
  QUANTA_ALWAYS_INLINE static Register low_halves(Register v) { return _mm512_and_si512(v, _mm512_set1_epi8(15)); }
  QUANTA_ALWAYS_INLINE static Register high_halves(Register v) { return low_halves(Lanes::template shift_right<4>(v)); }
  QUANTA_ALWAYS_INLINE static Register load_half(const void* p) {
    const Register both = _mm512_maskz_broadcast_i64x4(0xff, _mm256_loadu_si256(static_cast<const __m256i*>(p)));
    return _mm512_maskz_srlv_epi64(0xff, both, _mm512_load_si512(left_in_memory(&kShiftsOfHalves)));
  }
  QUANTA_ALWAYS_INLINE static Register low_quarters(Register v) { return _mm512_and_si512(v, _mm512_set1_epi8(3)); }
  QUANTA_ALWAYS_INLINE static Register high_quarters(Register v) {
    return low_quarters(Lanes::template shift_right<4>(v));
  }
  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm512_dpbusd_epi32(acc, a, b);
  }
};
template <class LhsCode, int bits>
using Avx512VnniDotOfSmall = SmallDot<Avx512VnniDot, LhsCode, bits>;
}  // namespace detail

template <>
struct Int8Kernel<arch::Avx512Vnni> : DotTile<detail::Avx512VnniDot, 14> {
  using OtherSign = DotTile<detail::SignTurned<detail::Avx512VnniDot>, 14>;
  using Nibbles = detail::SmallTile<detail::Avx512VnniDotOfSmall, 14, 4>;
  using Crumbs = detail::SmallTile<detail::Avx512VnniDotOfSmall, 14, 2>;
};

QUANTA_NAMESPACE_END
#endif
