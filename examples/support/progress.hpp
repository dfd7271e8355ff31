// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Progress, for whoever watches.
#pragma once

#include <cstdio>
#include <string>

#if __has_include(<unistd.h>)
#include <unistd.h>
#endif

namespace examples {

/// One line on stderr that is written over and over, and gone at the end. Nothing at all unless stderr is a terminal.
class Progress {
 public:
  Progress() = default;
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  ~Progress() { show(""); }

  void show(const std::string& line) const {
    if (terminal_) std::fprintf(stderr, "\r\033[K%s", line.c_str());
  }

 private:
#if __has_include(<unistd.h>)
  bool terminal_ = isatty(STDERR_FILENO) == 1;
#else
  bool terminal_ = false;
#endif
};

}  // namespace examples
