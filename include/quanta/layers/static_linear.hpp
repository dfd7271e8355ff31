// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer with integer weights whose activations are quantized with parameters known beforehand, from
// calibration: no pass over x to find its range, and one scale for all rows.
#pragma once

#include <string>

#include <quanta/layers/integer_linear.hpp>
#include <quanta/layers/linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// How a StaticLinear quantizes its input: what it keeps of the Quantizer it was given.
struct ActivationParams {
  std::string format;       ///< "uint8", ...
  float scale;              ///< of x; at least 2^-126
  std::int32_t zero_point;  ///< the code of 0
  std::int32_t min_code;    ///< the least code it produces; negative for signed formats alone
  std::int32_t max_code;    ///< the largest code it produces
};

namespace detail {

/// Throws Error unless these are parameters of at most 8 bits with which the sums fit int32.
template <class Operands>
void check_activation(const ActivationParams& activation, const Operands& weights);
/// StaticLinear::forward: one for all formats of the weights and activations.
template <class Operands>
void forward_alike(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y,
                   const ActivationParams& activation, const Operands& weights, const Buffer<float>& bias);
/// What a file takes.
QUANTA_LAZY void save_activation(TensorList& to, const ActivationParams& activation);
template <class Reader>
ActivationParams load_activation(const Reader& from);

}  // namespace detail

/// The linear layer with integer weights that quantizes its activations with parameters known beforehand (Jacob et al.,
/// "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018, section 2): y
/// (batch, out) of x (batch, in). Throws Error when x has another number of features. Codes of x are
/// saturate(round_half_even(x / scale_x) + zero_point): infinities saturate, NaN counts as 0. Then y[b, n] =
/// fma(float(acc), scale_x * scale_w[n], bias[n]); per group as in gemm/stages.hpp.
template <class F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
class StaticLinear : public LinearBase<StaticLinear<F, G, Kernel>> {
  static_assert(
      IntegerFormat<F>,
      "quanta: StaticLinear multiplies integers: its weights are Int<b> or UInt<b>; other formats, as NF4, are "
      "for WeightOnlyLinear");
  using Weights = PackedRhs<F, G, Kernel>;

 public:
  static constexpr const char* kName = "StaticLinear";  ///< what name() says

  /// Quantizes weight (out, in), symmetrically (asymmetrically for unsigned formats), from its own range; bias (out).
  /// `activation` has a format of at most 8 bits. Throws Error when sizes differ, weight or bias is not finite, or the
  /// sums can leave int32.
  template <class W, class B, class Scheme, IntegerFormat A>
  StaticLinear(const W& weight, const B& bias, const Quantizer<Scheme, A, PerTensor>& activation, G granularity = G{})
      : StaticLinear(detail::quantize_weight<F>("StaticLinear: weight", weight, granularity), bias, activation) {}
  /// Without a bias.
  template <RealObject W, class Scheme, IntegerFormat A>
  StaticLinear(const W& weight, const Quantizer<Scheme, A, PerTensor>& activation, G granularity = G{})
      : StaticLinear(detail::quantize_weight<F>("StaticLinear: weight", weight, granularity), activation) {}
  /// From weights already quantized.
  template <class B, class Scheme, IntegerFormat A>
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, const B& bias, const Quantizer<Scheme, A, PerTensor>& activation)
      : StaticLinear(weight, bias, params_of(activation)) {}
  /// From weights already quantized, without a bias.
  template <class Scheme, IntegerFormat A>
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, const Quantizer<Scheme, A, PerTensor>& activation)
      : StaticLinear(weight, params_of(activation)) {}
  /// From what another layer's activation() said. Throws Error also when these are no parameters of at most 8 bits.
  template <class B>
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, const B& bias, ActivationParams activation)
      : StaticLinear(weight.view(), bias, std::move(activation)) {}
  /// The same from a view of the weights, which is not needed any more then.
  template <class B>
  StaticLinear(const QuantizedView<F, 2, G>& weight, const B& bias, ActivationParams activation)
      : LinearBase<StaticLinear>(weight.extent(0), bias), weights_(weight), activation_(std::move(activation)) {
    check_sums();
  }
  /// From weights that own their codes, without a bias.
  StaticLinear(const QuantizedTensor<F, 2, G>& weight, ActivationParams activation)
      : LinearBase<StaticLinear>(weight.extent(0)), weights_(weight.view()), activation_(std::move(activation)) {
    check_sums();
  }

  Index in_features() const { return weights_.k(); }                  ///< columns of the weight
  Index out_features() const { return weights_.n(); }                 ///< rows of the weight
  const Weights& weights() const { return weights_; }                 ///< packed for the kernel
  const ActivationParams& activation() const { return activation_; }  ///< how x is quantized
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.packed_bytes(); }
  std::string_view weight_format() const { return F::name; }  ///< what the weight is stored in
  std::string weight_granularity() const { return description(weights_.granularity().info(), 2); }  ///< of its scales

  /// What a file takes: the quantized tensor "weight" (out, in), unpacked, "bias" (out), and the numbers and the text
  /// of `activation`.
  void save(TensorList& to) const {
    detail::save_weights(to, weights_);
    this->save_bias(to);
    detail::save_activation(to, activation_);
  }
  /// Is what `save` gave of this type?
  template <class Reader>
  static bool can_load(const Reader& from) {
    return from.template holds<F, 2, G>("weight");
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static StaticLinear load(const Reader& from) {
    const auto weight = from.template quantized_view<F, 2, G>("weight");
    return StaticLinear{weight.template view<F, 2, G>(), from.template read<1>("bias"), detail::load_activation(from)};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    detail::forward_alike(context, x, y, activation_, weights_.operands(), this->bias_);
  }

 private:
  template <class Scheme, IntegerFormat A>
  static ActivationParams params_of(const Quantizer<Scheme, A, PerTensor>& activation) {
    static_assert(A::bits <= 8, "quanta: activations have formats of at most 8 bits");
    return {std::string(A::name), activation.params().scale(0), activation.params().zero_point(0),
            activation.min_code(), activation.max_code()};
  }
  void check_sums() const { detail::check_activation(activation_, weights_.operands()); }

  Weights weights_;
  ActivationParams activation_;
};

// ---- bodies ----

namespace detail {

/// Quantizes rows of k values, all with the same parameters.
template <class Code>
struct QuantizeAlike {
  Index k;
  simd::QuantizeStep step;

  void operator()(const RowsToQuantize<Code>& part) const {
    for (Index i = 0; i < part.count; ++i) simd::quantize(part.row(i), k, step, part.codes_of(i));
  }
};

template <class Operands>
void check_activation(const ActivationParams& a, const Operands& weights) {
  constexpr const char* kWhere = "StaticLinear";
  const std::int32_t lowest = a.min_code < 0 ? -128 : 0, highest = a.min_code < 0 ? 127 : 255;
  check(a.min_code >= lowest && a.min_code <= a.max_code && a.max_code <= highest, kWhere,
        ": activation has codes from ", a.min_code, " to ", a.max_code, ", expected a range of at most 8 bits");
  check(a.zero_point >= a.min_code && a.zero_point <= a.max_code, kWhere, ": activation has the zero point ",
        a.zero_point, ", expected a code, ", a.min_code, " to ", a.max_code);
  check_scale("StaticLinear: activation", a.scale, 0);
  check_capacity(kWhere, weights, a.min_code, a.max_code, a.zero_point, a.zero_point, Operands::per_group);
}

template <class Operands>
void forward_alike(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y,
                   const ActivationParams& activation, const Operands& weights, const Buffer<float>& bias) {
  // Codes are written as the kernel's own operands: those of the other signedness are shifted, and the zero point with
  // them, which leaves every product as it was. So all activation formats run the same code.
  using Operand = typename Operands::KernelType::Lhs;
  std::int32_t shift = activation.max_code > std::numeric_limits<Operand>::max() ? -128 : 0;
  if (activation.min_code < std::numeric_limits<Operand>::min()) shift = 128;
  const std::int32_t zero_point = activation.zero_point + shift;
  const simd::QuantizeStep step{activation.scale, zero_point, activation.min_code + shift, activation.max_code + shift};
  const QuantizedRows<Operand, QuantizeAlike<Operand>> maker(context, 0, x, {x.extent(1), step});
  const LhsOperand<Operand> lhs{maker.codes(), {&activation.scale, &zero_point}, 0, step.low, step.high, &maker};
  multiply_linear(context, lhs, weights, bias, y);
}

QUANTA_LAZY_BODY void save_activation(TensorList& to, const ActivationParams& activation) {
  to.add_text("activation.format", activation.format);
  to.add("activation.scale", activation.scale);
  to.add("activation.zero_point", activation.zero_point);
  to.add("activation.min_code", activation.min_code);
  to.add("activation.max_code", activation.max_code);
}

template <class Reader>
ActivationParams load_activation(const Reader& from) {
  return {from.text("activation.format"), from.number("activation.scale"), from.integer("activation.zero_point"),
          from.integer("activation.min_code"), from.integer("activation.max_code")};
}

}  // namespace detail
QUANTA_NAMESPACE_END
