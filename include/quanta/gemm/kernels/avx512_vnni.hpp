// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX512-VNNI: vpdpbusd multiplies 64 unsigned by 64 signed bytes and adds groups of four to 16 int32.
//
//   registers   28 accumulators (14 rows x 2 of 16 columns), 2 of rhs, 1 lhs broadcast: 31 of 32
//   per block   2 loads of rhs, 14 broadcast loads of 4 lhs bytes, 28 vpdpbusd: 14 cycles of the two dot units
#pragma once

#include <quanta/core/unroll.hpp>
#include <quanta/gemm/micro_kernel.hpp>

#if QUANTA_HAS_AVX512VNNI
#include <immintrin.h>

#include <cstring>

QUANTA_NAMESPACE_BEGIN

template <>
struct Int8Kernel<arch::Avx512Vnni> {
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  static constexpr const char* name = arch::Avx512Vnni::name;
  static constexpr int kMr = 14;
  static constexpr int kNr = 32;
  static constexpr int kKr = 4;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, std::int32_t* tile, bool accumulate) {
    // Few rows have few sums, which would wait for one another: there blocks take turns with several sets of them.
    constexpr int sets = rows == 1 ? 4 : (rows <= 3 ? 2 : 1);
    __m512i acc[sets][rows][2];
    unroll<sets * rows>([&](auto i) QUANTA_INLINE_LAMBDA {
      acc[i / rows][i % rows][0] = acc[i / rows][i % rows][1] = _mm512_setzero_si512();
    });
    if (accumulate) {
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
        acc[0][r][0] = _mm512_loadu_si512(tile + r * kNr);
        acc[0][r][1] = _mm512_loadu_si512(tile + r * kNr + 16);
      });
    }
    // Two pointers and small multiples of the stride reach all rows: 14 multiples would not fit the general registers.
    const auto step = [&acc](auto set, const Lhs* upper, const Lhs* lower, Index stride, const Rhs* block)
                          QUANTA_INLINE_LAMBDA {
                            const __m512i b0 = _mm512_loadu_si512(block);
                            const __m512i b1 = _mm512_loadu_si512(block + 64);
                            unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
                              std::int32_t four;
                              std::memcpy(&four, (r < 7 ? upper : lower) + r % 7 * stride, sizeof four);
                              const __m512i a = _mm512_set1_epi32(four);
                              acc[set][r][0] = _mm512_dpbusd_epi32(acc[set][r][0], a, b0);
                              acc[set][r][1] = _mm512_dpbusd_epi32(acc[set][r][1], a, b1);
                            });
                          };
    const Lhs* upper = lhs.data;
    const Lhs* lower = rows > 7 ? lhs.data + 7 * lhs.stride : lhs.data;
    for (; blocks >= sets; blocks -= sets, upper += sets * kKr, lower += sets * kKr, panel += sets * kNr * kKr) {
      unroll<sets>([&](auto s) QUANTA_INLINE_LAMBDA {
        step(s, upper + s * kKr, lower + s * kKr, lhs.stride, panel + s * kNr * kKr);
      });
    }
    const std::integral_constant<int, 0> first;
    for (; sets > 1 && blocks > 0; --blocks, upper += kKr, lower += kKr, panel += kNr * kKr) {
      step(first, upper, lower, lhs.stride, panel);
    }
    if (lhs.tail != nullptr) step(first, lhs.tail, lhs.tail + 7 * kKr, kKr, panel);
    unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
      unroll<sets - 1>([&](auto s) QUANTA_INLINE_LAMBDA {
        acc[0][r][0] = _mm512_add_epi32(acc[0][r][0], acc[s + 1][r][0]);
        acc[0][r][1] = _mm512_add_epi32(acc[0][r][1], acc[s + 1][r][1]);
      });
      _mm512_storeu_si512(tile + r * kNr, acc[0][r][0]);
      _mm512_storeu_si512(tile + r * kNr + 16, acc[0][r][1]);
    });
  }
};

QUANTA_NAMESPACE_END
#endif
