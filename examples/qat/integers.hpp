// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Does an integer-only model, which has no float between its pixels and its logits, decide as the fake-quantized
// network it was frozen from? Two things are not the network's: biases are rounded to int32, in units of scale_x *
// scale_w, and logits are rounded to 256 codes. So a value between two layers that lies near enough to a tie between
// two codes may round to the other one, and two logits less than about a step apart may change places. That nothing
// else happens is checked for every value of every layer: its code is the nearest to what the network computes from the
// same inputs, or the value is no farther beyond the tie than its bias was rounded.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <vector>

#include <quanta/integer.hpp>

#include "compare.hpp"

namespace qat {

/// The integer-only model: the scales and codes that training found. What it found none for, the logits, gets the range
/// of those of some images.
template <int bits>
quanta::IntegerModel freeze_to_integers(FakeNetwork<bits>& network, const Matrix& images) {
  const auto& [first, second, third] = network;
  const auto codes = [](const auto& layer) { return layer.fake_weight.quantizer().quantize(layer.weight); };
  const auto logits = quanta::AsymmetricQuantizer<quanta::Int<8>>::fit(network.forward(images));
  quanta::IntegerBuilder builder(kPixels, quanta::AsymmetricQuantizer<quanta::UInt<8>>(kPixelScale));
  builder.linear(codes(first), first.bias, second.fake_input.quantizer(), quanta::Relu{});
  builder.linear(codes(second), second.bias, third.fake_input.quantizer(), quanta::Relu{});
  builder.linear(codes(third), third.bias, logits);
  return builder.model();
}

/// Counts over all the images that were compared.
struct IntegerAgreement {
  long images = 0, by_codes = 0, by_logits = 0;  ///< images; those classed otherwise, by what differs first
  double widest_gap = 0.0;                       ///< of by_logits, in steps: between the network's two logits
  long values = 0, other_codes = 0;              ///< of all layers; those whose code is not the nearest
  double farthest = 0.0, most_rounded = 0.0;     ///< beyond a tie, in steps: such a value; a bias by its rounding
  long unexplained = 0;                          ///< values that are farther

  template <int bits>
  void compare(FakeNetwork<bits>& network, const quanta::IntegerModel& model, const Matrix& images_to_compare);

 private:
  template <int bits, class Layer>
  void compare_layer(const Layer& layer, float input_scale, const quanta::QuantParams<quanta::PerTensor>& params,
                     float low, float high, const Matrix& network_y, const Matrix& y);
};

/// `network_y` is what the network computes, `y` what the integer model makes of the same inputs; low and high are the
/// ends of its codes, in steps.
template <int bits, class Layer>
void IntegerAgreement::compare_layer(const Layer& layer, float input_scale,
                                     const quanta::QuantParams<quanta::PerTensor>& params, float low, float high,
                                     const Matrix& network_y, const Matrix& y) {
  constexpr double kFloatSums = 1e-3;  // steps: the network rounds its sums
  const double scale = static_cast<double>(params.scale(0));
  const quanta::Tensor<float, 1> weight_scales = layer.fake_weight.scales();
  values += static_cast<long>(y.size());
  for (Index c = 0; c < y.cols(); ++c) {
    const double weight_scale = static_cast<double>(weight_scales(c)) / (1 << (8 - bits));  // of codes made int8
    const double rounded = 0.5 * static_cast<double>(input_scale) * weight_scale / scale;
    most_rounded = std::max(most_rounded, rounded);
    for (Index r = 0; r < y.rows(); ++r) {
      const double steps =
          std::clamp(static_cast<double>(network_y(r, c)) / scale, static_cast<double>(low), static_cast<double>(high));
      const double beyond = std::fabs(steps - static_cast<double>(y(r, c)) / scale) - 0.5;
      if (beyond <= 1e-5) continue;
      ++other_codes;
      farthest = std::max(farthest, beyond);
      unexplained += beyond > rounded + kFloatSums ? 1 : 0;
    }
  }
}

template <int bits>
void IntegerAgreement::compare(FakeNetwork<bits>& network, const quanta::IntegerModel& model,
                               const Matrix& images_to_compare) {
  const std::vector<quanta::AnyLayer> parts = model.parts();
  const auto run = [&](std::size_t i, const Matrix& x) -> Matrix { return as_matrix(quanta::Sequential{parts[i]}(x)); };
  const Matrix hidden1 = run(0, images_to_compare), hidden2 = run(1, hidden1), logits = run(2, hidden2);

  const Matrix network_logits = network.forward(images_to_compare);  // leaves the inputs of each layer there
  const auto codes = [](const auto& fake, const Matrix& x) { return as_matrix(fake.forward(x)).eval(); };
  const Matrix network1 = codes(network.second.fake_input, network.second.x);
  const Matrix network2 = codes(network.third.fake_input, network.third.x);
  const std::vector<int> expected = classes_of(network_logits), got = classes_of(logits);
  const double step = static_cast<double>(model.output_params().scale(0));
  images += static_cast<long>(expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == got[i]) continue;
    const Index image = static_cast<Index>(i);
    if (network1.row(image) != hidden1.row(image) || network2.row(image) != hidden2.row(image)) {
      ++by_codes;
    } else {
      ++by_logits;
      const float gap = network_logits(image, expected[i]) - network_logits(image, got[i]);
      widest_gap = std::max(widest_gap, static_cast<double>(gap) / step);
    }
  }

  const auto& params = model.activation_params();
  constexpr auto kMost = static_cast<float>((1 << bits) - 1);
  const float zero_point = static_cast<float>(params[3].zero_point(0));
  const float scale1 = params[1].scale(0), scale2 = params[2].scale(0);
  compare_layer<bits>(network.first, kPixelScale, params[1], 0.0f, kMost, network.first.forward(images_to_compare),
                      hidden1);
  compare_layer<bits>(network.second, scale1, params[2], 0.0f, kMost, network.second.forward(hidden1), hidden2);
  compare_layer<bits>(network.third, scale2, params[3], -128.0f - zero_point, 127.0f - zero_point,
                      network.third.forward(hidden2), logits);
}

/// True when every code is explained.
inline bool print_agreement(const char* name, const IntegerAgreement& a) {
  std::printf(
      "\nInteger-only models of %s, int8 from pixels to logits, against the networks they come from:\n"
      "  %ld of %ld images get the same class\n"
      "  %ld another one with the same codes between all layers: their two logits, which are rounded to codes, are at\n"
      "    most %.2f steps apart in the network\n"
      "  %ld another one with other codes between layers\n"
      "  of %ld codes, %ld are not the nearest to what the network computes from the same inputs, but the next one:\n"
      "    those values are at most %.4f steps beyond a tie; rounding biases to int32 moves them by up to %.4f\n"
      "  every code is explained so: %s\n",
      name, a.images - a.by_codes - a.by_logits, a.images, a.by_logits, a.widest_gap, a.by_codes, a.values,
      a.other_codes, a.farthest, a.most_rounded, a.unexplained == 0 ? "yes" : "NO");
  return a.unexplained == 0;
}

}  // namespace qat
