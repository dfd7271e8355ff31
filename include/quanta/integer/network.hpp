// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A whole network of int8 codes as plain arrays, and its evaluation with integers alone: no float, no allocation, no
// library. For firmware, interrupt handlers and kernels (-mgeneral-regs-only), and the definition of what IntegerModel
// (layers/integer_model.hpp), which makes such networks, computes with vector instructions. It checks nothing: a
// network of an IntegerModel's is sound.
//
//   std::int8_t codes[10], scratch[512];                    // scratch_size(net) is 512
//   quanta::integer::run(net, image, codes, scratch);
#pragma once

#include <cstdint>

#include <quanta/integer/fixed_point.hpp>

/// Networks of int8 codes, evaluated with integers alone.
namespace quanta::integer {

/// Which of the formulas of Layer a layer computes.
enum class Kind : std::int32_t {
  linear,  ///< products, and bounds of the codes
  table,   ///< any function of one code
  softmax  ///< over all codes of x
};

/// From int8 codes to int8 codes. Members that a kind does not name are not used by it.
///
///   linear    y[n] = clamp(zero_point + (bias[n] + sum over k of x[k] * weight[n, k]) * real[n], low, high), where
///             real[n] is multiplier[n] * 2^(shift[n] - 31). What the zero point of x adds is in the bias; so all sums,
///             also unfinished ones, are results of some x and fit int32.
///   table     y[n] = table[x[n] + 128]
///   softmax   y[n] = min(255, 256 * e[n] / sum over i of e[i]) - 128, rounded half to even, where
///             e[i] = exponentials[largest x - x[i]]. Of the output 1 / 256 is the scale, -128 the zero point.
struct Layer {
  Kind kind;             ///< which formula; the members that it names are those in use
  std::int32_t inputs;   ///< codes of x
  std::int32_t outputs;  ///< codes of y; as many as of x, but of linear

  const std::int8_t* weight;       ///< (outputs, inputs), row-major
  const std::int32_t* bias;        ///< (outputs)
  const std::int32_t* multiplier;  ///< (outputs), each 0 or in [2^30, 2^31)
  const std::int32_t* shift;       ///< (outputs), each in [-31, 30]
  std::int32_t zero_point;         ///< of y
  std::int32_t low;                ///< the least code of y
  std::int32_t high;               ///< the largest code of y
  std::int32_t double_rounding;    ///< 0: one rounding (multiply); 1: two (multiply_double_rounding)

  const std::int8_t* table;  ///< (256)

  const std::int32_t* exponentials;  ///< (256), not negative; the first is not 0
};

/// One layer after the other, from codes (inputs) to codes (outputs), all int8; each takes as many as the one before
/// gives (Jacob et al., 2018).
struct Network {
  const Layer* layers;   ///< (count), in the order in which they run
  std::int32_t count;    ///< how many layers there are
  std::int32_t inputs;   ///< codes of the first layer's x
  std::int32_t outputs;  ///< codes of the last layer's y
};

/// The bytes of memory that `run` needs beside its arguments: two rows of the widest layer within.
static inline std::int64_t scratch_size(const Network& network) {
  std::int64_t widest = 0;
  for (std::int32_t i = 0; i + 1 < network.count; ++i) {
    if (network.layers[i].outputs > widest) widest = network.layers[i].outputs;
  }
  return 2 * widest;
}

/// y (layer.outputs) from x (layer.inputs), which do not overlap.
static inline void run_linear(const Layer& layer, const std::int8_t* x, std::int8_t* y) {
  const std::int8_t* weight = layer.weight;
  for (std::int32_t n = 0; n < layer.outputs; ++n, weight += layer.inputs) {
    std::int32_t sum = layer.bias[n];
    for (std::int32_t k = 0; k < layer.inputs; ++k) sum += x[k] * weight[k];
    std::int64_t code = layer.double_rounding != 0 ? multiply_double_rounding(sum, layer.multiplier[n], layer.shift[n])
                                                   : multiply(sum, layer.multiplier[n], layer.shift[n]);
    code += layer.zero_point;
    y[n] = static_cast<std::int8_t>(code < layer.low ? layer.low : (code > layer.high ? layer.high : code));
  }
}

/// y (count) from x (count); y may be x.
static inline void run_table(const std::int8_t* table, std::int64_t count, const std::int8_t* x, std::int8_t* y) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = table[x[i] + 128];
}

/// y (count) from x (count), at least one; y may be x.
static inline void run_softmax(const std::int32_t* exponentials, std::int64_t count, const std::int8_t* x,
                               std::int8_t* y) {
  std::int32_t most = -128;
  for (std::int64_t i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
  std::uint64_t sum = 0;  // fits: every term is below 2^31
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<std::uint64_t>(exponentials[most - x[i]]);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t scaled = static_cast<std::uint64_t>(exponentials[most - x[i]]) * 256;
    const std::uint64_t whole = scaled / sum, rest = scaled % sum;
    const std::uint64_t share = whole + (2 * rest + (whole & 1) > sum ? 1 : 0);
    y[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(share < 255 ? share : 255) - 128);
  }
}

/// y (network.outputs) from x (network.inputs), with `scratch` of scratch_size(network) bytes; none of them overlap.
/// GCC makes vector instructions of it with -O3, which is five times as fast as -O2 on x86-64.
static inline void run(const Network& network, const std::int8_t* x, std::int8_t* y, std::int8_t* scratch) {
  const std::int64_t row = scratch_size(network) / 2;
  for (std::int32_t i = 0; i < network.count; ++i) {
    const Layer& layer = network.layers[i];
    std::int8_t* const to = i + 1 == network.count ? y : scratch + (i % 2) * row;
    if (layer.kind == Kind::linear) run_linear(layer, x, to);
    if (layer.kind == Kind::table) run_table(layer.table, layer.outputs, x, to);
    if (layer.kind == Kind::softmax) run_softmax(layer.exponentials, layer.outputs, x, to);
    x = to;
  }
  for (std::int32_t i = 0; network.count == 0 && i < network.outputs; ++i) y[i] = x[i];
}

}  // namespace quanta::integer
