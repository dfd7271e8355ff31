// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0

#include "work.inc"

void odr::work_native(const float* x, const float* weight, const float* bias, Results& results) {
  work(x, weight, bias, results);
}
