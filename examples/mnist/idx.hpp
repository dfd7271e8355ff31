// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reads MNIST's images and labels.
#pragma once

#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <unsupported/Eigen/CXX11/Tensor>

#include "../support/idx.hpp"

namespace mnist {

using Matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;

inline examples::Idx read_idx(const std::string& path, std::size_t dimensions) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!(content << file.rdbuf())) throw std::runtime_error(path + ": cannot be read, or is empty");
  const std::string text = content.str();
  return examples::parse_idx(path, std::vector<unsigned char>(text.begin(), text.end()), dimensions);
}

/// (images, pixels), each pixel / 255: what the network was trained on.
inline Matrix read_images(const std::string& path) {
  const examples::Idx idx = read_idx(path, 3);
  const auto count = static_cast<Eigen::Index>(idx.extents[0]);
  Matrix images(count, static_cast<Eigen::Index>(idx.bytes.size()) / count);
  for (Eigen::Index i = 0; i < images.size(); ++i) {
    images.data()[i] = static_cast<float>(idx.bytes[static_cast<std::size_t>(i)]) / 255.0f;
  }
  return images;
}

/// One digit per image.
inline std::vector<int> read_labels(const std::string& path) {
  const examples::Idx idx = read_idx(path, 1);
  return std::vector<int>(idx.bytes.begin(), idx.bytes.end());
}

}  // namespace mnist
