// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where a quantized model loses what: its layers beside those of the float model, on the same batches.
#pragma once

#include <quanta/core/table.hpp>
#include <quanta/layers/integer_steps.hpp>
#include <quanta/layers/shown_layers.hpp>
#include <quanta/quant/error_metrics.hpp>

QUANTA_NAMESPACE_BEGIN

/// One layer of the quantized model against the layer of the float model in its place, over all batches. In the place
/// of an integer layer there may be several: "Linear + Relu".
struct LayerComparison {
  std::string float_layer;  ///< the float model's, its name
  std::string layer;        ///< the quantized model's, its name
  /// Of the outputs, each model fed its own: what the layers up to here have lost together.
  ErrorMetrics chain;
  /// Of the outputs when the quantized layer, too, is fed what the float model's layer was: what this layer loses.
  ErrorMetrics alone;
};

/// What compare gives: where a quantized model loses what.
struct Comparison {
  std::vector<LayerComparison> layers;  ///< those of nested Sequentials, and parts of layers, one by one
  Index samples = 0;                    ///< rows of all batches

  /// A table with headings and a line per layer: the SNR and cosine of the chain, and the SNR of the layer alone.
  std::string text() const;
};

/// Runs both models. `batches` is anything to loop over, once: its elements are Eigen objects (batch, features), or
/// vectors, each one sample. The result does not depend on how samples are split into batches. Layers within an
/// IntegerModel are compared one by one, their codes as the reals that they stand for. Throws Error when the models
/// have different numbers of layers, a batch does not fit a model, or outputs of two layers differ in size.
template <class Batches>
Comparison compare(const Sequential& float_model, const Sequential& quantized_model, Batches&& batches);
/// With a model that is one layer, an IntegerModel.
template <Layer L, class Batches>
Comparison compare(const Sequential& float_model, const L& quantized_model, Batches&& batches) {
  return compare(float_model, Sequential{quantized_model}, batches);
}

// ---- bodies ----

namespace detail {

/// Both models side by side.
class ComparisonRun {
 public:
  ComparisonRun(const Sequential& float_model, const Sequential& quantized_model) : shown_(quantized_model) {
    std::vector<const AnyLayer*> floats;
    flatten(float_model, floats);
    const std::vector<ShownLayer>& layers = shown_.rows();
    std::size_t at = 0;
    for (std::size_t i = 0; i < layers.size() && at < floats.size(); ++i) {
      const std::size_t count = layers[i].is_part ? count_of_step(floats, at, layers, i + 1) : 1;
      rows_.push_back({std::vector<const AnyLayer*>(&floats[at], &floats[at] + count), layers[i].layer});
      at += count;
    }
    check(at == floats.size() && rows_.size() == layers.size(), "compare: the float model has ", floats.size(),
          " layers, the quantized one ", layers.size(), ", expected as many");
  }

  void observe(const TensorView<const float, 2>& batch) {
    const Index samples = batch.extent(0);
    TensorView<const float, 2> x = batch, quantized_x = batch;
    const auto output = [&](Buffer<float>& held, Index features) {
      return TensorView<float, 2>(held.reserve(samples * features), {samples, features});
    };
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      Row& row = rows_[i];
      const AnyLayer& layer = *row.layer;
      Index features = x.extent(1);
      for (const AnyLayer* one : row.floats) features = output_size(i, *one, features);
      const Index got = output_size(i, layer, quantized_x.extent(1));
      check(got == features, "compare: layer ", i, " (", layer.name(), ") gives ", got,
            " features, that of the float model (", row.float_name(), ") ", features);
      const TensorView<float, 2> alone = output(alone_, features), quantized_y = output(outputs_[2 + i % 2], features);
      layer.forward(context_, x, alone);
      layer.forward(context_, quantized_x, quantized_y);
      for (const AnyLayer* one : row.floats) {
        const TensorView<float, 2> y = output(outputs_[turn_], one->output_size(x.extent(1)));
        turn_ = 1 - turn_;
        one->forward(context_, x, y);
        x = y;
      }
      add_rows(x, quantized_y, row.chain);
      add_rows(x, alone, row.alone);
      quantized_x = quantized_y;
    }
    samples_ += samples;
  }

  Comparison result() const {
    Comparison all;
    all.samples = samples_;
    for (const Row& row : rows_) {
      all.layers.push_back({row.float_name(), row.layer->name(), row.chain.metrics(), row.alone.metrics()});
    }
    return all;
  }

 private:
  /// A layer of the quantized model, and those of the float model in its place.
  struct Row {
    std::vector<const AnyLayer*> floats;
    const AnyLayer* layer;
    ErrorSums chain = {}, alone = {};

    std::string float_name() const {
      std::string name;
      for (const AnyLayer* one : floats) name += (name.empty() ? "" : " + ") + one->name();
      return name;
    }
  };

  /// How many layers, from `first` on, an integer layer stands for: one, with those that join it, but for one that the
  /// quantized model's next layer is.
  static std::size_t count_of_step(const std::vector<const AnyLayer*>& floats, std::size_t first,
                                   const std::vector<ShownLayer>& layers, std::size_t next) {
    std::size_t at = first;
    while (at + 1 < floats.size() && joins(*floats[at], nullptr)) ++at;
    const AnyLayer* const step = floats[at++];
    const bool followed = next < layers.size() && !layers[next].is_part;
    while (at < floats.size() && joins(*floats[at], step)) {
      if (followed && floats[at]->name() == layers[next].layer->name()) break;
      ++at;
    }
    return at - first;
  }

  static Index output_size(std::size_t number, const AnyLayer& layer, Index features) {
    const auto ask = [&] {
      return name_layer_in_errors(static_cast<Index>(number), layer, [&] { return layer.output_size(features); });
    };
    return name_in_errors([] { return std::string("compare"); }, ask);
  }

  /// Sample by sample, so that the sums do not depend on the batches.
  static void add_rows(const TensorView<const float, 2>& x, const TensorView<float, 2>& approx, ErrorSums& sums) {
    const Index features = x.extent(1);
    for (Index r = 0; r < x.extent(0); ++r) {
      sums.add(error_sums(TensorView<const float, 1>(x.data() + r * features, {features}),
                          TensorView<const float, 1>(approx.data() + r * features, {features})));
    }
  }

  ShownLayers shown_;
  std::vector<Row> rows_;
  Index samples_ = 0;
  Context context_;
  Buffer<float> outputs_[4], alone_;  // of the float model's last two layers, and of the quantized one's
  int turn_ = 0;                      // which of the float model's is free
};

}  // namespace detail

template <class Batches>
Comparison compare(const Sequential& float_model, const Sequential& quantized_model, Batches&& batches) {
  detail::ComparisonRun run(float_model, quantized_model);
  detail::for_each_batch(batches, [&](const auto& batch) {
    const detail::Input<float, rank_of<decltype(batch)>> input(batch);
    run.observe(detail::as_rows(input.view()));
  });
  return run.result();
}

inline std::string Comparison::text() const {
  std::vector<std::vector<std::string>> rows = {{"", "float", "quantized", "SNR, dB", "cosine", "alone: SNR, dB"}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const LayerComparison& one = layers[i];
    rows.push_back({std::to_string(i), one.float_layer, one.layer, detail::number("%.1f", one.chain.snr_db),
                    detail::number("%.6f", one.chain.cosine), detail::number("%.1f", one.alone.snr_db)});
  }
  return detail::table(rows, 3);
}

QUANTA_NAMESPACE_END
