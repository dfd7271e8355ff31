// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which kernel multiplies (m, k) by (n, k) in this build on this machine, why that one, and how fast:
//   example_explain [m n k]

#include <cstdio>
#include <cstdlib>
#include <exception>

#include <quanta/explain.hpp>

int main(int argc, char** argv) {
  if (argc != 1 && argc != 4) {
    std::fprintf(stderr, "usage: %s [m n k]\n", argv[0]);
    return 2;
  }
  quanta::Index sizes[3] = {128, 3072, 768};
  for (int i = 1; i < argc; ++i) {
    char* end = argv[i];
    sizes[i - 1] = std::strtoll(argv[i], &end, 10);
    if (end == argv[i] || *end != '\0') {
      std::fprintf(stderr, "%s: \"%s\" is no size\n", argv[0], argv[i]);
      return 2;
    }
  }
  const auto [m, n, k] = sizes;
  try {
    std::puts(quanta::explain(m, n, k, quanta::UInt<8>{}, quanta::Int<8>{}, {.measure = true}).text().c_str());
  } catch (const std::exception& error) {  // quanta::Error, or no memory for the measurement
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
