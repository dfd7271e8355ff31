// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Fashion-MNIST: 60,000 training and 10,000 test images of 28 x 28 pixels, clothes of ten kinds, as IDX files in gzip.
#pragma once

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <Eigen/Core>

#include "../support/idx.hpp"

namespace qat {

using Eigen::Index;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;  // a row is a sample
using Bytes = Eigen::Matrix<std::uint8_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr Index kSide = 28, kPixels = kSide * kSide;
constexpr int kClasses = 10;
constexpr float kPixelScale = 1.0f / 255.0f;

/// One image a row, and its class.
struct Images {
  Bytes pixels;
  std::vector<int> labels;

  Index count() const { return pixels.rows(); }
  /// What a network sees of image i: its pixels as reals from 0 to 1.
  auto real(Index i) const { return pixels.row(i).cast<float>() * kPixelScale; }
  /// Of the first images, `most` at most.
  Matrix first_real(Index most) const { return pixels.topRows(std::min(most, count())).cast<float>() * kPixelScale; }
};

inline std::vector<unsigned char> read_gzip(const std::string& path) {
  const std::unique_ptr<gzFile_s, int (*)(gzFile)> file(gzopen(path.c_str(), "rb"), &gzclose);
  if (file == nullptr) throw std::runtime_error(path + ": cannot be opened");
  std::vector<unsigned char> bytes(1 << 16);
  std::size_t size = 0;
  for (;;) {
    const int got = gzread(file.get(), bytes.data() + size, static_cast<unsigned>(bytes.size() - size));
    if (got < 0) throw std::runtime_error(path + ": is damaged");
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
    if (size == bytes.size()) bytes.resize(2 * size);
  }
  bytes.resize(size);
  return bytes;
}

/// `name` is "train" or "t10k". No more than `most` images.
inline Images read_images(const std::string& directory, const std::string& name, Index most) {
  const std::string pixel_path = directory + "/" + name + "-images-idx3-ubyte.gz";
  const std::string label_path = directory + "/" + name + "-labels-idx1-ubyte.gz";
  const examples::Idx pixels = examples::parse_idx(pixel_path, read_gzip(pixel_path), 3);
  const examples::Idx labels = examples::parse_idx(label_path, read_gzip(label_path), 1);
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  if (pixels.extents[1] != kSide || pixels.extents[2] != kSide || pixels.extents[0] != labels.extents[0]) {
    throw std::runtime_error(pixel_path + ": holds " + number(pixels.extents[0]) + " images of " +
                             number(pixels.extents[1]) + " x " + number(pixels.extents[2]) + " pixels, and " +
                             label_path + " " + number(labels.extents[0]) +
                             " labels, expected 28 x 28 and a label each");
  }
  const Index count = std::min<Index>(most, static_cast<Index>(labels.bytes.size()));
  Images images{Eigen::Map<const Bytes>(pixels.bytes.data(), count, kPixels), {}};
  for (Index i = 0; i < count; ++i) {
    images.labels.push_back(labels.bytes[static_cast<std::size_t>(i)]);
    if (images.labels.back() >= kClasses) throw std::runtime_error(label_path + ": holds a class above 9");
  }
  return images;
}

}  // namespace qat
