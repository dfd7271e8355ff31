// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which layers of a float model become one layer of a network of integers.
#pragma once

#include <optional>

#include <quanta/gemm/activations.hpp>
#include <quanta/gemm/requantize.hpp>
#include <quanta/layers/flatten.hpp>
#include <quanta/layers/linear.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/layers/softmax.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// What becomes one layer of the network: a layer of the float model, and the bounds that follow it.
struct IntegerStep {
  const AnyLayer* layer;
  Range bounds = {-std::numeric_limits<float>::infinity(), std::numeric_limits<float>::infinity()};
  Index observed = -1;  ///< the activation that is its output; -1 where it needs no calibration
};

/// The bounds that a layer is, if it is one of those.
inline std::optional<Range> bounds_of(const AnyLayer& layer) {
  if (const Relu* relu = layer.target<Relu>()) return bounds_of(*relu);
  if (const Relu6* relu6 = layer.target<Relu6>()) return bounds_of(*relu6);
  if (const Clamp* clamp = layer.target<Clamp>()) return bounds_of(*clamp);
  return std::nullopt;
}

/// Does a layer become part of the network's layer that `before` becomes? That is the last layer before that became
/// one, null at the front.
inline bool joins(const AnyLayer& layer, const AnyLayer* before) {
  if (layer.target<Flatten>() != nullptr) return true;
  return bounds_of(layer) && before != nullptr && (before->target<Linear>() != nullptr || bounds_of(*before));
}

/// Throws Error when a layer has no integer counterpart.
inline std::vector<IntegerStep> integer_steps(const Sequential& model) {
  std::vector<const AnyLayer*> layers;
  flatten(model, layers);
  std::vector<IntegerStep> steps;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const AnyLayer& layer = *layers[i];
    const auto number = static_cast<Index>(i);
    const std::optional<Range> bounds = bounds_of(layer);
    IntegerStep* const last = steps.empty() ? nullptr : &steps.back();
    if (joins(layer, last != nullptr ? last->layer : nullptr)) {
      if (!bounds) continue;
      last->bounds = {std::clamp(last->bounds.min, bounds->min, bounds->max),
                      std::clamp(last->bounds.max, bounds->min, bounds->max)};
      if (last->observed >= 0) last->observed = number + 1;
      continue;
    }
    const bool calibrated =
        layer.target<Linear>() != nullptr || layer.target<Gelu>() != nullptr || layer.target<GeluTanh>() != nullptr;
    const bool known = calibrated || bounds || layer.target<Sigmoid>() != nullptr || layer.target<Tanh>() != nullptr ||
                       layer.target<Softmax>() != nullptr;
    check(known, "quantize_static: layer ", number, " (", layer.name(),
          ") has no integer counterpart; those of IntegerOnly are Linear, Relu, Relu6, Clamp, Sigmoid, Tanh, Gelu, "
          "GeluTanh, Softmax and Flatten");
    steps.push_back({&layer});
    if (bounds) steps.back().bounds = *bounds;
    if (calibrated) steps.back().observed = number + 1;
  }
  return steps;
}

}  // namespace detail
QUANTA_NAMESPACE_END
