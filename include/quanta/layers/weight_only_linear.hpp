// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer whose weights alone are quantized: they stay in memory at their true size, and activations are never
// rounded. Scales multiply sums, not weights.
#pragma once

#include <quanta/gemm/packed_weights.hpp>
#include <quanta/layers/integer_linear.hpp>
#include <quanta/layers/linear.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Gives packed weights to a file as what they were packed from. They must outlive the list.
QUANTA_LAZY void save_packed(TensorList& to, const PackedWeights& weights, const FormatInfo& format,
                             const GranularityInfo& granularity);

/// WeightOnlyLinear::forward: one for all formats and granularities.
QUANTA_LAZY void forward_in_float(Context& context, const PackedWeights& weights, const Buffer<float>& bias,
                                  const TensorView<const float, 2>& x, const TensorView<float, 2>& y);

}  // namespace detail

/// The linear layer whose weights are held in few bits and whose activations stay float: y (batch, out) of x (batch,
/// in). Throws Error when x has another number of features. Neighbouring inputs that share a scale are a group: all
/// inputs per tensor and per output, and each by itself where scales differ from input to input. With levels in place
/// of code - zero_point where codes are not integers,
///
///   acc = fma(x[b, k], code - zero_point, acc)   k of a group ascending, from 0
///   f   = fma(acc, scale, f)                     groups ascending, from 0
///   y[b, n] = f + bias[n]
///
/// Codes and levels are exact floats, and every group is rounded once more. Linear with the dequantized weight rounds
/// every weight, so the two differ by roundings, unless there are no scales; and no weight saturates here: where acc
/// leaves float, y does. The same bits on every CPU, for every batch and number of threads; NaN results are the one
/// quiet NaN. While it runs, levels of at most 128 inputs and 32 outputs are floats in memory, per thread; with one row
/// of x they stay in registers.
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
class WeightOnlyLinear : public LinearBase<WeightOnlyLinear<F, G>> {
 public:
  static constexpr const char* kName = "WeightOnlyLinear";  ///< what name() says

  /// Quantizes weight (out, in), symmetrically (asymmetrically for unsigned integers), from its own range; bias (out).
  /// Throws Error when sizes differ or weight or bias is not finite.
  template <class W, class B>
  WeightOnlyLinear(const W& weight, const B& bias, G granularity = G{})
      : WeightOnlyLinear(detail::quantize_weight<F>("WeightOnlyLinear: weight", weight, granularity), bias) {}
  /// Without a bias.
  template <RealObject W>
  explicit WeightOnlyLinear(const W& weight, G granularity = G{})
      : WeightOnlyLinear(detail::quantize_weight<F>("WeightOnlyLinear: weight", weight, granularity)) {}
  /// From weights already quantized, at any granularity.
  template <class B>
  WeightOnlyLinear(const QuantizedTensor<F, 2, G>& weight, const B& bias)
      : WeightOnlyLinear(weight.view(), weight.params().scales(), bias) {}
  /// From weights already quantized, without a bias.
  explicit WeightOnlyLinear(const QuantizedTensor<F, 2, G>& weight)
      : LinearBase<WeightOnlyLinear>(weight.extent(0)),
        weights_(packed(weight.view(), weight.params().scales())),
        granularity_(weight.params().granularity()) {}

  Index in_features() const { return weights_.k(); }   ///< columns of the weight
  Index out_features() const { return weights_.n(); }  ///< rows of the weight
  /// What it was made from: the same codes, scales and zero points, unpacked.
  QuantizedTensor<F, 2, G> weights() const {
    Buffer<std::byte> codes(detail::packed_size(in_features() * out_features(), F::bits));
    weights_.codes().unpack(codes.data());
    QuantParams<G> params(weights_.params().held_scales(), weights_.params().held_zero_points(), granularity_);
    return QuantizedTensor<F, 2, G>::from_packed({out_features(), in_features()}, std::move(codes), std::move(params));
  }
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.bytes(); }
  std::string_view weight_format() const { return F::name; }  ///< what the weight is stored in
  std::string weight_granularity() const { return description(granularity_.info(), 2); }  ///< of its scales

  /// What a file takes: the quantized tensor "weight" (out, in) and "bias" (out).
  void save(TensorList& to) const {
    detail::save_packed(to, weights_, format_info<F>, granularity_.info());
    this->save_bias(to);
  }
  /// Is what `save` gave of this type?
  template <class Reader>
  static bool can_load(const Reader& from) {
    return from.template holds<F, 2, G>("weight");
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static WeightOnlyLinear load(const Reader& from) {
    const auto weight = from.template quantized_view<F, 2, G>("weight");
    return WeightOnlyLinear{weight.template view<F, 2, G>(), weight.scales(), from.template read<1>("bias")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    detail::forward_in_float(context, weights_, this->bias_, x, y);
  }

 private:
  /// Scales as they are held: codes remain codes.
  template <class B>
  WeightOnlyLinear(const QuantizedView<F, 2, G>& weight, const detail::HeldScales& scales, const B& bias)
      : LinearBase<WeightOnlyLinear>(weight.extent(0), bias),
        weights_(packed(weight, scales)),
        granularity_(weight.granularity()) {}

  static detail::PackedWeights packed(const QuantizedView<F, 2, G>& weight, const detail::HeldScales& scales) {
    return {detail::kLevelKernels<F>,    weight.extent(0), weight.extent(1),
            weight.granularity().info(), weight.data(),    scales,
            weight.params().zero_points};
  }

  detail::PackedWeights weights_;
  [[no_unique_address]] G granularity_;
};

// ---- bodies ----

namespace detail {

QUANTA_LAZY_BODY void save_packed(TensorList& to, const PackedWeights& weights, const FormatInfo& format,
                                  const GranularityInfo& granularity) {
  const HeldScales scales = weights.params().held_scales();
  const Buffer<std::int32_t> zero_points = weights.params().held_zero_points();
  to.add("weight", format, {weights.n(), weights.k()}, granularity,
         {scales.floats(), zero_points.data(), scales.size(), scales.codes()},
         [&weights](std::byte* codes) { weights.codes().unpack(codes); });
}

QUANTA_LAZY_BODY void forward_in_float(Context& context, const PackedWeights& weights, const Buffer<float>& bias,
                                       const TensorView<const float, 2>& x, const TensorView<float, 2>& y) {
  weights.multiply(context, x, [&](Index row, Index column, Index count, const float* sums) {
    store_with_bias(y, row, column, count, sums, bias);
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
