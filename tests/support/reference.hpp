// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The oracle: what the numbers mean, written as plainly as possible in double and long. It shares no code with the
// library. A quotient or a sum of two floats that is computed in double and rounded to float is correctly rounded,
// because a double has more than twice the precision.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <Eigen/Core>

namespace quanta::test::reference {

inline double half_even(double v) {
  const double below = std::floor(v), rest = v - below;
  return rest > 0.5 || (rest == 0.5 && std::fmod(below, 2.0) != 0.0) ? below + 1.0 : below;
}

/// To float; beyond the largest float, to infinity (the cast alone would leave that undefined).
inline float to_float(double v) {
  constexpr double limit = 0x1.ffffffp127;  // half way from the largest float to 2^128
  if (std::fabs(v) >= limit) return std::copysign(std::numeric_limits<float>::infinity(), v > 0.0 ? 1.0f : -1.0f);
  return static_cast<float>(v);
}

struct Params {
  float scale = 1.0f;
  long zero_point = 0;
};

inline long saturate(double v, long low, long high) {
  return static_cast<long>(std::min(std::max(v, static_cast<double>(low)), static_cast<double>(high)));
}

inline float quotient(float x, float scale) { return to_float(static_cast<double>(x) / static_cast<double>(scale)); }

/// saturate(round_half_even(x / scale) + zero_point); NaN gives zero_point.
inline long code(float x, const Params& p, long low, long high) {
  if (std::isnan(x)) return p.zero_point;
  const double q = quotient(x, p.scale);
  if (std::isinf(q)) return q < 0.0 ? low : high;
  return saturate(half_even(q) + static_cast<double>(p.zero_point), low, high);
}

/// scale * (code - zero_point), saturated to the largest float.
inline float real(long code, const Params& p) {
  constexpr double limit = std::numeric_limits<float>::max();
  const double exact = static_cast<double>(p.scale) * static_cast<double>(code - p.zero_point);
  return static_cast<float>(std::min(std::max(exact, -limit), limit));
}

inline float at_least_normal(float scale) { return std::max(scale, 0x1p-126f); }

inline Params symmetric(float min, float max, long low, long high, bool full_range) {
  const double amax = std::max(std::fabs(min), std::fabs(max));
  if (amax == 0.0) return {};
  const double steps = static_cast<double>(full_range ? high - low : 2 * high) / 2.0;
  return {at_least_normal(to_float(amax / steps)), 0};
}

inline Params asymmetric(float min, float max, long low, long high) {
  const double bottom = std::min(min, 0.0f), top = std::max(max, 0.0f), steps = static_cast<double>(high - low);
  if (bottom == top) return {1.0f, low};
  const float width = to_float(top - bottom);
  const float scale = at_least_normal(to_float(std::isinf(width) ? (top - bottom) / steps : width / steps));
  const float offset = quotient(static_cast<float>(bottom), scale);
  const float zero_point = to_float(static_cast<double>(low) - static_cast<double>(offset));
  return {scale, saturate(half_even(zero_point), low, high)};
}

/// Which elements share parameters: all of them; those with one index along `axis`; or `group` neighbours along it.
struct Sharing {
  enum Kind { tensor, channel, group } kind = tensor;
  int axis = 0;
  long size = 0;
};

/// For every element in logical order, the number of its parameter. `count` becomes the number of parameters.
template <std::size_t rank>
std::vector<std::size_t> parameter_numbers(const std::array<Eigen::Index, rank>& shape, const Sharing& sharing,
                                           std::size_t& count) {
  const std::size_t axis =
      static_cast<std::size_t>(sharing.axis < 0 ? sharing.axis + static_cast<int>(rank) : sharing.axis);
  Eigen::Index elements = 1, lines = 1;
  for (std::size_t d = 0; d < rank; ++d) {
    elements *= shape[d];
    if (d != axis) lines *= shape[d];
  }
  const Eigen::Index groups = sharing.kind == Sharing::group ? (shape[axis] + sharing.size - 1) / sharing.size : 0;
  count = static_cast<std::size_t>(sharing.kind == Sharing::tensor    ? 1
                                   : sharing.kind == Sharing::channel ? shape[axis]
                                                                      : lines * groups);
  std::vector<std::size_t> result;
  for (Eigen::Index i = 0; i < elements; ++i) {
    std::array<Eigen::Index, rank> index;
    Eigen::Index rest = i;
    for (std::size_t d = rank; d-- > 0; rest /= shape[d]) index[d] = rest % shape[d];
    Eigen::Index line = 0;
    for (std::size_t d = 0; d < rank; ++d) {
      if (d != axis) line = line * shape[d] + index[d];
    }
    result.push_back(static_cast<std::size_t>(sharing.kind == Sharing::tensor ? 0
                                              : sharing.kind == Sharing::channel
                                                  ? index[axis]
                                                  : line * groups + index[axis] / sharing.size));
  }
  return result;
}

/// The one order of sums over a tensor: blocks of 4096; in a block, 16 sums of every sixteenth element; those by a tree
/// of halves; the blocks' sums one after the other.
inline double blocked_sum(const std::vector<double>& x) {
  double total = 0.0;
  for (std::size_t block = 0; block < x.size(); block += 4096) {
    const std::size_t end = std::min(block + 4096, x.size());
    double lane[16];
    for (std::size_t l = 0; l < 16; ++l) {
      lane[l] = 0.0;
      for (std::size_t i = block + l; i < end; i += 16) lane[l] += x[i];
    }
    const double eight[8] = {lane[0] + lane[8],  lane[1] + lane[9],  lane[2] + lane[10], lane[3] + lane[11],
                             lane[4] + lane[12], lane[5] + lane[13], lane[6] + lane[14], lane[7] + lane[15]};
    const double four[4] = {eight[0] + eight[4], eight[1] + eight[5], eight[2] + eight[6], eight[3] + eight[7]};
    total += (four[0] + four[2]) + (four[1] + four[3]);
  }
  return total;
}

}  // namespace quanta::test::reference
