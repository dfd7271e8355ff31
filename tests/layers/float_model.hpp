// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A small float model, one Sequential inside another, for the tests that quantize whole models.
#pragma once

#include <vector>

#include <gtest/gtest.h>

#include <quanta/layers/linear.hpp>
#include <quanta/layers/sequential.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {

inline const RowTensor<float, 2> kWeight1 = random_tensor<2>({40, 50}, 1), kWeight2 = random_tensor<2>({10, 40}, 2);
inline const RowTensor<float, 1> kBias1 = random_tensor<1>({40}, 3), kBias2 = random_tensor<1>({10}, 4);

inline Sequential float_model() {
  return Sequential{Sequential{Linear(kWeight1, kBias1), Relu{}}, Linear(kWeight2, kBias2), Relu{}};
}

/// What calibrates it: 60 samples.
inline const RowTensor<float, 2> kData = random_tensor<2>({60, 50}, 5);

/// kData in batches of these sizes.
inline std::vector<RowTensor<float, 2>> batches_of(const std::vector<Index>& sizes) {
  std::vector<RowTensor<float, 2>> batches;
  Index first = 0;
  for (const Index size : sizes) {
    batches.emplace_back(Eigen::TensorMap<const RowTensor<float, 2>>(kData.data() + first * 50, size, 50));
    first += size;
  }
  EXPECT_EQ(first, 60);
  return batches;
}

}  // namespace quanta::test
