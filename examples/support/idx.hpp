// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The IDX format, in which MNIST and Fashion-MNIST come: big-endian numbers, magic and extents, then one byte per pixel
// or label.
#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace examples {

/// The extents of an IDX file of bytes, and the bytes, which are as many as the extents multiply to.
struct Idx {
  std::vector<std::uint64_t> extents;
  std::vector<unsigned char> bytes;
};

/// From what a file holds. One that is not exactly what it says is an exception naming it by `path`.
inline Idx parse_idx(const std::string& path, const std::vector<unsigned char>& bytes, std::size_t dimensions) {
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

}  // namespace examples
