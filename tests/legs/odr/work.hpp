// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One piece of work, compiled into several units of one program, each with its own flags. Bytes and pointers go in and
// out: Eigen's own functions have no ABI namespace, so nothing here owns Eigen memory.
#pragma once

#include <cstdint>

namespace odr {

/// Sizes that leave a remainder in every tile.
constexpr int kM = 7, kN = 37, kK = 133;

struct Results {
  float y[kM * kN];           // dequantized products with bias and Relu
  std::int32_t acc[kM * kN];  // exact integer products
  float weight_scales[kN];
  const char* isa;  // which kernel made them
};

void work_baseline(const float* x, const float* weight, const float* bias, Results& results);
void work_native(const float* x, const float* weight, const float* bias, Results& results);
void work_no_exceptions(const float* x, const float* weight, const float* bias, Results& results);

}  // namespace odr
