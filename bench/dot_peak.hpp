// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The limit of an int8 product on one core: how many multiply-adds per second the dot instruction reaches when it has
// nothing to wait for. A loop over registers alone, with enough independent accumulators to fill the units. Where there
// is no dot instruction, the multiplications that stand for it.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <quanta/gemm/kernels/native.hpp>

#if QUANTA_HAS_SSE2
#include <immintrin.h>
#elif QUANTA_HAS_NEON
#include <arm_neon.h>
#endif

namespace bench {

/// Operations per second of `round(acc)`, which does `operations` with so many accumulators and with nothing but
/// registers.
template <int kAccumulators, class Register, class Round>
QUANTA_ALWAYS_INLINE double rate_of(double operations, Register zero, Round round) {
  constexpr int kRounds = 20000;
  double best = 0.0;
  for (int attempt = 0; attempt < 20; ++attempt) {
    Register acc[kAccumulators];
    QUANTA_UNROLL for (int j = 0; j < kAccumulators; ++j) {
      Register first = zero;
      asm volatile("" : "+m"(first));  // equal accumulators would become one
      acc[j] = first;
    }
    const auto start = std::chrono::steady_clock::now();
    for (int i = 0; i < kRounds; ++i) round(acc);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    QUANTA_UNROLL for (int j = 0; j < kAccumulators; ++j) {
      const Register last = acc[j];
      asm volatile("" ::"m"(last));
    }
    best = std::max(best, operations * kRounds / seconds);
  }
  return best;
}

/// Of one number of accumulators. `dot(acc, a, b)` adds the dot products of two registers' bytes to acc.
template <class Register, int kBytes, int kAccumulators, class Dot>
double dot_rate_of(Register zero, Register one, Dot dot) {
  return rate_of<kAccumulators>(2.0 * kBytes * kAccumulators, zero,
                                [&](Register(&acc)[kAccumulators]) QUANTA_INLINE_LAMBDA {
                                  QUANTA_UNROLL for (int j = 0; j < kAccumulators; ++j) acc[j] = dot(acc[j], one, one);
                                });
}

/// The highest rate of several numbers of accumulators: eight do not fill all units, and from 16 on Zen 5 gives most of
/// the instructions to one of its two units.
template <class Register, int kBytes, class Dot>
double dot_rate(Register zero, Register one, Dot dot) {
  return std::max({dot_rate_of<Register, kBytes, 8>(zero, one, dot), dot_rate_of<Register, kBytes, 10>(zero, one, dot),
                   dot_rate_of<Register, kBytes, 12>(zero, one, dot)});
}

#if QUANTA_HAS_AVX2
/// v, which the compiler takes for another value: what is made of it is made again.
inline __m256i another(__m256i v) {
  asm volatile("" : "+x"(v));
  return v;
}

/// What a block of 4 rows, 16 columns and 4 steps takes in the two forms of the AVX2 kernel (gemm/kernels/avx2.hpp),
/// but loads and stores.
QUANTA_ALWAYS_INLINE void general_avx2_block(__m256i (&acc)[8], __m256i one) {
  const __m256i b0 = another(one), b1 = another(one);
  const __m256i even0 = _mm256_srai_epi16(_mm256_slli_epi16(b0, 8), 8), odd0 = _mm256_srai_epi16(b0, 8);
  const __m256i even1 = _mm256_srai_epi16(_mm256_slli_epi16(b1, 8), 8), odd1 = _mm256_srai_epi16(b1, 8);
  QUANTA_UNROLL for (int r = 0; r < 4; ++r) {
    const __m256i a = another(one);
    const __m256i even = _mm256_and_si256(a, one), odd = _mm256_srli_epi16(a, 8);
    acc[2 * r] = _mm256_add_epi32(acc[2 * r], _mm256_madd_epi16(even, even0));
    acc[2 * r + 1] = _mm256_add_epi32(acc[2 * r + 1], _mm256_madd_epi16(even, even1));
    acc[2 * r] = another(_mm256_add_epi32(acc[2 * r], _mm256_madd_epi16(odd, odd0)));
    acc[2 * r + 1] = another(_mm256_add_epi32(acc[2 * r + 1], _mm256_madd_epi16(odd, odd1)));
  }
}
QUANTA_ALWAYS_INLINE void proven_avx2_block(__m256i (&acc)[8], __m256i one) {
  QUANTA_UNROLL for (int r = 0; r < 4; ++r) {
    QUANTA_UNROLL for (int v = 0; v < 2; ++v) {
      const __m256i pairs = _mm256_maddubs_epi16(another(one), one);
      acc[2 * r + v] = another(_mm256_add_epi32(acc[2 * r + v], _mm256_madd_epi16(pairs, one)));
    }
  }
}
template <auto block>
double avx2_rate() {
  const __m256i one = another(_mm256_set1_epi8(1));
  return rate_of<8>(2.0 * 4 * 16 * 4, _mm256_setzero_si256(),
                    [&](__m256i(&acc)[8]) QUANTA_INLINE_LAMBDA { block(acc, one); });
}
#endif

/// Operations per second (two per multiply-add) of the kernel's dot instruction, or what stands for it; 0 for a kernel
/// without. That of AVX2 is all that its kernel does with registers, for weights of seven bits by its proven form.
template <class Kernel>
double dot_peak([[maybe_unused]] bool seven_bits) {
#if QUANTA_HAS_AVX512VNNI
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Avx512Vnni>>) {
    return dot_rate<__m512i, 64>(_mm512_setzero_si512(), _mm512_set1_epi8(1),
                                 [](__m512i acc, __m512i a, __m512i b) { return _mm512_dpbusd_epi32(acc, a, b); });
  }
#endif
#if QUANTA_HAS_AVXVNNIINT8
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::AvxVnniInt8>>) {
    return dot_rate<__m256i, 32>(_mm256_setzero_si256(), _mm256_set1_epi8(1),
                                 [](__m256i acc, __m256i a, __m256i b) { return _mm256_dpbssd_epi32(acc, a, b); });
  }
#endif
#if QUANTA_HAS_AVX2
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Avx2>>) {
    return seven_bits ? avx2_rate<proven_avx2_block>() : avx2_rate<general_avx2_block>();
  }
#endif
#if QUANTA_HAS_SSE2
  // pmaddwd, 8 products each. Widening and adding share its units, so the kernel cannot reach more than 0.7.
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Sse2>>) {
    return dot_rate<__m128i, 8>(_mm_setzero_si128(), _mm_set1_epi16(1),
                                [](__m128i acc, __m128i a, __m128i) { return _mm_madd_epi16(acc, a); });
  }
#endif
#if QUANTA_HAS_AVXVNNI
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::AvxVnni>>) {
    return dot_rate<__m256i, 32>(_mm256_setzero_si256(), _mm256_set1_epi8(1), [](__m256i acc, __m256i a, __m256i b) {
#if QUANTA_HAS_AVXVNNI_VEX
      return _mm256_dpbusd_avx_epi32(acc, a, b);
#else
      return _mm256_dpbusd_epi32(acc, a, b);
#endif
    });
  }
#endif
#if QUANTA_HAS_NEON
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Neon>>) {
    return dot_rate<int16x8_t, 8>(vdupq_n_s16(0), vdupq_n_s16(1), [](int16x8_t acc, int16x8_t a, int16x8_t) {
      return vmull_s8(vget_low_s8(vreinterpretq_s8_s16(acc)), vget_low_s8(vreinterpretq_s8_s16(a)));
    });
  }
#endif
#if QUANTA_HAS_NEONI8MM
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::NeonI8mm>>) {
    return dot_rate<int32x4_t, 32>(vdupq_n_s32(0), vdupq_n_s32(0x01010101),
                                   [](int32x4_t acc, int32x4_t a, int32x4_t b) {
                                     return vusmmlaq_s32(acc, vreinterpretq_u8_s32(a), vreinterpretq_s8_s32(b));
                                   });
  }
#endif
#if QUANTA_HAS_NEONDOT
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::NeonDot>>) {
    return dot_rate<int32x4_t, 16>(vdupq_n_s32(0), vdupq_n_s32(0x01010101),
                                   [](int32x4_t acc, int32x4_t a, int32x4_t b) {
                                     return vdotq_s32(acc, vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b));
                                   });
  }
#endif
  return 0.0;
}

}  // namespace bench
