// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// SSE2, what every x86-64 has: bytes are widened to int16 inside their 32-bit lane, the even and the odd ones of four
// apart, and pmaddwd adds their products in int32. Nothing can overflow, and an lhs of either sign is read as it is.
// (pmaddubsw, which multiplies bytes and saturates, is newer.)
//
//   registers   8 accumulators (4 rows x 2 of 4 columns), 4 of widened rhs, 2 of widened lhs, 1 mask, 1 product: 16 of
//   16
//   per block   2 loads of rhs, 6 to widen it, 4 broadcasts of 4 lhs bytes, 8 to widen them, 16 pmaddwd, 16 additions
#pragma once

#include <quanta/gemm/kernels/dot_operands.hpp>
#include <quanta/simd/sse2.hpp>

#if QUANTA_HAS_SSE2
QUANTA_NAMESPACE_BEGIN
namespace detail {

/// For these no register is left.
inline constexpr struct alignas(16) {
  std::uint64_t value[2] = {0x00ff00ff00ff00ff, 0x00ff00ff00ff00ff};
} kEvenBytes;

template <class LhsCode>
struct Sse2Dot {
  static constexpr const char* name = arch::Sse2::name;
  using Lhs = LhsCode;
  using Rhs = std::int8_t;
  using Register = __m128i;
  using Lanes = simd::Sse2Lanes;
  static constexpr int kLanes = 4;
  static constexpr int kRegisters = 16, kMostSums = 8;
  static constexpr int kRhsBits = 8;
  static constexpr std::int32_t kLhsShift = 0;

  QUANTA_ALWAYS_INLINE static Register zero() { return _mm_setzero_si128(); }
  QUANTA_ALWAYS_INLINE static Register load(const void* p) { return _mm_loadu_si128(static_cast<const __m128i*>(p)); }
  QUANTA_ALWAYS_INLINE static void store(void* p, Register v) { _mm_storeu_si128(static_cast<__m128i*>(p), v); }
  QUANTA_ALWAYS_INLINE static Register broadcast(std::int32_t four) { return _mm_set1_epi32(four); }
  QUANTA_ALWAYS_INLINE static Register low_halves(Register v) { return _mm_and_si128(v, _mm_set1_epi8(15)); }
  QUANTA_ALWAYS_INLINE static Register high_halves(Register v) { return low_halves(_mm_srli_epi32(v, 4)); }
  QUANTA_ALWAYS_INLINE static Register load_half(const void* p) {
    const Register half = _mm_loadl_epi64(static_cast<const __m128i*>(p));
    return _mm_unpacklo_epi64(half, _mm_srli_epi64(half, 2));
  }
  QUANTA_ALWAYS_INLINE static Register low_quarters(Register v) { return _mm_and_si128(v, _mm_set1_epi8(3)); }
  QUANTA_ALWAYS_INLINE static Register high_quarters(Register v) { return low_quarters(_mm_srli_epi32(v, 4)); }
  QUANTA_ALWAYS_INLINE static Register add(Register a, Register b) { return _mm_add_epi32(a, b); }
  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    acc = _mm_add_epi32(acc, _mm_madd_epi16(even<Lhs>(a), even<Rhs>(b)));
    return _mm_add_epi32(acc, _mm_madd_epi16(odd<Lhs>(a), odd<Rhs>(b)));
  }

 private:
  /// Bytes of 16-bit units, the lower and the upper ones, as int16.
  template <class Byte>
  QUANTA_ALWAYS_INLINE static Register even(Register v) {
    if constexpr (std::is_signed_v<Byte>) return _mm_srai_epi16(_mm_slli_epi16(v, 8), 8);
    return _mm_and_si128(v, _mm_load_si128(reinterpret_cast<const __m128i*>(left_in_memory(&kEvenBytes))));
  }
  template <class Byte>
  QUANTA_ALWAYS_INLINE static Register odd(Register v) {
    return std::is_signed_v<Byte> ? _mm_srai_epi16(v, 8) : _mm_srli_epi16(v, 8);
  }
};
template <class LhsCode, int bits>
using Sse2DotOfSmall = SmallDot<Sse2Dot<std::uint8_t>, LhsCode, bits>;

}  // namespace detail

template <>
struct Int8Kernel<arch::Sse2> : DotTile<detail::Sse2Dot<std::uint8_t>, 4> {
  using OtherSign = DotTile<detail::Sse2Dot<std::int8_t>, 4>;
  using Nibbles = detail::SmallTile<detail::Sse2DotOfSmall, 4, 4>;
  using Crumbs = detail::SmallTile<detail::Sse2DotOfSmall, 4, 2>;
};

QUANTA_NAMESPACE_END
#endif
