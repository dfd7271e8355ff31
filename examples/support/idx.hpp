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
  const auto refuse = [&](const std::string& what) { throw std::runtime_error(path + ": " + what); };
  const auto count = [](std::size_t n) { return std::to_string(n); };
  if (bytes.size() < header) {
    refuse("holds " + count(bytes.size()) + " bytes, expected at least the " + count(header) +
           " of an IDX header with " + count(dimensions) + " extents");
  }
  // Magic: two zero bytes, 8 for "unsigned bytes", the number of dimensions.
  if (bytes[0] != 0 || bytes[1] != 0 || bytes[2] != 8 || bytes[3] != dimensions) {
    refuse("begins with the bytes " + count(bytes[0]) + " " + count(bytes[1]) + " " + count(bytes[2]) + " " +
           count(bytes[3]) + ", expected 0 0 8 " + count(dimensions) + " of an IDX file of bytes with " +
           count(dimensions) + " extents");
  }
  Idx result;
  std::string shape;
  std::uint64_t rest = bytes.size() - header;  // divided, never multiplied: nothing can overflow
  for (std::size_t at = 4; at < header; at += 4) {
    const std::uint64_t extent = std::uint64_t{bytes[at]} << 24 | std::uint64_t{bytes[at + 1]} << 16 |
                                 std::uint64_t{bytes[at + 2]} << 8 | std::uint64_t{bytes[at + 3]};
    result.extents.push_back(extent);
    shape += (shape.empty() ? "" : " x ") + std::to_string(extent);
    rest = extent == 0 || rest % extent != 0 ? 0 : rest / extent;  // 0 stays 0
  }
  if (rest != 1) {
    refuse("holds " + count(bytes.size() - header) + " bytes behind its header, expected as many as its extents say, " +
           shape + ", none of them 0: it is damaged or cut short");
  }
  result.bytes.assign(bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end());
  return result;
}

}  // namespace examples
