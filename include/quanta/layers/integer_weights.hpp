// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The weight of a linear layer of a network of integers, from a float Linear and what its input is quantized with.
#pragma once

#include <bit>
#include <cstdlib>

#include <quanta/layers/linear.hpp>
#include <quanta/quant/quantizer.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The weight per channel, with scales so large that the biases, and all sums with them, fit int32. Throws Error when
/// the sums alone do not, or no float is large enough.
inline QuantizedTensor<Int<8>, 2, PerChannel<0>> quantize_weight_for_bias(const Linear& linear, Index number,
                                                                          const QuantParams<PerTensor>& x) {
  using Q = SymmetricQuantizer<Int<8>, PerChannel<0>>;
  const Tensor<float, 2> weight = linear.weight();
  const auto bias = linear.bias();
  const Q fitted = Q::fit(weight);
  QuantizedTensor<Int<8>, 2, PerChannel<0>> codes = fitted.quantize(weight);
  const auto* code = reinterpret_cast<const std::int8_t*>(codes.view().data());
  const std::int64_t most_x = std::max(127 - x.zero_point(0), 128 + x.zero_point(0));
  Buffer<float> scales(linear.out_features());
  bool wider = false;
  for (Index n = 0; n < scales.size(); ++n) {
    std::int64_t room = INT32_MAX;  // for the bias beside the largest sum; wider scales make no sum larger
    for (Index k = 0; k < linear.in_features(); ++k) room -= most_x * std::abs(*code++);
    check(room > 0, "quantize_static: layer ", number, " (Linear): the sum over k = ", linear.in_features(),
          " for output ", n, " can leave int32; use fewer inputs");
    scales[n] = fitted.params().scale(n);
    const double magnitude = std::abs(static_cast<double>(bias(n)));
    const auto units = [&](float scale) {
      return magnitude / (static_cast<double>(x.scale(0)) * static_cast<double>(scale));
    };
    const auto limit = static_cast<double>(room);
    if (units(scales[n]) <= limit) continue;
    wider = true;
    const double least = magnitude / static_cast<double>(x.scale(0)) / limit;
    check(least < static_cast<double>(fp::kMaxFloat), "quantize_static: layer ", number, " (Linear): bias ", n, " is ",
          bias(n), ", too large beside the scale of x, ", x.scale(0));
    scales[n] = static_cast<float>(least);
    while (units(scales[n]) > limit) {  // it was rounded down
      scales[n] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scales[n]) + 1);
    }
  }
  if (wider) codes = Q(QuantParams<PerChannel<0>>(scales)).quantize(weight);
  return codes;
}

}  // namespace detail
QUANTA_NAMESPACE_END
