// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Functions of one code as tables of 256 codes, and the exponentials of an integer softmax. They are made in double,
// when a model is converted; what runs later only looks them up.
#pragma once

#include <algorithm>

#include <quanta/core/math.hpp>
#include <quanta/quant/params.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The activations (gemm/activations.hpp) of doubles, within 1e-12, relative to the result; sigmoid and tanh within
/// 1e-15 of it.
inline double sigmoid_of(double x) {
  const double e = math::exp(x < 0.0 ? x : -x);
  return (x < 0.0 ? e : 1.0) / (1.0 + e);
}
inline double tanh_of(double x) {
  const double e = math::exp(x < 0.0 ? x + x : -(x + x)), magnitude = (1.0 - e) / (1.0 + e);
  return x < 0.0 ? -magnitude : magnitude;
}
inline double gelu_of(double x) { return fp::mul(0.5 * x, math::erfc(fp::mul(x, -0.70710678118654752))); }
inline double gelu_tanh_of(double x) {
  const double cube = fp::mul(fp::mul(x, x), x);
  const double u = fp::mul(x + fp::mul(0.044715, cube), -1.5957691216057308);  // -2 sqrt(2 / pi)
  return x / (1.0 + math::exp(u));
}

/// The code of a real: the nearest, of two as near the even one.
inline std::int8_t nearest_code(double real, const QuantParams<PerTensor>& params) {
  const double steps = std::clamp(real / static_cast<double>(params.scale(0)), -1024.0, 1024.0);
  const std::int32_t code = static_cast<std::int32_t>(fp::round_half_even(steps)) + params.zero_point(0);
  return static_cast<std::int8_t>(std::clamp(code, -128, 127));
}

/// table[c + 128] is the code, by `to`, of f(the real that c stands for by `from`); f maps doubles.
template <class F>
Buffer<std::int8_t> integer_table(F f, const QuantParams<PerTensor>& from, const QuantParams<PerTensor>& to) {
  Buffer<std::int8_t> table(256);
  for (std::int32_t c = -128; c < 128; ++c) {
    const double real = static_cast<double>(from.scale(0)) * (c - from.zero_point(0));  // exact
    table[c + 128] = nearest_code(f(real), to);
  }
  return table;
}

/// e^(-scale * d) in units of 2^-30, for d from 0 to 255.
inline Buffer<std::int32_t> integer_exponentials(float scale) {
  Buffer<std::int32_t> units(256);
  for (std::int32_t d = 0; d < 256; ++d) {
    units[d] = static_cast<std::int32_t>(
        fp::round_half_even(fp::mul(math::exp(static_cast<double>(scale) * -d), 1073741824.0)));
  }
  return units;
}

}  // namespace detail
QUANTA_NAMESPACE_END
