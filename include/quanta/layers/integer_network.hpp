// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The arrays of an integer::Network (integer/network.hpp) with an owner.
#pragma once

#include <vector>

#include <quanta/core/buffer.hpp>
#include <quanta/integer/network.hpp>

QUANTA_NAMESPACE_BEGIN

/// Grows layer by layer. Moves, but does not copy: the network points into it.
class IntegerNetwork {
 public:
  /// Of so many inputs; without layers it gives them back.
  explicit IntegerNetwork(Index inputs) : inputs_(as_int32(inputs)), outputs_(inputs_) {}
  IntegerNetwork(IntegerNetwork&&) noexcept = default;
  IntegerNetwork& operator=(IntegerNetwork&&) noexcept = default;

  /// What a linear layer is made of, as integer::Layer has it. All but the weight has one element per output.
  struct Linear {
    Buffer<std::int8_t> weight;  ///< (outputs, inputs)
    Buffer<std::int32_t> bias, multiplier, shift;
    std::int32_t zero_point, low, high;
    bool double_rounding;
  };

  /// Each takes what the layer before gives. Throws Error when arrays have other sizes.
  void add_linear(Linear linear);
  void add_table(Buffer<std::int8_t> table);
  void add_softmax(Buffer<std::int32_t> exponentials);

  /// Lives as long as this object, until another layer is added.
  integer::Network network() const {
    return {layers_.data(), static_cast<std::int32_t>(layers_.size()), inputs_, outputs_};
  }

 private:
  static std::int32_t as_int32(Index size) {
    detail::check(size >= 0 && size <= INT32_MAX, "IntegerNetwork: ", size, " features, expected 0 to ", INT32_MAX);
    return static_cast<std::int32_t>(size);
  }
  static void check_size(const char* what, Index size, Index expected) {
    detail::check(size == expected, "IntegerNetwork: ", what, " has ", size, " elements, expected ", expected);
  }
  integer::Layer& add(integer::Kind kind, std::int32_t outputs) {
    integer::Layer layer{};
    layer.kind = kind;
    layer.inputs = outputs_;
    layer.outputs = outputs_ = outputs;
    layers_.push_back(layer);
    return layers_.back();
  }
  const std::int8_t* keep(Buffer<std::int8_t> array) {
    codes_.push_back(std::move(array));
    return codes_.back().data();
  }
  const std::int32_t* keep(Buffer<std::int32_t> array) {
    words_.push_back(std::move(array));
    return words_.back().data();
  }

  std::int32_t inputs_, outputs_;
  std::vector<integer::Layer> layers_;
  std::vector<Buffer<std::int8_t>> codes_;
  std::vector<Buffer<std::int32_t>> words_;
};

// ---- bodies ----

inline void IntegerNetwork::add_linear(Linear linear) {
  const std::int32_t outputs = as_int32(linear.bias.size());
  check_size("weight", linear.weight.size(), Index{outputs} * outputs_);
  check_size("multiplier", linear.multiplier.size(), outputs);
  check_size("shift", linear.shift.size(), outputs);
  integer::Layer& layer = add(integer::Kind::linear, outputs);
  layer.weight = keep(std::move(linear.weight));
  layer.bias = keep(std::move(linear.bias));
  layer.multiplier = keep(std::move(linear.multiplier));
  layer.shift = keep(std::move(linear.shift));
  layer.zero_point = linear.zero_point;
  layer.low = linear.low;
  layer.high = linear.high;
  layer.double_rounding = linear.double_rounding ? 1 : 0;
}

inline void IntegerNetwork::add_table(Buffer<std::int8_t> table) {
  check_size("table", table.size(), 256);
  add(integer::Kind::table, outputs_).table = keep(std::move(table));
}

inline void IntegerNetwork::add_softmax(Buffer<std::int32_t> exponentials) {
  check_size("exponentials", exponentials.size(), 256);
  add(integer::Kind::softmax, outputs_).exponentials = keep(std::move(exponentials));
}

QUANTA_NAMESPACE_END
