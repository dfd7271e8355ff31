// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reads .npy files: version 1, C order, little-endian floats and integers. It is the tests' own and trusts its files,
// those of tests/data above all; the library's reader is not used, since it is under test itself.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>
#include <vector>

#include <unsupported/Eigen/CXX11/Tensor>

#include "tests/support/data.hpp"

namespace quanta::test {

template <class T>
struct Npy {
  std::vector<Eigen::Index> shape;
  std::vector<T> data;  // row-major

  /// As a tensor of this rank; throws when the file's rank is another.
  template <int rank>
  Eigen::Tensor<T, rank, Eigen::RowMajor> tensor() const {
    if (shape.size() != static_cast<std::size_t>(rank)) throw std::runtime_error("npy: unexpected rank");
    std::array<Eigen::Index, static_cast<std::size_t>(rank)> sizes;
    for (std::size_t d = 0; d < sizes.size(); ++d) sizes[d] = shape[d];
    Eigen::Tensor<T, rank, Eigen::RowMajor> result(sizes);
    std::memcpy(result.data(), data.data(), data.size() * sizeof(T));
    return result;
  }
};

/// The file of this path.
template <class T>
Npy<T> read_npy_file(const std::string& name) {
  std::ifstream file(name, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto require = [&](bool ok, const char* what) {
    if (!ok) throw std::runtime_error("npy: " + name + ": " + what);
  };
  require(bytes.size() > 10 && bytes.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) == 0,
          "not a .npy file, version 1");
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + std::size_t{256} * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  static_assert(std::is_arithmetic_v<T>);
  const std::string type = std::string(sizeof(T) == 1 ? "'|" : "'<") +
                           (std::is_floating_point_v<T> ? 'f'
                            : std::is_signed_v<T>       ? 'i'
                                                        : 'u') +
                           std::to_string(sizeof(T)) + "'";
  require(header.find(type) != std::string::npos, "another element type");
  require(header.find("'fortran_order': False") != std::string::npos, "not in C order");
  Npy<T> result;
  std::size_t at = header.find('(', header.find("'shape'")) + 1;
  std::size_t count = 1;
  while (header[at] != ')') {
    if (header[at] < '0' || header[at] > '9') {
      ++at;
      continue;
    }
    std::size_t digits = 0;
    const unsigned long extent = std::stoul(header.substr(at), &digits);
    result.shape.push_back(static_cast<Eigen::Index>(extent));
    count *= extent;
    at += digits;
  }
  require(bytes.size() == 10 + length + count * sizeof(T), "not the size that its header says");
  result.data.resize(count);
  if (count > 0) std::memcpy(result.data.data(), bytes.data() + 10 + length, count * sizeof(T));
  return result;
}

/// `name` counts from tests/data.
template <class T>
Npy<T> read_npy(const std::string& name) {
  return read_npy_file<T>(data_path(name));
}

}  // namespace quanta::test
