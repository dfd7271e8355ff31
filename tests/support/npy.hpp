// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reads the .npy files of tests/data: version 1, C order, little-endian float32, float64, int32, int8 and uint8. It is
// the tests' own and trusts its files; the library's reader is not used, since it is under test itself.
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

/// `name` counts from tests/data.
template <class T>
Npy<T> read_npy(const std::string& name) {
  std::ifstream file(data_path(name), std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto require = [&](bool ok, const char* what) {
    if (!ok) throw std::runtime_error("npy: " + name + ": " + what);
  };
  require(bytes.size() > 10 && bytes.compare(0, 8, std::string("\x93NUMPY\x01\x00", 8)) == 0,
          "not a .npy file, version 1");
  const std::size_t length =
      static_cast<unsigned char>(bytes[8]) + std::size_t{256} * static_cast<unsigned char>(bytes[9]);
  const std::string header = bytes.substr(10, length);
  const char* type = std::is_same_v<T, float>          ? "'<f4'"
                     : std::is_same_v<T, double>       ? "'<f8'"
                     : std::is_same_v<T, std::int32_t> ? "'<i4'"
                     : std::is_same_v<T, std::int8_t>  ? "'|i1'"
                                                       : "'|u1'";
  static_assert(std::is_floating_point_v<T> || std::is_same_v<T, std::int32_t> || sizeof(T) == 1);
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
  std::memcpy(result.data.data(), bytes.data() + 10 + length, count * sizeof(T));
  return result;
}

}  // namespace quanta::test
