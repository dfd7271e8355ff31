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

#include <quanta/layers/integer_builder.hpp>
#include <quanta/layers/integer_steps.hpp>
#include <quanta/layers/quantize_model.hpp>

QUANTA_NAMESPACE_BEGIN

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

/// Adds a step. `fitted` is for those that are calibrated.
inline void add_step(IntegerBuilder& builder, const IntegerStep& step,
                     const std::optional<AsymmetricQuantizer<Int<8>>>& fitted) {
  using Activation = AsymmetricQuantizer<Int<8>>;
  const AnyLayer& layer = *step.layer;
  const Clamp bounds(step.bounds.min, step.bounds.max);
  if (const Linear* linear = layer.target<Linear>()) {
    const auto weight = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit_quantize(linear->weight());
    builder.linear(weight, linear->bias(), *fitted, bounds);
  } else if (layer.target<Gelu>() != nullptr) {
    builder.table(gelu_of, *fitted);
  } else if (layer.target<GeluTanh>() != nullptr) {
    builder.table(gelu_tanh_of, *fitted);
  } else if (layer.target<Sigmoid>() != nullptr) {
    builder.table(sigmoid_of, Activation(0x1p-8f, -128));
  } else if (layer.target<Tanh>() != nullptr) {
    builder.table(tanh_of, Activation(0x1p-7f, 0));
  } else if (layer.target<Softmax>() != nullptr) {
    builder.softmax();
  } else {
    const double low = static_cast<double>(bounds.low), high = static_cast<double>(bounds.high);
    builder.table([=](double x) { return std::clamp(x, low, high); }, Activation(builder.output_params()));
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
  std::size_t seen = 0;
  IntegerBuilder builder(run.features(), run.template fit<Activation>(seen++), options);
  for (const detail::IntegerStep& step : steps) {
    std::optional<Activation> fitted;
    if (step.observed >= 0) fitted = run.template fit<Activation>(seen++);
    detail::add_step(builder, step, fitted);
  }
  return builder.model();
}

QUANTA_NAMESPACE_END
