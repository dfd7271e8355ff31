// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A pool as simple as can be, with the interface that Context asks for: a new std::thread for every part. Thread
// sanitizers understand it, as they do not Eigen's pool, which synchronizes by fences.
#pragma once

#include <functional>
#include <thread>
#include <vector>

#include <quanta/core/context.hpp>

namespace quanta::test {

class PlainThreads {
 public:
  explicit PlainThreads(int count) : count_(count) {}

  int numThreads() const { return static_cast<int>(count_); }
  void parallelFor(Index n, const detail::TaskCost&, std::function<void(Index, Index)> f) {
    std::vector<std::thread> threads;
    for (Index t = 0; t < count_; ++t) threads.emplace_back(f, n * t / count_, n * (t + 1) / count_);
    for (std::thread& thread : threads) thread.join();
  }

 private:
  Index count_;
};

}  // namespace quanta::test
