// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a float model to a network of integers (Jacob et al., as in integer/fixed_point.hpp; TensorFlow Lite's 8-bit
// quantization specification).
//
//   Linear, with the Relu, Relu6 and Clamp    int8 weights per channel, int32 bias, fixed-point multipliers; the bounds
//   that follow it                            are bounds of codes
//   Sigmoid, Tanh, Gelu, GeluTanh, and        a table of 256 codes
//   Relu, Relu6 and Clamp elsewhere
//   Softmax                                   fixed-point exponentials, a 64-bit division per value
//   Flatten                                   nothing
//
// All others have no integer counterpart: LayerNorm, layers quantized already, and a user's own. They stay float,
// between two models of integers: Sequential{before, LayerNorm{weight, bias}, after}.
#pragma once

#include <quanta/gemm/activations.hpp>
#include <quanta/layers/flatten.hpp>
#include <quanta/layers/integer_model.hpp>
#include <quanta/layers/integer_tables.hpp>
#include <quanta/layers/integer_weights.hpp>
#include <quanta/layers/quantize_model.hpp>
#include <quanta/layers/softmax.hpp>

QUANTA_NAMESPACE_BEGIN

/// As the last argument of quantize_static: no float between the model's input and its output.
struct IntegerOnly {
  bool double_rounding = false;  ///< requantize with the two roundings of gemmlowp and the older TFLite
};

/// Each batch goes through the float model once. Its input and the output of each Linear (after the bounds that
/// follow), Gelu and GeluTanh are observed by a copy of `calibrator`, whose range gives them a scale and zero point
/// (AsymmetricQuantizer<Int<8>>). The outputs of others have those of TFLite's specification: Sigmoid and Softmax scale
/// 1/256 and zero point -128, Tanh 1/128 and 0; bounds alone keep those of their input.
///
/// Weights are symmetric, with a scale per output. A bias is rounded to int32 in units of scale_x * scale_w[n]; where
/// that, or a sum with it, could leave int32, scale_w[n] is made large enough, never the bias smaller. Values of tables
/// and bounds are rounded to the nearest code, ties to the even one. Codes of Softmax over n features are off by at
/// most 1/2 + (n + 1) * 2^-23 before they saturate.
///
/// `batches` and errors are as for the other quantize_static; throws Error also when a layer has no integer
/// counterpart, before it reads a batch, and when the sums of a Linear can leave int32.
template <class Batches, Calibrator C>
IntegerModel quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, IntegerOnly options);

// ---- bodies ----

namespace detail {

/// What becomes one layer of the network: a layer of the float model, and the bounds that follow it.
struct IntegerStep {
  const AnyLayer* layer;
  Index number;  ///< of the layer, for messages
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

/// Throws Error when a layer has no integer counterpart.
inline std::vector<IntegerStep> integer_steps(const Sequential& model) {
  std::vector<const AnyLayer*> layers;
  flatten(model, layers);
  std::vector<IntegerStep> steps;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const AnyLayer& layer = *layers[i];
    if (layer.target<Flatten>() != nullptr) continue;
    const auto number = static_cast<Index>(i);
    const std::optional<Range> bounds = bounds_of(layer);
    IntegerStep* const last = steps.empty() ? nullptr : &steps.back();
    if (bounds && last != nullptr && (last->layer->target<Linear>() != nullptr || bounds_of(*last->layer))) {
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
    steps.push_back({&layer, number});
    if (bounds) steps.back().bounds = *bounds;
    if (calibrated) steps.back().observed = number + 1;
  }
  return steps;
}

/// Adds a step whose input has the parameters `params`, and makes them those of its output. `fitted` is for the steps
/// that are calibrated.
inline void add_step(IntegerNetwork& network, const IntegerStep& step, QuantParams<PerTensor>& params,
                     const std::optional<AsymmetricQuantizer<Int<8>>>& fitted, IntegerOnly options) {
  const AnyLayer& layer = *step.layer;
  const QuantParams<PerTensor> from = params;
  if (fitted) params = fitted->params();
  if (layer.target<Linear>() != nullptr) {
    const Clamp bounds(step.bounds.min, step.bounds.max);
    network.add_linear(
        integer_linear(*layer.target<Linear>(), step.number, from, *fitted, bounds, options.double_rounding));
  } else if (layer.target<Gelu>() != nullptr) {
    network.add_table(integer_table(gelu_of, from, params));
  } else if (layer.target<GeluTanh>() != nullptr) {
    network.add_table(integer_table(gelu_tanh_of, from, params));
  } else if (layer.target<Sigmoid>() != nullptr) {
    params = QuantParams<PerTensor>(0x1p-8f, -128);
    network.add_table(integer_table(sigmoid_of, from, params));
  } else if (layer.target<Tanh>() != nullptr) {
    params = QuantParams<PerTensor>(0x1p-7f, 0);
    network.add_table(integer_table(tanh_of, from, params));
  } else if (layer.target<Softmax>() != nullptr) {
    params = QuantParams<PerTensor>(0x1p-8f, -128);
    network.add_softmax(integer_exponentials(from.scale(0)));
  } else {
    const double low = static_cast<double>(step.bounds.min), high = static_cast<double>(step.bounds.max);
    network.add_table(integer_table([=](double x) { return std::clamp(x, low, high); }, from, params));
  }
}

}  // namespace detail

template <class Batches, Calibrator C>
IntegerModel quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, IntegerOnly options) {
  const std::vector<detail::IntegerStep> steps = detail::integer_steps(model);
  std::vector<Index> observed = {0};
  for (const detail::IntegerStep& step : steps) {
    if (step.observed >= 0) observed.push_back(step.observed);
  }
  detail::CalibrationRun<C> run(model, observed, calibrator);
  run.observe_all(batches);

  using Activation = AsymmetricQuantizer<Int<8>>;
  auto seen = run.calibrators().begin();
  const QuantParams<PerTensor> input = Activation::fit(*seen++).params();
  QuantParams<PerTensor> params = input;
  IntegerNetwork network(run.features());
  for (const detail::IntegerStep& step : steps) {
    std::optional<Activation> fitted;
    if (step.observed >= 0) fitted = Activation::fit(*seen++);
    detail::add_step(network, step, params, fitted, options);
  }
  return IntegerModel(network.network(), input, params);
}

QUANTA_NAMESPACE_END
