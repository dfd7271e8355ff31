// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Times several ways to do the same thing in turns, round after round: the machine's bad moments hit all alike, and
// best is compared with best.
#pragma once

#include <algorithm>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

namespace bench {

struct Contestant {
  std::string name;
  std::function<void()> run;
  /// Of one run, in each round.
  std::vector<double> seconds;

  double best() const { return *std::min_element(seconds.begin(), seconds.end()); }
  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

/// `budget` is about how many seconds each gets. `pause` is for pools of threads that keep a core busy for a while
/// after their work is done.
inline void contest(std::vector<Contestant>& all, double budget, bool pause);

// ---- bodies ----

inline double seconds_of(const std::function<void()>& run, int repeats) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < repeats; ++i) run();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count() / repeats;
}

inline void contest(std::vector<Contestant>& all, double budget, bool pause) {
  constexpr double kSlow = 1.0;   // seconds: whoever needs more runs once
  constexpr double kWarm = 0.02;  // seconds: whoever needs less is let to fill the caches again before it is timed
  const double batch = std::min(0.004, budget / 8);
  std::vector<int> repeats;
  for (Contestant& one : all) {
    seconds_of(one.run, 1);
    const double first = seconds_of(one.run, 1);
    repeats.push_back(std::max(1, static_cast<int>(batch / std::max(first, 1e-8))));
    if (first > kSlow) one.seconds.push_back(first);
  }
  const auto start = std::chrono::steady_clock::now();
  for (std::size_t round = 0; round < 1000; ++round) {
    for (std::size_t turn = 0; turn < all.size(); ++turn) {
      const std::size_t i = (turn + round) % all.size();
      Contestant& one = all[i];
      if (!one.seconds.empty() && one.seconds.front() > kSlow) continue;
      if (pause) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      if (one.seconds.empty() || one.seconds.back() < kWarm) seconds_of(one.run, 1 + repeats[i] / 8);
      one.seconds.push_back(seconds_of(one.run, repeats[i]));
    }
    const double spent = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double all_budgets = budget * static_cast<double>(all.size());
    if (spent > all_budgets && (round >= 4 || spent > 4 * all_budgets)) break;
  }
}

}  // namespace bench
