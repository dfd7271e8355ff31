// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// main() of the examples that take [--quick] [DIRECTORY].
#pragma once

#include <cstdio>
#include <exception>
#include <string>

namespace examples {

/// Calls run(quick, directory), the directory being `data` unless another is named, and returns what it returns. An
/// exception is a message and 1, and so are arguments that are none.
template <class Run>
int run_from_command_line(const char* name, int argc, char** argv, const char* data, Run run) {
  bool quick = false;
  std::string directory;
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--quick") {
      quick = true;
    } else if (argument.starts_with('-') || !directory.empty()) {
      std::fprintf(stderr, "usage: %s [--quick] [DIRECTORY]\n", argv[0]);
      return argument == "--help" ? 0 : 1;
    } else {
      directory = argument;
    }
  }
  try {
    return run(quick, directory.empty() ? data : directory);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", name, error.what());
    return 1;
  }
}

}  // namespace examples
