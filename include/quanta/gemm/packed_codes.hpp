// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Codes of weights (n, k) at their true size, laid out for vectors that run over outputs: each lane of a vector has an
// output of its own, and walks along k. It is not a file format: the layout belongs to this unit's lanes.
//
//   panels of `lanes` outputs, a few of them side by side: the first row of each, then the second of each
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
#include <quanta/gemm/interleave.hpp>
#include <quanta/gemm/read_ahead.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Where rows of panels are that lie side by side in blocks of `beside`, the last perhaps of fewer; in rows.
struct PanelBlocks {
  Index panels, beside;

  Index first_row(Index panel, Index rows) const { return (panel - panel % beside) * rows + panel % beside; }
  /// From a row of a panel to its next.
  Index stride(Index panel) const { return std::min(beside, panels - (panel - panel % beside)); }
};

/// Outputs beyond the last have codes of 0.
class PackedCodes {
 public:
  PackedCodes() = default;
  /// `stream` is that of format/bits.hpp, of (n, k) codes of `bits` bits. The bits of `flip` are turned in every code.
  /// So many panels lie side by side.
  QUANTA_LAZY PackedCodes(Index n, Index k, int bits, int lanes, std::uint32_t flip, const std::byte* stream,
                          int beside = 1);

  /// The stream again. There is room for packed_size(n k, bits) bytes.
  QUANTA_LAZY void unpack(std::byte* stream) const;

  Index n() const { return n_; }
  Index k() const { return k_; }
  Index panels() const { return ceil_div(n_, lanes_); }
  /// The first row of a panel, and how many bytes after a row its next begins.
  const std::byte* panel(Index p) const { return codes_.data() + blocks().first_row(p, rows()) * row_bytes(); }
  Index stride(Index p) const { return blocks().stride(p) * row_bytes(); }
  int beside() const { return beside_; }
  Index bytes() const { return static_cast<Index>(codes_.bytes()); }

 private:
  static constexpr Index kPiece = 128;  ///< bytes of an output that are moved at a time: all of a panel stay in cache

  /// Rows are of units of so many bits.
  int unit_bits() const { return bits_ < 8 ? 32 : bits_; }
  Index rows() const { return ceil_div(k_ * bits_, unit_bits()); }
  Index row_bytes() const { return lanes_ * unit_bits() / 8; }
  PanelBlocks blocks() const { return {panels(), beside_}; }
  /// `flip` in every code that begins in a unit or goes on there.
  QUANTA_LAZY std::uint32_t flips(Index row) const;
  /// Those of all units of an output, filled up to whole pieces.
  QUANTA_LAZY Buffer<std::byte> all_flips() const;
  static void turn_bits(std::byte* QUANTA_RESTRICT piece, const std::byte* QUANTA_RESTRICT flips) {
    QUANTA_VECTORIZE_LOOP
    for (Index i = 0; i < kPiece; ++i) piece[i] ^= flips[i];
  }
  /// Calls f.operator()<bytes of a unit>().
  template <class F>
  void with_unit(F f) const {
    bits_ < 8 ? f.template operator()<4>() : bits_ == 8 ? f.template operator()<1>() : f.template operator()<2>();
  }

  Index n_ = 0, k_ = 0;
  int bits_ = 8, lanes_ = 1, beside_ = 1;
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

QUANTA_LAZY_BODY Buffer<std::byte> PackedCodes::all_flips() const {
  const Index unit = unit_bits() / 8;
  Buffer<std::byte> result(round_up(rows() * unit, kPiece), std::byte{0});
  for (Index row = 0; row < rows(); ++row) {
    const std::uint32_t bits = flips(row);
    std::memcpy(result.data() + row * unit, &bits, usize(unit));
  }
  return result;
}

/// The bits [first, first + count) of a stream to whole bytes, the last filled up with zeros.
QUANTA_LAZY void read_row(const std::byte* stream, Index first, Index count, std::byte* row) {
  if (first % 8 == 0) {
    std::memcpy(row, stream + first / 8, usize(ceil_div(count, 8)));
    if (count % 8 != 0) row[count / 8] &= static_cast<std::byte>((1 << count % 8) - 1);
    return;
  }
  for (Index bit = 0; bit < count; bit += 32) {
    const Index some = std::min<Index>(32, count - bit);
    const std::uint32_t word = read_bits(stream, first + bit, some);
    std::memcpy(row + bit / 8, &word, usize(ceil_div(some, 8)));
  }
}

/// Back to a stream that has zeros there; what fills up the last byte may be anything.
QUANTA_LAZY void write_row(std::byte* stream, Index first, Index count, const std::byte* row) {
  Index bit = 0;
  if (first % 8 == 0) {
    bit = count / 8 * 8;
    if (bit > 0) std::memcpy(stream + first / 8, row, usize(bit / 8));
  }
  for (; bit < count; bit += 32) {
    const Index some = std::min<Index>(32, count - bit);
    write_bits(stream, first + bit, some, read_bits(row, bit, some));
  }
}

QUANTA_LAZY_BODY PackedCodes::PackedCodes(Index n, Index k, int bits, int lanes, std::uint32_t flip,
                                          const std::byte* stream, int beside)
    : n_(n), k_(k), bits_(bits), lanes_(lanes), beside_(beside), flip_(flip) {
  check(k <= std::numeric_limits<Index>::max() / (Index{64} * lanes), "weights: ", k, " inputs are beyond any memory");
  if (n == 0) return;
  codes_ = Buffer<std::byte>(panels() * rows() * row_bytes());
  const Buffer<std::byte> flipped = all_flips();
  Buffer<std::byte> pieces(beside_ * lanes_ * kPiece, std::byte{0});
  Buffer<const std::byte*> outputs(beside_ * lanes_);
  for (int lane = 0; lane < beside_ * lanes_; ++lane) outputs[lane] = pieces.data() + lane * kPiece;
  ReadAhead ahead(stream, n, k, bits, beside_ * lanes_);
  with_unit([&]<int unit>() {
    const Index row_bits = k_ * bits_;
    for (Index block = ceil_div(panels(), beside_); block-- > 0;) {  // each is as a panel of all its outputs
      const Index p = block * beside_, width = stride(p) / unit;
      std::byte* const to = codes_.data() + p * rows() * row_bytes();
      for (Index first = 0; first < rows() * unit; first += kPiece) {
        const Index bytes = std::min(kPiece, rows() * unit - first), some = std::min(bytes * 8, row_bits - first * 8);
        ahead.advance(some / 8 * width);
        for (Index lane = 0; lane < width; ++lane) {
          std::byte* const piece = pieces.data() + lane * kPiece;
          const Index output = p * lanes_ + lane;
          std::fill_n(piece + (output < n_ ? some / 8 : 0), bytes - (output < n_ ? some / 8 : 0), std::byte{0});
          if (output >= n_) continue;
          read_row(stream, output * row_bits + first * 8, some, piece);
          if (flip_ != 0) turn_bits(piece, flipped.data() + first);
        }
        interleave<unit>(outputs.data(), width, bytes / unit, to + first * width);
      }
    }
  });
}

QUANTA_LAZY_BODY void PackedCodes::unpack(std::byte* stream) const {
  std::fill_n(stream, packed_size(n_ * k_, bits_), std::byte{0});
  const Buffer<std::byte> flipped = all_flips();
  Buffer<std::byte> pieces(beside_ * lanes_ * kPiece, std::byte{0});
  Buffer<std::byte*> outputs(beside_ * lanes_);
  for (int lane = 0; lane < beside_ * lanes_; ++lane) outputs[lane] = pieces.data() + lane * kPiece;
  with_unit([&]<int unit>() {
    const Index row_bits = k_ * bits_;
    for (Index p = 0; p < panels(); p += beside_) {
      const Index width = stride(p) / unit;
      for (Index first = 0; first < rows() * unit; first += kPiece) {
        const Index bytes = std::min(kPiece, rows() * unit - first), some = std::min(bytes * 8, row_bits - first * 8);
        separate<unit>(panel(p) + first * width, width, bytes / unit, outputs.data());
        for (Index output = p * lanes_; output < std::min(n_, p * lanes_ + width); ++output) {
          std::byte* const piece = outputs[output - p * lanes_];
          if (flip_ != 0) turn_bits(piece, flipped.data() + first);
          write_row(stream, output * row_bits + first * 8, some, piece);
        }
      }
    }
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
