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

#include <quanta/gemm/kernels/dot_tile.hpp>
#include <quanta/gemm/kernels/ymm_registers.hpp>

#if QUANTA_HAS_AVXVNNIINT8
QUANTA_NAMESPACE_BEGIN

namespace detail {
struct AvxVnniInt8Dot : YmmRegisters {
  using Lhs = std::int8_t;
  using Rhs = std::int8_t;

  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm256_dpbssd_epi32(acc, a, b);
  }
};
}  // namespace detail

template <>
struct Int8Kernel<arch::AvxVnniInt8> : DotTile<detail::AvxVnniInt8Dot, 6> {
  static constexpr const char* name = arch::AvxVnniInt8::name;
};

QUANTA_NAMESPACE_END
#endif
