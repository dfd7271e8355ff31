// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <vector>

#include <gtest/gtest.h>

#include <quanta/core/reduce.hpp>

#include "tests/support/random.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(Reduce, SumsInTheDocumentedOrder) {
  Random random(1);
  int differs_from_plain = 0;
  for (const Index n : {0, 1, 2, 15, 16, 17, 31, 33, 4095, 4096, 4097, 4113, 8192, 10'000, 50'001}) {
    std::vector<double> x, y;
    for (Index i = 0; i < n; ++i) {
      x.push_back(static_cast<double>(random.normal()) / 3.0);
      y.push_back(static_cast<double>(random.normal()) * 1e10 / 7.0);
    }
    Index at = 0, blocks = 0;
    const auto sums = detail::blocked_sums<2>(
        n,
        [&](Index first, Index count) {
          EXPECT_EQ(first, blocks * 4096);
          EXPECT_EQ(count, std::min<Index>(4096, n - first));
          at = first;
          ++blocks;
        },
        [&](Index i, int count, detail::ReduceLanes<2>& lanes) {
          for (int l = 0; l < count; ++l) {
            lanes[0][l] += x[usize(at + i + l)];
            lanes[1][l] += y[usize(at + i + l)];
          }
        });
    EXPECT_EQ(blocks, (n + 4095) / 4096);
    EXPECT_EQ(bits_of(sums[0]), bits_of(reference::blocked_sum(x))) << n;
    EXPECT_EQ(bits_of(sums[1]), bits_of(reference::blocked_sum(y))) << n;
    double plain = 0.0;
    for (const double v : x) plain += v;
    differs_from_plain += plain != sums[0] ? 1 : 0;
  }
  EXPECT_GT(differs_from_plain, 0);  // else the numbers could not tell one order from another
}

}  // namespace
}  // namespace quanta::test
