// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Requantization from its definitions, in 128-bit integers: the single rounding of Jacob et al., and gemmlowp's and
// TFLite's two (gemmlowp fixedpoint.h, tensorflow/lite quantization_util.cc). Shares no code with the library.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace quanta::test {

__extension__ typedef __int128 Wide;  // NOLINT: no extension with `using`, says -Wpedantic

inline Wide floor_divide(Wide a, Wide b) { return a / b - (a % b < 0 ? 1 : 0); }

/// x * m * 2^(shift - 31), rounded to the nearest integer, ties upwards, from the exact product.
inline Wide exact_multiply(std::int32_t x, std::int32_t m, int shift) {
  const Wide divisor = Wide{1} << (31 - shift);
  return floor_divide(2 * Wide{x} * m + divisor, 2 * divisor);  // floor(p / d + 1/2)
}

inline std::int32_t saturating_rounding_doubling_high_mul(std::int32_t a, std::int32_t b) {
  constexpr std::int32_t lowest = std::numeric_limits<std::int32_t>::min();
  if (a == b && a == lowest) return std::numeric_limits<std::int32_t>::max();
  const Wide product = Wide{a} * b;
  const Wide nudge = product >= 0 ? (1 << 30) : (1 - (1 << 30));
  return static_cast<std::int32_t>((product + nudge) / (Wide{1} << 31));  // towards zero
}

/// Nearest, ties away from zero.
inline std::int32_t rounding_divide_by_power_of_two(std::int32_t x, int exponent) {
  const Wide divisor = Wide{1} << exponent;
  const Wide magnitude = x < 0 ? -Wide{x} : Wide{x};
  const Wide quotient = (2 * magnitude + divisor) / (2 * divisor);
  return static_cast<std::int32_t>(x < 0 ? -quotient : quotient);
}

inline std::int32_t gemmlowp_multiply(std::int32_t x, std::int32_t m, int shift) {
  using Limits = std::numeric_limits<std::int32_t>;
  const Wide shifted = Wide{x} * (Wide{1} << std::max(shift, 0));
  const auto saturated = static_cast<std::int32_t>(std::clamp<Wide>(shifted, Limits::min(), Limits::max()));
  return rounding_divide_by_power_of_two(saturating_rounding_doubling_high_mul(saturated, m), std::max(-shift, 0));
}

/// real >= 0 as multiplier * 2^(shift - 31), as TFLite's QuantizeMultiplier.
struct Multiplier {
  std::int32_t m = 0;
  int shift = 0;

  explicit Multiplier(double real) {
    if (real == 0.0) return;
    int exponent = 0;
    long long fixed = std::llround(std::ldexp(std::frexp(real, &exponent), 31));
    if (fixed == 1LL << 31) {
      fixed >>= 1;
      ++exponent;
    }
    if (exponent < -31) return;
    m = exponent > 30 ? std::numeric_limits<std::int32_t>::max() : static_cast<std::int32_t>(fixed);
    shift = std::min(exponent, 30);
  }
};

}  // namespace quanta::test
