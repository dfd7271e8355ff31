// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Fields of a bit stream (format/bits.hpp), a byte each: of 1 to 7 bits, from any field on.
//
//   stream   ... f4 f3 f2 f1 f0 0 0   the first begins at bit `offset` of its byte; eight of them fill whole bytes, so
//                                     that every eighth begins there again
//   shuffle  f3|f2  f2|f1  f1|f0      each with the byte behind it: no more than two bytes hold a field of 7 bits
//   shift    0 0 f2 0 0 f1 0 0 f0     all by their own, and signs are extended
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <quanta/simd/avx2.hpp>
#include <quanta/simd/neon.hpp>
#include <quanta/simd/sse2.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// `field` in every part of `width` bits of a word.
constexpr std::uint64_t in_every(int width, std::uint64_t field) {
  return width == 64 ? field : in_every(2 * width, field | field << width);
}

/// Reads kCount fields at a time; a reader has kRead, how many bytes it looks at then, of which the last may lie behind
/// the fields, and `read`. Here eight fields in a word: parted in three steps, into fours, pairs and bytes.
template <int bits, bool is_signed>
class ScalarFields {
 public:
  static constexpr Index kCount = 8, kRead = 8;

  explicit ScalarFields(int offset) : offset_(offset) {}

  QUANTA_ALWAYS_INLINE void read(const std::byte* from, std::uint8_t* to) const {
    std::uint64_t word;
    std::memcpy(&word, from, sizeof word);
    word = part<1>(part<2>(part<4>(word >> offset_)));
    // A field is flipped at its sign bit, and that bit's weight is subtracted; none borrows from the next byte.
    constexpr std::uint64_t signs = is_signed ? in_every(8, 1u << (bits - 1)) : 0, highest = in_every(8, 0x80);
    if (is_signed) word = (((word ^ signs) | highest) - signs) ^ highest;
    std::memcpy(to, &word, sizeof word);
  }

 private:
  /// The low `count` fields of every part of 16 * count bits, and as many behind them: each in a half of its own.
  template <int count>
  static std::uint64_t part(std::uint64_t word) {
    constexpr std::uint64_t low = in_every(16 * count, (std::uint64_t{1} << count * bits) - 1);
    return (word & low) | (word << count * (8 - bits) & low << 8 * count);
  }

  int offset_;
};

#if QUANTA_HAS_SSE2
/// Fields of 1 to 8 bits without their signs, a word of kCount at a time (simd/square.hpp), of which the first begins
/// at any bit of its byte, at 0 if they have 8 bits. `read` looks at read_bytes(bits) bytes. Here eight fields in each
/// 64 bits, parted as ScalarFields does.
class Sse2FieldWords {
 public:
  using Word = __m128i;
  static constexpr Index kCount = 16;
  static Index read_bytes(int bits) { return bits + 8; }

  explicit Sse2FieldWords(int bits) : then_(bits) {
    for (int i = 0; i < 3; ++i) {
      const int count = 4 >> i;
      low_[i] = _mm_set1_epi64x(static_cast<long long>(in_every(16 * count, (std::uint64_t{1} << count * bits) - 1)));
      high_[i] = _mm_sll_epi64(low_[i], _mm_cvtsi32_si128(8 * count));
      up_[i] = _mm_cvtsi32_si128(count * (8 - bits));
    }
  }

  QUANTA_ALWAYS_INLINE Word read(const std::byte* from, std::size_t offset) const {
    const Word first = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
    const Word then = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from + then_));
    Word words = _mm_srl_epi64(_mm_unpacklo_epi64(first, then), _mm_cvtsi32_si128(static_cast<int>(offset)));
    words = part<0>(words);
    words = part<1>(words);
    return part<2>(words);
  }

 private:
  template <int step>
  Word part(Word words) const {
    const Word high = _mm_and_si128(_mm_sll_epi64(words, up_[step]), high_[step]);
    return _mm_or_si128(_mm_and_si128(words, low_[step]), high);
  }

  Index then_;
  Word low_[3], high_[3], up_[3];
};
#endif

#if QUANTA_HAS_AVX2
/// Sixteen fields at a time, each at the top of 16 bits.
class Avx2FieldTops {
 public:
  Avx2FieldTops() = default;
  Avx2FieldTops(int bits, int offset) {
    const __m256i number = _mm256_setr_epi16(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
    const __m256i bit =
        _mm256_add_epi16(_mm256_mullo_epi16(number, _mm256_set1_epi16(short(bits))), _mm256_set1_epi16(short(offset)));
    const __m256i byte = _mm256_srli_epi16(bit, 3), shift = _mm256_and_si256(bit, _mm256_set1_epi16(7));
    pick_ = _mm256_add_epi16(_mm256_mullo_epi16(byte, _mm256_set1_epi16(0x101)), _mm256_set1_epi16(0x100));
    // There is no shift of 16 bits by its own count: fields are multiplied, and end at the top.
    const __m256i powers = _mm256_set1_epi64x(0x0102040810204080);
    const __m256i power = _mm256_shuffle_epi8(powers, _mm256_or_si256(shift, _mm256_set1_epi16(short(0x8000))));
    power_ = _mm256_sll_epi16(power, _mm_cvtsi32_si128(9 - bits));
  }

  QUANTA_ALWAYS_INLINE __m256i read(const std::byte* from) const {
    const __m256i both = _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    return _mm256_mullo_epi16(_mm256_shuffle_epi8(both, pick_), power_);
  }

 private:
  __m256i pick_, power_;
};

template <int bits, bool is_signed>
class Avx2Fields {
 public:
  static constexpr Index kCount = 32, kRead = 2 * bits + 16;

  explicit Avx2Fields(int offset) : tops_(bits, offset) {}

  QUANTA_ALWAYS_INLINE void read(const std::byte* from, std::uint8_t* to) const {
    // Two times eight fields and, behind them, two times eight; quarters change places when they are packed.
    const __m256i bytes = _mm256_packs_epi16(down(tops_.read(from)), down(tops_.read(from + 2 * bits)));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), _mm256_permute4x64_epi64(bytes, 0xd8));
  }

 private:
  static __m256i down(__m256i top) {
    return is_signed ? _mm256_srai_epi16(top, 16 - bits) : _mm256_srli_epi16(top, 16 - bits);
  }

  Avx2FieldTops tops_;
};

/// Words of sixteen and sixteen.
class Avx2FieldWords {
 public:
  using Word = __m256i;
  static constexpr Index kCount = 32;
  static Index read_bytes(int bits) { return 2 * bits + 16; }

  explicit Avx2FieldWords(int bits) : then_(2 * bits), down_(_mm_cvtsi32_si128(16 - bits)) {
    for (int offset = 0; offset < 8; ++offset) tops_[offset] = Avx2FieldTops(bits, offset);
  }

  QUANTA_ALWAYS_INLINE Word read(const std::byte* from, std::size_t offset) const {
    const Avx2FieldTops& tops = tops_[offset];
    const __m256i first = _mm256_srl_epi16(tops.read(from), down_);
    const __m256i then = _mm256_srl_epi16(tops.read(from + then_), down_);
    return _mm256_permute4x64_epi64(_mm256_packus_epi16(first, then), 0xd8);  // as above
  }

 private:
  Index then_;
  __m128i down_;
  Avx2FieldTops tops_[8];
};
#endif

#if QUANTA_HAS_AVX512VBMI
/// Eight fields in each 64 bits, whose bytes are picked first.
class Avx512FieldWords {
 public:
  using Word = __m512i;
  static constexpr Index kCount = 64;
  static Index read_bytes(int) { return 64; }

  explicit Avx512FieldWords(int bits) : mask_(_mm512_set1_epi8(static_cast<char>((1 << bits) - 1))) {
    std::uint8_t pick[64];
    for (int i = 0; i < 64; ++i) pick[i] = static_cast<std::uint8_t>(i / 8 * bits + i % 8);
    pick_ = _mm512_loadu_si512(pick);
    for (int offset = 0; offset < 8; ++offset) {
      std::uint64_t shifts = 0;
      for (int i = 7; i >= 0; --i) shifts = shifts << 8 | static_cast<std::uint64_t>(offset + i * bits);
      shifts_[offset] = _mm512_set1_epi64(static_cast<long long>(shifts));
    }
  }

  QUANTA_ALWAYS_INLINE Word read(const std::byte* from, std::size_t offset) const {
    const Word bytes = _mm512_maskz_permutexvar_epi8(~__mmask64{0}, pick_, _mm512_loadu_si512(from));
    return _mm512_and_si512(_mm512_maskz_multishift_epi64_epi8(~__mmask64{0}, shifts_[offset], bytes), mask_);
  }

 private:
  Word pick_, mask_, shifts_[8];
};
#elif QUANTA_HAS_AVX512
class Avx512FieldWords {
 public:
  using Word = __m512i;
  static constexpr Index kCount = 64;
  static Index read_bytes(int bits) { return 4 * bits + Avx2FieldWords::read_bytes(bits); }

  explicit Avx512FieldWords(int bits) : halves_(bits), then_(4 * bits) {}

  QUANTA_ALWAYS_INLINE Word read(const std::byte* from, std::size_t offset) const {
    const Word first = _mm512_zextsi256_si512(halves_.read(from, offset));
    return _mm512_maskz_inserti64x4(0xff, first, halves_.read(from + then_, offset), 1);
  }

 private:
  Avx2FieldWords halves_;
  Index then_;
};
#endif

#if QUANTA_HAS_NEON
template <int bits, bool is_signed>
class NeonFields {
 public:
  static constexpr Index kCount = 16, kRead = 16;

  explicit NeonFields(int offset) {
    std::uint8_t pick[16];
    std::int16_t shift[8];
    for (int i = 0; i < 8; ++i) {
      const int bit = offset + i * bits;
      pick[2 * i] = static_cast<std::uint8_t>(bit / 8);
      pick[2 * i + 1] = static_cast<std::uint8_t>(bit / 8 + 1);
      shift[i] = static_cast<std::int16_t>(-(bit % 8));
    }
    pick_ = vld1q_u8(pick);
    shift_ = vld1q_s16(shift);
  }

  QUANTA_ALWAYS_INLINE void read(const std::byte* from, std::uint8_t* to) const {
    const uint8x16_t both = vld1q_u8(reinterpret_cast<const std::uint8_t*>(from));
    const uint8x16_t first = eight(both, pick_), then = eight(both, vaddq_u8(pick_, vdupq_n_u8(bits)));
    uint8x16_t fields = vandq_u8(vuzp1q_u8(first, then), vdupq_n_u8((1 << bits) - 1));
    if (is_signed) {
      const uint8x16_t sign = vdupq_n_u8(1 << (bits - 1));
      fields = vsubq_u8(veorq_u8(fields, sign), sign);
    }
    vst1q_u8(to, fields);
  }

 private:
  uint8x16_t eight(uint8x16_t from, uint8x16_t pick) const {
    return vreinterpretq_u8_u16(vshlq_u16(vreinterpretq_u16_u8(vqtbl1q_u8(from, pick)), shift_));
  }

  uint8x16_t pick_;
  int16x8_t shift_;
};
#endif

#if QUANTA_HAS_SSE2
/// Of 2 or 4 bits: there is no shuffle of bytes for others.
template <int bits, bool is_signed>
class Sse2Fields {
  static constexpr int kInAByte = 8 / bits;

 public:
  static constexpr Index kCount = 16 * kInAByte, kRead = 17;

  explicit Sse2Fields(int offset) : right_(_mm_cvtsi32_si128(offset)), left_(_mm_cvtsi32_si128(8 - offset)) {}

  QUANTA_ALWAYS_INLINE void read(const std::byte* from, std::uint8_t* to) const {
    const auto load = [](const void* at)
                          QUANTA_INLINE_LAMBDA { return _mm_loadu_si128(static_cast<const __m128i*>(at)); };
    // Within halves; the bits that are in both are the same.
    __m128i fields[kInAByte] = {_mm_or_si128(_mm_srl_epi64(load(from), right_), _mm_sll_epi64(load(from + 1), left_))};
    QUANTA_UNROLL for (int width = 4; width >= bits; width /= 2) {
      const int count = 8 / width / 2;
      const __m128i low = _mm_set1_epi8(static_cast<char>((1 << width) - 1));
      QUANTA_UNROLL for (int i = count - 1; i >= 0; --i) {
        const __m128i first = _mm_and_si128(fields[i], low);
        const __m128i then = _mm_and_si128(_mm_srli_epi16(fields[i], width), low);
        fields[2 * i] = _mm_unpacklo_epi8(first, then);
        fields[2 * i + 1] = _mm_unpackhi_epi8(first, then);
      }
    }
    const __m128i sign = _mm_set1_epi8(char{1 << (bits - 1)});
    QUANTA_UNROLL for (int i = 0; i < kInAByte; ++i) {
      if (is_signed) fields[i] = _mm_sub_epi8(_mm_xor_si128(fields[i], sign), sign);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(to) + i, fields[i]);
    }
  }

 private:
  __m128i right_, left_;
};
#endif

#if QUANTA_HAS_AVX512
using NativeFieldWords = Avx512FieldWords;
#elif QUANTA_HAS_AVX2
using NativeFieldWords = Avx2FieldWords;
#elif QUANTA_HAS_SSE2
using NativeFieldWords = Sse2FieldWords;
#endif

#if QUANTA_HAS_AVX2
template <int bits, bool is_signed>
using NativeFields = Avx2Fields<bits, is_signed>;
#elif QUANTA_HAS_NEON
template <int bits, bool is_signed>
using NativeFields = NeonFields<bits, is_signed>;
#elif QUANTA_HAS_SSE2
template <int bits, bool is_signed>
using NativeFields =
    std::conditional_t<bits == 2 || bits == 4, Sse2Fields<bits, is_signed>, ScalarFields<bits, is_signed>>;
#else
template <int bits, bool is_signed>
using NativeFields = ScalarFields<bits, is_signed>;
#endif

/// The fields [first, first + count) of a stream of `size`, behind which nothing is read.
template <int bits, bool is_signed, class Fields = NativeFields<bits, is_signed>>
void read_fields(const std::byte* stream, Index size, Index first, Index count, std::uint8_t* to) {
  static_assert(bits >= 1 && bits <= 7);
  const std::byte* const end = stream + size / 8 * bits + (size % 8 * bits + 7) / 8;
  const Index bit = first % 8 * bits;
  const int offset = static_cast<int>(bit % 8);
  stream += first / 8 * bits + bit / 8;
  const Fields fields(offset);
  constexpr Index kCount = Fields::kCount, kBytes = kCount / 8 * bits;
  for (; count >= kCount && end - stream >= Fields::kRead; count -= kCount) {
    fields.read(stream, to);
    stream += kBytes;
    to += kCount;
  }
  for (; count > 0; count -= kCount) {  // the last
    std::byte last[Fields::kRead] = {};
    std::uint8_t all[kCount];
    std::memcpy(last, stream, usize(std::min<Index>(end - stream, Fields::kRead)));
    fields.read(last, all);
    std::memcpy(to, all, usize(std::min(count, kCount)));
    stream += kBytes;
    to += kCount;
  }
}

}  // namespace simd
QUANTA_NAMESPACE_END
