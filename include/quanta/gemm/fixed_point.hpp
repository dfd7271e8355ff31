// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Real numbers in fixed point, to multiply an int32 by with integers alone (integer/fixed_point.hpp).
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include <quanta/config.hpp>
#include <quanta/integer/fixed_point.hpp>

QUANTA_NAMESPACE_BEGIN

/// The real number multiplier * 2^(shift - 31), by which integers are multiplied as in Jacob et al., 2018, section 2.2;
/// multiplier is 0 or in [2^30, 2^31).
struct FixedPoint {
  std::int32_t multiplier = 0;  ///< 0 or in [2^30, 2^31)
  int shift = 0;                ///< in [-31, 30]

  /// The nearest to a finite real >= 0. Below 2^-32 it is 0, from 2^30 on it saturates.
  static FixedPoint from_real(double real);
};

/// x * factor, rounded once, half up. The exact result may need more than 32 bits.
inline std::int64_t multiply(std::int32_t x, FixedPoint factor);

/// The two roundings of gemmlowp and the older TFLite, bit-exact with them.
inline std::int32_t multiply_double_rounding(std::int32_t x, FixedPoint factor);

// ---- bodies ----

inline FixedPoint FixedPoint::from_real(double real) {
  if (real == 0.0) return {};
  int shift = 0;
  const double fraction = std::frexp(real, &shift);  // exact: real = fraction * 2^shift, fraction in [1/2, 1)
  auto multiplier = static_cast<std::int64_t>(fraction * 2147483648.0 + 0.5);  // NOLINT: below 2^53 it is right
  if (multiplier == std::int64_t{1} << 31) {
    multiplier /= 2;
    ++shift;
  }
  if (shift < -31) return {};
  if (shift > 30) return {std::numeric_limits<std::int32_t>::max(), 30};
  return {static_cast<std::int32_t>(multiplier), shift};
}

inline std::int64_t multiply(std::int32_t x, FixedPoint factor) {
  return integer::multiply(x, factor.multiplier, factor.shift);
}

inline std::int32_t multiply_double_rounding(std::int32_t x, FixedPoint factor) {
  return integer::multiply_double_rounding(x, factor.multiplier, factor.shift);
}

QUANTA_NAMESPACE_END
