// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Dense bits. Codes of b bits follow each other in a little-endian bit stream without holes: code i takes the bits
// [i * b, (i + 1) * b), the first code the low bits of the first byte.
//
//   b = 4:  byte 0 = code1 code0   byte 1 = code3 code2  ...
//   b = 3:  byte 0 = c2[1:0] c1 c0   byte 1 = c5[0] c4 c3 c2[2]   byte 2 = c7 c6 c5[2:1]
//
// Signed codes are stored as the low b bits of their two's complement. Eight codes always fill b whole bytes.
#pragma once

#include <bit>
#include <cstring>

#include <quanta/format/format.hpp>
#include <quanta/simd/fields.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

static_assert(std::endian::native == std::endian::little, "quanta: little-endian machines only");

/// Bytes that n codes of `bits` bits take.
constexpr Index packed_size(Index n, int bits) {
  return n / 8 * bits + ceil_div(n % 8 * bits, 8);  // eight codes at a time, so that n * bits cannot overflow
}

/// The low `bits` bits of every byte, side by side: neighbours are joined in three steps, bytes, pairs and fours.
template <int bits>
constexpr std::uint64_t join_bytes(std::uint64_t bytes) {
  using simd::in_every;
  std::uint64_t v = bytes & in_every(8, (1u << bits) - 1);
  v = (v & in_every(16, 0xff)) | (v & in_every(16, 0xff00)) >> (8 - bits);
  v = (v & in_every(32, 0xffff)) | (v & in_every(32, 0xffff0000)) >> (16 - 2 * bits);
  return (v & 0xffffffff) | (v & 0xffffffff00000000) >> (32 - 4 * bits);
}

/// Writes the codes [first, first + count) of a stream. `first` is a multiple of 8; only the last call of a stream may
/// have a count that is not.
template <class F>
void pack_bits(const typename F::Code* codes, Index first, Index count, std::byte* stream) {
  if constexpr (F::bits == 8 * int(sizeof(typename F::Code))) {
    if (count > 0) std::memcpy(stream + first * (F::bits / 8), codes, usize(count) * sizeof(typename F::Code));
  } else {
    stream += first / 8 * F::bits;
    std::uint64_t word = 0;
    Index i = 0;
    for (; i + 8 <= count; i += 8, stream += F::bits) {
      std::memcpy(&word, codes + i, 8);
      word = join_bytes<F::bits>(word);
      std::memcpy(stream, &word, F::bits);
    }
    if (i == count) return;
    word = 0;
    std::memcpy(&word, codes + i, usize(count - i));
    word = join_bytes<F::bits>(word);
    std::memcpy(stream, &word, usize(packed_size(count - i, F::bits)));
  }
}

/// Reads the codes [first, first + count) of a stream of `size`, from any first.
template <class F>
void unpack_bits(const std::byte* stream, Index size, Index first, Index count, typename F::Code* codes) {
  if constexpr (F::bits == 8 * int(sizeof(typename F::Code))) {
    if (count > 0) std::memcpy(codes, stream + first * (F::bits / 8), usize(count) * sizeof(typename F::Code));
  } else {
    simd::read_fields<F::bits, std::is_signed_v<typename F::Code>>(stream, size, first, count,
                                                                   reinterpret_cast<std::uint8_t*>(codes));
  }
}

/// The same for formats of at most 8 bits, whose codes are bytes: one type of function for all of them.
template <class F>
void pack_bytes(const std::uint8_t* codes, Index first, Index count, std::byte* stream) {
  pack_bits<F>(reinterpret_cast<const typename F::Code*>(codes), first, count, stream);
}
template <class F>
void unpack_bytes(const std::byte* stream, Index size, Index first, Index count, std::uint8_t* codes) {
  unpack_bits<F>(stream, size, first, count, reinterpret_cast<typename F::Code*>(codes));
}

}  // namespace detail
QUANTA_NAMESPACE_END
