// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where a quantized model loses what: its layers beside those of the float model, on the same batches.
#pragma once

#include <quanta/core/table.hpp>
#include <quanta/layers/sequential.hpp>
#include <quanta/quant/error_metrics.hpp>

QUANTA_NAMESPACE_BEGIN

/// One layer of the quantized model against the layer of the float model in its place, over all batches.
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
  std::vector<LayerComparison> layers;  ///< those of nested Sequentials one by one
  Index samples = 0;                    ///< rows of all batches

  /// A table with headings and a line per layer: the SNR and cosine of the chain, and the SNR of the layer alone.
  std::string text() const;
};

/// Runs both models. `batches` is anything to loop over, once: its elements are Eigen objects (batch, features), or
/// vectors, each one sample. The result does not depend on how samples are split into batches. Throws Error when the
/// models have different numbers of layers, a batch does not fit a model, or outputs of two layers differ in size.
template <class Batches>
Comparison compare(const Sequential& float_model, const Sequential& quantized_model, Batches&& batches);

// ---- bodies ----

namespace detail {

/// Both models side by side.
class ComparisonRun {
 public:
  ComparisonRun(const Sequential& float_model, const Sequential& quantized_model) {
    flatten(float_model, float_layers_);
    flatten(quantized_model, layers_);
    check(layers_.size() == float_layers_.size(), "compare: the float model has ", float_layers_.size(),
          " layers, the quantized one ", layers_.size(), ", expected as many");
    chain_.resize(layers_.size());
    alone_.resize(layers_.size());
  }

  void observe(const TensorView<const float, 2>& batch) {
    TensorView<const float, 2> x = batch, quantized_x = batch;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      const Index features = float_layers_[i]->output_size(x.extent(1));
      const Index got = layers_[i]->output_size(quantized_x.extent(1));
      check(got == features, "compare: layer ", i, " (", layers_[i]->name(), ") gives ", got,
            " features, that of the "
            "float model (",
            float_layers_[i]->name(), ") ", features);
      const Shape<2> shape = {batch.extent(0), features};
      const auto output = [&](int which) {
        return TensorView<float, 2>(outputs_[which].reserve(shape[0] * shape[1]), shape);
      };
      const int turn = static_cast<int>(i % 2);
      const TensorView<float, 2> y = output(turn), quantized_y = output(2 + turn), alone_y = output(4);
      float_layers_[i]->forward(context_, x, y);
      layers_[i]->forward(context_, quantized_x, quantized_y);
      layers_[i]->forward(context_, x, alone_y);
      add_rows(y, quantized_y, chain_[i]);
      add_rows(y, alone_y, alone_[i]);
      x = y;
      quantized_x = quantized_y;
    }
    samples_ += batch.extent(0);
  }

  Comparison result() const {
    Comparison all;
    all.samples = samples_;
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      all.layers.push_back({float_layers_[i]->name(), layers_[i]->name(), chain_[i].metrics(), alone_[i].metrics()});
    }
    return all;
  }

 private:
  /// Row by row, so that the sums do not depend on the batches.
  static void add_rows(const TensorView<float, 2>& x, const TensorView<float, 2>& approx, ErrorSums& sums) {
    const Index features = x.extent(1);
    for (Index r = 0; r < x.extent(0); ++r) {
      sums.add(error_sums(TensorView<const float, 1>(x.data() + r * features, {features}),
                          TensorView<const float, 1>(approx.data() + r * features, {features})));
    }
  }

  std::vector<const AnyLayer*> float_layers_, layers_;
  std::vector<ErrorSums> chain_, alone_;
  Index samples_ = 0;
  Context context_;
  Buffer<float> outputs_[5];  // of the float model's last two layers, the quantized one's, and one alone
};

}  // namespace detail

template <class Batches>
Comparison compare(const Sequential& float_model, const Sequential& quantized_model, Batches&& batches) {
  detail::ComparisonRun run(float_model, quantized_model);
  for (auto&& batch : batches) {
    const detail::Input<float, rank_of<decltype(batch)>> input(batch);
    run.observe(detail::as_rows(input.view()));
  }
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
