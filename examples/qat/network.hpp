// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A network 784-128-64-10 with ReLU between, trained in plain Eigen. Each layer has two places where fake quantization
// goes: its weight and its input. What sits there is a quanta::FakeQuantize, or `Float`, which changes nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <utility>
#include <vector>

#include <quanta/quanta.hpp>
#include <quanta/train.hpp>

#include "data.hpp"

namespace qat {

/// Adam (Kingma and Ba, ICLR 2015) for one array of numbers.
class Adam {
 public:
  void step(float* values, const float* gradients, Index count, float rate) {
    if (mean_.size() == 0) mean_ = square_ = Eigen::ArrayXf::Zero(count);
    const Eigen::Map<const Eigen::ArrayXf> g(gradients, count);
    mean_ += 0.1f * (g - mean_);
    square_ += 0.001f * (g.square() - square_);
    mean_power_ *= 0.9f;
    square_power_ *= 0.999f;
    const float size = rate * std::sqrt(1.0f - square_power_) / (1.0f - mean_power_);
    Eigen::Map<Eigen::ArrayXf>(values, count) -= size * mean_ / (square_.sqrt() + 1e-8f);
  }

 private:
  Eigen::ArrayXf mean_, square_;
  float mean_power_ = 1.0f, square_power_ = 1.0f;
};

/// Stands where nothing is quantized.
struct Float {
  struct Gradients {
    Matrix x;
    quanta::Tensor<float, 1> scales;
  };
  Matrix forward(const Matrix& x) const { return x; }
  Gradients backward(const Matrix&, const Matrix& dy) const { return {dy, {}}; }
  quanta::Tensor<float, 1> scales() const { return {}; }
  void set_scales(const quanta::Tensor<float, 1>&) {}
};

inline const Matrix& as_matrix(const Matrix& x) { return x; }
inline Eigen::Map<const Matrix> as_matrix(const quanta::Tensor<float, 2>& x) {
  return {x.data(), x.dimension(0), x.dimension(1)};
}

/// y = fake_input(x) * fake_weight(weight)' + bias.
template <class FakeWeight, class FakeInput>
class Layer {
 public:
  Matrix weight;            // (out, in)
  Eigen::RowVectorXf bias;  // (out)
  FakeWeight fake_weight;
  FakeInput fake_input;
  Matrix x;  ///< the last input

  Layer(Matrix start, Eigen::RowVectorXf start_bias, FakeWeight for_weight, FakeInput for_input)
      : weight(std::move(start)),
        bias(std::move(start_bias)),
        fake_weight(std::move(for_weight)),
        fake_input(std::move(for_input)) {}

  Matrix forward(Matrix input) {
    x = std::move(input);
    fake_x_ = as_matrix(fake_input.forward(x));
    fake_weight_ = as_matrix(fake_weight.forward(weight));
    Matrix y = fake_x_ * fake_weight_.transpose();
    y.rowwise() += bias;
    return y;
  }

  /// Steps the weight, its scales and the bias, given the gradient of the last output.
  void learn(const Matrix& dy, float rate) {
    const Matrix to_fake = dy.transpose() * fake_x_;
    const auto gradients = fake_weight.backward(weight, to_fake);
    const Eigen::RowVectorXf to_bias = dy.colwise().sum();
    weight_adam_.step(weight.data(), gradients.x.data(), weight.size(), rate);
    bias_adam_.step(bias.data(), to_bias.data(), bias.size(), rate);
    step_scales(fake_weight, weight_scales_adam_, gradients.scales, rate);
  }

  /// Gives the gradient of the last input; steps the scale of the inputs.
  Matrix backward(const Matrix& dy, float rate) {
    const Matrix to_fake = dy * fake_weight_;
    const auto gradients = fake_input.backward(x, to_fake);
    step_scales(fake_input, input_scales_adam_, gradients.scales, rate);
    return as_matrix(gradients.x);
  }

 private:
  template <class Fake>
  static void step_scales(Fake& fake, Adam& adam, const quanta::Tensor<float, 1>& gradients, float rate) {
    quanta::Tensor<float, 1> scales = fake.scales();
    adam.step(scales.data(), gradients.data(), scales.size(), rate);
    fake.set_scales(scales);
  }

  Matrix fake_x_, fake_weight_;
  Adam weight_adam_, bias_adam_, weight_scales_adam_, input_scales_adam_;
};

/// The images are never quantized here: their pixels are codes already, of scale 1 / 255.
template <class FakeWeight, class FakeInput>
struct Network {
  Layer<FakeWeight, Float> first;
  Layer<FakeWeight, FakeInput> second, third;

  /// (images, classes).
  Matrix forward(const Matrix& images) {
    const Matrix hidden = first.forward(images).cwiseMax(0.0f);
    return third.forward(second.forward(hidden).cwiseMax(0.0f));
  }

  /// One step, given the gradient of the logits.
  void learn(const Matrix& dlogits, float rate) {
    const auto through_relu = [](const Matrix& dy, const Matrix& y) -> Matrix {
      return (y.array() > 0.0f).select(dy, 0.0f);
    };
    const Matrix dsecond = through_relu(third.backward(dlogits, rate), third.x);
    const Matrix dfirst = through_relu(second.backward(dsecond, rate), second.x);
    third.learn(dlogits, rate);
    second.learn(dsecond, rate);
    first.learn(dfirst, rate);
  }
};

using FloatNetwork = Network<Float, Float>;
/// Weights of so many bits with a scale per output, inputs of the second and third layer of as many with one scale.
template <int bits>
using FakeNetwork =
    Network<quanta::FakeQuantize<quanta::Int<bits>, quanta::PerChannel<0>>, quanta::FakeQuantize<quanta::UInt<bits>>>;

inline FloatNetwork random_network(std::mt19937& random) {
  const auto layer = [&](Index out, Index in) {
    const float reach = std::sqrt(6.0f / static_cast<float>(in));  // He et al., ICCV 2015
    const auto uniform = [&] { return reach * (static_cast<float>(random()) * 0x1p-31f - 1.0f); };
    return Layer<Float, Float>(Matrix::NullaryExpr(out, in, uniform), Eigen::RowVectorXf::Zero(out), {}, {});
  };
  Layer<Float, Float> first = layer(128, kPixels), second = layer(64, 128), third = layer(kClasses, 64);
  return {std::move(first), std::move(second), std::move(third)};
}

/// The gradient of the mean cross entropy.
inline Matrix cross_entropy_gradient(const Matrix& logits, const std::vector<int>& labels) {
  Matrix p = (logits.colwise() - logits.rowwise().maxCoeff()).array().exp();
  p.array().colwise() /= p.rowwise().sum().array().eval();
  for (Index i = 0; i < p.rows(); ++i) p(i, labels[static_cast<std::size_t>(i)]) -= 1.0f;
  return p / static_cast<float>(p.rows());
}

/// `progress` is told the part that is done, from 0 to 1.
template <class AnyNetwork, class Progress>
void train(AnyNetwork& network, const Images& images, int epochs, float rate, std::mt19937& random, Progress progress) {
  constexpr Index kBatch = 128;
  const Index batches = images.count() / kBatch;
  std::vector<Index> order(static_cast<std::size_t>(images.count()));
  std::iota(order.begin(), order.end(), Index{0});
  Matrix batch(kBatch, kPixels);
  std::vector<int> labels(static_cast<std::size_t>(kBatch));
  for (Index step = 0; step < epochs * batches; ++step) {
    if (step % batches == 0) std::shuffle(order.begin(), order.end(), random);
    for (Index i = 0; i < kBatch; ++i) {
      const Index image = order[static_cast<std::size_t>(step % batches * kBatch + i)];
      batch.row(i) = images.real(image);
      labels[static_cast<std::size_t>(i)] = images.labels[static_cast<std::size_t>(image)];
    }
    const float done = static_cast<float>(step) / static_cast<float>(epochs * batches);
    network.learn(cross_entropy_gradient(network.forward(batch), labels), rate * (1.0f - done));
    if (step % 50 == 0) progress(done);
  }
}

}  // namespace qat
