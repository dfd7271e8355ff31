// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The smooth activations, each a stage of gemm and a layer: what core/lane_math.hpp defines, on every float by itself.
// The piecewise linear ones are in gemm/stages.hpp. All of them work on floats; their integer counterparts are tables
// of 256 codes (layers/integer_tables.hpp). As layers they take (batch, features) of any number of features and give as
// many, and refuse nothing; NaN stays NaN. An ulp is the distance of the floats around the exact result.
#pragma once

#include <quanta/core/lane_math.hpp>
#include <quanta/gemm/stages.hpp>

QUANTA_NAMESPACE_BEGIN

/// The logistic function 1 / (1 + e^-x), within 2.5 ulp: from 0, for -inf, to 1. Each value by itself, of any shape;
/// NaN stays NaN. A stage and a layer.
struct Sigmoid : LaneStage<Sigmoid> {
  static constexpr const char* kName = "Sigmoid";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::sigmoid<L>(v);
  }
};

/// The hyperbolic tangent, within 2.5 ulp: from -1 to 1. Each value by itself, of any shape; NaN stays NaN. A stage and
/// a layer.
struct Tanh : LaneStage<Tanh> {
  static constexpr const char* kName = "Tanh";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::tanh<L>(v);
  }
};

/// x / 2 * (1 + erf(x / sqrt(2))) (Hendrycks & Gimpel, "Gaussian Error Linear Units", 2016), within 5 ulp, also far
/// below 0; of -inf it is 0. Each value by itself, of any shape; NaN stays NaN. A stage and a layer.
struct Gelu : LaneStage<Gelu> {
  static constexpr const char* kName = "Gelu";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::gelu<L>(v);
  }
};

/// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))), the approximation of Gelu by the same authors that GPT-2
/// and its successors were trained with, within 4 ulp. Each value by itself, of any shape; NaN stays NaN. A stage and a
/// layer.
struct GeluTanh : LaneStage<GeluTanh> {
  static constexpr const char* kName = "GeluTanh";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return math::gelu_tanh<L>(v);
  }
};

QUANTA_NAMESPACE_END
