// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the two programs do with their network.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "../support/digits.hpp"
#include "../support/expect.hpp"

/// Runs the network on the test images, a hundred at a time; prints its accuracy, bytes and time.
template <class Network>
void measure(const Network& network) {
  constexpr Eigen::Index kBatch = 100;
  const Eigen::MatrixXf images = digits::test_images();
  Eigen::MatrixXf outputs(10, images.cols());
  double best = 1e9;  // seconds of the fastest batch
  for (Eigen::Index first = 0; first < images.cols(); first += kBatch) {
    const Eigen::MatrixXf batch = images.middleCols(first, kBatch);
    const auto start = std::chrono::steady_clock::now();
    outputs.middleCols(first, kBatch) = network(batch);
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  const double percent = digits::accuracy(outputs);
  std::printf("%.2f %% right, %d bytes of weights, %.2f us per image\n", percent,
              static_cast<int>(network.weight_bytes()), best * 1e6 / kBatch);
  examples::expect_near(percent, 97.89, 0.1, "accuracy");
}
