// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One order for sums over a tensor, so that a sum has the same bits on every CPU. Element i (logical row-major) is
// added to lane i mod 16 of its block of 4096; the 16 lanes of a block are added by a fixed tree; blocks are added
// ascending.
#pragma once

#include <algorithm>
#include <array>

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

inline constexpr Index kReduceBlock = 4096;
inline constexpr int kReduceLanes = 16;

/// Sums `sums` quantities of every element. f(i, terms) sets the terms (double) of element i of the current block;
/// they must not depend on contraction, so each is one rounded operation, or an exact product of two floats.
/// `begin(first, count)` is called before each block.
template <int sums, class Begin, class F>
std::array<double, sums> blocked_sums(Index n, Begin begin, F f) {
  std::array<double, sums> total{};
  for (Index first = 0; first < n; first += kReduceBlock) {
    const Index count = std::min(kReduceBlock, n - first);
    begin(first, count);
    double lanes[kReduceLanes][sums] = {};
    for (Index i = 0; i < count; ++i) {
      double terms[sums];
      f(i, terms);
      for (int s = 0; s < sums; ++s) lanes[i % kReduceLanes][s] += terms[s];
    }
    for (int half = kReduceLanes / 2; half > 0; half /= 2) {
      for (int lane = 0; lane < half; ++lane) {
        for (int s = 0; s < sums; ++s) lanes[lane][s] += lanes[lane + half][s];
      }
    }
    for (int s = 0; s < sums; ++s) total[static_cast<std::size_t>(s)] += lanes[0][s];
  }
  return total;
}

}  // namespace detail
QUANTA_NAMESPACE_END
