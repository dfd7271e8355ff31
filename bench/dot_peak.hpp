// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The limit of an int8 product on one core: how many multiply-adds per second the dot instruction reaches when it has
// nothing to wait for. A loop over registers alone, with enough independent accumulators to fill the units. Where there
// is no dot instruction, the multiplication that stands for it.
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

/// `instruction()` returns the dot product of one register's bytes onto an accumulator: acc = dot(acc, a, b).
template <class Register, int kBytes, int kAccumulators = 16, class Dot>
double dot_rate(Register zero, Register one, Dot dot) {
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
    for (int i = 0; i < kRounds; ++i) {
      QUANTA_UNROLL for (int j = 0; j < kAccumulators; ++j) acc[j] = dot(acc[j], one, one);
    }
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    QUANTA_UNROLL for (int j = 0; j < kAccumulators; ++j) {
      const Register last = acc[j];
      asm volatile("" ::"m"(last));
    }
    best = std::max(best, 2.0 * kBytes * kAccumulators * kRounds / seconds);
  }
  return best;
}

/// Operations per second (two per multiply-add) of the kernel's dot instruction, or what stands for it; 0 for a kernel
/// without.
template <class Kernel>
double dot_peak() {
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
  // vpmaddwd, 16 products each. Widening and adding share its units, so the general form cannot reach more than
  // 0.7. Eight accumulators, because GCC 12 does not keep more in the 16 registers there are.
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Avx2>>) {
    return dot_rate<__m256i, 16, 8>(_mm256_setzero_si256(), _mm256_set1_epi16(1),
                                    [](__m256i acc, __m256i a, __m256i) { return _mm256_madd_epi16(acc, a); });
  }
#endif
#if QUANTA_HAS_SSE2
  // pmaddwd, as above.
  if constexpr (std::is_same_v<Kernel, quanta::Int8Kernel<quanta::arch::Sse2>>) {
    return dot_rate<__m128i, 8, 8>(_mm_setzero_si128(), _mm_set1_epi16(1),
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
