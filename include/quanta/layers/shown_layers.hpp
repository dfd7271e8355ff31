// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The layers of a model as tables show them: those of nested Sequentials one by one, and in the place of a layer that
// has parts (AnyLayer::parts) these.
#pragma once

#include <quanta/layers/sequential.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

struct ShownLayer {
  const AnyLayer* layer;
  bool is_part;
};

/// The model must outlive it.
class ShownLayers {
 public:
  explicit ShownLayers(const Sequential& model) {
    std::vector<const AnyLayer*> layers;
    flatten(model, layers);
    for (const AnyLayer* layer : layers) {
      parts_.push_back(layer->parts());
      if (parts_.back().empty()) rows_.push_back({layer, false});
      for (const AnyLayer& part : parts_.back()) rows_.push_back({&part, true});
    }
  }

  const std::vector<ShownLayer>& rows() const { return rows_; }

 private:
  std::vector<std::vector<AnyLayer>> parts_;  // which rows point into: the inner ones stay where they are
  std::vector<ShownLayer> rows_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
