// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a float network to a fake-quantized one, after training or to be trained on, and from that to integers.
#pragma once

#include <utility>

#include "network.hpp"

namespace qat {

/// The same weights with what `weights` and `inputs` make of a weight, and of what the float layer was given.
template <int bits, class Weights, class Inputs>
FakeNetwork<bits> with_quantizers(FloatNetwork network, const Matrix& images, Weights weights, Inputs inputs) {
  network.forward(images);
  const auto& [first, second, third] = network;
  return {{first.weight, first.bias, weights(first.weight), Float{}},
          {second.weight, second.bias, weights(second.weight), inputs(second.x)},
          {third.weight, third.bias, weights(third.weight), inputs(third.x)}};
}

/// Post-training quantization: the ranges with the least mean squared error, from the weights and some images.
template <int bits>
FakeNetwork<bits> calibrated(const FloatNetwork& network, const Matrix& images) {
  const auto weights = [](const Matrix& weight) {
    quanta::MseCalibrator<quanta::PerChannel<0>> calibrator;
    calibrator.observe(weight);
    return quanta::FakeQuantize(quanta::SymmetricQuantizer<quanta::Int<bits>, quanta::PerChannel<0>>::fit(calibrator));
  };
  const auto inputs = [](const Matrix& input) {
    quanta::MseCalibrator<> calibrator;
    calibrator.observe(input);
    return quanta::FakeQuantize(quanta::AsymmetricQuantizer<quanta::UInt<bits>>::fit(calibrator),
                                quanta::Role::activation);
  };
  return with_quantizers<bits>(network, images, weights, inputs);
}

/// The start of quantization-aware training: LSQ's first scales.
template <int bits>
FakeNetwork<bits> learnable(const FloatNetwork& network, const Matrix& images) {
  const auto weights = [](const Matrix& weight) {
    return quanta::FakeQuantize<quanta::Int<bits>, quanta::PerChannel<0>>::learned(weight);
  };
  const auto inputs = [](const Matrix& input) {
    return quanta::FakeQuantize<quanta::UInt<bits>>::learned(input, quanta::Role::activation);
  };
  return with_quantizers<bits>(network, images, weights, inputs);
}

/// The integer model: codes of the weights, products in integers, and the scales as they were learned.
template <int bits>
quanta::Sequential freeze(const FakeNetwork<bits>& network) {
  const auto frozen = [](const auto& layer, const auto& input) {
    return quanta::StaticLinear<quanta::Int<bits>, quanta::PerChannel<0>>(
        layer.fake_weight.quantizer().quantize(layer.weight), layer.bias, input);
  };
  const quanta::AsymmetricQuantizer<quanta::UInt<8>> pixels(kPixelScale);
  const auto& [first, second, third] = network;
  return quanta::Sequential{frozen(first, pixels), quanta::Relu{}, frozen(second, second.fake_input.quantizer()),
                            quanta::Relu{}, frozen(third, third.fake_input.quantizer())};
}

}  // namespace qat
