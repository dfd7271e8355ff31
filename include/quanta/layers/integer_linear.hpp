// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the layers with quantized weights share: weights and bias from what a user gives, activations that become codes
// while they are multiplied, and the integer product with its bias. Which codes is each layer's own matter.
#pragma once

#include <quanta/gemm/gemm.hpp>
#include <quanta/layers/weight_and_bias.hpp>
#include <quanta/quant/tensor_list.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// A weight (out, in) in codes, from its own range. Throws Error when an element is not finite; `where` names the layer
/// and the argument.
template <ValueFormat F, Granularity G, class W>
QuantizedTensor<F, 2, G> quantize_weight(const char* where, const W& weight, G granularity) {
  const Input<float, 2> input = read_weight(weight);
  if constexpr (WeightObject<W>) {
    const Buffer<Range> ranges = observed_ranges(where, input.view(), granularity.info());
    return Quantizer<WeightScheme<F>, F, G>::fit(ranges, granularity).quantize(input.view());
  }
}

/// Gives packed weights to a file as what they were packed from. They must outlive the list.
template <class Operands>
void save_operands(TensorList& to, const Operands& operands, const FormatInfo& format,
                   const GranularityInfo& granularity, std::int32_t shift,
                   void (*pack)(const std::uint8_t*, Index first, Index count, std::byte* stream)) {
  const HeldScales scales = operands.unpack_scales();
  const Buffer<std::int32_t> zero_points = operands.unpack_zero_points(shift);
  to.add("weight", format, {operands.n(), operands.k()}, granularity,
         {scales.floats(), zero_points.data(), scales.size(), scales.codes()},
         [&operands, shift, pack](std::byte* codes) { operands.unpack_codes(shift, pack, codes); });
}
template <class Weights>
void save_weights(TensorList& to, const Weights& weights) {
  using F = typename Weights::FormatType;
  save_operands(to, weights.operands(), format_info<F>, weights.granularity().info(), Weights::operand_shift,
                &pack_bytes<F>);
}

/// Some rows of x, features side by side, and where their codes go.
template <class Code>
struct RowsToQuantize {
  Index first, count;  ///< rows of x
  const float* values;
  Index value_stride;
  Code* codes;
  Index code_stride;

  const float* row(Index i) const { return values + i * value_stride; }
  Code* codes_of(Index i) const { return codes + i * code_stride; }
};

/// Rows of x as codes, made by quantize_rows(const RowsToQuantize<Code>&) a few rows at a time, which fit the
/// first-level cache.
template <class Code, class QuantizeRows>
class QuantizedRows final : public RowMaker {
 public:
  /// The codes lie in the context's local memory `slot`.
  QuantizedRows(Context& context, Index slot, const TensorView<const float, 2>& x, QuantizeRows quantize_rows)
      : RowMaker(are_adjacent(x) ? 0 : kRowsAtOnce * x.extent(1) * Index{sizeof(float)}),
        x_(x),
        stride_(spread_stride(x.extent(1))),
        codes_(context.reserve_local<Code>(slot, x.extent(0) * stride_)),
        quantize_rows_(quantize_rows) {}

  TensorView<const Code, 2> codes() const { return {codes_, x_.shape(), {stride_, 1}}; }

  void make(Index first, Index last, std::byte* scratch) const override {
    const Index k = x_.extent(1);
    const bool in_place = are_adjacent(x_);
    const Index step =
        in_place ? std::clamp<Index>(kCachedValues / std::max<Index>(k, 1), 1, kRowsAtOnce) : kRowsAtOnce;
    for (Index row = first; row < last; row += step) {
      const Index rows = std::min(step, last - row);
      const float* values = x_.data() + row * x_.stride(0);
      if (!in_place) values = gather(row, rows, reinterpret_cast<float*>(scratch));
      quantize_rows_(
          RowsToQuantize<Code>{row, rows, values, in_place ? x_.stride(0) : k, codes_ + row * stride_, stride_});
    }
  }

 private:
  static constexpr Index kRowsAtOnce = kCacheLine / sizeof(float);  // of column-major x, one line of the cache
  static constexpr Index kCachedValues = 4096;

  static bool are_adjacent(const TensorView<const float, 2>& x) { return x.stride(1) == 1; }

  const float* gather(Index row, Index rows, float* values) const {
    for (Index i = 0; i < x_.extent(1); ++i) {
      const float* from = x_.data() + row * x_.stride(0) + i * x_.stride(1);
      for (Index r = 0; r < rows; ++r) values[r * x_.extent(1) + i] = from[r * x_.stride(0)];
    }
    return values;
  }

  TensorView<const float, 2> x_;
  Index stride_;
  Code* codes_;
  QuantizeRows quantize_rows_;
};

/// y[b, n] = fma(float(acc), scale_x[b] * scale_w[n], bias[n]), or per group as in gemm/stages.hpp. Sizes and capacity
/// have been checked.
template <class Code, class Operands>
void multiply_linear(Context& context, const LhsOperand<Code>& lhs, const Operands& weights, const Buffer<float>& bias,
                     const TensorView<float, 2>& y) {
  const auto bias_map = tensor_map(TensorView<const float, 1>(bias.data(), {bias.size()}));
  const AddBias add(bias_map);
  run_product(context, lhs, weights, RealOutput<LhsOperand<Code>>{y, lhs, &add, {}});
}

}  // namespace detail
QUANTA_NAMESPACE_END
