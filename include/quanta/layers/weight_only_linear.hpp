// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer whose weights alone are quantized: they stay in memory at their true size, and activations are never
// rounded. It computes what Linear computes with the dequantized weight, to the bit.
//
//   for each panel of outputs:  codes -> float (scratch, the panel alone) -> the float tile of gemm/float_product.hpp
#pragma once

#include <quanta/layers/integer_linear.hpp>
#include <quanta/layers/linear.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// The product of float rows with quantized weights (n, k), one for all formats and granularities.
struct WeightOnlyProduct {
  void (*decode)(const std::byte* stream, Index first, Index count, float* levels);  ///< decode_levels
  const std::byte* codes;
  ParamMap map;
  ParamsData params;
  Index n, k;

  void multiply(Context& context, const TensorView<const float, 2>& x, const Buffer<float>& bias,
                const TensorView<float, 2>& y) const;

 private:
  /// The real weights of the outputs [column, column + count), laid out for the tile; zeros beyond.
  void dequantize_panel(Index column, Index count, float* panel) const;
};

}  // namespace detail

/// w[n, k] = scale * (code - zero_point), or scale * level[code], saturated to +-FLT_MAX; y[b, n] = (sum over k
/// ascending of fma(x[b, k], w[n, k], sum), from 0) + bias[n]. The same bits on every CPU, for every batch and number
/// of threads; NaN results are the one quiet NaN. While it runs it takes one panel of float weights per thread: at most
/// 32 outputs wide.
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
class WeightOnlyLinear : public LinearBase<WeightOnlyLinear<F, G>> {
 public:
  static constexpr const char* kName = "WeightOnlyLinear";  ///< what name() says

  /// Quantizes weight (out, in), symmetrically (asymmetrically for unsigned integers), from its own range; bias (out).
  /// Throws Error when sizes differ or the weight is not finite.
  template <RealObject W, RealObject B>
  WeightOnlyLinear(const W& weight, const B& bias, G granularity = G{})
      : WeightOnlyLinear(detail::quantize_weight<F>(weight, granularity), bias) {}
  /// Without a bias.
  template <RealObject W>
  explicit WeightOnlyLinear(const W& weight, G granularity = G{})
      : WeightOnlyLinear(detail::quantize_weight<F>(weight, granularity)) {}
  /// From weights already quantized, at any granularity.
  template <RealObject B>
  WeightOnlyLinear(QuantizedTensor<F, 2, G> weight, const B& bias)
      : LinearBase<WeightOnlyLinear>(weight.extent(0), bias), weights_(std::move(weight)) {}
  /// From weights already quantized, without a bias.
  explicit WeightOnlyLinear(QuantizedTensor<F, 2, G> weight)
      : LinearBase<WeightOnlyLinear>(weight.extent(0)), weights_(std::move(weight)) {}

  Index in_features() const { return weights_.extent(1); }              ///< columns of the weight
  Index out_features() const { return weights_.extent(0); }             ///< rows of the weight
  const QuantizedTensor<F, 2, G>& weights() const { return weights_; }  ///< (out, in)
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.bytes(); }
  std::string_view weight_format() const { return F::name; }  ///< what the weight is stored in
  /// Of its scales.
  std::string weight_granularity() const { return description(weights_.params().granularity().info(), 2); }

  /// What a file takes: the quantized tensor "weight" (out, in) and "bias" (out).
  void save(TensorList& to) const {
    to.add("weight", weights_.view());
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
    return WeightOnlyLinear{from.template quantized<F, 2, G>("weight"), from.template read<1>("bias")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    const detail::WeightOnlyProduct product{&detail::decode_levels<F>, weights_.data(), weights_.view().map(),
                                            weights_.params().data(),  out_features(),  in_features()};
    product.multiply(context, x, this->bias_, y);
  }

 private:
  QuantizedTensor<F, 2, G> weights_;
};

// ---- bodies ----

namespace detail {

inline void WeightOnlyProduct::dequantize_panel(Index column, Index count, float* panel) const {
  constexpr Index kSteps = 128;  // at a time: the piece of every output stays in the first-level cache
  constexpr Index kColumns = FloatTile::kColumns;
  alignas(kCacheLine) float piece[kColumns * kSteps] = {};
  for (Index first = 0; first < k; first += kSteps) {
    const Index steps = std::min(kSteps, k - first);
    for (Index c = 0; c < count; ++c) {
      const Index element = (column + c) * k + first;
      decode(codes, element, steps, piece + c * kSteps);
      scale_elements(piece + c * kSteps, element, steps, map, params);
    }
    for (Index i = 0; i < steps; ++i) {
      for (Index c = 0; c < kColumns; ++c) panel[(first + i) * kColumns + c] = piece[c * kSteps + i];
    }
  }
}

inline void WeightOnlyProduct::multiply(Context& context, const TensorView<const float, 2>& x,
                                        const Buffer<float>& bias, const TensorView<float, 2>& y) const {
  const FloatSplit split = split_float_product(context, x.extent(0), n, k, true);
  context.reserve_scratch(split.tasks, k * FloatTile::kColumns * Index{sizeof(float)});
  context.parallel(split.tasks, split.cycles, [&](Index task) {
    const FloatSplit::Part part = split.part(task);
    float* panel = reinterpret_cast<float*>(context.scratch(task));
    for (Index p = part.first_panel; p < part.last_panel; ++p) {
      const Index column = p * FloatTile::kColumns, count = std::min<Index>(FloatTile::kColumns, n - column);
      dequantize_panel(column, count, panel);
      FloatTile::multiply(x, part.first_row, part.last_row, panel,
                          [&](Index row, const float* sums) { store_with_bias(y, row, column, count, sums, bias); });
    }
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
