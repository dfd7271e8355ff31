// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The size of exhaustive tests. Holds one function; decides nothing about what a test covers at full size.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <stdexcept>
#include <string>

namespace quanta::test {

/// The environment variable QUANTA_TEST_SCALE, in (0, 1]; 1 where it is not set. Emulated CPUs run with a small one.
/// Anything else throws: a typing error must not turn a run over everything into a run over next to nothing.
inline double test_scale() {
  static const double scale = [] {
    const char* text = std::getenv("QUANTA_TEST_SCALE");
    if (text == nullptr || *text == '\0') return 1.0;
    char* end = nullptr;
    const double value = std::strtod(text, &end);
    if (*end != '\0' || !(value > 0.0 && value <= 1.0)) {
      throw std::invalid_argument("QUANTA_TEST_SCALE must be in (0, 1], but is \"" + std::string(text) + "\"");
    }
    return value;
  }();
  return scale;
}

/// How many of `full` cases to run: full times the scale, but no fewer than `least` and no more than `full`.
inline int scaled(int full, int least = 1) {
  return std::min(full, std::max(least, static_cast<int>(full * test_scale())));
}

}  // namespace quanta::test
