// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where the files of tests/data are.
#pragma once

#include <string>

namespace quanta::test {

/// `name` counts from tests/data.
inline std::string data_path(const std::string& name) {
  std::string path = QUANTA_TEST_DATA "/";
  path += name;
  return path;
}

}  // namespace quanta::test
