// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reads MNIST's files, the IDX format: big-endian numbers, magic and extents, then one byte per pixel or label. A file
// that is not exactly what it says is an exception naming it.
#pragma once

#include <cstdint>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <unsupported/Eigen/CXX11/Tensor>

namespace mnist {

using Matrix = Eigen::Tensor<float, 2, Eigen::RowMajor>;

/// The extents of an IDX file of bytes, and the bytes, which are as many as the extents multiply to.
struct Idx {
  std::vector<std::uint64_t> extents;
  std::vector<unsigned char> bytes;
};

inline Idx read_idx(const std::string& path, std::size_t dimensions) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  if (!(content << file.rdbuf())) throw std::runtime_error(path + ": cannot be read, or is empty");
  const std::string text = content.str();
  const std::vector<unsigned char> bytes(text.begin(), text.end());
  const std::size_t header = 4 * (1 + dimensions);
  // Magic: two zero bytes, 8 for "unsigned bytes", the number of dimensions.
  if (bytes.size() < header || bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] != dimensions) {
    throw std::runtime_error(path + ": is not an IDX file of bytes with " + std::to_string(dimensions) + " dimensions");
  }
  Idx result;
  std::uint64_t rest = bytes.size() - header;  // divided, never multiplied: nothing can overflow
  for (std::size_t at = 4; at < header; at += 4) {
    const std::uint64_t extent = std::uint64_t{bytes[at]} << 24 | std::uint64_t{bytes[at + 1]} << 16 |
                                 std::uint64_t{bytes[at + 2]} << 8 | std::uint64_t{bytes[at + 3]};
    if (extent == 0 || rest % extent != 0) throw std::runtime_error(path + ": is damaged or cut short");
    rest /= extent;
    result.extents.push_back(extent);
  }
  if (rest != 1) throw std::runtime_error(path + ": is damaged or cut short");
  result.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return result;
}

/// (images, pixels), each pixel / 255: what the network was trained on.
inline Matrix read_images(const std::string& path) {
  const Idx idx = read_idx(path, 3);
  const auto count = static_cast<Eigen::Index>(idx.extents[0]);
  Matrix images(count, static_cast<Eigen::Index>(idx.bytes.size()) / count);
  for (Eigen::Index i = 0; i < images.size(); ++i) {
    images.data()[i] = static_cast<float>(idx.bytes[static_cast<std::size_t>(i)]) / 255.0f;
  }
  return images;
}

/// One digit per image.
inline std::vector<int> read_labels(const std::string& path) {
  const Idx idx = read_idx(path, 1);
  return std::vector<int>(idx.bytes.begin(), idx.bytes.end());
}

}  // namespace mnist
