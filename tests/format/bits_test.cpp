// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <gtest/gtest.h>

#include <quanta/format/bits.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

template <class F>
class Bits : public testing::Test {};
using Formats = testing::Types<Int<2>, Int<3>, Int<4>, Int<5>, Int<6>, Int<7>, Int<8>, Int<16>,  //
                               UInt<2>, UInt<3>, UInt<4>, UInt<5>, UInt<6>, UInt<7>, UInt<8>, UInt<16>>;
TYPED_TEST_SUITE(Bits, Formats);

template <class F>
std::vector<typename F::Code> random_codes(Index n, std::uint64_t seed) {
  Random random(seed);
  std::vector<typename F::Code> codes;
  for (Index i = 0; i < n; ++i) codes.push_back(static_cast<typename F::Code>(random.between(F::min, F::max)));
  return codes;
}

// The documented stream, one bit at a time: bit j of code i is bit (i * b + j) of the stream.
template <class F>
std::vector<unsigned char> expected_stream(const std::vector<typename F::Code>& codes) {
  std::vector<unsigned char> stream((codes.size() * F::bits + 7) / 8, 0);
  for (std::size_t i = 0; i < codes.size(); ++i) {
    const long modulo = (static_cast<long>(codes[i]) + (1L << F::bits)) % (1L << F::bits);  // two's complement
    for (std::size_t j = 0; j < F::bits; ++j) {
      const std::size_t bit = i * F::bits + j;
      if ((modulo >> j) % 2 != 0) stream[bit / 8] = static_cast<unsigned char>(stream[bit / 8] | (1u << bit % 8));
    }
  }
  return stream;
}

constexpr std::byte kGuard{0xa5};

template <class F>
std::vector<std::byte> packed(const std::vector<typename F::Code>& codes) {
  const Index n = static_cast<Index>(codes.size());
  std::vector<std::byte> stream(usize(detail::packed_size(n, F::bits)) + 1, kGuard);
  detail::pack_bits<F>(codes.data(), 0, n, stream.data());
  EXPECT_EQ(stream.back(), kGuard);  // nothing is written behind the stream
  stream.pop_back();
  return stream;
}

TYPED_TEST(Bits, PackWritesTheDocumentedStreamForEveryCount) {
  using F = TypeParam;
  for (Index n = 0; n <= 70; ++n) {
    const auto codes = random_codes<F>(n, static_cast<std::uint64_t>(n));
    const std::vector<std::byte> stream = packed<F>(codes);
    const std::vector<unsigned char> expected = expected_stream<F>(codes);
    ASSERT_EQ(stream.size(), expected.size());
    for (std::size_t i = 0; i < stream.size(); ++i) {
      ASSERT_EQ(std::to_integer<unsigned>(stream[i]), expected[i]) << "byte " << i << " of " << n << " codes";
    }
  }
}

TYPED_TEST(Bits, EveryCodeComesBack) {
  using F = TypeParam;
  std::vector<typename F::Code> codes, unpacked;
  for (std::int32_t code = F::min; code <= F::max; ++code) codes.push_back(static_cast<typename F::Code>(code));
  codes.push_back(static_cast<typename F::Code>(F::min));
  unpacked.resize(codes.size());
  detail::unpack_bits<F>(packed<F>(codes).data(), static_cast<Index>(codes.size()), 0, static_cast<Index>(codes.size()),
                         unpacked.data());
  EXPECT_EQ(unpacked, codes);
}

TYPED_TEST(Bits, UnpackReadsAnyPiece) {
  using F = TypeParam;
  using Code = typename F::Code;
  for (const Index n : {1, 7, 8, 9, 16, 70}) {
    const auto codes = random_codes<F>(n, 1);
    const std::vector<std::byte> stream = packed<F>(codes);  // no byte may be read behind it: sanitizers would tell
    for (Index first = 0; first <= n; ++first) {
      for (Index count = 0; first + count <= n; ++count) {
        std::vector<Code> piece(usize(count) + 1, Code{1});
        detail::unpack_bits<F>(stream.data(), n, first, count, piece.data());
        ASSERT_EQ(piece.back(), Code{1});
        piece.pop_back();
        ASSERT_EQ(piece, std::vector<Code>(codes.begin() + first, codes.begin() + first + count))
            << first << '+' << count;
      }
    }
  }
}

TYPED_TEST(Bits, PackContinuesAtMultiplesOfEight) {
  using F = TypeParam;
  const auto codes = random_codes<F>(67, 2);
  const std::vector<std::byte> whole = packed<F>(codes);
  for (const Index step : {8, 16, 24, 64}) {
    std::vector<std::byte> stream(whole.size(), kGuard);
    for (Index first = 0; first < 67; first += step) {
      detail::pack_bits<F>(codes.data() + first, first, std::min<Index>(step, 67 - first), stream.data());
    }
    EXPECT_EQ(stream, whole) << step;
  }
}

TEST(PackedSize, IsDenseToTheByte) {
  for (const int bits : {2, 3, 4, 5, 6, 7, 8, 16}) {
    for (Index n = 0; n <= 1000; ++n) ASSERT_EQ(detail::packed_size(n, bits), (n * bits + 7) / 8) << n << ' ' << bits;
    // 2^60 codes: the number of bits does not fit an Index, the number of bytes does.
    ASSERT_EQ(detail::packed_size((Index{1} << 60) + 1, bits), (Index{1} << 57) * bits + (bits + 7) / 8);
  }
}

}  // namespace
}  // namespace quanta::test
