// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// AVX-VNNI: vpdpbusd on 256 bits, VEX-encoded on CPUs without AVX-512, EVEX-encoded where AVX512-VNNI and VL are there.
//
//   registers   12 accumulators (6 rows x 2 of 8 columns), 2 of rhs, 1 lhs broadcast: 15 of 16; for a signed lhs one
//               more, with the bits to turn
//   per block   2 loads of rhs, 6 broadcast loads of 4 lhs bytes, 12 vpdpbusd: 6 cycles of two dot units
#pragma once

#include <quanta/gemm/kernels/dot_operands.hpp>
#include <quanta/gemm/kernels/ymm_registers.hpp>

#if QUANTA_HAS_AVXVNNI
QUANTA_NAMESPACE_BEGIN

namespace detail {
struct AvxVnniDot : YmmRegistersOfFours {
  static constexpr const char* name = arch::AvxVnni::name;
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;

  QUANTA_ALWAYS_INLINE static Register dot(Register acc, Register a, Register b) {
#if QUANTA_HAS_AVXVNNI_VEX
    return _mm256_dpbusd_avx_epi32(acc, a, b);
#else
    return _mm256_dpbusd_epi32(acc, a, b);
#endif
  }
};
template <class LhsCode, int bits>
using AvxVnniDotOfSmall = SmallDot<AvxVnniDot, LhsCode, bits>;
}  // namespace detail

template <>
struct Int8Kernel<arch::AvxVnni> : DotTile<detail::AvxVnniDot, 6> {
  using OtherSign = DotTile<detail::SignTurned<detail::AvxVnniDot>, 6>;
  using Nibbles = detail::SmallTile<detail::AvxVnniDotOfSmall, 6, 4>;
  using Crumbs = detail::SmallTile<detail::AvxVnniDotOfSmall, 6, 2>;
};

QUANTA_NAMESPACE_END
#endif
