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

// ---- bodies ----

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
  // ln 2 in two parts: the first has trailing zeros, so its product with the exponent is exact.
  constexpr double ln2_high = 6.93147180369123816490e-01;
  constexpr double ln2_low = 1.90821492927058770002e-10;
  const double e = exponent;
  return fp::mul(e, ln2_high) + (fp::mul(fp::mul(2.0, s), sum) + fp::mul(e, ln2_low));
}

}  // namespace math
QUANTA_NAMESPACE_END
