// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a range of reals to a scale and a zero point, and from a real to a code.
//
//   Symmetric   zero_point = 0, scale = amax / qmax, codes in [-qmax, qmax] (narrow range).
//               full_range: scale = amax / ((qmax - qmin) / 2), codes in [qmin, qmax]; every real of [-amax, amax] is
//               still within half a step of a code.
//               Of formats that are not integers: the smallest scale at which the levels reach over the range on every
//               side they have, max / highest level or min / lowest. With levels alike on both sides: amax / highest.
//               floor_scale: 2^(floor(log2 amax) - floor(log2 qmax)), qmax the highest level (OCP Microscaling Formats
//               v1.0, section 6.3); what is beyond qmax then is clipped.
//   Asymmetric  the range is first widened to contain 0; d = max - min, scale = d / (qmax - qmin),
//               zero_point = saturate(round_half_even(qmin - min / scale)); all in float32, in this order
//               (ONNX DynamicQuantizeLinear). When d overflows, the scale is computed in double and rounded once.
//
// A range of zero width at 0 gives scale 1; a scale below 2^-126 becomes 2^-126.
#pragma once

#include <algorithm>
#include <cmath>

#include <quanta/core/error.hpp>
#include <quanta/core/random.hpp>
#include <quanta/format/coding.hpp>
#include <quanta/simd/quantize.hpp>

QUANTA_NAMESPACE_BEGIN

/// One scale and zero point.
struct ScaleZeroPoint {
  float scale;              ///< at least 2^-126, finite
  std::int32_t zero_point;  ///< the code of 0
};

/// Zero point 0, and codes alike on both sides of it: scale = the largest magnitude / the largest code;
/// quant/scheme.hpp has the formulas.
struct Symmetric {
  /// What fit can be told.
  struct FitOptions {
    bool full_range = false;   ///< use the most negative code too; of integer formats
    bool floor_scale = false;  ///< a power of two that may clip the largest values
  };
  /// The least code it produces.
  template <IntegerFormat F>
  static constexpr std::int32_t low(const FitOptions& options) {
    return options.full_range ? F::min : -F::max;
  }
  /// The scale of this range.
  template <ValueFormat F>
  static ScaleZeroPoint from_range(Range range, const FitOptions& options);

 private:
  template <ValueFormat F>
  static float scale_of(Range range, float amax, const FitOptions& options);
};

/// All codes for the range, widened to contain 0 (ONNX's DynamicQuantizeLinear); quant/scheme.hpp has the formulas.
struct Asymmetric {
  /// Nothing.
  struct FitOptions {};
  /// The least code it produces.
  template <IntegerFormat F>
  static constexpr std::int32_t low(const FitOptions&) {
    return F::min;
  }
  /// The scale and zero point of this range.
  template <IntegerFormat F>
  static ScaleZeroPoint from_range(Range range, const FitOptions& options);
};

namespace detail {
/// The scheme of weights: asymmetric for unsigned integers, else symmetric.
template <ValueFormat F>
using WeightScheme = std::conditional_t<IntegerFormat<F> && lowest_level<F> >= 0.0f, Asymmetric, Symmetric>;
}  // namespace detail

/// How x / scale becomes an integer. Stochastic rounds up with a probability equal to the fraction; the random number
/// is that of (seed, logical row-major index), so it does not depend on storage order, batches or threads.
enum class Rounding : std::uint8_t {
  half_even,  ///< of two integers as near the even one: ONNX's and the default
  half_away,  ///< of two integers as near the one farther from 0
  stochastic  ///< right on average
};

/// How quantize rounds.
struct QuantizeOptions {
  Rounding rounding = Rounding::half_even;  ///< of x / scale
  std::uint64_t seed = 0;                   ///< of stochastic rounding
};

namespace detail {

/// The integer nearest to v by the given rule; |v| <= 2^22. `index` is the element's logical row-major index.
inline std::int32_t round_by(float v, const QuantizeOptions& options, Index index) {
  const std::int32_t toward_zero = static_cast<std::int32_t>(v);
  switch (options.rounding) {
    case Rounding::half_away: {
      const float rest = v - static_cast<float>(toward_zero);  // exact
      return toward_zero + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
    }
    case Rounding::stochastic: {
      const std::int32_t floor = toward_zero - (static_cast<float>(toward_zero) > v ? 1 : 0);
      const float fraction = v - static_cast<float>(floor);
      return floor + (uniform(options.seed, static_cast<std::uint64_t>(index)) < fraction ? 1 : 0);
    }
    case Rounding::half_even:
      break;
  }
  return static_cast<std::int32_t>(fp::round_half_even(v));
}

/// The code of one real.
inline std::int32_t code_by(float x, const simd::QuantizeStep& step, const QuantizeOptions& options, Index index) {
  using L = simd::ScalarLanes;
  const float low = static_cast<float>(step.low - step.zero_point);
  const float high = static_cast<float>(step.high - step.zero_point);
  return round_by(L::min(L::max(L::nan_to_zero(x / step.scale), low), high), options, index) + step.zero_point;
}

/// The codes of n adjacent reals with one step; `index` is the logical index of the first.
template <class Code>
void quantize_run(const float* x, Index n, const simd::QuantizeStep& step, const QuantizeOptions& options, Index index,
                  Code* codes) {
  if (options.rounding == Rounding::half_even) {
    simd::quantize(x, n, step, codes);
    return;
  }
  for (Index i = 0; i < n; ++i) codes[i] = static_cast<Code>(code_by(x[i], step, options, index + i));
}

/// The same of `rows` adjacent rows, each column with its own step.
template <class Code>
void quantize_rows(const float* x, Index rows, Index columns, const simd::QuantizeColumns& steps,
                   const QuantizeOptions& options, Index index, Code* codes) {
  if (options.rounding == Rounding::half_even) {
    simd::quantize_columns(x, rows, columns, steps, codes);
    return;
  }
  for (Index r = 0, i = 0; r < rows; ++r) {
    for (Index j = 0; j < columns; ++j, ++i) {
      codes[i] = static_cast<Code>(code_by(x[i], steps.step(j), options, index + i));
    }
  }
}

inline bool is_range(Range range) {
  return fp::is_finite(range.min) && fp::is_finite(range.max) && range.min <= range.max;
}
inline void check_range(Range range) {
  check(is_range(range), "fit: range [", range.min, ", ", range.max, "], expected finite and min <= max");
}

}  // namespace detail

// ---- bodies ----

template <ValueFormat F>
ScaleZeroPoint Symmetric::from_range(Range range, const FitOptions& options) {
  static_assert(detail::lowest_level<F> < 0.0f || !IntegerFormat<F>,
                "quanta: symmetric quantization needs a signed format; use AsymmetricQuantizer for UInt");
  detail::check_range(range);
  const float amax = std::max(std::fabs(range.min), std::fabs(range.max));
  if (amax == 0.0f) return {1.0f, 0};
  return {std::max(scale_of<F>(range, amax, options), fp::kMinScale), 0};
}

template <ValueFormat F>
float Symmetric::scale_of(Range range, float amax, const FitOptions& options) {
  constexpr float low = detail::lowest_level<F>, high = detail::highest_level<F>;
  if (options.floor_scale) {
    constexpr std::int32_t exponents = 0x7f800000;
    constexpr float most = std::max(high, -low);
    const float power = std::bit_cast<float>(std::bit_cast<std::int32_t>(amax) & exponents);  // 0 where subnormal
    return power / std::bit_cast<float>(std::bit_cast<std::int32_t>(IntegerFormat<F> ? high : most) & exponents);
  }
  if constexpr (IntegerFormat<F>) {
    return amax / (options.full_range ? (high - low) / 2.0f : high);
  } else {
    return std::max(high > 0.0f ? range.max / high : 0.0f, low < 0.0f ? range.min / low : 0.0f);
  }
}

template <IntegerFormat F>
ScaleZeroPoint Asymmetric::from_range(Range range, const FitOptions&) {
  detail::check_range(range);
  const float min = std::min(range.min, 0.0f);
  const float max = std::max(range.max, 0.0f);
  const float width = max - min;
  constexpr float steps = static_cast<float>(F::max - F::min);
  float scale = width / steps;
  if (width == 0.0f) {
    scale = 1.0f;
  } else if (!fp::is_finite(width)) {
    scale = static_cast<float>((static_cast<double>(max) - static_cast<double>(min)) / static_cast<double>(steps));
  }
  scale = std::max(scale, fp::kMinScale);
  constexpr float low = static_cast<float>(F::min), high = static_cast<float>(F::max);
  const float zero_point = std::min(std::max(low - min / scale, low), high);
  return {scale, static_cast<std::int32_t>(fp::round_half_even(zero_point))};
}

QUANTA_NAMESPACE_END
