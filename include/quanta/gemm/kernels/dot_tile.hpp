// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The tile of kernels whose instruction multiplies a register of rhs bytes by four lhs bytes, repeated in every lane,
// and adds each group of four to an int32: mr rows times two registers of columns. The instruction itself is the
// kernel's.
//
//                 b0: columns 0..   b1: the next
//                 +---------------+---------------+
//   row 0  a x 4  | acc[0][0]     | acc[0][1]     |
//   row 1  a x 4  | acc[1][0]     | acc[1][1]     |
//   ...           |               |               |
//                 +---------------+---------------+
//
//   per block of 4 steps: 2 loads of rhs, mr broadcast loads of lhs, 2 mr dot products
//
// Its narrow form is the left half.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/gemm/micro_kernel.hpp>

QUANTA_NAMESPACE_BEGIN

/// V names the instructions: `name`; Lhs, Rhs (one byte each); kLhsShift (see ReadsBothSigns); Register, of which there
/// are kRegisters; kLanes, how many int32 it holds; zero(), load(p) and store(p, v) of a whole register;
/// broadcast(four lhs bytes as an int32); add(a, b) of int32; dot(acc, a, b).
template <class V, int mr>
struct DotTile {
  using Lhs = typename V::Lhs;                             ///< std::int8_t or std::uint8_t
  using Rhs = typename V::Rhs;                             ///< std::int8_t or std::uint8_t
  static constexpr const char* name = V::name;             ///< as programs print it
  static constexpr std::int32_t kLhsShift = V::kLhsShift;  ///< see ReadsBothSigns
  static constexpr int kMr = mr;                           ///< rows of the tile
  static constexpr int kNr = 2 * V::kLanes;                ///< columns of the tile
  static constexpr int kKr = 4;                            ///< steps of a block
  static constexpr int kNarrow = V::kLanes;                ///< columns of the narrow form

  /// See MicroKernel.
  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    multiply<rows, 2>(lhs, panel, blocks, tile, accumulate);
  }
  /// See HasNarrowForm.
  template <int rows>
  static void run_narrow(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    // Half of the rows at a time: with one register of columns that fills the units, and spares the compiler much.
    constexpr int first = std::min(rows, kHalf);
    multiply<first, 1>(lhs, panel, blocks, tile, accumulate);
    if constexpr (rows > first) {
      const Lhs* const tail = lhs.tail == nullptr ? nullptr : lhs.tail + first * kKr;
      multiply<rows - first, 1>({lhs.data + first * lhs.stride, lhs.stride, tail}, panel, blocks,
                                {tile.data + first * tile.stride, tile.stride}, accumulate);
    }
  }

 private:
  using Register = typename V::Register;
  static constexpr int kHalf = (mr + 1) / 2;

  /// Adds the products of one block: rows [0, kHalf) of the lhs are `stride` apart from `upper` on, the others from
  /// `lower` on.
  template <int rows, int vectors>
  QUANTA_ALWAYS_INLINE static void add_block(Register (&acc)[rows][vectors], const Lhs* upper, const Lhs* lower,
                                             Index stride, const Rhs* block) {
    Register b[vectors];
    QUANTA_UNROLL for (int v = 0; v < vectors; ++v) b[v] = V::load(block + v * V::kLanes * kKr);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      std::int32_t four;
      std::memcpy(&four, (r < kHalf ? upper : lower) + r % kHalf * stride, sizeof four);
      const Register a = V::broadcast(four);
      QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[r][v] = V::dot(acc[r][v], a, b[v]);
    }
  }

  template <int rows, int vectors>
  static void multiply(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    // An instruction takes four cycles and two start in each: with fewer than eight sums they would wait for one
    // another. There blocks take turns with several sets of sums, as far as half of the registers go.
    constexpr int sums = rows * vectors;
    constexpr int sets = std::max(1, std::min((7 + sums) / sums, V::kRegisters / 2 / sums));
    Register acc[sets][rows][vectors];
    QUANTA_UNROLL for (int s = 0; s < sets; ++s) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[s][r][v] = V::zero();
      }
    }
    if (accumulate) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[0][r][v] =
            V::load(tile.data + r * tile.stride + v * V::kLanes);
      }
    }
    // Two pointers and small multiples of the stride reach all rows: more multiples would not fit the general
    // registers.
    const Lhs* upper = lhs.data;
    const Lhs* lower = rows > kHalf ? lhs.data + kHalf * lhs.stride : lhs.data;
    for (; blocks >= sets; blocks -= sets, upper += sets * kKr, lower += sets * kKr, panel += sets * kNr * kKr) {
      QUANTA_UNROLL for (int s = 0; s < sets; ++s) {
        add_block(acc[s], upper + s * kKr, lower + s * kKr, lhs.stride, panel + s * kNr * kKr);
      }
    }
    if constexpr (sets > 1) {
      for (; blocks > 0; --blocks, upper += kKr, lower += kKr, panel += kNr * kKr) {
        add_block(acc[0], upper, lower, lhs.stride, panel);
      }
    }
    if (lhs.tail != nullptr) add_block(acc[0], lhs.tail, lhs.tail + kHalf * kKr, kKr, panel);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int v = 0; v < vectors; ++v) {
        QUANTA_UNROLL for (int s = 1; s < sets; ++s) acc[0][r][v] = V::add(acc[0][r][v], acc[s][r][v]);
        V::store(tile.data + r * tile.stride + v * V::kLanes, acc[0][r][v]);
      }
    }
  }
};

namespace detail {

/// The instructions V for signed lhs bytes where V takes unsigned ones: turning the highest bit, which is
/// V::turn_signs(register), adds 128.
template <class V>
struct SignTurned : V {
  using Lhs = std::int8_t;
  static constexpr std::int32_t kLhsShift = 128;
  QUANTA_ALWAYS_INLINE static typename V::Register broadcast(std::int32_t four) {
    return V::turn_signs(V::broadcast(four));
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
