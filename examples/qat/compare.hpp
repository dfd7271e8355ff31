// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Does an integer model decide as the fake-quantized network it was frozen from? Their weights and activations are the
// same numbers. But the network sums reals in float, rounding each time, and the integer model sums codes exactly: so
// the inputs of a layer differ in their last bits, and one that lies between two codes can round to either. Every image
// that is classed otherwise is traced to such a value; from there on the network must decide as the integer model does.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include "quantize.hpp"

namespace qat {

/// The most likely class of each image; the lower one of two alike.
template <class Logits>
std::vector<int> classes_of(const Logits& logits) {
  std::vector<int> classes;
  for (Index i = 0; i < as_matrix(logits).rows(); ++i) {
    const float* row = logits.data() + i * kClasses;
    classes.push_back(static_cast<int>(std::max_element(row, row + kClasses) - row));
  }
  return classes;
}

/// Counts over all the images that were compared.
struct Agreement {
  long images = 0, other_classes = 0;
  long codes = 0, other_codes = 0;  ///< of the inputs of the second and third layer
  long unexplained = 0;             ///< images with another class, and no value near a tie to account for it
  std::vector<std::string> explanations;

  template <int bits>
  void compare(FakeNetwork<bits>& network, const quanta::Sequential& frozen, const Matrix& images_to_compare);
};

/// The inputs of a layer of both, in steps, and as codes.
struct LayerInputs {
  Matrix network_steps, frozen_steps;
  quanta::Tensor<std::uint8_t, 2> network_codes, frozen_codes;

  template <class Quantizer>
  LayerInputs(const Quantizer& quantizer, const Matrix& of_network, const quanta::Tensor<float, 2>& of_frozen)
      : network_steps(of_network / quantizer.params().scale(0)),
        frozen_steps(as_matrix(of_frozen) / quantizer.params().scale(0)),
        network_codes(quantizer.quantize(of_network).codes()),
        frozen_codes(quantizer.quantize(of_frozen).codes()) {}

  Index count() const { return network_codes.size(); }
  long other_codes() const {
    long count = 0;
    for (Index i = 0; i < network_codes.size(); ++i) count += differ(i) ? 1 : 0;
    return count;
  }
  /// Where the codes of an image first differ, as a text; empty where they do not, or not because of a tie.
  std::string tie(const char* layer, Index image) const {
    const Index width = network_steps.cols();
    for (Index i = image * width; i < (image + 1) * width; ++i) {
      const float a = network_steps.data()[i], b = frozen_steps.data()[i];
      if (!differ(i)) continue;
      if (std::fabs(a - b) > 1e-4f) return "";
      char text[200];
      std::snprintf(text, sizeof text,
                    "input %d of the %s layer is %.8g steps in the network, %.8g in integers: codes %d and %d",
                    static_cast<int>(i % width), layer, static_cast<double>(a), static_cast<double>(b),
                    network_codes.data()[i], frozen_codes.data()[i]);
      return text;
    }
    return "";
  }

 private:
  bool differ(Index i) const { return network_codes.data()[i] != frozen_codes.data()[i]; }
};

template <int bits>
void Agreement::compare(FakeNetwork<bits>& network, const quanta::Sequential& frozen, const Matrix& images_to_compare) {
  const Matrix logits = network.forward(images_to_compare);  // leaves the inputs of each layer there
  const quanta::Tensor<float, 2> first = quanta::Sequential(frozen[0], frozen[1])(images_to_compare);
  const quanta::Tensor<float, 2> second = quanta::Sequential(frozen[2], frozen[3])(first);
  const LayerInputs to_second(network.second.fake_input.quantizer(), network.second.x, first);
  const LayerInputs to_third(network.third.fake_input.quantizer(), network.third.x, second);
  const std::vector<int> expected = classes_of(logits), got = classes_of(frozen(images_to_compare));
  // What the network decides when its second or third layer is given the integer model's inputs.
  const Matrix again = network.second.forward(as_matrix(first)).cwiseMax(0.0f);
  const std::vector<int> from_second = classes_of(network.third.forward(again));
  const std::vector<int> from_third = classes_of(network.third.forward(as_matrix(second)));

  images += static_cast<long>(expected.size());
  codes += static_cast<long>(to_second.count() + to_third.count());
  other_codes += to_second.other_codes() + to_third.other_codes();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (expected[i] == got[i]) continue;
    ++other_classes;
    const Index image = static_cast<Index>(i);
    const float gap = std::fabs(logits(image, expected[i]) - logits(image, got[i]));
    std::string reason;
    if (from_second[i] == got[i]) reason = to_second.tie("second", image);
    if (reason.empty() && from_third[i] == got[i]) reason = to_third.tie("third", image);
    if (reason.empty() && gap < 1e-4f) reason = "the two classes' logits are " + std::to_string(gap) + " apart";
    if (reason.empty()) ++unexplained;
    explanations.push_back(std::to_string(bits) + " bits, image " + std::to_string(i) + ": class " +
                           std::to_string(expected[i]) + " becomes " + std::to_string(got[i]) + "; " +
                           (reason.empty() ? "NOT EXPLAINED" : reason));
  }
}

}  // namespace qat
