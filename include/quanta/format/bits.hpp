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

QUANTA_NAMESPACE_BEGIN
namespace detail {

static_assert(std::endian::native == std::endian::little, "quanta: little-endian machines only");

/// Bytes that n codes of `bits` bits take.
constexpr Index packed_size(Index n, int bits) {
  return n / 8 * bits + ceil_div(n % 8 * bits, 8);  // eight codes at a time, so that n * bits cannot overflow
}

// Eight codes of one byte each and the 8 b bits they are packed in, all in one word: neighbours are joined, or parted,
// in three steps, of bytes, of pairs and of fours.

/// `field` in every part of `width` bits of a word.
constexpr std::uint64_t in_every(int width, std::uint64_t field) {
  return width == 64 ? field : in_every(2 * width, field | field << width);
}

/// The low `bits` bits of every byte, side by side.
template <int bits>
constexpr std::uint64_t join_bytes(std::uint64_t bytes) {
  std::uint64_t v = bytes & in_every(8, (1u << bits) - 1);
  v = (v & in_every(16, 0xff)) | (v & in_every(16, 0xff00)) >> (8 - bits);
  v = (v & in_every(32, 0xffff)) | (v & in_every(32, 0xffff0000)) >> (16 - 2 * bits);
  return (v & 0xffffffff) | (v & 0xffffffff00000000) >> (32 - 4 * bits);
}

/// The other way round: the high bits of the bytes are 0.
template <int bits>
constexpr std::uint64_t part_into_bytes(std::uint64_t joined) {
  constexpr std::uint64_t one = 1, four_codes = (one << 4 * bits) - 1;
  std::uint64_t v = (joined & four_codes) | (joined & four_codes << 4 * bits) << (32 - 4 * bits);
  constexpr std::uint64_t two_codes = (one << 2 * bits) - 1;
  v = (v & in_every(32, two_codes)) | (v & in_every(32, two_codes << 2 * bits)) << (16 - 2 * bits);
  constexpr std::uint64_t code = (one << bits) - 1;
  return (v & in_every(16, code)) | (v & in_every(16, code << bits)) << (8 - bits);
}

/// Writes the codes [first, first + count) of a stream. `first` is a multiple of 8; only the last call of a stream may
/// have a count that is not.
template <class F>
void pack_bits(const typename F::Code* codes, Index first, Index count, std::byte* stream) {
  if constexpr (F::bits == 8 * int(sizeof(typename F::Code))) {
    if (count > 0) std::memcpy(stream + first * (F::bits / 8), codes, usize(count) * sizeof(typename F::Code));
  } else {
    constexpr std::uint64_t mask = (std::uint64_t{1} << F::bits) - 1;
    stream += first / 8 * F::bits;
    Index i = 0;
    if constexpr (sizeof(typename F::Code) == 1) {
      for (; i + 8 <= count; i += 8, stream += F::bits) {
        std::uint64_t word;
        std::memcpy(&word, codes + i, 8);
        word = join_bytes<F::bits>(word);
        std::memcpy(stream, &word, F::bits);
      }
    }
    for (; i < count; i += 8) {
      const Index n = count - i < 8 ? count - i : 8;
      std::uint64_t word = 0;
      for (Index j = 0; j < n; ++j) {
        word |= (static_cast<std::uint64_t>(codes[i + j]) & mask) << (j * F::bits);
      }
      std::memcpy(stream, &word, usize(packed_size(n, F::bits)));
      stream += F::bits;
    }
  }
}

/// Adds the signs to codes of so many bits in the bytes of a word, of which the other bits are 0: each is flipped at
/// its sign bit, and that bit's weight is subtracted.
template <int bits, bool is_signed, class Word>
constexpr Word extend_signs(Word bytes) {
  constexpr Word signs = is_signed ? Word(in_every(8, 1 << (bits - 1))) : Word{0}, highest = Word(in_every(8, 0x80));
  return Word(Word(Word(bytes ^ signs) | highest) - signs) ^ highest;  // byte by byte: none borrows from the next
}

/// The codes of one byte in the bytes of a word, as many as there are: of 2 or 4 bits.
template <int bits, class Word>
constexpr Word part_byte(Word joined) {
  constexpr Word code = (1 << bits) - 1;
  Word bytes = joined & code;
  for (int i = 1; i < int(sizeof(Word)); ++i) {
    bytes = Word(bytes | (Word(joined << i * (8 - bits)) & Word(code << 8 * i)));
  }
  return bytes;
}

/// Reads the codes [first, first + count) of a stream, from any first.
template <class F>
void unpack_bits(const std::byte* stream, Index first, Index count, typename F::Code* codes) {
  if constexpr (F::bits == 8 * int(sizeof(typename F::Code))) {
    if (count > 0) std::memcpy(codes, stream + first * (F::bits / 8), usize(count) * sizeof(typename F::Code));
  } else {
    // To sign-extend: flip the sign bit and subtract its weight.
    constexpr std::int32_t sign = std::is_signed_v<typename F::Code> ? 1 << (F::bits - 1) : 0;
    constexpr std::uint32_t mask = (1u << F::bits) - 1;
    const auto decode = [](std::uint64_t bits) {
      return static_cast<typename F::Code>(
          static_cast<std::int32_t>((static_cast<std::uint32_t>(bits) & mask) ^ std::uint32_t(sign)) - sign);
    };
    const Index last = first + count;
    Index i = first;
    while (i < last) {
      if constexpr (sizeof(typename F::Code) == 1 && (F::bits == 2 || F::bits == 4)) {
        if (i % 8 == 0 && last - i >= 64) {  // byte by byte: the compiler makes vectors of them
          using Parted = std::conditional_t<F::bits == 4, std::uint16_t, std::uint32_t>;
          std::uint8_t joined[8 * F::bits];
          std::memcpy(joined, stream + i / 8 * F::bits, sizeof joined);
          Parted parted[8 * F::bits];
          for (int j = 0; j < 8 * F::bits; ++j)
            parted[j] = extend_signs<F::bits, sign != 0>(part_byte<F::bits, Parted>(joined[j]));
          std::memcpy(codes, parted, sizeof parted);
          codes += 64;
          i += 64;
          continue;
        }
      }
      if (i % 8 == 0 && last - i >= 8) {  // all of a group, in sizes known to the compiler
        std::uint64_t word = 0;
        // Sizes that no register has are put together in memory, which is slow: more is read where there is more.
        constexpr bool odd = F::bits < 8 && (F::bits & (F::bits - 1)) != 0;
        if (odd && (last - i) / 8 * F::bits >= 8) {
          std::memcpy(&word, stream + i / 8 * F::bits, 8);
        } else {
          std::memcpy(&word, stream + i / 8 * F::bits, F::bits);
        }
        if constexpr (sizeof(typename F::Code) == 1) {
          word = extend_signs<F::bits, sign != 0>(part_into_bytes<F::bits>(word));
          std::memcpy(codes, &word, 8);
        } else {
          for (int j = 0; j < 8; ++j) codes[j] = decode(word >> (j * F::bits));
        }
        codes += 8;
        i += 8;
        continue;
      }
      const Index start = i % 8;  // within the group of eight codes that fills `bits` bytes
      const Index stop = last - i + start < 8 ? last - i + start : 8;
      std::uint64_t word = 0;
      std::memcpy(&word, stream + i / 8 * F::bits, usize(packed_size(stop, F::bits)));
      for (Index j = start; j < stop; ++j) *codes++ = decode(word >> (j * F::bits));
      i += stop - start;
    }
  }
}

/// The same for formats of at most 8 bits, whose codes are bytes: one type of function for all of them.
template <class F>
void pack_bytes(const std::uint8_t* codes, Index first, Index count, std::byte* stream) {
  pack_bits<F>(reinterpret_cast<const typename F::Code*>(codes), first, count, stream);
}
template <class F>
void unpack_bytes(const std::byte* stream, Index first, Index count, std::uint8_t* codes) {
  unpack_bits<F>(stream, first, count, reinterpret_cast<typename F::Code*>(codes));
}

}  // namespace detail
QUANTA_NAMESPACE_END
