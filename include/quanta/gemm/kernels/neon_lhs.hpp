// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Lhs bytes of either signedness as the signed operands that SMULL and SDOT take: turning the highest bit of an
// unsigned one takes 128 off.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include <quanta/config.hpp>

#if QUANTA_HAS_NEON
#include <arm_neon.h>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class Code>
struct NeonLhs {
  static constexpr std::int32_t kLhsShift = std::is_signed_v<Code> ? 0 : -128;

  QUANTA_ALWAYS_INLINE static int8x16_t load(const Code* from) {
    if constexpr (std::is_signed_v<Code>) {
      return vld1q_s8(from);
    } else {
      return turn_signs(vld1q_u8(from));
    }
  }
  /// Four bytes, repeated.
  QUANTA_ALWAYS_INLINE static int8x16_t broadcast_four(const Code* from) {
    std::int32_t four;
    std::memcpy(&four, from, sizeof four);
    const int32x4_t repeated = vdupq_n_s32(four);
    if constexpr (std::is_signed_v<Code>) {
      return vreinterpretq_s8_s32(repeated);
    } else {
      return turn_signs(vreinterpretq_u8_s32(repeated));
    }
  }

 private:
  QUANTA_ALWAYS_INLINE static int8x16_t turn_signs(uint8x16_t v) {
    return vreinterpretq_s8_u8(veorq_u8(v, vdupq_n_u8(128)));
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
#endif
