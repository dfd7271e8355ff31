// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX-VNNI-INT8: vpdpbssd multiplies 32 signed by 32 signed bytes and adds groups of four to 8 int32. CPUs that have it
// have AVX-VNNI too, at the same rate, and that one reads the UInt<8> activations of most layers as they are; so this
// kernel is for what AvxVnni must copy and shift by 128, an lhs of signed codes: pack<Int8Kernel<arch::AvxVnniInt8>>.
// Compiled by tests where the compiler can (clang 16, g++ 13), and never run yet: no machine at hand has it.
//
//   registers   12 accumulators (6 rows x 2 of 8 columns), 2 of rhs, 1 lhs broadcast: 15 of 16
//   per block   2 loads of rhs, 6 broadcast loads of 4 lhs bytes, 12 vpdpbssd: 6 cycles of two dot units
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_AVXVNNIINT8
#include <immintrin.h>

#include <cstring>

QUANTA_NAMESPACE_BEGIN

template <>
struct Int8Kernel<arch::AvxVnniInt8> {
  using Lhs = std::int8_t;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::AvxVnniInt8::name;
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
        acc[r][0] = _mm256_dpbssd_epi32(acc[r][0], a, b0);
        acc[r][1] = _mm256_dpbssd_epi32(acc[r][1], a, b1);
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
};

QUANTA_NAMESPACE_END
#endif
