// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the kernels with a 256-bit dot instruction share: everything that DotTile asks of registers but that
// instruction.
#pragma once

#include <cstdint>

#include <quanta/core/unroll.hpp>
#include <quanta/simd/avx2.hpp>

#if QUANTA_HAS_AVX2
#include <immintrin.h>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// For these no register is left.
inline constexpr struct alignas(32) {
  std::uint64_t value[4] = {0, 0, 2, 2};
} kShiftsOfYmmHalves;

struct YmmRegisters {
  using Register = __m256i;
  static constexpr int kLanes = 8;
  static constexpr int kRegisters = 16, kMostSums = 12;
  static constexpr int kRhsBits = 8;
  using Lanes = simd::Avx2Lanes;
  static constexpr std::int32_t kLhsShift = 0;

  QUANTA_ALWAYS_INLINE static Register zero() { return _mm256_setzero_si256(); }
  QUANTA_ALWAYS_INLINE static Register load(const void* p) {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
  }
  QUANTA_ALWAYS_INLINE static void store(void* p, Register v) { _mm256_storeu_si256(static_cast<__m256i*>(p), v); }
  QUANTA_ALWAYS_INLINE static Register broadcast(std::int32_t four) { return _mm256_set1_epi32(four); }
  QUANTA_ALWAYS_INLINE static Register turn_signs(Register v) { return _mm256_xor_si256(v, _mm256_set1_epi8(-128)); }
  QUANTA_ALWAYS_INLINE static Register low_halves(Register v) { return _mm256_and_si256(v, _mm256_set1_epi8(15)); }
  QUANTA_ALWAYS_INLINE static Register high_halves(Register v) { return low_halves(_mm256_srli_epi32(v, 4)); }
  QUANTA_ALWAYS_INLINE static Register load_half(const void* p) {
    const Register both = _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
    const auto* const shifts = reinterpret_cast<const __m256i*>(left_in_memory(&kShiftsOfYmmHalves));
    return _mm256_srlv_epi64(both, _mm256_load_si256(shifts));
  }
  QUANTA_ALWAYS_INLINE static Register low_quarters(Register v) { return _mm256_and_si256(v, _mm256_set1_epi8(3)); }
  QUANTA_ALWAYS_INLINE static Register high_quarters(Register v) { return low_quarters(_mm256_srli_epi32(v, 4)); }
  QUANTA_ALWAYS_INLINE static Register add(Register a, Register b) { return _mm256_add_epi32(a, b); }
};

/// The same for an instruction that is so fast that with one row loads hold it up.
struct YmmRegistersOfFours : YmmRegisters {
  QUANTA_ALWAYS_INLINE static Register load_fours(const void* p) {
    return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
  }
  template <int i>
  QUANTA_ALWAYS_INLINE static Register pick_four(Register v) {
    return _mm256_shuffle_epi32(v, 0x55 * i);
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
#endif
