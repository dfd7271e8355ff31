// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a float model to a quantized one.
#pragma once

#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/sequential.hpp>

QUANTA_NAMESPACE_BEGIN

/// A copy of the model with every Linear, in nested Sequentials too, as a DynamicLinear of this weight format and
/// granularity; other layers stay as they are. No data is needed.
template <IntegerFormat F = Int<8>, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
Sequential quantize_dynamic(const Sequential& model, G granularity = G{}) {
  Sequential result;
  for (const AnyLayer& layer : model) {
    if (const Linear* linear = layer.target<Linear>()) {
      result.push_back(DynamicLinear<F, G, Kernel>(linear->weight(), linear->bias(), granularity));
    } else if (const Sequential* nested = layer.target<Sequential>()) {
      result.push_back(quantize_dynamic<F, G, Kernel>(*nested, granularity));
    } else {
      result.push_back(layer);
    }
  }
  return result;
}

QUANTA_NAMESPACE_END
