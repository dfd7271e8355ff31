// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <string>

#include <gtest/gtest.h>

#include <quanta/format/format.hpp>

namespace quanta::test {
namespace {

// Formats of a user's own: one of integers, one whose codes stand for something else.
struct Ternary {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1;
  static constexpr std::int32_t max = 1;
  static constexpr std::string_view name = "ternary";
};
struct Levels {
  using Code = std::uint8_t;
  static constexpr int bits = 4;
  static constexpr const char* name = "levels";
};
struct Nameless {
  using Code = std::int8_t;
  static constexpr int bits = 2;
};
// Twelve bits cannot be packed.
struct Twelve : Ternary {
  using Code = std::int16_t;
  static constexpr int bits = 12;
};

// Codes of few bits are bytes.
struct WideTernary : Ternary {
  using Code = std::int16_t;
};
// Two bits do not hold 2 beside negative numbers, nor -1 where there are none.
struct ThreeOfTwo : Ternary {
  static constexpr std::int32_t max = 2;
};
struct UnsignedTernary : Ternary {
  using Code = std::uint8_t;
};
// A single integer says nothing.
struct OneInteger : Ternary {
  static constexpr std::int32_t min = 1;
};

static_assert(Format<Int<8>> && Format<UInt<2>> && Format<Ternary> && Format<Levels>);
static_assert(IntegerFormat<Int<16>> && IntegerFormat<UInt<3>> && IntegerFormat<Ternary>);
static_assert(!IntegerFormat<Levels> && !Format<Nameless> && !Format<int> && !Format<Twelve> && !Format<WideTernary>);
static_assert(!IntegerFormat<ThreeOfTwo> && !IntegerFormat<UnsignedTernary> && !IntegerFormat<OneInteger>);

template <int b>
void check_width() {
  EXPECT_EQ(Int<b>::bits, b);
  EXPECT_EQ(UInt<b>::bits, b);
  const long values = 1L << b;
  EXPECT_EQ(Int<b>::min, -values / 2);
  EXPECT_EQ(Int<b>::max, values / 2 - 1);
  EXPECT_EQ(UInt<b>::min, 0);
  EXPECT_EQ(UInt<b>::max, values - 1);
  EXPECT_EQ(Int<b>::name, "int" + std::to_string(b));
  EXPECT_EQ(UInt<b>::name, "uint" + std::to_string(b));
  EXPECT_TRUE(Int<b>::is_signed && !UInt<b>::is_signed);
  // The smallest type that holds every code, of the right sign.
  EXPECT_EQ(sizeof(typename Int<b>::Code), b <= 8 ? 1u : 2u);
  EXPECT_EQ(sizeof(typename UInt<b>::Code), b <= 8 ? 1u : 2u);
  EXPECT_TRUE(std::is_signed_v<typename Int<b>::Code> && std::is_unsigned_v<typename UInt<b>::Code>);
}

TEST(Format, IntegersHaveTheRangeOfTheirWidth) {
  check_width<2>();
  check_width<3>();
  check_width<4>();
  check_width<5>();
  check_width<6>();
  check_width<7>();
  check_width<8>();
  check_width<16>();
}

}  // namespace
}  // namespace quanta::test
