// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX-VNNI-INT8: vpdpbssd multiplies 32 signed by 32 signed bytes and adds groups of four to 8 int32; vpdpbsud the same
// with one side unsigned. CPUs that have it have AVX-VNNI too, at the same rate; this kernel spares an lhs of signed
// codes the turning of bits: pack<Int8Kernel<arch::AvxVnniInt8>>.
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
struct AvxVnniInt8Dot : YmmRegistersOfFours {
  static constexpr const char* name = arch::AvxVnniInt8::name;
  using Lhs = std::int8_t;
  using Rhs = std::int8_t;

  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm256_dpbssd_epi32(acc, a, b);
  }
};
struct AvxVnniInt8UnsignedDot : AvxVnniInt8Dot {
  using Lhs = std::uint8_t;

  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
    return _mm256_dpbsud_epi32(acc, b, a);
  }
};
}  // namespace detail

template <>
struct Int8Kernel<arch::AvxVnniInt8> : DotTile<detail::AvxVnniInt8Dot, 6> {
  using OtherSign = DotTile<detail::AvxVnniInt8UnsignedDot, 6>;
};

QUANTA_NAMESPACE_END
#endif
