// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX-VNNI: vpdpbusd on 256 bits, VEX-encoded on CPUs without AVX-512, EVEX-encoded where AVX512-VNNI and VL are there.
//
//   registers   12 accumulators (6 rows x 2 of 8 columns), 2 of rhs, 1 lhs broadcast: 15 of 16
//   per block   2 loads of rhs, 6 broadcast loads of 4 lhs bytes, 12 vpdpbusd: 6 cycles of two dot units
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_AVXVNNI
#include <immintrin.h>

#include <cstring>

QUANTA_NAMESPACE_BEGIN

template <>
struct Int8Kernel<arch::AvxVnni> {
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::AvxVnni::name;
  static constexpr int kMr = 6;
  static constexpr int kNr = 16;
  static constexpr int kKr = 4;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, std::int32_t* tile, bool accumulate) {
    __m256i acc[rows][2];
    if (accumulate) {
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
        acc[r][0] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + r * kNr));
        acc[r][1] = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(tile + r * kNr + 8));
      });
    } else {
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA { acc[r][0] = acc[r][1] = _mm256_setzero_si256(); });
    }
    const auto step = [&acc](const Lhs* row, Index stride, const Rhs* block) QUANTA_INLINE_LAMBDA {
      const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block));
      const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(block + 32));
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
        std::int32_t four;
        std::memcpy(&four, row + r * stride, sizeof four);
        const __m256i a = _mm256_set1_epi32(four);
        acc[r][0] = dot(acc[r][0], a, b0);
        acc[r][1] = dot(acc[r][1], a, b1);
      });
    };
    const Lhs* row = lhs.data;
    for (; blocks > 0; --blocks, row += kKr, panel += kNr * kKr) step(row, lhs.stride, panel);
    if (lhs.tail != nullptr) step(lhs.tail, kKr, panel);
    unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile + r * kNr), acc[r][0]);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(tile + r * kNr + 8), acc[r][1]);
    });
  }

 private:
  QUANTA_ALWAYS_INLINE static __m256i dot(__m256i acc, __m256i a, __m256i b) {
#if QUANTA_HAS_AVXVNNI_VEX
    return _mm256_dpbusd_avx_epi32(acc, a, b);
#else
    return _mm256_dpbusd_epi32(acc, a, b);
#endif
  }
};

QUANTA_NAMESPACE_END
#endif
