// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A small float model, one Sequential inside another, for the tests that quantize whole models.
#pragma once

#include <quanta/layers/linear.hpp>
#include <quanta/layers/sequential.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {

inline const RowTensor<float, 2> kWeight1 = random_tensor<2>({40, 50}, 1), kWeight2 = random_tensor<2>({10, 40}, 2);
inline const RowTensor<float, 1> kBias1 = random_tensor<1>({40}, 3), kBias2 = random_tensor<1>({10}, 4);

inline Sequential float_model() {
  return Sequential{Sequential{Linear(kWeight1, kBias1), Relu{}}, Linear(kWeight2, kBias2), Relu{}};
}

}  // namespace quanta::test
