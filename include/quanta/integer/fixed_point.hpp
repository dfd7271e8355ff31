// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Multiplying an int32 by a real number with integers alone (Jacob et al., "Quantization and training of neural
// networks for efficient integer-arithmetic-only inference", CVPR 2018, section 2.2). The real is
// multiplier * 2^(shift - 31), multiplier 0 or in [2^30, 2^31), shift in [-31, 30].
//
// What is in integer/ needs neither Eigen nor floating point registers and includes nothing of the library's but what
// is in integer/, so that a unit compiled with -mgeneral-regs-only, or for a CPU without floats, can include it. Such a
// unit and others with other flags may be one program; config.hpp's ABI namespace, which keeps their code apart
// elsewhere, needs Eigen, so here all functions are static: every unit has its own. Types are the same in all units.
#pragma once

#include <cstdint>

namespace quanta::integer {

/// x * real, rounded once, half up: (x * multiplier + 2^(30 - shift)) >> (31 - shift). The exact result may need more
/// than 32 bits.
static inline std::int64_t multiply(std::int32_t x, std::int32_t multiplier, std::int32_t shift) {
  const std::int32_t right = 31 - shift;  // 1 to 62
  return (std::int64_t{x} * multiplier + (std::int64_t{1} << (right - 1))) >> right;
}

/// The order of gemmlowp and the older TFLite, two roundings: saturating rounding doubling high multiply, then a
/// rounding divide by a power of two, half away from zero. Bit-exact with them, for any multiplier. Where they shift x
/// to the left first (shift > 0) and that overflows, which they leave undefined, it saturates.
static inline std::int32_t multiply_double_rounding(std::int32_t x, std::int32_t multiplier, std::int32_t shift) {
  const std::int64_t lowest = INT32_MIN, highest = INT32_MAX;
  std::int64_t shifted = std::int64_t{x} * (std::int64_t{1} << (shift > 0 ? shift : 0));
  shifted = shifted < lowest ? lowest : (shifted > highest ? highest : shifted);
  if (shifted == lowest && multiplier == lowest) return INT32_MAX;
  const std::int64_t product = shifted * multiplier;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  const std::int64_t high = (product + nudge) / (std::int64_t{1} << 31);
  const std::int32_t right = shift < 0 ? -shift : 0;
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  const std::int64_t threshold = (mask >> 1) + (high < 0 ? 1 : 0);
  return static_cast<std::int32_t>((high >> right) + ((high & mask) > threshold ? 1 : 0));
}

}  // namespace quanta::integer
