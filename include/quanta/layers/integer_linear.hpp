// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the layers with quantized weights share: weights and bias from what a user gives, rows of an input side by side,
// and the integer product with its bias. How the activations become codes is each layer's own matter.
#pragma once

#include <quanta/gemm/gemm.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// A weight (out, in) in codes, symmetrically (asymmetrically for unsigned formats), from its own range. Throws Error
/// when an element is not finite.
template <IntegerFormat F, Granularity G, RealObject W>
QuantizedTensor<F, 2, G> quantize_weight(const W& weight, G granularity) {
  static_assert(rank_of<W> == 2, "quanta: a weight is (out, in)");
  using Scheme = std::conditional_t<(F::min < 0), Symmetric, Asymmetric>;
  const Input<float, 2> input(weight);
  const Buffer<Range> ranges = observed_ranges("weight", input.view(), granularity.info());
  return Quantizer<Scheme, F, G>::fit(ranges, granularity).quantize(weight);
}

/// Calls f(row, values) for every row, with its features side by side: where they are, or gathered in the context's
/// local memory `slot`.
template <class F>
void for_each_row(Context& context, Index slot, const TensorView<const float, 2>& x, F f) {
  const Index k = x.extent(1);
  float* gathered = x.stride(1) == 1 ? nullptr : context.reserve_local<float>(slot, k);
  for (Index r = 0; r < x.extent(0); ++r) {
    const float* row = x.data() + r * x.stride(0);
    if (gathered != nullptr) {
      for (Index i = 0; i < k; ++i) gathered[i] = row[i * x.stride(1)];
      row = gathered;
    }
    f(r, row);
  }
}

/// y[b, n] = fma(float(acc), scale_x[b] * scale_w[n], bias[n]), or per group as in gemm/stages.hpp. Sizes and capacity
/// have been checked.
template <class Code, class Weights>
void multiply_linear(Context& context, const LhsOperand<Code>& lhs, const Weights& weights, const Buffer<float>& bias,
                     const TensorView<float, 2>& y) {
  const auto bias_map = tensor_map(TensorView<const float, 1>(bias.data(), {bias.size()}));
  const AddBias add(bias_map);
  run_product(context, lhs, weights, RealOutput<LhsOperand<Code>>{y, lhs, &add, {}});
}

}  // namespace detail
QUANTA_NAMESPACE_END
