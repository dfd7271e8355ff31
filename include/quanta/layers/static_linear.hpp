// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer with integer weights whose activations are quantized with parameters known beforehand, from
// calibration: no pass over x to find its range, and one scale for all rows.
#pragma once

#include <string_view>

#include <quanta/layers/integer_linear.hpp>
#include <quanta/layers/linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// How a StaticLinear quantizes its input: what it keeps of the Quantizer it was given.
struct ActivationParams {
  std::string_view format;  ///< "uint8", ...
  float scale;
  std::int32_t zero_point;
  std::int32_t min_code, max_code;  ///< the codes it produces; min_code is negative for signed formats alone
};

/// Codes of x are saturate(round_half_even(x / scale_x) + zero_point): infinities saturate, NaN counts as 0. Then y[b,
/// n] = fma(float(acc), scale_x * scale_w[n], bias[n]); per group as in gemm/stages.hpp.
template <IntegerFormat F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
class StaticLinear : public detail::LinearBase<StaticLinear<F, G, Kernel>> {
  using Weights = PackedRhs<F, G, Kernel>;

 public:
  static constexpr const char* kName = "StaticLinear";

  /// Quantizes weight (out, in), symmetrically (asymmetrically for unsigned formats), from its own range; bias (out).
  /// `activation` has a format of at most 8 bits. Throws Error when sizes differ, the weight is not finite, or the sums
  /// can leave int32.
  template <RealObject W, RealObject B, class Scheme, IntegerFormat A>
  StaticLinear(const W& weight, const B& bias, const Quantizer<Scheme, A, PerTensor>& activation, G granularity = G{})
      : StaticLinear(detail::quantize_weight<F>(weight, granularity), bias, activation) {}
  /// Without a bias.
  template <RealObject W, class Scheme, IntegerFormat A>
  StaticLinear(const W& weight, const Quantizer<Scheme, A, PerTensor>& activation, G granularity = G{})
      : StaticLinear(detail::quantize_weight<F>(weight, granularity), activation) {}
  /// From weights already quantized.
  template <RealObject B, class Scheme, IntegerFormat A>
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, const B& bias, const Quantizer<Scheme, A, PerTensor>& activation)
      : StaticLinear(weight, activation) {
    this->set_bias(bias);
  }
  template <class Scheme, IntegerFormat A>
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, const Quantizer<Scheme, A, PerTensor>& activation);

  Index in_features() const { return weights_.k(); }
  Index out_features() const { return weights_.n(); }
  const Weights& weights() const { return weights_; }
  const ActivationParams& activation() const { return activation_; }
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.packed_bytes(); }
  std::string_view weight_format() const { return F::name; }
  std::string weight_granularity() const { return description(weights_.granularity(), 2); }

  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;

 private:
  // Codes are written as the kernel's own operands: those of the other signedness are shifted, and the zero point with
  // them, which leaves every product as it was. So all activation formats run the same code.
  using Operand = typename Kernel::Lhs;

  Weights weights_;
  ActivationParams activation_;
  std::int32_t shift_;  ///< operand - code
};

// ---- bodies ----

template <IntegerFormat F, Granularity G, MicroKernel Kernel>
template <class Scheme, IntegerFormat A>
StaticLinear<F, G, Kernel>::StaticLinear(const QuantizedTensor<F, 2, G>& weight,
                                         const Quantizer<Scheme, A, PerTensor>& activation)
    : detail::LinearBase<StaticLinear>(weight.extent(0)),
      weights_(weight.view()),
      activation_{A::name, activation.params().scale(0), activation.params().zero_point(0), activation.min_code(),
                  activation.max_code()},
      shift_(detail::kOperandShift<A, Operand>) {
  static_assert(A::bits <= 8, "quanta: activations have formats of at most 8 bits");
  const std::int32_t zero_point = activation_.zero_point;
  detail::check_capacity(kName, weights_, activation_.min_code, activation_.max_code, zero_point, zero_point,
                         Weights::per_group);
}

template <IntegerFormat F, Granularity G, MicroKernel Kernel>
void StaticLinear<F, G, Kernel>::forward(Context& context, const TensorView<const float, 2>& x,
                                         const TensorView<float, 2>& y) const {
  const Index k = x.extent(1);
  const std::int32_t zero_point = activation_.zero_point + shift_;
  const simd::QuantizeStep step{activation_.scale, zero_point, activation_.min_code + shift_,
                                activation_.max_code + shift_};
  const auto quantize_rows = [=](const detail::RowsToQuantize<Operand>& part) {
    for (Index i = 0; i < part.count; ++i) simd::quantize(part.row(i), k, step, part.codes_of(i));
  };
  const detail::QuantizedRows<Operand, decltype(quantize_rows)> maker(context, 0, x, quantize_rows);
  const detail::LhsOperand<Operand> lhs{maker.codes(), {&activation_.scale, &zero_point, 1}, 0, step.low, step.high,
                                        &maker};
  detail::multiply_linear(context, lhs, weights_, this->bias_, y);
}

QUANTA_NAMESPACE_END
