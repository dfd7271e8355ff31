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

/// w[n, k] = scale * (code - zero_point), or scale * level[code], saturated to +-FLT_MAX; y[b, n] = (sum over k
/// ascending of fma(x[b, k], w[n, k], sum), from 0) + bias[n]. The same bits on every CPU, for every batch and number
/// of threads; NaN results are the one quiet NaN. While it runs it takes one panel of float weights per thread: at most
/// 32 outputs wide.
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
class WeightOnlyLinear : public detail::LinearBase<WeightOnlyLinear<F, G>> {
 public:
  static constexpr const char* kName = "WeightOnlyLinear";

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
  WeightOnlyLinear(QuantizedTensor<F, 2, G> weight, const B& bias) : WeightOnlyLinear(std::move(weight)) {
    this->set_bias(bias);
  }
  explicit WeightOnlyLinear(QuantizedTensor<F, 2, G> weight)
      : detail::LinearBase<WeightOnlyLinear>(weight.extent(0)), weights_(std::move(weight)) {}

  Index in_features() const { return weights_.extent(1); }
  Index out_features() const { return weights_.extent(0); }
  const QuantizedTensor<F, 2, G>& weights() const { return weights_; }
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.bytes(); }
  std::string_view weight_format() const { return F::name; }
  std::string weight_granularity() const { return description(weights_.params().granularity().info(), 2); }

  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;

 private:
  using Tile = detail::FloatTile;

  /// The real weights of the outputs [column, column + count), laid out for the tile; zeros beyond.
  void dequantize_panel(const ParamMap& map, Index column, Index count, float* panel) const;

  QuantizedTensor<F, 2, G> weights_;
};

// ---- bodies ----

template <ValueFormat F, Granularity G>
void WeightOnlyLinear<F, G>::dequantize_panel(const ParamMap& map, Index column, Index count, float* panel) const {
  constexpr Index kSteps = 128;  // at a time: the piece of every output stays in the first-level cache
  constexpr Index kColumns = Tile::kColumns;
  alignas(kCacheLine) float piece[kColumns * kSteps] = {};
  const Index k = in_features();
  for (Index first = 0; first < k; first += kSteps) {
    const Index steps = std::min(kSteps, k - first);
    for (Index c = 0; c < count; ++c) {
      const Index element = (column + c) * k + first;
      detail::decode_levels<F>(weights_.data(), element, steps, piece + c * kSteps);
      detail::scale_elements(piece + c * kSteps, element, steps, map, weights_.params().data());
    }
    for (Index i = 0; i < steps; ++i) {
      for (Index c = 0; c < kColumns; ++c) panel[(first + i) * kColumns + c] = piece[c * kSteps + i];
    }
  }
}

template <ValueFormat F, Granularity G>
void WeightOnlyLinear<F, G>::forward(Context& context, const TensorView<const float, 2>& x,
                                     const TensorView<float, 2>& y) const {
  const Index n = out_features(), k = in_features();
  const detail::FloatSplit split = detail::split_float_product(context, x.extent(0), n, k, true);
  const ParamMap map = weights_.view().map();
  context.reserve_scratch(split.tasks, k * Tile::kColumns * Index{sizeof(float)});
  context.parallel(split.tasks, split.cycles, [&](Index task) {
    const detail::FloatSplit::Part part = split.part(task);
    float* panel = reinterpret_cast<float*>(context.scratch(task));
    for (Index p = part.first_panel; p < part.last_panel; ++p) {
      const Index column = p * Tile::kColumns, count = std::min<Index>(Tile::kColumns, n - column);
      dequantize_panel(map, column, count, panel);
      Tile::multiply(x, part.first_row, part.last_row, panel, [&](Index row, const float* sums) {
        detail::store_with_bias(y, row, column, count, sums, this->bias_);
      });
    }
  });
}

QUANTA_NAMESPACE_END
