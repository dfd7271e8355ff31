// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/simd/fields.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

// Field i of a stream, one bit at a time: bit j of it is bit i * bits + j.
std::uint8_t field_at(const std::vector<std::byte>& stream, Index i, int bits, bool is_signed) {
  int field = 0;
  for (int j = 0; j < bits; ++j) {
    const Index bit = i * bits + j;
    field += (std::to_integer<int>(stream[usize(bit / 8)]) >> bit % 8) % 2 << j;
  }
  if (is_signed && field >= 1 << (bits - 1)) field -= 1 << bits;
  return static_cast<std::uint8_t>(field);
}

template <int bits, bool is_signed, class Fields>
void check_fields() {
  constexpr Index kSize = 150;
  Random random(bits);
  // Of the right size: sanitizers tell when a byte behind it is read.
  std::vector<std::byte> stream(usize((kSize * bits + 7) / 8));
  for (std::byte& byte : stream) byte = static_cast<std::byte>(random.between(0, 255));
  for (Index first = 0; first <= kSize; first += first < 20 ? 1 : 13) {
    for (Index count = 0; first + count <= kSize; ++count) {
      std::vector<std::uint8_t> fields(usize(count) + 1, 0xa5);
      simd::read_fields<bits, is_signed, Fields>(stream.data(), kSize, first, count, fields.data());
      for (Index i = 0; i < count; ++i) {
        ASSERT_EQ(fields[usize(i)], field_at(stream, first + i, bits, is_signed))
            << "field " << first + i << " of " << bits << " bits, as one of " << count;
      }
      ASSERT_EQ(fields.back(), 0xa5) << count << " of " << bits << " bits: something is written behind them";
    }
  }
}

template <template <int, bool> class Fields, int bits>
void check_width() {
  check_fields<bits, false, Fields<bits, false>>();
  check_fields<bits, true, Fields<bits, true>>();
}

template <template <int, bool> class Fields>
void check_all_widths() {
  check_width<Fields, 1>();
  check_width<Fields, 2>();
  check_width<Fields, 3>();
  check_width<Fields, 4>();
  check_width<Fields, 5>();
  check_width<Fields, 6>();
  check_width<Fields, 7>();
}

TEST(Fields, AnyPieceIsReadInWords) { check_all_widths<simd::ScalarFields>(); }

TEST(Fields, AnyPieceIsReadByVectors) {
#if QUANTA_HAS_AVX2
  check_all_widths<simd::Avx2Fields>();
#endif
#if QUANTA_HAS_NEON
  check_all_widths<simd::NeonFields>();
#endif
#if QUANTA_HAS_SSE2
  check_width<simd::Sse2Fields, 1>();
  check_width<simd::Sse2Fields, 2>();
  check_width<simd::Sse2Fields, 4>();
#else
  if (!QUANTA_HAS_NEON) GTEST_SKIP() << "compiled without vectors";
#endif
}

#if QUANTA_HAS_SSE2
template <class Words>
void check_words() {
  Random random(3);
  for (int bits = 1; bits <= 8; ++bits) {
    const Words words(bits);
    for (Index offset = 0; offset < (bits < 8 ? 8 : 1); ++offset) {
      // What is read begins at a byte whose lowest bits belong to the field before.
      std::vector<std::byte> stream(usize(Words::read_bytes(bits)));
      for (std::byte& byte : stream) byte = static_cast<std::byte>(random.between(0, 255));
      const auto word = words.read(stream.data(), usize(offset));
      std::uint8_t fields[sizeof word];
      std::memcpy(fields, &word, sizeof word);
      for (Index i = 0; i < Words::kCount; ++i) {
        int field = 0;
        for (int j = 0; j < bits; ++j) {
          const Index bit = offset + i * bits + j;
          field += (std::to_integer<int>(stream[usize(bit / 8)]) >> bit % 8) % 2 << j;
        }
        ASSERT_EQ(fields[i], field) << "field " << i << " of " << bits << " bits from bit " << offset;
      }
    }
  }
}

TEST(Fields, WordsOfAnyWidthAreReadFromAnyBit) {
  check_words<simd::Sse2FieldWords>();
#if QUANTA_HAS_AVX2
  check_words<simd::Avx2FieldWords>();
#endif
  check_words<simd::NativeFieldWords>();
}
#endif

}  // namespace
}  // namespace quanta::test
