// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The oracle of weight-only layers: their definition, by plain loops and std::fma, of the codes and scales that a
// quantized tensor hands out.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include <quanta/quant/quantized_tensor.hpp>

#include "tests/quant/format_cases.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

/// For every weight, row by row: its level, or its code less the zero point, and the number of its scale.
struct PlainWeights {
  Index n = 0, k = 0;
  std::vector<float> levels;
  std::vector<std::size_t> numbers;
  std::vector<float> scales;
};

template <class F, class G>
PlainWeights plain_weights(const QuantizedTensor<F, 2, G>& weight, const reference::Sharing& sharing) {
  PlainWeights plain{weight.extent(0), weight.extent(1), {}, {}, {}};
  std::size_t count = 0;
  plain.numbers = reference::parameter_numbers(weight.shape(), sharing, count);
  for (std::size_t i = 0; i < count; ++i) {
    plain.scales.push_back(std::is_same_v<G, Unscaled> ? 1.0f : weight.params().scale(static_cast<Index>(i)));
  }
  std::vector<double> levels;
  if constexpr (!IntegerFormat<F>) levels = levels_of<F>();
  const auto codes = weight.codes();
  for (Index i = 0; i < codes.size(); ++i) {
    if constexpr (IntegerFormat<F>) {
      const Index number = static_cast<Index>(plain.numbers[static_cast<std::size_t>(i)]);
      plain.levels.push_back(static_cast<float>(long{codes.data()[i]} - long{weight.params().zero_point(number)}));
    } else {
      const std::size_t code = static_cast<std::size_t>(codes.data()[i]) & (levels.size() - 1);
      plain.levels.push_back(static_cast<float>(levels[code]));
    }
  }
  return plain;
}

/// Neighbouring steps of k that share a scale are a group: acc = fma(x, level, acc) over its steps, from 0, and
/// f = fma(acc, scale, f) over the groups, from 0; then f + bias. NaN is the one quiet NaN.
inline std::vector<float> weight_only(const RowTensor<float, 2>& x, const PlainWeights& weight, const float* bias) {
  std::vector<float> y;
  for (Index b = 0; b < x.dimension(0); ++b) {
    for (Index j = 0; j < weight.n; ++j) {
      float f = 0.0f;
      for (Index i = 0; i < weight.k;) {
        const auto number = [&](Index step) { return weight.numbers[static_cast<std::size_t>(j * weight.k + step)]; };
        const std::size_t group = number(i);
        float acc = 0.0f;
        for (; i < weight.k && number(i) == group; ++i) {
          acc = std::fma(x(b, i), weight.levels[static_cast<std::size_t>(j * weight.k + i)], acc);
        }
        f = std::fma(acc, weight.scales[group], f);
      }
      const volatile float rounded = f;
      const float sum = rounded + (bias != nullptr ? bias[j] : 0.0f);
      y.push_back(std::isnan(sum) ? std::numeric_limits<float>::quiet_NaN() : sum);
    }
  }
  return y;
}

}  // namespace quanta::test
