// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The weight of a linear layer of a network of integers, beside its bias.
#pragma once

#include <bit>
#include <cstdlib>

#include <quanta/layers/weight_and_bias.hpp>
#include <quanta/quant/quantizer.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Is this a weight that a network of integers can hold?
template <class W>
inline constexpr bool is_weight_of_integers = false;
template <IntegerFormat F, Granularity G>
inline constexpr bool is_weight_of_integers<QuantizedTensor<F, 2, G>> = F::bits <= 8 && F::min < 0 &&
                                                                        (std::is_same_v<G, PerTensor> ||
                                                                         std::is_same_v<G, PerChannel<0>>);

/// A weight (out, in) with codes of 8 bits and a scale per output. Throws Error where it has a zero point.
template <class W>
QuantizedTensor<Int<8>, 2, PerChannel<0>> weight_of_bytes(const W& weight) {
  static_assert(is_weight_of_integers<W>,
                "quanta: a weight of an IntegerBuilder is a QuantizedTensor<Int<b>, 2, G> of at most 8 bits, G "
                "PerTensor or PerChannel<0>");
  if constexpr (is_weight_of_integers<W>) {
    Tensor<std::int8_t, 2> codes = weight.codes();
    Buffer<float> scales(weight.extent(0));
    for (Index n = 0; n < scales.size(); ++n) {
      const Index p = weight.params().size() == 1 ? 0 : n;
      check(weight.params().zero_point(p) == 0, "IntegerBuilder: weight has the zero point ",
            weight.params().zero_point(p), ", expected a symmetric one");
      scales[n] = weight.params().scale(p);
      constexpr int factor = 1 << (8 - W::FormatType::bits);
      if (scales[n] < fp::kMinScale * factor) continue;
      scales[n] /= factor;
      for (Index k = 0; k < weight.extent(1); ++k) codes(n, k) = static_cast<std::int8_t>(codes(n, k) * factor);
    }
    return {codes, QuantParams<PerChannel<0>>(scales)};
  } else {
    return {Tensor<std::int8_t, 2>(), QuantParams<PerChannel<0>>(Buffer<float>())};
  }
}

/// The weight with scales so large that the biases, in units of scale_x * scale_w[n], and all sums with them, fit
/// int32. Throws Error when the sums alone do not, a bias is not finite, or no float is large enough. `number` is the
/// layer's, for messages.
inline QuantizedTensor<Int<8>, 2, PerChannel<0>> fit_to_bias(const QuantizedTensor<Int<8>, 2, PerChannel<0>>& weight,
                                                             const TensorView<const float, 1>& bias,
                                                             const QuantParams<PerTensor>& x, Index number) {
  check(bias.size() == weight.extent(0), "IntegerBuilder: layer ", number, ": bias has ", bias.size(),
        " elements, expected one per output, ", weight.extent(0));
  const auto* code = reinterpret_cast<const std::int8_t*>(weight.view().data());
  const std::int64_t most_x = std::max(127 - x.zero_point(0), 128 + x.zero_point(0));
  Buffer<float> scales(weight.extent(0));
  bool wider = false;
  for (Index n = 0; n < scales.size(); ++n) {
    std::int64_t room = INT32_MAX;  // for the bias beside the largest sum; wider scales make no sum larger
    for (Index k = 0; k < weight.extent(1); ++k) room -= most_x * std::abs(*code++);
    check(room > 0, "IntegerBuilder: layer ", number, " (Linear): the sum over k = ", weight.extent(1), " for output ",
          n, " can leave int32; use fewer inputs");
    scales[n] = weight.params().scale(n);
    const float real = bias.data()[n * bias.stride(0)];
    check(fp::is_finite(real), "IntegerBuilder: layer ", number, " (Linear): bias ", n, " is ", NotFinite{real},
          ", expected a finite value");
    const double magnitude = std::abs(static_cast<double>(real));
    const auto units = [&](float scale) {
      return magnitude / (static_cast<double>(x.scale(0)) * static_cast<double>(scale));
    };
    const auto limit = static_cast<double>(room);
    if (units(scales[n]) <= limit) continue;
    wider = true;
    const double least = magnitude / static_cast<double>(x.scale(0)) / limit;
    check(least < static_cast<double>(fp::kMaxFloat), "IntegerBuilder: layer ", number, " (Linear): bias ", n, " is ",
          real, ", too large beside the scale of x, ", x.scale(0));
    scales[n] = static_cast<float>(least);
    while (units(scales[n]) > limit) {  // it was rounded down
      scales[n] = std::bit_cast<float>(std::bit_cast<std::uint32_t>(scales[n]) + 1);
    }
  }
  if (!wider) return weight;
  // Codes whose scale stays come back as they were.
  const SymmetricQuantizer<Int<8>, PerChannel<0>> quantizer(QuantParams<PerChannel<0>>(scales), {.full_range = true});
  return quantizer.quantize(weight.dequantize());
}

}  // namespace detail
QUANTA_NAMESPACE_END
