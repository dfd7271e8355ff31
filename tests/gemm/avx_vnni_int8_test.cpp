// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The AvxVnniInt8 kernel with its two new instructions written out, so that everything else of it runs on any CPU with
// AVX2. That the instructions do the same is Intel's word (Intrinsics Guide, _mm256_dpbssd_epi32, _mm256_dpbsud_epi32).
#define QUANTA_ENABLE_AVXVNNIINT8
#include <cstdint>
#include <cstring>

#if defined(__AVX2__) && !defined(QUANTA_FORCE_SCALAR)
#include <immintrin.h>

namespace quanta::test {

template <class Y>
__m256i dot_with_signed_bytes(__m256i acc, __m256i a, __m256i b) {
  std::uint32_t sums[8];
  std::int8_t x[32];
  Y y[32];
  std::memcpy(sums, &acc, 32);
  std::memcpy(x, &a, 32);
  std::memcpy(y, &b, 32);
  for (int i = 0; i < 32; ++i) sums[i / 4] += static_cast<std::uint32_t>(x[i] * y[i]);
  std::memcpy(&acc, sums, 32);
  return acc;
}

}  // namespace quanta::test

#if !defined(__AVXVNNIINT8__)
#define _mm256_dpbssd_epi32 quanta::test::dot_with_signed_bytes<std::int8_t>
#define _mm256_dpbsud_epi32 quanta::test::dot_with_signed_bytes<std::uint8_t>
#endif

#include "tests/gemm/kernel_checks.hpp"

namespace quanta::test {
namespace {

using SignedKernel = Int8Kernel<arch::AvxVnniInt8>;

TEST(AvxVnniInt8Kernel, IsExactForAllTails) { check_tails<SignedKernel, Int<8>, Int<8>>(); }
TEST(AvxVnniInt8Kernel, IsExactForAllTailsWithUnsignedLhs) { check_tails<SignedKernel, UInt<8>, Int<8>>(); }
TEST(AvxVnniInt8Kernel, IsExactForAllExtremes) { check_extremes<SignedKernel, Int<8>, UInt<8>>(); }
TEST(AvxVnniInt8Kernel, IsExactForEveryGroupSize) { check_groups<SignedKernel, Int<8>, Int<8>>(); }

// Starting from what the tile holds, the largest sums pass 2^31.
TEST(AvxVnniInt8Kernel, AccumulatesModulo2To32) {
  const std::vector<std::int8_t> data(4 * 40000, -128), panel(4 * 40000 * SignedKernel::kNr, -128);
  std::vector<std::int32_t> tile(SignedKernel::kNr, 7);
  for (int pass = 1; pass <= 3; ++pass) {
    SignedKernel::run<1>({data.data(), 0, nullptr}, panel.data(), 40000, {tile.data(), 0}, true);
    for (const std::int32_t sum : tile)
      ASSERT_EQ(sum, static_cast<std::int32_t>(7 + std::int64_t{pass} * 160000 * 16384));
  }
}

}  // namespace
}  // namespace quanta::test
#endif
