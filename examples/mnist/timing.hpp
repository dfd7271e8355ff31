// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Compares the speed of several functions on a machine that others use too. They take turns, so that a slow moment hits
// all of them, and of each the fastest turn counts: whatever disturbs a measurement only adds to it. Turns are as short
// as can be, a single call, because a short one more often goes by undisturbed.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <limits>
#include <vector>

namespace mnist {

/// Seconds that a call of each function takes. Goes on for `budget` seconds, but for two rounds at least; `progress` is
/// told the part of it that is done, from 0 to 1.
inline std::vector<double> best_seconds(const std::vector<std::function<void()>>& functions, double budget,
                                        const std::function<void(double)>& progress) {
  using Clock = std::chrono::steady_clock;
  const auto since = [](Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::vector<double> best(functions.size(), std::numeric_limits<double>::infinity());
  const auto begin = Clock::now();
  for (int round = 0; round < 2 || since(begin) < budget; ++round) {
    for (std::size_t i = 0; i < functions.size(); ++i) {
      functions[i]();  // not timed: brings its weights back into the caches after the others' turns
      const auto start = Clock::now();
      functions[i]();
      best[i] = std::min(best[i], since(start));
    }
    if (round % 16 == 0) progress(std::min(since(begin) / std::max(budget, 1e-9), 1.0));
  }
  return best;
}

}  // namespace mnist
