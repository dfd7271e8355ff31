// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Multiplying an int32 by a real number with integers alone (Jacob et al., "Quantization and training of neural
// networks for efficient integer-arithmetic-only inference", CVPR 2018, section 2.2).
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN

/// The real number multiplier * 2^(shift - 31); multiplier is 0 or in [2^30, 2^31).
struct FixedPoint {
  std::int32_t multiplier = 0;
  int shift = 0;

  /// The nearest to a finite real >= 0. Below 2^-32 it is 0, from 2^30 on it saturates.
  static FixedPoint from_real(double real);
};

/// x * factor, rounded once, half up: (x * multiplier + 2^(30 - shift)) >> (31 - shift). The exact result may need more
/// than 32 bits.
inline std::int64_t multiply(std::int32_t x, FixedPoint factor);

/// The order of gemmlowp and the older TFLite, two roundings: saturating rounding doubling high multiply, then a
/// rounding divide by a power of two, half away from zero. Bit-exact with them.
inline std::int32_t multiply_double_rounding(std::int32_t x, FixedPoint factor);

// ---- bodies ----

inline FixedPoint FixedPoint::from_real(double real) {
  if (real == 0.0) return {};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);  // exact: real = fraction * 2^shift, fraction in [1/2, 1)
  auto multiplier = static_cast<std::int64_t>(fraction * 2147483648.0 + 0.5);
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  if (shift > 30) return {std::numeric_limits<std::int32_t>::max(), 30};
  return {static_cast<std::int32_t>(multiplier), shift};
}

inline std::int64_t multiply(std::int32_t x, FixedPoint factor) {
  const int right = 31 - factor.shift;  // 1 to 62
  return (std::int64_t{x} * factor.multiplier + (std::int64_t{1} << (right - 1))) >> right;
}

inline std::int32_t multiply_double_rounding(std::int32_t x, FixedPoint factor) {
  constexpr std::int64_t lowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t highest = std::numeric_limits<std::int32_t>::max();
  const int left = std::max(factor.shift, 0), right = std::max(-factor.shift, 0);
  const std::int64_t shifted = std::clamp(std::int64_t{x} * (std::int64_t{1} << left), lowest, highest);
  if (shifted == lowest && factor.multiplier == lowest) return static_cast<std::int32_t>(highest);
  const std::int64_t product = shifted * factor.multiplier;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  const auto high = static_cast<std::int32_t>((product + nudge) / (std::int64_t{1} << 31));
  if (right == 0) return high;
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  const std::int64_t remainder = high & mask;
  const std::int64_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return static_cast<std::int32_t>((std::int64_t{high} >> right) + (remainder > threshold ? 1 : 0));
}

QUANTA_NAMESPACE_END
