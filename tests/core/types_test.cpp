// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/core/types.hpp>
#include <quanta/core/unroll.hpp>

namespace quanta::test {
namespace {

TEST(Types, CeilDivAndRoundUpAreTheSmallestThatFit) {
  for (Index a = 0; a < 200; ++a) {
    for (Index b = 1; b < 40; ++b) {
      const Index q = ceil_div(a, b);
      EXPECT_GE(q * b, a);
      EXPECT_LT((q - 1) * b, a);
      EXPECT_EQ(round_up(a, b), q * b);
    }
  }
  constexpr Index most = std::numeric_limits<Index>::max();
  EXPECT_EQ(ceil_div(most, 2), most / 2 + 1);  // nothing overflows on the way
}

TEST(Types, ElementCountIsTheProductOfTheExtents) {
  EXPECT_EQ(element_count(std::array<Index, 0>{}), 1);
  EXPECT_EQ(element_count(Shape<3>{2, 3, 4}), 24);
  EXPECT_EQ(element_count(Shape<3>{2, 0, 4}), 0);
}

TEST(Unroll, CallsInOrderWithConstants) {
  std::vector<int> seen;
  unroll<5>([&](auto i) {
    static_assert(decltype(i)::value >= 0);
    seen.push_back(i);
  });
  EXPECT_EQ(seen, (std::vector<int>{0, 1, 2, 3, 4}));
  unroll<0>([&](auto i) { seen.push_back(i); });
  EXPECT_EQ(seen.size(), 5u);
}

}  // namespace
}  // namespace quanta::test
