// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One layer of an integer::Network, packed for this unit's instructions: the same codes as integer::run gives, faster.
#pragma once

#include <optional>

#include <quanta/core/layer.hpp>
#include <quanta/gemm/checked_product.hpp>
#include <quanta/layers/integer_network.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Codes are multiplied as they are: scales are in the layers' multipliers.
inline constexpr float kUnitScale = 1.0f;

/// Codes (batch, features) as the lhs of a linear layer, whose bias holds what their zero point adds.
inline LhsOperand<std::int8_t> integer_lhs(const TensorView<const std::int8_t, 2>& codes,
                                           const RowMaker* maker = nullptr) {
  return {codes, {&kUnitScale, nullptr}, 0, -128, 127, maker};
}

class IntegerLayer {
 public:
  /// Number `number` of a network. Throws Error unless it is sound and takes `inputs` features.
  QUANTA_LAZY IntegerLayer(const integer::Layer& layer, Index number, Index inputs);

  Index outputs() const { return outputs_; }
  /// Of y, where the layer computes with it.
  std::optional<std::int32_t> zero_point() const {
    return linear_ ? std::optional(linear_->requantize.params().zero_point(0)) : std::nullopt;
  }
  /// y (batch, outputs), dense, from x (batch, inputs).
  QUANTA_LAZY void run(Context& context, const LhsOperand<std::int8_t>& x, const TensorView<std::int8_t, 2>& y) const;

  /// Adds the layer it was made of.
  QUANTA_LAZY void add_to(IntegerNetwork& network) const;

  /// Does it read codes that are made while they are multiplied?
  bool is_linear() const { return linear_.has_value(); }
  const char* kind() const { return linear_ ? "linear" : table_.empty() ? "softmax" : "table"; }
  /// Weights and biases.
  Index parameters() const { return linear_ ? outputs_ * (inputs_ + 1) : 0; }
  Index bytes() const;
  /// Of its weight, or its table of 256 numbers.
  QUANTA_LAZY LayerInfo info() const;

 private:
  using Weights = PackedRhs<Int<8>, PerTensor>;
  struct Linear {
    Weights weights;
    Requantize<Int<8>> requantize;
  };

  QUANTA_LAZY static Weights pack(const integer::Layer& layer) {
    const Shape<2> shape{layer.outputs, layer.inputs};
    return Weights(
        QuantizedView<Int<8>, 2>(reinterpret_cast<const std::byte*>(layer.weight), shape, {&kUnitScale, nullptr, 1}));
  }
  QUANTA_LAZY static void check_linear(const integer::Layer& layer, Index number);
  QUANTA_LAZY static void check_exponentials(const integer::Layer& layer, Index number);

  Index inputs_, outputs_;
  std::optional<Linear> linear_;
  Buffer<std::int8_t> table_;
  Buffer<std::int32_t> exponentials_;
};

// ---- bodies ----

QUANTA_LAZY_BODY IntegerLayer::IntegerLayer(const integer::Layer& layer, Index number, Index inputs)
    : inputs_(layer.inputs), outputs_(layer.outputs) {
  check(inputs_ == inputs && outputs_ >= 0, "IntegerModel: layer ", number, " takes ", inputs_, " features and gives ",
        outputs_, ", expected to take ", inputs);
  if (layer.kind == integer::Kind::linear) {
    check_linear(layer, number);
    Weights weights = pack(layer);
    Requantize<Int<8>> requantize(layer, weights);
    check_capacity(text("IntegerModel: layer ", number).c_str(), weights.operands(), -128, 127, 0, 0, false,
                   AddedToColumns::between(layer.bias, layer.bias, outputs_, " with the bias"));
    linear_.emplace(Linear{std::move(weights), std::move(requantize)});
    return;
  }
  check(layer.kind == integer::Kind::table || layer.kind == integer::Kind::softmax, "IntegerModel: layer ", number,
        " is of the unknown kind ", static_cast<std::int32_t>(layer.kind));
  check(outputs_ == inputs_, "IntegerModel: layer ", number, " gives ", outputs_,
        " features, expected as many as it takes, ", inputs_);
  if (layer.kind == integer::Kind::table) {
    table_ = Buffer<std::int8_t>(256);
    std::copy_n(layer.table, 256, table_.data());
  } else {
    check_exponentials(layer, number);
    exponentials_ = Buffer<std::int32_t>(256);
    std::copy_n(layer.exponentials, 256, exponentials_.data());
  }
}

QUANTA_LAZY_BODY void IntegerLayer::check_linear(const integer::Layer& layer, Index number) {
  check(layer.low >= -128 && layer.low <= layer.high && layer.high <= 127, "IntegerModel: layer ", number,
        " gives codes from ", layer.low, " to ", layer.high, ", expected a range within -128 to 127");
  check(layer.zero_point >= -128 && layer.zero_point <= 127, "IntegerModel: layer ", number, " has the zero point ",
        layer.zero_point, ", expected -128 to 127");
  for (Index c = 0; c < layer.outputs; ++c) {
    const std::int32_t multiplier = layer.multiplier[c], shift = layer.shift[c];
    check((multiplier == 0 || multiplier >= 1 << 30) && shift >= -31 && shift <= 30, "IntegerModel: layer ", number,
          " has the multiplier ", multiplier, " and shift ", shift, " for output ", c,
          ", expected 0 or at least 2^30, and -31 to 30");
  }
}

QUANTA_LAZY_BODY void IntegerLayer::check_exponentials(const integer::Layer& layer, Index number) {
  for (Index d = 0; d < 256; ++d) {
    check(layer.exponentials[d] >= (d == 0 ? 1 : 0), "IntegerModel: layer ", number, " has ", layer.exponentials[d],
          " as exponential ", d, ", expected none below 0, and the first above");
  }
}

QUANTA_LAZY_BODY void IntegerLayer::run(Context& context, const LhsOperand<std::int8_t>& x,
                                        const TensorView<std::int8_t, 2>& y) const {
  if (linear_) {
    const RequantizeOutput<Int<8>> output{y, linear_->requantize};
    return run_product(context, x, linear_->weights.operands(), output);
  }
  const double cycles = static_cast<double>(inputs_) * (table_.empty() ? 30.0 : 1.0);
  share_rows(context, y.extent(0), cycles, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      const std::int8_t* from = x.codes.data() + r * x.codes.stride(0);
      std::int8_t* to = y.data() + r * y.stride(0);
      if (table_.empty()) {
        integer::run_softmax(exponentials_.data(), inputs_, from, to);
      } else {
        integer::run_table(table_.data(), inputs_, from, to);
      }
    }
  });
}

QUANTA_LAZY_BODY void IntegerLayer::add_to(IntegerNetwork& network) const {
  if (!table_.empty()) return network.add_table(table_);
  if (!linear_) return network.add_softmax(exponentials_);
  const auto& [weights, requantize] = *linear_;
  IntegerNetwork::Linear linear{Buffer<std::int8_t>(outputs_ * inputs_),
                                Buffer<std::int32_t>(outputs_),
                                Buffer<std::int32_t>(outputs_),
                                Buffer<std::int32_t>(outputs_),
                                requantize.params().zero_point(0),
                                requantize.min_code(),
                                requantize.max_code(),
                                requantize.rounds_twice()};
  weights.unpack_codes(reinterpret_cast<std::byte*>(linear.weight.data()));
  for (Index c = 0; c < outputs_; ++c) {
    linear.bias[c] = requantize.bias(c);
    linear.multiplier[c] = requantize.multiplier(c).multiplier;
    linear.shift[c] = requantize.multiplier(c).shift;
  }
  network.add_linear(std::move(linear));
}

inline Index IntegerLayer::bytes() const {
  const Index tables = static_cast<Index>(table_.bytes() + exponentials_.bytes());
  return linear_ ? linear_->weights.packed_bytes() + linear_->requantize.bytes() : tables;
}

QUANTA_LAZY_BODY LayerInfo IntegerLayer::info() const {
  if (!linear_) return {"(256)", table_.empty() ? "int32" : "int8", {}, 0};
  const std::string granularity = quanta::description(PerChannel<0>{}.info(), 2);
  return {text(Shape<2>{outputs_, inputs_}), "int8", granularity, parameters()};
}

}  // namespace detail
QUANTA_NAMESPACE_END
