// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rows side by side, for every square that this build's flags allow, byte by byte; and apart again. Rows of small codes
// joined, bit by bit, and spread.
#include <algorithm>
#include <cstring>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/gemm/interleave.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

template <class Square>
class Interleave : public testing::Test {};
using Squares = testing::Types<simd::ScalarSquare, simd::NativeSquare>;
TYPED_TEST_SUITE(Interleave, Squares);

template <class Square, int unit>
void check_interleave() {
  Random random(unit);
  for (const Index count : {1, 2, 3, 7, 8, 12, 17, 32}) {
    for (const Index units : {0, 1, 3, 4, 8, 15, 16, 33}) {
      const Index length = units * unit, guard = 16;
      std::vector<std::vector<std::byte>> rows(usize(count), std::vector<std::byte>(usize(length + guard)));
      std::vector<const std::byte*> from;
      for (auto& row : rows) {
        for (std::byte& byte : row) byte = static_cast<std::byte>(random.bits());
        from.push_back(row.data());
      }
      std::vector<std::byte> panel(usize(count * length + guard), std::byte{0x5a});
      detail::interleave<unit, Square>(from.data(), count, units, panel.data());
      Index at = 0;
      for (Index u = 0; u < units; ++u) {
        for (Index r = 0; r < count; ++r) {
          for (Index i = 0; i < unit; ++i, ++at) {
            ASSERT_EQ(panel[usize(at)], rows[usize(r)][usize(u * unit + i)])
                << unit << ": " << count << " rows of " << units << ", at " << at;
          }
        }
      }
      for (Index i = 0; i < guard; ++i) ASSERT_EQ(panel[usize(at + i)], std::byte{0x5a});

      auto again = rows;
      std::vector<std::byte*> to;
      for (auto& row : again) {
        std::fill_n(row.begin(), length, std::byte{0});
        to.push_back(row.data());
      }
      detail::separate<unit, Square>(panel.data(), count, units, to.data());
      ASSERT_EQ(again, rows) << unit << ": " << count << " rows of " << units;
    }
  }
}

TYPED_TEST(Interleave, PutsUnitsOfAllRowsSideBySideAndApartAgain) {
  check_interleave<TypeParam, 1>();
  check_interleave<TypeParam, 2>();
  check_interleave<TypeParam, 3>();
  check_interleave<TypeParam, 4>();
  check_interleave<TypeParam, 8>();
  check_interleave<TypeParam, 16>();
}

template <class Zip>
class RowsOfCodes : public testing::Test {};
using Zips = testing::Types<simd::ScalarZip, simd::NativeZip, simd::NativeSquare::Zip>;
TYPED_TEST_SUITE(RowsOfCodes, Zips);

/// The bytes of words of lanes of 16 bytes, the first lane of every word first.
template <class Word, std::size_t count>
std::vector<std::uint8_t> bytes_by_lane(const Word (&words)[count]) {
  const int lane = std::min<int>(sizeof(Word), 16), lanes = sizeof(Word) / lane;
  std::vector<std::uint8_t> bytes(sizeof words);
  for (int i = 0; i < int(count) * lanes; ++i) {
    const auto* from = reinterpret_cast<const std::byte*>(words + i % int(count)) + i / int(count) * lane;
    std::memcpy(bytes.data() + i * lane, from, usize(lane));
  }
  return bytes;
}

template <class Zip, int bits>
void check_join() {
  constexpr int rows = 8 / bits, bytes = sizeof(typename Zip::Word);
  Random random(bits);
  for (int round = 0; round < 100; ++round) {
    std::uint8_t from[rows][bytes];
    typename Zip::Word words[rows];
    for (int r = 0; r < rows; ++r) {
      for (std::uint8_t& byte : from[r]) byte = static_cast<std::uint8_t>(random.bits());
      std::memcpy(&words[r], from[r], bytes);
    }
    simd::join_rows<bits, Zip>(words);
    const std::vector<std::uint8_t> joined = bytes_by_lane(words);
    for (int step = 0; step < rows * bytes; ++step) {
      for (int r = 0; r < rows; ++r) {
        const int mask = (1 << bits) - 1, field = from[r][step / rows] >> (step % rows * bits) & mask;
        ASSERT_EQ(joined[usize(step)] >> (r * bits) & mask, field) << bits << " bits, row " << r << ", step " << step;
      }
    }
  }
}

TYPED_TEST(RowsOfCodes, AreJoinedWithFieldsOfAllInAByte) {
  check_join<TypeParam, 4>();
  check_join<TypeParam, 2>();
}

#if QUANTA_HAS_SSE2
template <class Zip>
class RowOfCodes : public testing::Test {};
using SpreadingZips = testing::Types<simd::Sse2Zip, simd::NativeSquare::Zip>;
TYPED_TEST_SUITE(RowOfCodes, SpreadingZips);

TYPED_TEST(RowOfCodes, IsSpreadWithAFieldToAByte) {
  using Word = typename TypeParam::Word;
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    std::uint8_t from[sizeof(Word)];
    for (std::uint8_t& byte : from) byte = static_cast<std::uint8_t>(random.bits());
    Word row, words[2];
    std::memcpy(&row, from, sizeof row);
    simd::spread_row<TypeParam>(row, words);
    const std::vector<std::uint8_t> spread = bytes_by_lane(words);
    for (std::size_t step = 0; step < spread.size(); ++step) {
      ASSERT_EQ(spread[step], from[step / 2] >> (step % 2 * 4) & 15) << "step " << step;
    }
  }
}
#endif

}  // namespace
}  // namespace quanta::test
