// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The smooth activations, each a stage of gemm and a layer: what core/lane_math.hpp defines, on every float by itself.
// The piecewise linear ones are in gemm/stages.hpp. All of them work on floats; their integer counterparts are tables
// of 256 codes (layers/integer_tables.hpp).
#pragma once

#include <quanta/core/lane_math.hpp>
#include <quanta/gemm/stages.hpp>

QUANTA_NAMESPACE_BEGIN

/// 1 / (1 + e^-x). A stage and a layer.
struct Sigmoid : LaneStage<Sigmoid> {
  static constexpr const char* kName = "Sigmoid";
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::sigmoid<L>(v);
  }
};

/// tanh(x). A stage and a layer.
struct Tanh : LaneStage<Tanh> {
  static constexpr const char* kName = "Tanh";
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::tanh<L>(v);
  }
};

/// x / 2 * (1 + erf(x / sqrt(2))) (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016). A stage and a layer.
struct Gelu : LaneStage<Gelu> {
  static constexpr const char* kName = "Gelu";
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::gelu<L>(v);
  }
};

/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), the approximation of Gelu by the same authors that GPT-2
/// and its successors were trained with. A stage and a layer.
struct GeluTanh : LaneStage<GeluTanh> {
  static constexpr const char* kName = "GeluTanh";
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::gelu_tanh<L>(v);
  }
};

QUANTA_NAMESPACE_END
