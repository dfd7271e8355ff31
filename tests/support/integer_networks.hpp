// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Networks of integers for tests: random ones, and what they compute by the definitions in integer/network.hpp, in
// loops over wide integers that share no code with the library.
#pragma once

#include <cstdlib>
#include <vector>

#include <quanta/layers/integer_network.hpp>
#include <quanta/quant/params.hpp>

#include "tests/gemm/fixed_point_oracle.hpp"
#include "tests/support/random.hpp"

namespace quanta::test {

using Codes = std::vector<std::int8_t>;

inline Codes random_codes(Index count, Random& random) {
  Codes codes(static_cast<std::size_t>(count));
  for (std::int8_t& code : codes) code = static_cast<std::int8_t>(random.between(-128, 127));
  return codes;
}

/// One layer of the network, of one row.
inline Codes layer_by_definition(const integer::Layer& layer, const Codes& x) {
  Codes y;
  if (layer.kind == integer::Kind::table) {
    for (const std::int8_t code : x) y.push_back(layer.table[128 + code]);
  } else if (layer.kind == integer::Kind::linear) {
    for (int n = 0; n < layer.outputs; ++n) {
      std::int64_t sum = layer.bias[n];
      for (int k = 0; k < layer.inputs; ++k) {
        sum += std::int64_t{x[static_cast<std::size_t>(k)]} * layer.weight[n * layer.inputs + k];
      }
      const auto acc = static_cast<std::int32_t>(sum);
      EXPECT_EQ(std::int64_t{acc}, sum) << "the test's network is not sound";
      const Wide scaled = layer.double_rounding != 0 ? Wide{gemmlowp_multiply(acc, layer.multiplier[n], layer.shift[n])}
                                                     : exact_multiply(acc, layer.multiplier[n], layer.shift[n]);
      y.push_back(static_cast<std::int8_t>(std::clamp<Wide>(scaled + layer.zero_point, layer.low, layer.high)));
    }
  } else {
    std::int64_t most = -128, sum = 0;
    for (const std::int8_t code : x) most = std::max<std::int64_t>(most, code);
    for (const std::int8_t code : x) sum += layer.exponentials[most - code];
    for (const std::int8_t code : x) {
      const Wide top = Wide{layer.exponentials[most - code]} * 256;
      const auto below = static_cast<std::int64_t>(top / sum);
      const Wide rest = 2 * (top - Wide{below} * sum);  // twice what is left, against the whole: half to even
      const std::int64_t share = below + (rest > sum || (rest == sum && below % 2 == 1) ? 1 : 0);
      y.push_back(static_cast<std::int8_t>(std::min<std::int64_t>(share, 255) - 128));
    }
  }
  return y;
}

inline Codes network_by_definition(const integer::Network& network, Codes x) {
  for (int i = 0; i < network.count; ++i) x = layer_by_definition(network.layers[i], x);
  return x;
}

/// A linear layer with weights, biases and multipliers of all kinds, 0 and above 1 among them, whose sums fit int32.
inline IntegerNetwork::Linear random_linear(Index outputs, Index inputs, bool double_rounding, Random& random) {
  IntegerNetwork::Linear linear{Buffer<std::int8_t>(outputs * inputs),
                                Buffer<std::int32_t>(outputs),
                                Buffer<std::int32_t>(outputs),
                                Buffer<std::int32_t>(outputs),
                                random.between(-128, 127),
                                random.between(-128, 0),
                                random.between(0, 127),
                                double_rounding};
  for (Index n = 0; n < outputs; ++n) {
    std::int64_t most = 0;  // of |x w|
    for (Index k = 0; k < inputs; ++k) {
      const int weight = random.between(-128, 127);
      linear.weight[n * inputs + k] = static_cast<std::int8_t>(weight);
      most += 128 * std::abs(weight);
    }
    const auto room = static_cast<int>(std::numeric_limits<std::int32_t>::max() - most);
    linear.bias[n] = n % 3 == 0 ? random.between(-room, room) : n % 7 == 1 ? -room : random.between(-9999, 9999);
    // Mostly so that sums of random signs fill the codes.
    linear.multiplier[n] = n % 5 == 4 ? 0 : random.between(1 << 30, std::numeric_limits<std::int32_t>::max());
    linear.shift[n] = n % 3 == 0 ? random.between(-31, 30) : random.between(-9, -3);
  }
  return linear;
}

inline Buffer<std::int8_t> random_table(Random& random) {
  Buffer<std::int8_t> table(256);
  for (std::int8_t& code : table) code = static_cast<std::int8_t>(random.between(-128, 127));
  return table;
}

/// Falling from any number to any number, in steps of any size.
inline Buffer<std::int32_t> random_exponentials(Random& random) {
  Buffer<std::int32_t> exponentials(256);
  std::int32_t value = random.between(1, std::numeric_limits<std::int32_t>::max());
  const int keep = random.between(1, 1000);
  for (std::int32_t& e : exponentials) {
    e = value;
    value = static_cast<std::int32_t>(std::int64_t{value} * keep / 1000);
  }
  return exponentials;
}

/// Layers of the given widths; one letter each: l(inear), d(ouble-rounding linear), t(able), s(oftmax).
inline IntegerNetwork random_network(Index inputs, const char* kinds, const std::vector<Index>& widths,
                                     Random& random) {
  IntegerNetwork network(inputs);
  std::size_t next = 0;
  for (const char* kind = kinds; *kind != '\0'; ++kind) {
    if (*kind == 't') {
      network.add_table(random_table(random));
    } else if (*kind == 's') {
      network.add_softmax(random_exponentials(random));
    } else {
      network.add_linear(random_linear(widths[next], inputs, *kind == 'd', random));
      inputs = widths[next++];
    }
  }
  return network;
}

/// The input's parameters and those of each layer's output, as the layers have them.
inline std::vector<QuantParams<PerTensor>> activations_of(const integer::Network& network) {
  std::vector<QuantParams<PerTensor>> activations = {QuantParams<PerTensor>(0.03f, 17)};
  for (int i = 0; i < network.count; ++i) {
    const integer::Layer& layer = network.layers[i];
    if (layer.kind == integer::Kind::softmax) {
      activations.emplace_back(0x1p-8f, -128);
    } else {
      activations.emplace_back(0.4f + 0.1f * static_cast<float>(network.count - 1 - i),
                               layer.kind == integer::Kind::linear ? layer.zero_point : -5);
    }
  }
  return activations;
}

/// integer::run of some rows, with scratch of just the size it asks for.
inline Codes run_portably(const integer::Network& network, const Codes& x, Index rows) {
  Codes y(static_cast<std::size_t>(rows * network.outputs)), scratch(static_cast<std::size_t>(scratch_size(network)));
  for (Index r = 0; r < rows; ++r) {
    integer::run(network, x.data() + r * network.inputs, y.data() + r * network.outputs, scratch.data());
  }
  return y;
}

}  // namespace quanta::test
