// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Codes of weights (n, k) at their true size, laid out for vectors that run over outputs: each lane of a vector has an
// output of its own, and walks along k. It is not a file format: the layout belongs to this unit's lanes.
//
//   panels of `lanes` outputs
//     fewer than 8 bits   rows of one 32-bit word per lane: an output's codes follow each other through its words as
//                         they do in format/bits.hpp, the first in the low bits of the first word
//     8 or 16 bits        rows of one code per lane, one row for each step of k
//
//   4 bits:  word 0 of lane 0: k7 k6 k5 k4 k3 k2 k1 k0 | of lane 1: k7 ... k0 | ... | word 1 of lane 0: k15 ... k8 |
//   ...
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/format/bits.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Outputs beyond the last have codes of 0.
class PackedCodes {
 public:
  PackedCodes() = default;
  /// `stream` is that of format/bits.hpp, of (n, k) codes of `bits` bits. The bits of `flip` are turned in every code.
  QUANTA_LAZY PackedCodes(Index n, Index k, int bits, int lanes, std::uint32_t flip, const std::byte* stream);

  /// The stream again. There is room for packed_size(n k, bits) bytes.
  QUANTA_LAZY void unpack(std::byte* stream) const;

  Index n() const { return n_; }
  Index k() const { return k_; }
  Index panels() const { return ceil_div(n_, lanes_); }
  const std::byte* panel(Index p) const { return codes_.data() + p * panel_bytes(); }
  Index bytes() const { return static_cast<Index>(codes_.bytes()); }

 private:
  /// Rows are of units of so many bits.
  int unit_bits() const { return bits_ < 8 ? 32 : bits_; }
  Index rows() const { return ceil_div(k_ * bits_, unit_bits()); }
  Index panel_bytes() const { return rows() * lanes_ * unit_bits() / 8; }
  /// Where the unit of a row is that has codes of an output, in bytes.
  Index position(Index output, Index row) const {
    return output / lanes_ * panel_bytes() + (row * lanes_ + output % lanes_) * unit_bits() / 8;
  }
  /// `flip` in every code that begins in a unit or goes on there.
  QUANTA_LAZY std::uint32_t flips(Index row) const;
  /// f(row, first code's bit in the stream, bits in use) for every unit of an output.
  template <class F>
  void for_each_unit(Index output, F f) const;

  Index n_ = 0, k_ = 0;
  int bits_ = 8, lanes_ = 1;
  std::uint32_t flip_ = 0;
  Buffer<std::byte> codes_;
};

// ---- bodies ----

/// The bits [first, first + count) of a stream, count <= 32, as a number.
QUANTA_LAZY std::uint32_t read_bits(const std::byte* stream, Index first, Index count) {
  const Index shift = first % 8;
  std::uint64_t word = 0;
  std::memcpy(&word, stream + first / 8, usize((shift + count + 7) / 8));
  return static_cast<std::uint32_t>(word >> shift & ((std::uint64_t{1} << count) - 1));
}

/// Adds them to a stream that has zeros there.
QUANTA_LAZY void write_bits(std::byte* stream, Index first, Index count, std::uint32_t bits) {
  const Index shift = first % 8, bytes = (shift + count + 7) / 8;
  std::uint64_t word = 0;
  std::memcpy(&word, stream + first / 8, usize(bytes));
  word |= std::uint64_t{bits} << shift;
  std::memcpy(stream + first / 8, &word, usize(bytes));
}

QUANTA_LAZY_BODY std::uint32_t PackedCodes::flips(Index row) const {
  std::uint32_t result = 0;
  const Index first = row * unit_bits();
  for (Index bit = first / bits_ * bits_; flip_ != 0 && bit < first + unit_bits(); bit += bits_) {
    result |= bit < first ? flip_ >> (first - bit) : flip_ << (bit - first);
  }
  return result;
}

template <class F>
void PackedCodes::for_each_unit(Index output, F f) const {
  const Index bits = k_ * bits_, unit = unit_bits();
  for (Index row = 0; row < rows(); ++row) {
    const Index count = std::min(unit, bits - row * unit);
    f(row, output * bits + row * unit, count);
  }
}

QUANTA_LAZY_BODY PackedCodes::PackedCodes(Index n, Index k, int bits, int lanes, std::uint32_t flip,
                                          const std::byte* stream)
    : n_(n), k_(k), bits_(bits), lanes_(lanes), flip_(flip) {
  check(k <= std::numeric_limits<Index>::max() / (Index{64} * lanes), "weights: ", k, " inputs are beyond any memory");
  if (n == 0) return;
  codes_ = Buffer<std::byte>(panels() * panel_bytes(), std::byte{0});
  Buffer<std::uint32_t> flipped(rows());
  for (Index row = 0; row < rows(); ++row) flipped[row] = flips(row);
  for (Index output = 0; output < n_; ++output) {
    for_each_unit(output, [&](Index row, Index first, Index count) {
      const std::uint32_t unit = read_bits(stream, first, count) ^ flipped[row];
      std::memcpy(codes_.data() + position(output, row), &unit, usize(Index{unit_bits()} / 8));
    });
  }
}

QUANTA_LAZY_BODY void PackedCodes::unpack(std::byte* stream) const {
  std::fill_n(stream, packed_size(n_ * k_, bits_), std::byte{0});
  for (Index output = 0; output < n_; ++output) {
    for_each_unit(output, [&](Index row, Index first, Index count) {
      std::uint32_t unit = 0;
      std::memcpy(&unit, codes_.data() + position(output, row), usize(Index{unit_bits()} / 8));
      const std::uint64_t mask = (std::uint64_t{1} << count) - 1;
      write_bits(stream, first, count, static_cast<std::uint32_t>((unit ^ flips(row)) & mask));
    });
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
