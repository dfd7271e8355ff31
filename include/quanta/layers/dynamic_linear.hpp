// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer with integer weights whose activations are quantized as they come, each row by its own range: no
// calibration, and a sample's result does not depend on its batch.
#pragma once

#include <limits>

#include <quanta/layers/integer_linear.hpp>
#include <quanta/layers/linear.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Throws Error when a sum with rows quantized so can leave int32.
template <class Scheme, IntegerFormat F, class Operands>
void check_sums_by_row(const Operands& weights) {
  constexpr bool symmetric = std::is_same_v<Scheme, Symmetric>;
  check_capacity("DynamicLinear", weights, Scheme::template low<F>({}), F::max, symmetric ? 0 : F::min,
                 symmetric ? 0 : F::max, Operands::per_group);
}

}  // namespace detail

/// The linear layer with integer weights that quantizes its activations when it is called: y (batch, out) of x (batch,
/// in). Throws Error when x has another number of features. Each row of x has its own range, and a scale and zero point
/// by quant/scheme.hpp's formulas: int8 weights with activations as UInt<8>, asymmetric (ONNX's DynamicQuantizeLinear,
/// by row); per-group weights or weights of fewer bits with activations as Int<8>, symmetric. y[b, n] = fma(float(acc),
/// scale_x[b] * scale_w[n], bias[n]); per group as in gemm/stages.hpp. A row that holds a value that is not finite
/// gives a row of NaN.
template <class F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
class DynamicLinear : public LinearBase<DynamicLinear<F, G, Kernel>> {
  static_assert(
      IntegerFormat<F>,
      "quanta: DynamicLinear multiplies integers: its weights are Int<b> or UInt<b>; other formats, as NF4, are "
      "for WeightOnlyLinear");
  using Weights = PackedRhs<F, G, Kernel>;
  static constexpr bool symmetric_activations = Weights::per_group || F::bits < 8;

 public:
  static constexpr const char* kName = "DynamicLinear";  ///< what name() says

  using ActivationScheme =
      std::conditional_t<symmetric_activations, Symmetric, Asymmetric>;                 ///< how rows of x are quantized
  using ActivationFormat = std::conditional_t<symmetric_activations, Int<8>, UInt<8>>;  ///< to what

  /// Quantizes weight (out, in), symmetrically (asymmetrically for unsigned formats), from its own range; bias (out).
  /// Throws Error when sizes differ, weight or bias is not finite, or the sums can leave int32.
  template <class W, class B>
  DynamicLinear(const W& weight, const B& bias, G granularity = G{})
      : DynamicLinear(detail::quantize_weight<F>("DynamicLinear: weight", weight, granularity), bias) {}
  /// Without a bias.
  template <RealObject W>
  explicit DynamicLinear(const W& weight, G granularity = G{})
      : DynamicLinear(detail::quantize_weight<F>("DynamicLinear: weight", weight, granularity)) {}
  /// From weights already quantized.
  template <class B>
  DynamicLinear(const QuantizedTensor<F, 2, G>& weight, const B& bias) : DynamicLinear(weight.view(), bias) {}
  /// From a view of them, which is not needed any more then.
  template <class B>
  DynamicLinear(const QuantizedView<F, 2, G>& weight, const B& bias)
      : LinearBase<DynamicLinear>(weight.extent(0), bias), weights_(weight) {
    check_sums();
  }
  /// From weights already quantized, without a bias.
  explicit DynamicLinear(const QuantizedTensor<F, 2, G>& weight)
      : LinearBase<DynamicLinear>(weight.extent(0)), weights_(weight.view()) {
    check_sums();
  }

  Index in_features() const { return weights_.k(); }   ///< columns of the weight
  Index out_features() const { return weights_.n(); }  ///< rows of the weight
  const Weights& weights() const { return weights_; }  ///< packed for the kernel
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.packed_bytes(); }
  std::string_view weight_format() const { return F::name; }  ///< what the weight is stored in
  std::string weight_granularity() const { return description(weights_.granularity().info(), 2); }  ///< of its scales

  /// What a file takes: the quantized tensor "weight" (out, in), unpacked, and "bias" (out).
  void save(TensorList& to) const {
    detail::save_weights(to, weights_);
    this->save_bias(to);
  }
  /// Is what `save` gave of this type?
  template <class Reader>
  static bool can_load(const Reader& from) {
    return from.template holds<F, 2, G>("weight");
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static DynamicLinear load(const Reader& from) {
    const auto weight = from.template quantized_view<F, 2, G>("weight");
    return DynamicLinear{weight.template view<F, 2, G>(), from.template read<1>("bias")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;

 private:
  void check_sums() const { detail::check_sums_by_row<ActivationScheme, ActivationFormat>(weights_.operands()); }

  Weights weights_;
};

// ---- bodies ----

namespace detail {

/// Quantizes rows of k values to F, each by its own range, and notes its scale and zero point.
template <class Scheme, IntegerFormat F>
struct QuantizeByRow {
  Index k;
  float* scales;
  std::int32_t* zero_points;

  void operator()(const RowsToQuantize<typename F::Code>& part) const {
    // All ranges first: one row's need not wait for another's.
    for (Index i = 0; i < part.count; ++i) {
      const simd::MinMax seen = simd::min_max(part.row(i), k);
      ScaleZeroPoint p{1.0f, 0};
      if (seen.finite && k > 0) p = Scheme::template from_range<F>({seen.min, seen.max}, {});
      // With a scale of NaN all results of the row are NaN.
      scales[part.first + i] = seen.finite ? p.scale : std::numeric_limits<float>::quiet_NaN();
      zero_points[part.first + i] = p.zero_point;
    }
    for (Index i = 0; i < part.count; ++i) {
      const float scale = scales[part.first + i];
      const simd::QuantizeStep step{scale == scale ? scale : 1.0f, zero_points[part.first + i],
                                    Scheme::template low<F>({}), F::max};
      simd::quantize(part.row(i), k, step, part.codes_of(i));
    }
  }
};

/// DynamicLinear::forward: one for all formats of the weights.
template <class Scheme, IntegerFormat F, class Operands>
void forward_by_row(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y,
                    const Operands& weights, const Buffer<float>& bias) {
  using Code = typename F::Code;
  const Index rows = x.extent(0);
  float* scales = context.reserve_local<float>(0, rows);
  std::int32_t* zero_points = context.reserve_local<std::int32_t>(1, rows);
  using QuantizeRows = QuantizeByRow<Scheme, F>;
  const QuantizedRows<Code, QuantizeRows> maker(context, 2, x, {x.extent(1), scales, zero_points});
  const LhsOperand<Code> lhs{maker.codes(), {scales, zero_points}, 1, Scheme::template low<F>({}), F::max, &maker};
  multiply_linear(context, lhs, weights, bias, y);
}

}  // namespace detail

template <class F, Granularity G, MicroKernel Kernel>
void DynamicLinear<F, G, Kernel>::forward(Context& context, const TensorView<const float, 2>& x,
                                          const TensorView<float, 2>& y) const {
  detail::forward_by_row<ActivationScheme, ActivationFormat>(context, x, y, weights_.operands(), this->bias_);
}

QUANTA_NAMESPACE_END
