// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
//   explain KERNEL
//
// Fails unless explain names this kernel, which the flags of this unit are for, and the forms of it that gemm runs.
#include <cstdio>

#include "tests/support/recorded_forms.hpp"

namespace {

using namespace quanta;

int failures = 0;

void expect_same(const std::string& difference, const char* what) {
  if (difference.empty()) return;
  std::printf("%s: %s\n", what, difference.c_str());
  ++failures;
}

}  // namespace

int main(int, char** arguments) {
  constexpr int nr = NativeKernel::kNr;
  // Two whole panels and a column of a third; the weights of the last row are proven by nothing.
  const auto weights = test::weights_of<Int<8>>(2 * nr + 1, 35, 3, -128);
  expect_same(test::difference_to_explained<UInt<8>>(3, weights), "uint8 x int8");
  expect_same(test::difference_to_explained<Int<8>>(3, weights), "int8 x int8");
  const auto grouped = test::weights_of<Int<4>>(2 * nr + 1, 35, 3, -8, PerGroup<16>{});
  expect_same(test::difference_to_explained<Int<8>>(3, grouped), "int8 x int4 per group");

  const std::string text = explain(3, pack(weights)).text();
  std::puts(text.c_str());
  const std::string line = std::string("\nkernel      ") + arguments[1] + ", tiles of ";
  if (text.find(line) == std::string::npos) {
    std::printf("no line:%s\n", line.c_str());
    ++failures;
  }
  return failures == 0 ? 0 : 1;
}
