// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the examples check of their own figures: one that is off ends the program with status 1.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace examples {

inline void expect(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "not as expected: %s\n", what);
  std::exit(1);
}

/// Within `tolerance` of the expected figure.
inline void expect_near(double got, double expected, double tolerance, const char* what) {
  if (std::fabs(got - expected) <= tolerance) return;
  std::fprintf(stderr, "not as expected: %s is %.9g, expected %.9g to %g\n", what, got, expected, tolerance);
  std::exit(1);
}

}  // namespace examples
