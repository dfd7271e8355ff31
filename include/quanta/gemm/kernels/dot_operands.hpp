// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A dot instruction of unsigned by signed bytes, for other operands: those of 4 and 2 bits, and a signed lhs.
#pragma once

#include <cstdint>
#include <type_traits>

#include <quanta/gemm/kernels/dot_tile.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The instructions V, which multiply unsigned by signed bytes, for rhs operands of 4 or 2 bits: they are bytes of
/// either kind, and so an lhs of either signedness is read as it is.
template <class V, class LhsCode, int bits>
struct SmallDot : V {
  using Lhs = LhsCode;
  using Rhs = std::uint8_t;
  static constexpr int kRhsBits = bits;
  QUANTA_ALWAYS_INLINE static typename V::Register dot(typename V::Register acc, typename V::Register a,
                                                       typename V::Register b) {
    return std::is_signed_v<LhsCode> ? V::dot(acc, b, a) : V::dot(acc, a, b);
  }
};
/// Dot<LhsCode, bits> are the instructions for an lhs of that type and such operands of the rhs.
template <template <class LhsCode, int bits> class Dot, int mr, int bits>
struct SmallTile : DotTile<Dot<std::int8_t, bits>, mr> {
  using OtherSign = DotTile<Dot<std::uint8_t, bits>, mr>;
};

/// The instructions V for signed lhs bytes where V takes unsigned ones: turning the highest bit, which is
/// V::turn_signs(register), adds 128.
template <class V>
struct SignTurned : V {
  using Lhs = std::int8_t;
  static constexpr std::int32_t kLhsShift = 128;
  QUANTA_ALWAYS_INLINE static typename V::Register broadcast(std::int32_t four) {
    return V::turn_signs(V::broadcast(four));
  }
  QUANTA_ALWAYS_INLINE static typename V::Register load_fours(const void* p) requires PicksFours<V> {
    return V::turn_signs(V::load_fours(p));
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
