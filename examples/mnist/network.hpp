// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The network, read from its file, and the ways to run it that the table compares: Eigen's own float products, and any
// model of Quanta's.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

#include <Eigen/Core>

#include <quanta/integer.hpp>
#include <quanta/io.hpp>
#include <quanta/quanta.hpp>

namespace mnist {

using Eigen::Index;

constexpr Index kPixels = 784;  // 28 x 28
constexpr Index kDigits = 10;
constexpr double kTolerance = 0.1;  // percentage points of accuracy; results are the same bits on every machine

/// One row of the table. `run` takes images (count, pixels) and gives logits (count, digits), both row by row.
struct Variant {
  std::string name;
  Index bytes;  ///< what the weights and all that belongs to them take in memory
  std::function<void(const float* images, Index count, float* logits)> run;
  double tolerance = kTolerance;  ///< how far its accuracy may be from that of float, in percentage points
};

/// Three linear layers with ReLU between. Throws quanta::FileError when a tensor is not there, quanta::Error when sizes
/// do not fit each other; whoever reads the same tensors after it need not check them again.
inline quanta::Sequential read_network(const quanta::Safetensors& file) {
  const auto linear = [&](const std::string& name) {
    return quanta::Linear(file.read<2>(name + ".weight"), file.read<1>(name + ".bias"));
  };
  quanta::Sequential model{linear("fc1"), quanta::Relu{}, linear("fc2"), quanta::Relu{}, linear("fc3")};
  if (model.output_size(kPixels) != kDigits) throw std::runtime_error("the network does not give a value per digit");
  return model;
}

/// The features that come in, and those that each linear layer gives: "784-256-128-10".
inline std::string sizes_of(const quanta::Sequential& network) {
  std::string sizes;
  for (Index i = 0; i < network.size(); ++i) {
    const auto* const linear = network[i].target<quanta::Linear>();
    if (linear == nullptr) continue;
    if (sizes.empty()) sizes = std::to_string(linear->in_features());
    sizes += "-" + std::to_string(linear->out_features());
  }
  return sizes;
}

inline Variant quanta_variant(std::string name, quanta::Sequential model, double tolerance = kTolerance) {
  const Index bytes = model.packed_bytes();
  const auto context = std::make_shared<quanta::Context>();  // keeps its memory from one call to the next
  const auto run = [model = std::move(model), context](const float* images, Index count, float* logits) {
    const Eigen::TensorMap<const quanta::Tensor<float, 2>> batch(images, count, kPixels);
    const quanta::Tensor<float, 2> result = model(*context, batch);
    std::copy_n(result.data(), result.size(), logits);
  };
  return {std::move(name), bytes, run, tolerance};
}

/// The same network as one would write it with Eigen alone: a column is an image.
class EigenNetwork {
 public:
  explicit EigenNetwork(const quanta::Safetensors& file)
      : w1_(matrix(file, "fc1.weight")),
        w2_(matrix(file, "fc2.weight")),
        w3_(matrix(file, "fc3.weight")),
        b1_(vector(file, "fc1.bias")),
        b2_(vector(file, "fc2.bias")),
        b3_(vector(file, "fc3.bias")) {}

  Index bytes() const {
    const Index floats = w1_.size() + w2_.size() + w3_.size() + b1_.size() + b2_.size() + b3_.size();
    return floats * static_cast<Index>(sizeof(float));
  }

  void operator()(const float* images, Index count, float* logits) {
    const Eigen::Map<const Eigen::MatrixXf> x(images, w1_.cols(), count);
    Eigen::Map<Eigen::MatrixXf> y(logits, w3_.rows(), count);
    h1_.noalias() = w1_ * x;  // h1_ and h2_ keep their memory too
    h1_ = (h1_.colwise() + b1_).cwiseMax(0.0f);
    h2_.noalias() = w2_ * h1_;
    h2_ = (h2_.colwise() + b2_).cwiseMax(0.0f);
    y.noalias() = w3_ * h2_;
    y.colwise() += b3_;
  }

 private:
  static Eigen::MatrixXf matrix(const quanta::Safetensors& file, const char* name) {
    const quanta::Tensor<float, 2> tensor = file.read<2>(name);
    using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    return Eigen::Map<const RowMajor>(tensor.data(), tensor.dimension(0), tensor.dimension(1));
  }
  static Eigen::VectorXf vector(const quanta::Safetensors& file, const char* name) {
    const quanta::Tensor<float, 1> tensor = file.read<1>(name);
    return Eigen::Map<const Eigen::VectorXf>(tensor.data(), tensor.size());
  }

  Eigen::MatrixXf w1_, w2_, w3_, h1_, h2_;
  Eigen::VectorXf b1_, b2_, b3_;
};

inline Variant eigen_variant(std::string name, const quanta::Safetensors& file) {
  EigenNetwork network(file);
  const Index bytes = network.bytes();
  return {std::move(name), bytes, std::move(network)};
}

}  // namespace mnist
