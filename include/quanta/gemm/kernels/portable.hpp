// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel contract in plain C++, for any tile and any operand types. It is the Scalar kernel, and it stands in
// for the kernels of other instruction sets: with their tile it walks the same layout and the same loop nest on any
// CPU.
#pragma once

#include <quanta/gemm/micro_kernel.hpp>

QUANTA_NAMESPACE_BEGIN

/// A tile of mr rows and nr columns, kr steps at once.
template <int mr, int nr, int kr, class LhsCode, class RhsCode>
struct PortableKernel {
  using Lhs = LhsCode;                             ///< std::int8_t or std::uint8_t
  using Rhs = RhsCode;                             ///< std::int8_t or std::uint8_t
  static constexpr const char* name = "Portable";  ///< as programs print it
  static constexpr int kMr = mr;                   ///< rows of the tile
  static constexpr int kNr = nr;                   ///< columns of the tile
  static constexpr int kKr = kr;                   ///< steps of a block
  static constexpr std::int32_t kLhsShift = 0;     ///< where it is another kernel's OtherSign

  /// See MicroKernel.
  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    std::uint32_t acc[rows][nr] = {};  // unsigned: sums wrap modulo 2^32, as those of the vector kernels do
    if (accumulate) {
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < nr; ++c) acc[r][c] = static_cast<std::uint32_t>(tile.data[r * tile.stride + c]);
      }
    }
    const auto step = [&acc](const Lhs* row, Index stride, const Rhs* block) {
      for (int r = 0; r < rows; ++r) {
        for (int c = 0; c < nr; ++c) {
          std::int32_t sum = 0;
          QUANTA_VECTORIZE_SHORT_LOOP
          for (int i = 0; i < kr; ++i) sum += std::int32_t{row[r * stride + i]} * std::int32_t{block[c * kr + i]};
          acc[r][c] += static_cast<std::uint32_t>(sum);
        }
      }
    };
    for (Index b = 0; b < blocks; ++b) step(lhs.data + b * kr, lhs.stride, panel + b * (nr * kr));
    if (lhs.tail != nullptr) step(lhs.tail, kr, panel + blocks * (nr * kr));
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < nr; ++c) tile.data[r * tile.stride + c] = static_cast<std::int32_t>(acc[r][c]);
    }
  }
};

/// The same with operands of 4 or 2 bits.
template <int bits, int mr, int nr, int kr, class LhsCode>
struct PortableSmallKernel : PortableKernel<mr, nr, kr, LhsCode, std::uint8_t> {
  static constexpr int kRhsBits = bits;  ///< of an operand of the rhs
  using Lhs = LhsCode;                   ///< std::int8_t or std::uint8_t
  using Rhs = std::uint8_t;              ///< two operands, or four

  /// See MicroKernel.
  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    constexpr int in_a_byte = 8 / bits, bytes = nr * kr / in_a_byte;
    const auto add_block = [&](const Lhs* row, Index stride, const Rhs* packed, bool add) {
      Rhs block[nr * kr];
      for (int part = 0; part < in_a_byte; ++part) {
        for (int i = 0; i < bytes; ++i) {
          block[part * bytes + i] = static_cast<Rhs>(packed[i] >> (part * bits) & ((1 << bits) - 1));
        }
      }
      PortableKernel<mr, nr, kr, Lhs, Rhs>::template run<rows>({row, stride, nullptr}, block, 1, tile, add);
    };
    const Index all = blocks + (lhs.tail != nullptr ? 1 : 0);
    for (Index b = 0; b < blocks; ++b) add_block(lhs.data + b * kr, lhs.stride, panel + b * bytes, accumulate || b > 0);
    if (lhs.tail != nullptr) add_block(lhs.tail, kr, panel + blocks * bytes, accumulate || blocks > 0);
    if (all == 0)
      PortableKernel<mr, nr, kr, Lhs, Rhs>::template run<rows>({nullptr, 0, nullptr}, nullptr, 0, tile, accumulate);
  }
};

/// Sixteen steps side by side, so that compilers see a dot product they have instructions for, SSE2's among them.
template <>
struct Int8Kernel<arch::Scalar> : PortableKernel<4, 8, 16, std::uint8_t, std::int8_t> {
  static constexpr const char* name = arch::Scalar::name;  ///< as programs print it
  /// For an lhs of int8: see ReadsBothSigns.
  using OtherSign = PortableKernel<4, 8, 16, std::int8_t, std::int8_t>;
  /// For codes of at most 4 bits: see HasNibbles.
  struct Nibbles : PortableSmallKernel<4, 4, 8, 16, std::int8_t> {
    /// For an lhs of uint8: see ReadsBothSigns.
    using OtherSign = PortableSmallKernel<4, 4, 8, 16, std::uint8_t>;
  };
  /// For codes of at most 2 bits: see HasCrumbs.
  struct Crumbs : PortableSmallKernel<2, 4, 8, 16, std::int8_t> {
    /// For an lhs of uint8: see ReadsBothSigns.
    using OtherSign = PortableSmallKernel<2, 4, 8, 16, std::uint8_t>;
  };
};

QUANTA_NAMESPACE_END
