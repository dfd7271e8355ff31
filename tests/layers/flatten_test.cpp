// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <quanta/layers/flatten.hpp>
#include <quanta/layers/sequential.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(Flatten, MakesRowsOfTensorsOfAnyRank) {
  const RowTensor<float, 4> x = random_tensor<4>({3, 2, 5, 7}, 1);
  const RowTensor<float, 2> y = Flatten{}(x);
  EXPECT_EQ(y.dimension(0), 3);
  EXPECT_EQ(y.dimension(1), 70);
  EXPECT_TRUE(same_bits(y, x));
  EXPECT_TRUE(same_bits(Flatten{}(col_major(x)), x));
  EXPECT_EQ(Flatten{}(RowTensor<float, 3>(0, 4, 5)).dimension(1), 20);
}

TEST(Flatten, LeavesRowsAsTheyAre) {
  const RowTensor<float, 2> x = random_tensor<2>({3, 20}, 2);
  EXPECT_TRUE(same_bits(Flatten{}(x), x));
  EXPECT_TRUE(same_bits(Sequential{Flatten{}}(col_major(x)), x));
  const RowTensor<float, 1> sample = random_tensor<1>({20}, 3);
  EXPECT_TRUE(same_bits(Flatten{}(sample), sample));
}

}  // namespace
}  // namespace quanta::test
