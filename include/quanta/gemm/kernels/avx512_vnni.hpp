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

  static constexpr int kNarrow = 16;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, std::int32_t* tile, bool accumulate) {
    multiply<rows, 2>(lhs, panel, blocks, tile, accumulate);
  }
  template <int rows>
  static void run_narrow(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, std::int32_t* tile, bool accumulate) {
    multiply<rows, 1>(lhs, panel, blocks, tile, accumulate);
  }

 private:
  template <int rows, int vectors>
  static void multiply(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, std::int32_t* tile, bool accumulate) {
    // An instruction takes four cycles and two start in each: with fewer than eight sums they would wait for one
    // another. There blocks take turns with several sets of sums.
    constexpr int sets = (7 + rows * vectors) / (rows * vectors);
    __m512i acc[sets][rows][vectors];
    const auto for_each_sum = [](auto f) QUANTA_INLINE_LAMBDA {
      unroll<rows * vectors>([&](auto i) QUANTA_INLINE_LAMBDA {
        f(std::integral_constant<int, i / vectors>{}, std::integral_constant<int, i % vectors>{});
      });
    };
    for_each_sum([&](auto r, auto v) QUANTA_INLINE_LAMBDA {
      unroll<sets>([&](auto s) QUANTA_INLINE_LAMBDA { acc[s][r][v] = _mm512_setzero_si512(); });
    });
    if (accumulate) {
      for_each_sum([&](auto r, auto v)
                       QUANTA_INLINE_LAMBDA { acc[0][r][v] = _mm512_loadu_si512(tile + r * kNr + v * 16); });
    }
    // Two pointers and small multiples of the stride reach all rows: 14 multiples would not fit the general registers.
    const auto step = [&](auto set, const Lhs* upper, const Lhs* lower, Index stride,
                          const Rhs* block) QUANTA_INLINE_LAMBDA {
      __m512i b[vectors];
      unroll<vectors>([&](auto v) QUANTA_INLINE_LAMBDA { b[v] = _mm512_loadu_si512(block + v * 64); });
      unroll<rows>([&](auto r) QUANTA_INLINE_LAMBDA {
        std::int32_t four;
        std::memcpy(&four, (r < 7 ? upper : lower) + r % 7 * stride, sizeof four);
        const __m512i a = _mm512_set1_epi32(four);
        unroll<vectors>([&](auto v)
                            QUANTA_INLINE_LAMBDA { acc[set][r][v] = _mm512_dpbusd_epi32(acc[set][r][v], a, b[v]); });
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
    for_each_sum([&](auto r, auto v) QUANTA_INLINE_LAMBDA {
      unroll<sets - 1>([&](auto s)
                           QUANTA_INLINE_LAMBDA { acc[0][r][v] = _mm512_add_epi32(acc[0][r][v], acc[s + 1][r][v]); });
      _mm512_storeu_si512(tile + r * kNr + v * 16, acc[0][r][v]);
    });
  }
};

QUANTA_NAMESPACE_END
#endif
