// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a model is made of: a row per layer, those of nested Sequentials and of integer-only models one by one.
#pragma once

#include <quanta/core/table.hpp>
#include <quanta/layers/shown_layers.hpp>

QUANTA_NAMESPACE_BEGIN

/// One line of a Summary.
struct LayerSummary {
  std::string name;  ///< the layer's
  LayerInfo info;    ///< empty for a layer without weights, and for one that does not tell
  Index bytes = 0;   ///< what it holds: packed_bytes()
};

/// What a model is made of: what summary gives.
struct Summary {
  std::vector<LayerSummary> layers;  ///< those of nested Sequentials, and parts of layers, one by one
  Index parameters = 0;              ///< of all layers
  Index bytes = 0;                   ///< of all layers

  /// A table with headings, a line per layer and one of sums.
  std::string text() const;
};

/// The layers of a model and what they hold, as packed for this unit's instructions.
inline Summary summary(const Sequential& model) {
  const detail::ShownLayers shown(model);
  Summary result;
  for (const auto& [layer, is_part] : shown.rows()) {
    result.layers.push_back({layer->name(), layer->info(), layer->packed_bytes()});
    result.parameters += result.layers.back().info.parameters;
    result.bytes += result.layers.back().bytes;
  }
  return result;
}

/// Of a model that is one layer, an IntegerModel.
template <Layer L>
Summary summary(const L& model) {
  return summary(Sequential{model});
}

// ---- bodies ----

inline std::string Summary::text() const {
  const auto number = [](Index v) { return std::to_string(v); };
  std::vector<std::vector<std::string>> rows = {{"", "layer", "shape", "format", "granularity", "parameters", "bytes"}};
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& [name, info, held] = layers[i];
    rows.push_back(
        {std::to_string(i), name, info.shape, info.format, info.granularity, number(info.parameters), number(held)});
  }
  rows.push_back({"", "all", "", "", "", number(parameters), number(bytes)});
  return detail::table(rows, 5);
}

QUANTA_NAMESPACE_END
