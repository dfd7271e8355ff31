// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A network of integers layer by layer, from weights in codes and quantizers of activations: those that training found,
// or those of a calibration, as layers/integer_only.hpp has them.
//
//   quanta::IntegerBuilder builder(784, pixels);                      // a quantizer of the input
//   builder.linear(weight1, bias1, hidden, quanta::Relu{});           // codes, reals, a quantizer of the output
//   builder.linear(weight2, bias2, scores);
//   const quanta::IntegerModel model = builder.model();
#pragma once

#include <quanta/layers/integer_model.hpp>
#include <quanta/layers/integer_tables.hpp>
#include <quanta/layers/integer_weights.hpp>

QUANTA_NAMESPACE_BEGIN

/// How a network of integers is to be made; as the last argument of quantize_static: no float between the model's input
/// and its output.
struct IntegerOnly {
  bool double_rounding = false;  ///< requantize with the two roundings of gemmlowp and the older TFLite
};

/// Makes an IntegerModel (batch, in) to (batch, out), layer by layer (Jacob et al., "Quantization and training of
/// neural networks for efficient integer-arithmetic-only inference", 2018). Quantizers of activations, `input` and
/// `output`, are a Quantizer<Scheme, A, PerTensor> of a format A of at most 8 bits: codes of UInt<8> become those of
/// Int<8>, 128 less, and all others stay as they are, within the bounds of their format.
class IntegerBuilder {
 public:
  /// Of so many inputs. A network takes any int8: throws Error unless the quantizer gives all 256 codes.
  template <class Q>
  IntegerBuilder(Index inputs, const Q& input, IntegerOnly options = {});

  /// y = x * weight' + bias within bounds, in codes of `output`. weight is a QuantizedTensor<F, 2, G> (out, in) of a
  /// signed format of at most 8 bits, PerTensor or PerChannel<0>, and has no zero points; bias (out); `bounds` is a
  /// Relu, Relu6 or Clamp. Codes of b bits become int8 codes 2^(8 - b) times as large, and take 8 bits from then on;
  /// their scales become as much smaller: they stand for the same reals, and the bias, which is rounded to int32 in
  /// units of scale_x * scale_w[n], keeps more of its bits. Where it, or a sum with it, could leave int32, scale_w[n]
  /// is made large enough, never the bias smaller. Throws Error when sizes differ, the weight has zero
  /// points, a bias is not finite, the sums alone can leave int32, or no scale is large enough.
  template <class W, class B, class Q, class S = Clamp>
  void linear(const W& weight, const B& bias, const Q& output,
              const S& bounds = S(-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()));

  /// y = f(x) for each real x, in codes of `output`, the nearest ones. f maps doubles.
  template <class F, class Q>
  void table(F f, const Q& output);

  /// Softmax over all codes of a row. Those of the output have the scale 1/256 and the zero point -128.
  void softmax() {
    network_.add_softmax(detail::integer_exponentials(output_params().scale(0)));
    activations_.emplace_back(0x1p-8f, -128);
  }

  /// What codes of the last layer stand for; without layers those of the input.
  const QuantParams<PerTensor>& output_params() const { return activations_.back(); }

  /// All layers so far. Throws Error as the constructor of IntegerModel.
  QUANTA_LAZY IntegerModel model() const { return {network_.network(), activations_}; }

 private:
  /// What is left of a quantizer of activations.
  struct Activation {
    QuantParams<PerTensor> params;
    std::int32_t low, high;  ///< its codes
  };
  template <class Q>
  static Activation activation(const Q& quantizer);

  QUANTA_LAZY void add_linear(const QuantizedTensor<Int<8>, 2, PerChannel<0>>& given,
                              const TensorView<const float, 1>& bias, const Activation& output, const Clamp& bounds);

  IntegerNetwork network_;
  std::vector<QuantParams<PerTensor>> activations_;
  IntegerOnly options_;
};

// ---- bodies ----

namespace detail {

/// Is this a quantizer of activations?
template <class Q>
inline constexpr bool is_activation_quantizer = false;
template <class Scheme, IntegerFormat A>
inline constexpr bool is_activation_quantizer<Quantizer<Scheme, A, PerTensor>> = A::bits <= 8;

}  // namespace detail

template <class Q>
IntegerBuilder::Activation IntegerBuilder::activation(const Q& quantizer) {
  static_assert(detail::is_activation_quantizer<Q>,
                "quanta: an IntegerBuilder quantizes activations by a Quantizer<Scheme, A, PerTensor>, A an Int<b> or "
                "UInt<b> of at most 8 bits");
  if constexpr (detail::is_activation_quantizer<Q>) {
    constexpr std::int32_t shift = Q::FormatType::max > 127 ? -128 : 0;
    const QuantParams<PerTensor>& params = quantizer.params();
    return {QuantParams<PerTensor>(params.scale(0), params.zero_point(0) + shift), quantizer.min_code() + shift,
            quantizer.max_code() + shift};
  } else {
    return {QuantParams<PerTensor>(1.0f), 0, 0};
  }
}

template <class Q>
IntegerBuilder::IntegerBuilder(Index inputs, const Q& input, IntegerOnly options)
    : network_(inputs), options_(options) {
  const Activation codes = activation(input);
  detail::check(codes.high - codes.low == 255, "IntegerBuilder: the input's quantizer gives codes from ", codes.low,
                " to ", codes.high, ", expected all 256 of int8 or uint8");
  activations_.push_back(codes.params);
}

template <class W, class B, class Q, class S>
void IntegerBuilder::linear(const W& weight, const B& bias, const Q& output, const S& bounds) {
  static_assert(detail::ClampStage<S>,
                "quanta: bounds of an IntegerBuilder are a Relu, Relu6 or Clamp; other activations are tables");
  const Buffer<float> reals = detail::copy_vector(bias);
  if constexpr (detail::ClampStage<S>) {
    const Range range = detail::bounds_of(bounds);
    add_linear(detail::weight_of_bytes(weight), {reals.data(), {reals.size()}}, activation(output),
               Clamp(range.min, range.max));
  }
}

QUANTA_LAZY_BODY void IntegerBuilder::add_linear(const QuantizedTensor<Int<8>, 2, PerChannel<0>>& given,
                                                 const TensorView<const float, 1>& bias, const Activation& output,
                                                 const Clamp& bounds) {
  const QuantParams<PerTensor> x = output_params();
  const integer::Network before = network_.network();
  detail::check(given.extent(1) == before.outputs, "IntegerBuilder: layer ", before.count, ": weight has shape ",
                given.shape(), ", expected as many columns as it takes features, ", before.outputs);
  const auto weight = detail::fit_to_bias(given, bias, x, before.count);
  const auto packed = pack(weight);
  const AsymmetricQuantizer<Int<8>> y(output.params);
  const auto bias_map = detail::tensor_map(bias);
  const auto requantize = options_.double_rounding
                              ? Requantize(x.scale(0), packed, y, bias_map, bounds, DoubleRounding{})
                              : Requantize(x.scale(0), packed, y, bias_map, bounds);
  const Index n = weight.extent(0), k = weight.extent(1);
  IntegerNetwork::Linear linear{Buffer<std::int8_t>(n * k),
                                Buffer<std::int32_t>(n),
                                Buffer<std::int32_t>(n),
                                Buffer<std::int32_t>(n),
                                output.params.zero_point(0),
                                std::clamp(requantize.min_code(), output.low, output.high),
                                std::clamp(requantize.max_code(), output.low, output.high),
                                options_.double_rounding};
  const auto* codes = reinterpret_cast<const std::int8_t*>(weight.view().data());
  std::copy_n(codes, n * k, linear.weight.data());
  for (Index i = 0; i < n; ++i) {
    std::int64_t sum = 0;
    for (Index j = 0; j < k; ++j) sum += codes[i * k + j];
    linear.bias[i] = static_cast<std::int32_t>(requantize.bias(i) - x.zero_point(0) * sum);  // fits: one of the sums
    linear.multiplier[i] = requantize.multiplier(i).multiplier;
    linear.shift[i] = requantize.multiplier(i).shift;
  }
  network_.add_linear(std::move(linear));
  activations_.push_back(output.params);
}

template <class F, class Q>
void IntegerBuilder::table(F f, const Q& output) {
  const auto [params, low, high] = activation(output);
  Buffer<std::int8_t> codes = detail::integer_table(f, output_params(), params);
  for (std::int8_t& code : codes) code = static_cast<std::int8_t>(std::clamp<std::int32_t>(code, low, high));
  network_.add_table(std::move(codes));
  activations_.push_back(params);
}

QUANTA_NAMESPACE_END
