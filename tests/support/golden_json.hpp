// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The figures of tests/data/golden/golden.json, for tests that are compiled only where nlohmann-json is installed.
#pragma once

#if __has_include(<nlohmann/json.hpp>)
#define QUANTA_TEST_HAS_JSON 1
#include <cmath>
#include <fstream>
#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/data.hpp"
#include "tests/support/npy.hpp"

namespace quanta::test {

/// The figures of one demonstration; throws where there are none of this name.
inline nlohmann::json figures(const std::string& name) {
  std::ifstream file(data_path("golden/golden.json"));
  return nlohmann::json::parse(file).at(name);
}

/// Equal to so many parts of the expected figure.
inline testing::AssertionResult relative(double got, const nlohmann::json& expected, double tolerance = 1e-6) {
  const double figure = expected.get<double>();
  const double difference = std::fabs(got - figure) / std::fabs(figure);
  if (difference <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << got << ", expected " << figure << ": relative difference " << difference;
}

}  // namespace quanta::test
#else
#define QUANTA_TEST_HAS_JSON 0
#endif
