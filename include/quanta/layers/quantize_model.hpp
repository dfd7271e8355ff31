// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a float model to a quantized one. Every Linear is replaced, in nested Sequentials too; all other layers are
// copied as they are, a user's own and those quantized already included. layers/integer_only.hpp leaves no float
// between.
#pragma once

#include <quanta/calib/calibrator.hpp>
#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/layers/weight_only_linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// Every Linear becomes a DynamicLinear of this weight format and granularity. No data is needed. Throws Error, naming
/// the layer, when a weight or bias is not finite, or sums can leave int32.
template <class F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
Sequential quantize_dynamic(const Sequential& model, G granularity = G{});

/// Every Linear becomes a WeightOnlyLinear of this weight format and granularity. No data is needed. Throws Error,
/// naming the layer, when a weight or bias is not finite.
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
Sequential quantize_weights(const Sequential& model, G granularity = G{});

/// Every Linear becomes a StaticLinear. Each batch goes through the float model once; the input of each Linear is
/// observed by a copy of `calibrator`, which must have seen nothing yet, and ActivationQuantizer::fit then asks that
/// copy. ActivationQuantizer is a Quantizer per tensor with at most 8 bits; F and G are the weights'.
///
/// `batches` is anything to loop over, once: its elements are Eigen objects (batch, features), or vectors, each one
/// sample; sizes of batches may differ. Throws Error when a Linear has no data to be calibrated with, when a batch does
/// not fit the model, or when a weight, a bias or the input of a Linear is not finite; the message names the batch and
/// the layer, both counted from 0, the layers of nested Sequentials one by one.
template <class F = Int<8>, Granularity G = PerChannel<0>, class ActivationQuantizer = AsymmetricQuantizer<UInt<8>>,
          MicroKernel Kernel = NativeKernel, class Batches, Calibrator C>
Sequential quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, G granularity = G{});

/// A copy of the model with replace(linear), any layer, in place of every Linear, asked for in the order in which data
/// passes them: for layers that the functions above do not make. An Error that it throws begins with the number and
/// name of the layer then.
///
///   replace_linears(model, [](const Linear& l) { return Int8OutlierLinear<>(l.weight(), l.bias()); })
template <class Replace>
Sequential replace_linears(const Sequential& model, Replace&& replace);

// ---- bodies ----

template <class Replace>
Sequential replace_linears(const Sequential& model, Replace&& replace) {
  Sequential result;
  for (Index i = 0; i < model.size(); ++i) {
    const AnyLayer& layer = model[i];
    const auto replaced = [&]() -> AnyLayer {
      if (const Linear* linear = layer.target<Linear>()) return replace(*linear);
      if (const Sequential* nested = layer.target<Sequential>()) return replace_linears(*nested, replace);
      return layer;
    };
    result.push_back(detail::name_layer_in_errors(i, layer, replaced));
  }
  return result;
}

namespace detail {

/// Throws Error, naming the first of the layers that is a Linear with a weight or bias that is not finite: of data it
/// would make what looks like bad data.
QUANTA_LAZY void check_finite_linears(const std::vector<const AnyLayer*>& layers) {
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Linear* linear = layers[i]->target<Linear>();
    if (linear == nullptr) continue;
    const auto check_values = [&](const char* what, const auto& values) {
      const Input<float, rank_of<std::remove_cvref_t<decltype(values)>>> input(values);
      Range all;
      observe_ranges(what, input.view(), GranularityInfo{}, &all);
    };
    const auto check_all = [&] {
      check_values("weight", linear->weight());
      check_values("bias", linear->bias());
    };
    name_in_errors([] { return std::string("quantize_static"); },
                   [&] { name_layer_in_errors(static_cast<Index>(i), *layers[i], check_all); });
  }
}

/// Runs a float model and shows some of its activations to calibrators. Activation i is the input of layer i, the last
/// one the model's output.
template <Calibrator C>
class CalibrationRun {
 public:
  /// Those activations, in ascending order, each with a calibrator of its own.
  CalibrationRun(const Sequential& model, std::vector<Index> activations, const C& calibrator)
      : activations_(std::move(activations)), calibrators_(activations_.size(), calibrator) {
    check(calibrator.channels() == 0, "quantize_static: the calibrator has seen data already, expected a new one");
    flatten(model, layers_);
    check_finite_linears(layers_);
  }

  /// What calibrator i found. An activation without features has no values, and any quantizer does for it.
  template <class Q>
  Q fit(std::size_t i) const {
    return calibrators_[i].channels() > 0 ? Q::fit(calibrators_[i]) : Q::fit(Range{});
  }
  /// Of every batch.
  Index features() const { return features_; }

  template <class Batches>
  void observe_all(Batches&& batches) {
    for_each_batch(batches, [&](const auto& batch) { observe(batch); });
    check(calibrators_.empty() || samples_ > 0,
          "quantize_static: the batches hold no samples, expected at least one to calibrate the layers with");
  }

 private:
  template <RealObject X>
  void observe(const X& batch) {
    constexpr int rank = rank_of<X>;
    const Input<float, rank> input(batch);
    const TensorView<const float, 2> view = as_rows(input.view());
    Buffer<float> gathered(view.is_dense() ? 0 : view.size());
    walk({view.read(0, view.size(), gathered.data()), view.shape()});
    check(batches_ == 0 || view.extent(1) == features_, "quantize_static: batch ", batches_, " has ", view.extent(1),
          " features, expected as many as those before, ", features_);
    features_ = view.extent(1);
    samples_ += view.extent(0);
    ++batches_;
  }

  void walk(TensorView<const float, 2> x) {
    std::size_t next = 0;
    for (std::size_t i = 0; i <= layers_.size(); ++i) {
      const Linear* linear = i < layers_.size() ? layers_[i]->template target<Linear>() : nullptr;
      if (linear != nullptr && x.extent(1) != linear->in_features()) {
        fail("quantize_static: batch ", batches_, " gives ", receiver(i), " ", x.extent(1), " features, expected ",
             linear->in_features());
      }
      if (next < activations_.size() && activations_[next] == static_cast<Index>(i)) show(x, i, calibrators_[next++]);
      if (i == layers_.size()) break;
      const auto run = [&] {
        const Index rows = x.extent(0), features = layers_[i]->output_size(x.extent(1));
        const TensorView<float, 2> y(outputs_[i % 2].reserve(rows * features), {rows, features});
        layers_[i]->forward(context_, x, y);
        x = y;
      };
      name_in_errors([&] { return text("quantize_static: batch ", batches_); },
                     [&] { name_layer_in_errors(static_cast<Index>(i), *layers_[i], run); });
    }
  }

  void show(const TensorView<const float, 2>& x, std::size_t i, C& calibrator) const {
    for (Index e = 0; e < x.size(); ++e) {
      if (fp::is_finite(x.data()[e])) continue;
      fail("quantize_static: batch ", batches_, " gives ", receiver(i), " ", x.data()[e], " as element ", e,
           i < layers_.size() ? " of its input" : "", ", expected a finite float");
    }
    calibrator.observe(detail::tensor_map(x));
  }

  std::string receiver(std::size_t i) const {
    if (i == layers_.size()) return "as the model's output";
    return layer_text(static_cast<Index>(i), *layers_[i]);
  }

  std::vector<const AnyLayer*> layers_;
  std::vector<Index> activations_;
  std::vector<C> calibrators_;
  Index samples_ = 0, batches_ = 0, features_ = 0;
  Context context_;
  Buffer<float> outputs_[2];  // what the last layer gave, and what the next one writes
};

/// The numbers of the layers that are Linear, those of nested Sequentials one by one.
QUANTA_LAZY std::vector<Index> numbers_of_linears(const Sequential& model) {
  std::vector<const AnyLayer*> layers;
  flatten(model, layers);
  std::vector<Index> numbers;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (layers[i]->target<Linear>() != nullptr) numbers.push_back(static_cast<Index>(i));
  }
  return numbers;
}

}  // namespace detail

template <class F, Granularity G, MicroKernel Kernel>
Sequential quantize_dynamic(const Sequential& model, G granularity) {
  const auto replace = [&](const Linear& linear) {
    return DynamicLinear<F, G, Kernel>(linear.weight(), linear.bias(), granularity);
  };
  return replace_linears(model, replace);
}

template <ValueFormat F, Granularity G>
Sequential quantize_weights(const Sequential& model, G granularity) {
  const auto replace = [&](const Linear& linear) {
    return WeightOnlyLinear<F, G>(linear.weight(), linear.bias(), granularity);
  };
  return replace_linears(model, replace);
}

template <class F, Granularity G, class ActivationQuantizer, MicroKernel Kernel, class Batches, Calibrator C>
Sequential quantize_static(const Sequential& model, Batches&& batches, const C& calibrator, G granularity) {
  detail::CalibrationRun<C> run(model, detail::numbers_of_linears(model), calibrator);
  run.observe_all(batches);
  std::size_t observed = 0;
  const auto replace = [&](const Linear& linear) {
    const auto activation = run.template fit<ActivationQuantizer>(observed++);
    return StaticLinear<F, G, Kernel>(linear.weight(), linear.bias(), activation, granularity);
  };
  return replace_linears(model, replace);
}

QUANTA_NAMESPACE_END
