// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Elementary functions that give the same bits everywhere. The C library's differ between platforms and versions, so
// none of theirs is called: these use only operations IEEE 754 rounds correctly, in a fixed order.
#pragma once

#include <bit>
#include <cstdint>
#include <limits>

#include <quanta/core/fp.hpp>

QUANTA_NAMESPACE_BEGIN
namespace math {

/// Natural logarithm of x, within 2 units of 1e-16 * max(1, |log x|). log(0) is -inf, log(inf) is inf, NaN for x < 0.
/// Method: x = 2^e * m with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m - 1) / (m + 1)) by its power series.
inline double log(double x);

/// log(x) / log(10), within 4 units of 1e-16 * max(1, |log10 x|).
inline double log10(double x) { return fp::mul(log(x), 0.43429448190325182765); }

/// e^x, within 4 units of 1e-16, relative to the result; results below 2^-1022 are 0. exp(-inf) is 0, exp(inf) is inf.
/// Method: x = n ln 2 + r with |r| <= ln(2) / 2, e^r by its power series, times 2^n.
inline double exp(double x);

/// The complementary error function, 2 / sqrt(pi) times the integral of e^-t^2 from x to infinity, within 1e-12,
/// relative to the result; results below 1e-300 are 0.
/// Method: near 0 from the power series of erf, all of whose terms are positive; further out a continued fraction.
inline double erfc(double x);

// ---- bodies ----

namespace detail {
// ln 2 in two parts: the first has trailing zeros, so its product with an exponent is exact.
inline constexpr double kLn2High = 6.93147180369123816490e-01;
inline constexpr double kLn2Low = 1.90821492927058770002e-10;
}  // namespace detail

inline double log(double x) {
  constexpr double infinity = std::numeric_limits<double>::infinity();
  if (x != x || x < 0.0) return std::numeric_limits<double>::quiet_NaN();
  if (x == 0.0) return -infinity;
  if (x == infinity) return infinity;
  int exponent = 0;
  if (x < std::numeric_limits<double>::min()) {  // subnormal: scale by 2^54
    x *= 18014398509481984.0;
    exponent = -54;
  }
  const std::uint64_t bits = std::bit_cast<std::uint64_t>(x);
  exponent += static_cast<int>(bits >> 52) - 1023;
  double m = std::bit_cast<double>((bits & 0x000fffffffffffffu) | 0x3ff0000000000000u);
  if (m > 1.4142135623730950488) {
    m *= 0.5;
    ++exponent;
  }
  const double s = (m - 1.0) / (m + 1.0);  // |s| <= 0.1716, so 12 terms reach below 1e-19
  const double s2 = fp::mul(s, s);
  double sum = 1.0 / 23.0;
  for (int k = 21; k >= 1; k -= 2) sum = fp::mul(sum, s2) + 1.0 / k;
  const double e = exponent;
  return fp::mul(e, detail::kLn2High) + (fp::mul(fp::mul(2.0, s), sum) + fp::mul(e, detail::kLn2Low));
}

inline double exp(double x) {
  if (x != x) return std::numeric_limits<double>::quiet_NaN();
  if (x > 709.78271289338397) return std::numeric_limits<double>::infinity();
  if (x < -708.39641853226408) return 0.0;
  const double n = fp::round_half_even(fp::mul(x, 1.4426950408889634));
  const double r = (x - fp::mul(n, detail::kLn2High)) - fp::mul(n, detail::kLn2Low);
  double sum = 1.0;  // 1 + r (1 + r / 2 (1 + r / 3 (...))): 15 terms reach below 1e-19
  for (int k = 15; k >= 1; --k) sum = 1.0 + fp::mul(r, sum) / k;
  const auto half = static_cast<std::int64_t>(n) / 2, rest = static_cast<std::int64_t>(n) - half;
  const auto power_of_2 = [](std::int64_t e) {
    return std::bit_cast<double>(static_cast<std::uint64_t>(e + 1023) << 52);
  };
  return fp::mul(fp::mul(sum, power_of_2(half)), power_of_2(rest));  // 2^n may be no double: in two factors
}

inline double erfc(double x) {
  const double t = x < 0.0 ? -x : x, square = fp::mul(t, t);
  double tail = 0.0;  // erfc(t)
  if (t < 2.0) {      // erf(t) = 2 / sqrt(pi) e^-t^2 (t + t^3 2 / 3 + t^5 4 / 15 + ...): 60 terms reach below 1e-19
    double sum = 1.0;
    for (int k = 60; k >= 1; --k) sum = 1.0 + fp::mul(square, sum) / (k + 0.5);
    tail = 1.0 - fp::mul(fp::mul(1.1283791670955126, exp(-square)), fp::mul(t, sum));
  } else if (t < 26.5) {  // erfc(t) = e^-t^2 / sqrt(pi) / (t + (1/2) / (t + (2/2) / (t + (3/2) / ...)))
    double denominator = t;
    for (int k = 100; k >= 1; --k) denominator = t + 0.5 * k / denominator;
    tail = fp::mul(0.56418958354775629, exp(-square)) / denominator;
  } else if (t != t) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return x < 0.0 ? 2.0 - tail : tail;
}

}  // namespace math
QUANTA_NAMESPACE_END
