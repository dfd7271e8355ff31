// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The sum of bytes, modulo 2^32: what a product needs of its lhs where the weights have zero points.
#pragma once

#include <cstdint>
#include <cstring>

#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// x[0] + ... + x[n - 1], of int8 or uint8, modulo 2^32.
template <class Byte, class L = NativeLanes>
std::int32_t sum_bytes(const Byte* x, Index n) {
  constexpr Index kBytes = sizeof(typename L::I);
  typename L::I acc = L::set_int(0);
  Index i = 0;
  for (; i + kBytes <= n; i += kBytes) acc = L::add_bytes(acc, x + i);
  if (i < n) {
    Byte last[kBytes] = {};
    std::memcpy(last, x + i, usize(n - i));
    acc = L::add_bytes(acc, last);
    i += kBytes;
  }
  const std::uint32_t added = std::is_signed_v<Byte> ? 128u * static_cast<std::uint32_t>(i) : 0u;
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(L::reduce_add_int(acc)) - added);
}

}  // namespace simd
QUANTA_NAMESPACE_END
