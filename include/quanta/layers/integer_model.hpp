// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A whole network of integers: int8 codes from layer to layer, and no float between its input and its output. It is a
// layer like any other, called with floats, which are quantized once at the input and dequantized once at the output;
// and it has a door for codes alone. layers/integer_only.hpp makes it of a float model.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <quanta/layers/integer_layer.hpp>
#include <quanta/layers/integer_layer_file.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/layers/static_linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// A model that computes with integers alone between its input (batch, in) and its output (batch, out), as in Jacob et
/// al., 2018. Codes are int8, per tensor, and stand
/// for scale * (code - zero_point). Every code is that of integer::run (integer/network.hpp) for the same network, on
/// every CPU.
class IntegerModel : public CallableLayer<IntegerModel> {
 public:
  static constexpr const char* kName = "IntegerModel";  ///< what name() says

  /// Copies a network. `activations` are what codes stand for: at the input, then at the output of each layer. Throws
  /// Error unless all is sound: layers that fit each other and their activations, numbers in their ranges, and sums
  /// that fit int32 for all codes.
  QUANTA_LAZY
  IntegerModel(const integer::Network& network, std::vector<QuantParams<PerTensor>> activations);

  Index in_features() const { return inputs_; }    ///< codes of a row of x
  Index out_features() const { return outputs_; }  ///< codes of a row of y
  /// What codes stand for at the input.
  const QuantParams<PerTensor>& input_params() const { return activations_.front(); }
  /// What codes stand for at the output.
  const QuantParams<PerTensor>& output_params() const { return activations_.back(); }
  /// What codes stand for: at the input, then at the output of each layer.
  const std::vector<QuantParams<PerTensor>>& activation_params() const { return activations_; }

  /// Codes from codes, with integers alone. x is (batch, in_features) of int8 in any storage order, or a vector: one
  /// sample, whose result is a vector. Throws Error when x has other features.
  template <ByteObject X>
  Tensor<std::int8_t, rank_of<X>> run(Context& context, const X& x) const;
  /// The same on one thread.
  template <ByteObject X>
  Tensor<std::int8_t, rank_of<X>> run(const X& x) const {
    Context context;
    return run(context, x);
  }

  /// The network as plain arrays: what a unit without floats is given.
  QUANTA_LAZY IntegerNetwork network() const;

  /// The number of outputs. Throws Error unless `features` is the number of inputs.
  Index output_size(Index features) const {
    detail::check(features == inputs_, kName, ": x has ", features, " features, expected ", inputs_);
    return outputs_;
  }
  /// Infinities saturate; NaN counts as 0.
  QUANTA_LAZY void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;
  std::string name() const { return kName; }  ///< in tables, messages and files
  Index packed_bytes() const;                 ///< all that it holds: packed weights, tables and the rest
  /// Its shape (out, in), and the parameters of all of its layers.
  QUANTA_LAZY LayerInfo info() const;
  /// Its layers one by one, each of which quantizes its input and dequantizes its output. Scales of 2^120 and more set
  /// apart, codes are the same. Their names are "IntegerModel: linear", "IntegerModel: table" and so on.
  QUANTA_LAZY std::vector<AnyLayer> parts() const;

  /// What a file takes: the numbers "inputs", "layers", "input.scale" and "input.zero_point"; and, each behind its
  /// number from 0 as in "0.kind", those that integer::Layer has, the text "kind", and "scale" and "zero_point" of its
  /// output. A weight is a quantized tensor, int8 per channel, whose scales are what the multipliers say.
  QUANTA_LAZY void save(TensorList& to) const;
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp). Throws FileError or Error, naming the layer,
  /// unless all has the shapes and ranges that integer::Layer says.
  template <class Reader>
  static IntegerModel load(const Reader& from);

 private:
  /// y, dense, from codes that are there or are made.
  QUANTA_LAZY
  void run_layers(Context& context, detail::LhsOperand<std::int8_t> x, const TensorView<std::int8_t, 2>& y) const;

  struct Part;

  Index inputs_, outputs_;
  std::vector<QuantParams<PerTensor>> activations_;
  std::vector<detail::IntegerLayer> layers_;
};

// ---- bodies ----

QUANTA_LAZY_BODY IntegerModel::IntegerModel(const integer::Network& network,
                                            std::vector<QuantParams<PerTensor>> activations)
    : inputs_(network.inputs), outputs_(network.inputs), activations_(std::move(activations)) {
  detail::check(inputs_ >= 0 && network.count >= 0, "IntegerModel: ", inputs_, " inputs and ", network.count,
                " layers, expected none below 0");
  const auto count = static_cast<Index>(activations_.size());
  detail::check(count == Index{network.count} + 1, "IntegerModel: the parameters of ", count,
                " activations, expected those of the input and of each of the ", network.count, " layers");
  for (const QuantParams<PerTensor>& params : activations_) {
    const std::int32_t zero_point = params.zero_point(0);
    detail::check(zero_point >= -128 && zero_point <= 127, "IntegerModel: zero point ", zero_point,
                  ", expected a code, -128 to 127");
  }
  for (Index i = 0; i < network.count; ++i) {
    layers_.emplace_back(network.layers[i], i, outputs_);
    outputs_ = layers_.back().outputs();
    const std::int32_t zero_point = activations_[usize(i + 1)].zero_point(0);
    const std::int32_t own = layers_.back().zero_point().value_or(zero_point);
    detail::check(own == zero_point, "IntegerModel: layer ", i, " has the zero point ", own,
                  ", that of its output's parameters is ", zero_point);
    const float scale = activations_[usize(i + 1)].scale(0);
    detail::check(network.layers[i].kind != integer::Kind::softmax || (scale == 0x1p-8f && zero_point == -128),
                  "IntegerModel: layer ", i, " (softmax) has the output scale ", scale, " and zero point ", zero_point,
                  ", expected 1/256 and -128");
  }
  detail::check(outputs_ == network.outputs, "IntegerModel: the layers give ", outputs_, " features, expected ",
                network.outputs);
}

QUANTA_LAZY_BODY void IntegerModel::run_layers(Context& context, detail::LhsOperand<std::int8_t> x,
                                               const TensorView<std::int8_t, 2>& y) const {
  const Index rows = y.extent(0);
  if (x.maker != nullptr && (layers_.empty() || !layers_.front().is_linear())) {
    context.reserve_scratch(1, x.maker->scratch_bytes());
    x.maker->make(0, rows, context.scratch(0));
    x.maker = nullptr;
  }
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    TensorView<std::int8_t, 2> to = y;
    if (i + 1 < layers_.size()) {  // slots 1 and 2 by turns; the input may be in slot 0
      const Index outputs = layers_[i].outputs();
      to = TensorView<std::int8_t, 2>(context.reserve_local<std::int8_t>(1 + i % 2, rows * outputs), {rows, outputs});
    }
    layers_[i].run(context, x, to);
    x = detail::integer_lhs(to);
  }
  for (Index r = 0; layers_.empty() && r < rows; ++r) {
    std::copy_n(x.codes.data() + r * x.codes.stride(0), inputs_, y.data() + r * inputs_);
  }
}

template <ByteObject X>
Tensor<std::int8_t, rank_of<X>> IntegerModel::run(Context& context, const X& x) const {
  static_assert(std::is_same_v<ScalarOf<X>, std::int8_t>, "quanta: codes of an IntegerModel are int8");
  constexpr int rank = rank_of<X>;
  detail::Input<std::int8_t, rank> input(x);
  if (!input.view().is_dense()) input.own();
  const TensorView<const std::int8_t, 2> rows = detail::as_rows(input.view());
  Shape<rank> shape = input.view().shape();
  shape[rank - 1] = output_size(shape[rank - 1]);
  Tensor<std::int8_t, rank> result = detail::make_tensor<std::int8_t, rank>(shape);
  run_layers(context, detail::integer_lhs(rows), {result.data(), {rows.extent(0), outputs_}});
  return result;
}

QUANTA_LAZY_BODY void IntegerModel::forward(Context& context, const TensorView<const float, 2>& x,
                                            const TensorView<float, 2>& y) const {
  using Maker = detail::QuantizedRows<std::int8_t, detail::QuantizeAlike<std::int8_t>>;
  const simd::QuantizeStep step{input_params().scale(0), input_params().zero_point(0), -128, 127};
  const Maker maker(context, 0, x, {inputs_, step});
  const Shape<2> shape{x.extent(0), outputs_};
  const TensorView<std::int8_t, 2> codes(context.reserve_local<std::int8_t>(3, shape[0] * shape[1]), shape);
  run_layers(context, detail::integer_lhs(maker.codes(), &maker), codes);
  const QuantizedView<Int<8>, 2> result(reinterpret_cast<const std::byte*>(codes.data()), shape,
                                        output_params().data());
  detail::dequantize(detail::FormatDecoder<Int<8>>{result.data()}, result.map(), result.params(), y);
}

QUANTA_LAZY_BODY IntegerNetwork IntegerModel::network() const {
  IntegerNetwork network(inputs_);
  for (const detail::IntegerLayer& layer : layers_) layer.add_to(network);
  return network;
}

inline Index IntegerModel::packed_bytes() const {
  Index bytes = 0;
  for (const QuantParams<PerTensor>& params : activations_) bytes += params.bytes();
  for (const detail::IntegerLayer& layer : layers_) bytes += layer.bytes();
  return bytes;
}

QUANTA_LAZY_BODY LayerInfo IntegerModel::info() const {
  Index parameters = 0;
  for (const detail::IntegerLayer& layer : layers_) parameters += layer.parameters();
  return {detail::text(Shape<2>{outputs_, inputs_}), "int8", {}, parameters};
}

/// A model of one layer under the name of that.
struct IntegerModel::Part {
  IntegerModel model;
  Index bytes;  ///< without the parameters of the input, which the layer before has

  Index output_size(Index features) const { return model.output_size(features); }
  QUANTA_LAZY void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    model.forward(context, x, y);
  }
  std::string name() const { return detail::text(kName, ": ", model.layers_.front().kind()); }
  Index packed_bytes() const { return bytes; }
  QUANTA_LAZY LayerInfo info() const { return model.layers_.front().info(); }
};

QUANTA_LAZY_BODY std::vector<AnyLayer> IntegerModel::parts() const {
  std::vector<AnyLayer> parts;
  const IntegerNetwork all = network();
  for (Index i = 0; i < all.network().count; ++i) {
    const integer::Layer& layer = all.network().layers[i];
    const auto first = activations_.begin() + i;
    IntegerModel one({&layer, 1, layer.inputs, layer.outputs}, {first[0], first[1]});
    const Index bytes = one.packed_bytes() - (i == 0 ? 0 : first[0].bytes());
    parts.emplace_back(Part{std::move(one), bytes});
  }
  return parts;
}

QUANTA_LAZY_BODY void IntegerModel::save(TensorList& to) const {
  const auto all = std::make_shared<const IntegerNetwork>(network());
  const integer::Network net = all->network();
  to.add("inputs", net.inputs);
  to.add("layers", net.count);
  to.add("input.scale", input_params().scale(0));
  to.add("input.zero_point", input_params().zero_point(0));
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const QuantParams<PerTensor>&x = activations_[i], &y = activations_[i + 1];
    const std::string prefix = detail::text(i, ".");
    to.add_text(prefix + "kind", layers_[i].kind());
    to.add(prefix + "scale", y.scale(0));
    to.add(prefix + "zero_point", y.zero_point(0));
    detail::save_network_layer(to, prefix, all, net.layers[i], x.scale(0), y.scale(0));
  }
}

template <class Reader>
IntegerModel IntegerModel::load(const Reader& from) {
  IntegerNetwork all(from.integer("inputs"));
  std::vector<QuantParams<PerTensor>> activations;
  const auto add_params = [&](const std::string& prefix) {
    activations.emplace_back(from.number(prefix + "scale"), from.integer(prefix + "zero_point"));
  };
  add_params("input.");
  const std::int32_t count = from.integer("layers");
  detail::check(count >= 0, kName, ": ", count, " layers, expected none below 0");
  detail::check(!from.has_text(detail::text(count, ".kind")), kName, ": ", count, " layers, but there is a layer ",
                count);
  std::vector<Buffer<float>> stored;  // scales of each layer's weight
  for (std::int32_t i = 0; i < count; ++i) {
    const std::string prefix = detail::text(i, ".");
    const auto load_layer = [&] {
      stored.push_back(detail::load_network_layer(from, prefix, all));
      add_params(prefix);
    };
    detail::name_in_errors([&] { return detail::text(kName, ": layer ", i); }, load_layer);
  }
  IntegerModel model(all.network(), std::move(activations));
  for (std::size_t i = 0; i < stored.size(); ++i) {
    if (stored[i].empty()) continue;
    const float scale_x = model.activations_[i].scale(0), scale_y = model.activations_[i + 1].scale(0);
    const Buffer<float> scales = detail::weight_scales(all.network().layers[i], scale_x, scale_y);
    for (Index n = 0; n < scales.size(); ++n) {
      detail::check(stored[i][n] == scales[n], kName, ": layer ", i, ": weight has the scale ", stored[i][n],
                    " for output ", n, ", its multiplier says ", scales[n]);
    }
  }
  return model;
}

QUANTA_NAMESPACE_END
