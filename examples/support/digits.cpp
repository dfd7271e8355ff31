// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include "digits.hpp"

#include <string>
#include <vector>

#include <quanta/io/safetensors.hpp>

#include "../mnist/idx.hpp"

namespace digits {
namespace {

const std::string kData = QUANTA_DIGITS_DATA;

template <int rank>
quanta::Tensor<float, rank> read(int layer, const char* name) {
  return quanta::Safetensors::open(kData + "/mnist_mlp.safetensors").read<rank>("fc" + std::to_string(layer) + name);
}

// The file has one image after the other: as columns.
Eigen::MatrixXf images(const char* name) {
  const mnist::Matrix rows = mnist::read_images(kData + name);
  return Eigen::Map<const Eigen::MatrixXf>(rows.data(), rows.dimension(1), rows.dimension(0));
}

}  // namespace

Eigen::MatrixXf weight(int layer) {
  const auto rows = read<2>(layer, ".weight");
  return Eigen::Map<const Eigen::MatrixXf>(rows.data(), rows.dimension(1), rows.dimension(0)).transpose();
}

Eigen::VectorXf bias(int layer) {
  const auto tensor = read<1>(layer, ".bias");
  return Eigen::Map<const Eigen::VectorXf>(tensor.data(), tensor.size());
}

Eigen::MatrixXf test_images() { return images("/t10k-images-idx3-ubyte"); }
Eigen::MatrixXf calibration_images() { return images("/calibration-images-idx3-ubyte"); }

double accuracy(const Eigen::Ref<const Eigen::MatrixXf>& outputs) {
  const std::vector<int> labels = mnist::read_labels(kData + "/t10k-labels-idx1-ubyte");
  int right = 0;
  for (Eigen::Index i = 0; i < outputs.cols(); ++i) {
    Eigen::Index digit = 0;
    outputs.col(i).maxCoeff(&digit);
    right += digit == labels.at(static_cast<std::size_t>(i)) ? 1 : 0;
  }
  return 100.0 * right / static_cast<double>(outputs.cols());
}

}  // namespace digits
