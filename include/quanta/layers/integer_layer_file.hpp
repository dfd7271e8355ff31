// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One layer of a network of integers on its way to a file and back: the numbers of integer::Layer under their names.
// The weight is a quantized tensor, int8 per channel, so that a reader of the file can tell what it stands for; the
// network itself has no scales, but its multipliers say them.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>

#include <quanta/layers/integer_network.hpp>
#include <quanta/quant/tensor_list.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Adds a layer's arrays and numbers, each behind `prefix`. `owner` has the arrays and lives as long as the list; the
/// scales are those of x and y.
QUANTA_LAZY void save_network_layer(TensorList& to, const std::string& prefix,
                                    const std::shared_ptr<const IntegerNetwork>& owner, const integer::Layer& layer,
                                    float scale_x, float scale_y);

/// Adds such a layer of the kind "linear", "table" or "softmax" to a network. Returns the scales of its weight, one per
/// output; of the other kinds none. Throws FileError or Error unless all has its shape and follows the layers before.
template <class Reader>
Buffer<float> load_network_layer(const Reader& from, const std::string& prefix, IntegerNetwork& network);

/// The scales of a linear layer's weight: with them its multipliers are scale_x * scale_w[n] / scale_y.
QUANTA_LAZY Buffer<float> weight_scales(const integer::Layer& layer, float scale_x, float scale_y);

// ---- bodies ----

QUANTA_LAZY_BODY Buffer<float> weight_scales(const integer::Layer& layer, float scale_x, float scale_y) {
  Buffer<float> scales(layer.outputs);
  for (Index n = 0; n < scales.size(); ++n) {
    // Within 2^-31 of the scale that the multiplier was made of: as a float it is the very same.
    const double real =
        static_cast<double>(layer.multiplier[n]) / static_cast<double>(std::int64_t{1} << (31 - layer.shift[n]));
    const double scale = real * static_cast<double>(scale_y) / static_cast<double>(scale_x);
    scales[n] = static_cast<float>(std::clamp(scale, double{fp::kMinScale}, double{fp::kMaxFloat}));
  }
  return scales;
}

QUANTA_LAZY_BODY void save_network_layer(TensorList& to, const std::string& prefix,
                                         const std::shared_ptr<const IntegerNetwork>& owner,
                                         const integer::Layer& layer, float scale_x, float scale_y) {
  const auto bytes_of = [&](const auto* data, Index size) {
    return [owner, data, bytes = usize(size) * sizeof *data](std::byte* file) {
      if (bytes > 0) std::memcpy(file, data, bytes);
    };
  };
  const auto add_array = [&](const char* name, const auto* data, Index size) {
    to.add(prefix + name, sizeof *data == 1 ? "I8" : "I32", {size}, bytes_of(data, size));
  };
  const Index inputs = layer.inputs, outputs = layer.outputs;
  Buffer<float> scales;
  switch (layer.kind) {
    case integer::Kind::linear:
      scales = weight_scales(layer, scale_x, scale_y);
      to.add(prefix + "weight", format_info<Int<8>>, {outputs, inputs}, PerChannel<0>{}.info(),
             {scales.data(), nullptr, outputs}, bytes_of(layer.weight, outputs * inputs));
      add_array("bias", layer.bias, outputs);
      add_array("multiplier", layer.multiplier, outputs);
      add_array("shift", layer.shift, outputs);
      to.add(prefix + "low", layer.low);
      to.add(prefix + "high", layer.high);
      to.add(prefix + "double_rounding", layer.double_rounding);
      break;
    case integer::Kind::table:
      add_array("table", layer.table, 256);
      break;
    case integer::Kind::softmax:
      add_array("exponentials", layer.exponentials, 256);
      break;
  }
}

template <class Reader>
Buffer<float> load_network_layer(const Reader& from, const std::string& prefix, IntegerNetwork& network) {
  const std::string& kind = from.text(prefix + "kind");
  if (kind == "table") {
    network.add_table(from.template integers<std::int8_t, 1>(prefix + "table", {256}));
    return {};
  }
  if (kind == "softmax") {
    network.add_softmax(from.template integers<std::int32_t, 1>(prefix + "exponentials", {256}));
    return {};
  }
  check(kind == "linear", "is of the unknown kind ", kind);
  const auto weight = from.template quantized_view<Int<8>, 2, PerChannel<0>>(prefix + "weight");
  const Index n = weight.shape()[0], k = network.network().outputs;
  check(weight.shape()[1] == k, "weight has shape ", shape_text(weight.shape()), ", expected ", Shape<2>{n, k},
        " behind ", k, " features");
  check(!weight.params().has_zero_points(), "weight has zero points, expected a symmetric one");
  const std::int32_t twice = from.integer(prefix + "double_rounding");
  check(twice == 0 || twice == 1, "double_rounding is ", twice, ", expected 0 or 1");
  Buffer<std::int8_t> codes(n * k);
  std::copy_n(reinterpret_cast<const std::int8_t*>(weight.data()), codes.size(), codes.data());
  network.add_linear({std::move(codes), from.template integers<std::int32_t, 1>(prefix + "bias", {n}),
                      from.template integers<std::int32_t, 1>(prefix + "multiplier", {n}),
                      from.template integers<std::int32_t, 1>(prefix + "shift", {n}),
                      from.integer(prefix + "zero_point"), from.integer(prefix + "low"), from.integer(prefix + "high"),
                      twice == 1});
  Buffer<float> scales(n);
  std::copy_n(weight.params().scales, n, scales.data());
  return scales;
}

}  // namespace detail
QUANTA_NAMESPACE_END
