// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a float model to a quantized one. Every Linear is replaced, in nested Sequentials too; all other layers are
// copied as they are, a user's own and those quantized already included.
#pragma once

#include <quanta/calib/calibrator.hpp>
#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/layers/weight_only_linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// Every Linear becomes a DynamicLinear of this weight format and granularity. No data is needed.
template <IntegerFormat F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
Sequential quantize_dynamic(const Sequential& model, G granularity = G{});

/// Every Linear becomes a WeightOnlyLinear of this weight format and granularity. No data is needed.
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
Sequential quantize_weights(const Sequential& model, G granularity = G{});

/// Every Linear becomes a StaticLinear. Each batch goes through the float model once; the input of each Linear is
/// observed by a copy of `calibrator`, which must have seen nothing yet, and ActivationQuantizer::fit then asks that
/// copy. ActivationQuantizer is a Quantizer per tensor with at most 8 bits; F and G are the weights'.
///
/// `batches` is anything to loop over, once: its elements are Eigen objects (batch, features), or vectors, each one
/// sample; sizes of batches may differ. Throws Error when a Linear has no data to be calibrated with, when a batch does
/// not fit the model, or when the input of a Linear is not finite; the message names the batch and the layer, both
/// counted from 0, the layers of nested Sequentials one by one.
template <IntegerFormat F = Int<8>, Granularity G = PerChannel<0>,
          class ActivationQuantizer = AsymmetricQuantizer<UInt<8>>, MicroKernel Kernel = NativeKernel, class Batches,
          Calibrator C>
Sequential quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, G granularity = G{});

// ---- bodies ----

namespace detail {

/// A copy of the model with replace(linear) in place of every Linear, in the order in which data passes them.
template <class Replace>
Sequential replace_linears(const Sequential& model, Replace& replace) {
  Sequential result;
  for (const AnyLayer& layer : model) {
    if (const Linear* linear = layer.target<Linear>()) {
      result.push_back(replace(*linear));
    } else if (const Sequential* nested = layer.target<Sequential>()) {
      result.push_back(replace_linears(*nested, replace));
    } else {
      result.push_back(layer);
    }
  }
  return result;
}

/// Runs a float model and shows every Linear's input to a calibrator of its own.
template <Calibrator C>
class CalibrationRun {
 public:
  CalibrationRun(const Sequential& model, const C& calibrator) {
    flatten(model, layers_);
    for (const AnyLayer* layer : layers_) {
      if (layer->target<Linear>() != nullptr) calibrators_.push_back(calibrator);
    }
  }

  /// One per Linear, in the order of replace_linears.
  const std::vector<C>& calibrators() const { return calibrators_; }
  Index samples() const { return samples_; }

  template <RealObject X>
  void observe(const X& batch) {
    constexpr int rank = rank_of<X>;
    const Input<float, rank> input(batch);
    const TensorView<const float, 2> view = as_rows(input.view());
    Buffer<float> gathered(view.is_dense() ? 0 : view.size());
    walk({view.read(0, view.size(), gathered.data()), view.shape()});
    samples_ += view.extent(0);
    ++batches_;
  }

 private:
  void walk(TensorView<const float, 2> x) {
    typename std::vector<C>::iterator calibrator = calibrators_.begin();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const AnyLayer& layer = *layers_[i];
      const Linear* linear = layer.target<Linear>();
      if (linear != nullptr) {
        check(x.extent(1) == linear->in_features(), "quantize_static: batch ", batches_, " gives layer ",
              static_cast<Index>(i), " (", layer.name(), ") ", x.extent(1), " features, expected ",
              linear->in_features());
        for (Index e = 0; e < x.size(); ++e) {
          check(fp::is_finite(x.data()[e]), "quantize_static: batch ", batches_, " gives layer ", static_cast<Index>(i),
                " (", layer.name(), ") ", x.data()[e], " as element ", e, " of its input, expected a finite value");
        }
        (calibrator++)->observe(detail::tensor_map(x));
      }
      const Index rows = x.extent(0), features = layer.output_size(x.extent(1));
      const TensorView<float, 2> y(outputs_[i % 2].reserve(rows * features), {rows, features});
      layer.forward(context_, x, y);
      x = y;
    }
  }

  std::vector<const AnyLayer*> layers_;
  std::vector<C> calibrators_;
  Index samples_ = 0, batches_ = 0;
  Context context_;
  Buffer<float> outputs_[2];  // what the last layer gave, and what the next one writes
};

}  // namespace detail

template <IntegerFormat F, Granularity G, MicroKernel Kernel>
Sequential quantize_dynamic(const Sequential& model, G granularity) {
  const auto replace = [&](const Linear& linear) {
    return DynamicLinear<F, G, Kernel>(linear.weight(), linear.bias(), granularity);
  };
  return detail::replace_linears(model, replace);
}

template <ValueFormat F, Granularity G>
Sequential quantize_weights(const Sequential& model, G granularity) {
  const auto replace = [&](const Linear& linear) {
    return WeightOnlyLinear<F, G>(linear.weight(), linear.bias(), granularity);
  };
  return detail::replace_linears(model, replace);
}

template <IntegerFormat F, Granularity G, class ActivationQuantizer, MicroKernel Kernel, class Batches, Calibrator C>
Sequential quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, G granularity) {
  detail::check(calibrator.channels() == 0,
                "quantize_static: the calibrator has seen data already, expected a new one");
  detail::CalibrationRun<C> run(model, calibrator);
  for (auto&& batch : batches) run.observe(batch);
  detail::check(run.calibrators().empty() || run.samples() > 0,
                "quantize_static: the batches hold no samples, expected at least one to calibrate the layers with");
  auto observed = run.calibrators().begin();
  const auto replace = [&](const Linear& linear) {
    const ActivationQuantizer activation = ActivationQuantizer::fit(*observed++);
    return StaticLinear<F, G, Kernel>(linear.weight(), linear.bias(), activation, granularity);
  };
  return detail::replace_linears(model, replace);
}

QUANTA_NAMESPACE_END
