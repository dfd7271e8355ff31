// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One function, compiled once for each instruction set with its flags and a name of its own: NET is net_avx2, and so on
// (CMakeLists.txt). Only plain types go in and out: Quanta's and Eigen's are other types in the next build.
#include <algorithm>

#include <quanta/quanta.hpp>

/// y (m, n) = x (m, k) times the transpose of weight (n, k) in int8, all row by row. Returns the kernel's name.
extern "C" const char* NET(const float* weight, const float* x, float* y, int m, int n, int k) {
  using Map = Eigen::TensorMap<const quanta::Tensor<float, 2>>;
  const quanta::DynamicLinear<> layer(Map(weight, n, k));
  const quanta::Tensor<float, 2> result = layer(Map(x, m, k));
  std::copy_n(result.data(), result.size(), y);
  return quanta::NativeKernel::name;
}
