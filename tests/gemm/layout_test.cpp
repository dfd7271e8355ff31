// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/gemm/layout.hpp>

#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

// Every layout of a range of sizes: small ones all, and thinned out by the test scale.
template <class F>
void for_each_layout(F f) {
  const int largest = scaled(17, 7);
  for (Index n = 0; n <= largest; ++n) {
    for (Index k = 0; k <= largest; ++k) {
      for (Index group = 1; group <= std::max<Index>(k + 1, 1); ++group) {
        for (const int nr : {1, 2, 3, 7, 8, 16}) {
          for (const int kr : {1, 2, 3, 4, 8}) {
            f(RhsLayout{n, k, group, nr, kr});
            if (testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

std::string describe(const RhsLayout& l) {
  return "n = " + std::to_string(l.n) + ", k = " + std::to_string(l.k) + ", group = " + std::to_string(l.group) +
         ", nr = " + std::to_string(l.nr) + ", kr = " + std::to_string(l.kr);
}

TEST(RhsLayout, PositionsAreDistinctAndBelowSize) {
  std::vector<char> taken;
  for_each_layout([&](const RhsLayout& layout) {
    ASSERT_GE(layout.size(), layout.n * layout.k) << describe(layout);
    taken.assign(static_cast<std::size_t>(layout.size()), 0);
    for (Index column = 0; column < layout.n; ++column) {
      for (Index step = 0; step < layout.k; ++step) {
        const Index at = layout.position(column, step);
        ASSERT_TRUE(at >= 0 && at < layout.size()) << describe(layout);
        ASSERT_EQ(taken[static_cast<std::size_t>(at)]++, 0)
            << describe(layout) << ": (" << column << ", " << step << ')';
      }
    }
  });
}

// Where the picture in the header puts a weight, counted out block by block instead of computed.
TEST(RhsLayout, PositionIsThePanelsGroupsBlocksColumnsSteps) {
  for_each_layout([&](const RhsLayout& layout) {
    Index at = 0;
    for (Index panel = 0; panel * layout.nr < layout.n; ++panel) {
      for (Index first = 0; first < layout.k; first += layout.group) {
        const Index last = std::min(first + layout.group, layout.k);
        for (Index block = first; block < last; block += layout.kr) {
          for (Index c = 0; c < layout.nr; ++c) {
            for (Index i = 0; i < layout.kr; ++i, ++at) {
              const Index column = panel * layout.nr + c, step = block + i;
              if (column < layout.n && step < last) {
                ASSERT_EQ(layout.position(column, step), at) << describe(layout);
              }
            }
          }
        }
      }
    }
    ASSERT_EQ(layout.size(), at) << describe(layout);
  });
}

TEST(RhsLayout, GroupLengthsAddUpToK) {
  for_each_layout([&](const RhsLayout& layout) {
    Index sum = 0;
    for (Index g = 0; g < layout.groups(); ++g) {
      ASSERT_TRUE(layout.group_length(g) >= 1 && layout.group_length(g) <= layout.group) << describe(layout);
      sum += layout.group_length(g);
    }
    ASSERT_EQ(sum, layout.k) << describe(layout);
  });
}

TEST(RhsLayout, PositionIsAConstantExpression) {
  static_assert(RhsLayout{32, 8, 8, 16, 4}.position(17, 5) == 128 + 64 + 4 + 1);
}

}  // namespace
}  // namespace quanta::test
