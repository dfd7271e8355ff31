// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The levels of formats that are not integers, for oracles, by the formats' specifications.
#pragma once

#include <quanta/quant/block_formats.hpp>

#include "tests/format/level_oracle.hpp"

namespace quanta::test {

template <class F>
inline constexpr FloatSpec kSpec{};
template <>
inline constexpr FloatSpec kSpec<E2M1>{2, 1, 1, FloatSpec::none};
template <>
inline constexpr FloatSpec kSpec<E2M3>{2, 3, 1, FloatSpec::none};
template <>
inline constexpr FloatSpec kSpec<E3M2>{3, 2, 3, FloatSpec::none};
template <>
inline constexpr FloatSpec kSpec<E4M3>{4, 3, 7, FloatSpec::nan};
template <>
inline constexpr FloatSpec kSpec<E5M2>{5, 2, 15, FloatSpec::ieee};
template <>
inline constexpr FloatSpec kSpec<Fp16>{5, 10, 15, FloatSpec::ieee};
template <>
inline constexpr FloatSpec kSpec<Bf16>{8, 7, 127, FloatSpec::ieee};

/// What every code of a format stands for. Formats that derive from E2M1 and so on have its levels.
template <class F>
std::vector<double> levels_of() {
  std::vector<double> result;
  if constexpr (CodebookFormat<F>) {
    for (const float level : F::levels) result.push_back(static_cast<double>(level));
  } else if constexpr (IntegerFormat<F>) {
    for (int code = 0; code < 1 << F::bits; ++code) result.push_back(code > F::max ? code - (1 << F::bits) : code);
  } else {
    const FloatSpec specs[] = {kSpec<E2M1>, kSpec<E2M3>, kSpec<E3M2>, kSpec<E4M3>,
                               kSpec<E5M2>, kSpec<Fp16>, kSpec<Bf16>};
    for (const FloatSpec& spec : specs) {
      if (spec.exponent_bits != F::exponent_bits || spec.fraction_bits != F::fraction_bits) continue;
      for (int code = 0; code < spec.codes(); ++code) result.push_back(spec.level(code));
    }
  }
  return result;
}

/// The largest level that is a number.
inline double largest(const std::vector<double>& levels) {
  double result = 0.0;
  for (const double level : levels) result = std::isfinite(level) ? std::max(result, level) : result;
  return result;
}

}  // namespace quanta::test
