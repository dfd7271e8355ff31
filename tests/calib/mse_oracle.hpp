// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The squared-error search as calib/mse.hpp describes it, without its short cuts: every candidate, every bin, all of
// each bin's steps one by one, in long double.
#pragma once

#include <cmath>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {

/// Bins of the same sign in a row, joined from the bottom up while they reach no further than 1/32 of their value.
template <class Sketch>
std::vector<CountedBin> coarse_bins(const Sketch& sketch) {
  const auto sign = [](const CountedBin& b) { return b.low < 0.0f ? -1 : (b.high > 0.0f ? 1 : 0); };
  std::vector<CountedBin> result;
  for (const CountedBin& bin : bins_in(sketch)) {
    if (!result.empty() && sign(result.back()) == sign(bin)) {
      CountedBin& last = result.back();
      const double size = std::max(std::fabs(double{last.low}), std::fabs(double{bin.high}));
      if (double{bin.high} - double{last.low} <= size / 32.0) {
        last = {last.low, bin.high, last.count + bin.count};
        continue;
      }
    }
    result.push_back(bin);
  }
  return result;
}

/// The integral of (x - quantized x)^2 over [a, b], in reals, cut where the code changes.
inline long double step_by_step(long double a, long double b, const reference::Params& p, long low, long high) {
  const long double scale = p.scale;
  const auto code_of = [&](long double x) {
    const long double nearest = std::floor(x / scale + 0.5L) + static_cast<long double>(p.zero_point);
    return std::min(std::max(nearest, static_cast<long double>(low)), static_cast<long double>(high));
  };
  const auto cube = [](long double v) { return v * v * v; };
  long double sum = 0.0L;
  long double code = code_of(a);
  while (a < b) {
    const long double level = (code - static_cast<long double>(p.zero_point)) * scale;
    const long double end = code >= static_cast<long double>(high) ? b : std::min(b, std::max(a, level + scale / 2.0L));
    sum += (cube(end - level) - cube(a - level)) / 3.0L;
    a = end;
    code += 1.0L;
  }
  return sum;
}

inline long double mean_squared_error(const std::vector<CountedBin>& bins, const reference::Params& p, long low,
                                      long high) {
  long double sum = 0.0L;
  for (const CountedBin& bin : bins) {
    const long double a = bin.low, b = bin.high, n = static_cast<long double>(bin.count);
    if (bin.low == bin.high) {
      const long double nearest = std::floor(a / static_cast<long double>(p.scale) + 0.5L);
      const long double bounded = std::min(std::max(nearest, static_cast<long double>(low - p.zero_point)),
                                           static_cast<long double>(high - p.zero_point));
      const long double error = a - bounded * static_cast<long double>(p.scale);
      sum += n * error * error;
    } else {
      sum += n * step_by_step(a, b, p, low, high) / (b - a);
    }
  }
  return sum;
}

/// v * 2^(-j/8), rounded after each of the two factors.
inline float grid_value(float v, int j) {
  const double root = static_cast<float>(std::exp2(-static_cast<double>(j % 8) / 8.0));
  const float part = static_cast<float>(double{v} * root);
  return static_cast<float>(std::ldexp(double{part}, -(j / 8)));
}

/// Parameters of quantizer Q for a range, by the reference.
template <class Q>
reference::Params params_for(Range range, bool full_range) {
  using F = typename Q::FormatType;
  return std::is_same_v<typename Q::SchemeType, Symmetric>
             ? reference::symmetric(range.min, range.max, F::min, F::max, full_range)
             : reference::asymmetric(range.min, range.max, F::min, F::max);
}

struct MseChoice {
  Range range;
  long double error;
};

template <class Q>
long double error_of_range(const std::vector<CountedBin>& bins, Range range, bool full_range) {
  using F = typename Q::FormatType;
  const bool narrow = std::is_same_v<typename Q::SchemeType, Symmetric> && !full_range;
  return mean_squared_error(bins, params_for<Q>(range, full_range), narrow ? -F::max : F::min, F::max);
}

/// The best of the grid; of equals the first, which is the largest.
template <class Q>
MseChoice best_of_grid(const std::vector<CountedBin>& bins, Range whole, bool full_range) {
  const bool two_ends = std::is_same_v<typename Q::SchemeType, Asymmetric> && whole.min < 0.0f && whole.max > 0.0f;
  MseChoice best{whole, std::numeric_limits<long double>::infinity()};
  for (int i = 0; i <= 80; ++i) {
    for (int j = two_ends ? 0 : i; j <= (two_ends ? 80 : i); ++j) {
      const Range range{grid_value(whole.min, i), grid_value(whole.max, j)};
      const long double error = error_of_range<Q>(bins, range, full_range);
      if (error < best.error) best = {range, error};
    }
  }
  return best;
}

}  // namespace quanta::test
