// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel contract in plain C++, for any tile and any operand types. It is the Scalar kernel, and it stands in
// for the kernels of other instruction sets: with their tile it walks the same layout and the same loop nest on any
// CPU.
#pragma once

#include <quanta/gemm/micro_kernel.hpp>

QUANTA_NAMESPACE_BEGIN

template <int mr, int nr, int kr, class LhsCode, class RhsCode>
struct PortableKernel {
  using Lhs = LhsCode;
  using Rhs = RhsCode;
  static constexpr const char* name = "Portable";
  static constexpr int kMr = mr;
  static constexpr int kNr = nr;
  static constexpr int kKr = kr;
  static constexpr std::int32_t kLhsShift = 0;  ///< where it is another kernel's OtherSign

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

/// Sixteen steps side by side, so that compilers see a dot product they have instructions for, SSE2's among them.
template <>
struct Int8Kernel<arch::Scalar> : PortableKernel<4, 8, 16, std::uint8_t, std::int8_t> {
  static constexpr const char* name = arch::Scalar::name;
  using OtherSign = PortableKernel<4, 8, 16, std::int8_t, std::int8_t>;
};

QUANTA_NAMESPACE_END
