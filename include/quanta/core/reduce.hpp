// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One order for sums over a tensor, so that a sum has the same bits on every CPU. Element i (logical row-major) is
// added to lane i mod 16 of its block of 4096; the 16 lanes of a block are added by a fixed tree; blocks are added
// ascending.
#pragma once

#include <algorithm>
#include <array>
#include <type_traits>

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

inline constexpr Index kReduceBlock = 4096;
inline constexpr int kReduceLanes = 16;

/// One accumulator per quantity and lane.
template <int sums>
using ReduceLanes = double[sums][kReduceLanes];

/// The fixed tree: lane l and lane l + 8, of those sums l and l + 4, and so on. Overwrites the lanes.
inline double sum_lanes(double (&lanes)[kReduceLanes]) {
  for (int half = kReduceLanes / 2; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) lanes[lane] += lanes[lane + half];
  }
  return lanes[0];
}

/// Sums `sums` quantities of every element. f(i, count, lanes) adds those of the elements [i, i + count) of the current
/// block to their lanes: of element i + l to lanes[s][l]. count is at most 16, and where it is 16 a constant, so that a
/// loop over it becomes vectors. The quantities must not depend on contraction, so each is one rounded operation, or an
/// exact product of two floats. `begin(first, count)` is called before each block.
template <int sums, class Begin, class F>
std::array<double, sums> blocked_sums(Index n, Begin begin, F f) {
  std::array<double, sums> total{};
  for (Index first = 0; first < n; first += kReduceBlock) {
    const Index count = std::min(kReduceBlock, n - first);
    begin(first, count);
    ReduceLanes<sums> lanes = {};
    Index i = 0;
    for (; i + kReduceLanes <= count; i += kReduceLanes) f(i, std::integral_constant<int, kReduceLanes>{}, lanes);
    if (i < count) f(i, static_cast<int>(count - i), lanes);
    for (int s = 0; s < sums; ++s) total[static_cast<std::size_t>(s)] += sum_lanes(lanes[s]);
  }
  return total;
}

}  // namespace detail
QUANTA_NAMESPACE_END
