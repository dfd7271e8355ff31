// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The thin form of kernels with a dot instruction: for a column or two of a panel, where a tile would multiply mostly
// by what the panel is filled up with. Rows and columns are multiplied along k, a register of each at a time, and lanes
// are added up at the end.
//
//   row     | k0..3 | k4..7 | k8..11 | ...     a register of the lhs, as it lies
//   column  | k0..3 | k4..7 | k8..11 | ...     gathered from the blocks of the panel, once for all rows of a tile
//
// The order of the sums matters to no one: they are integers modulo 2^32.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/simd/scalar.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// See HasThinForm (gemm/micro_kernel.hpp), of panels of two registers V of columns, in blocks of four steps, and
/// DotTile for V.
template <class V>
QUANTA_NOINLINE void multiply_thin(const LhsTile<typename V::Lhs>& lhs, Index rows, const typename V::Rhs* panel,
                                   Index blocks, Index columns, const SumTile& tile, bool accumulate) {
  using Lanes = typename V::Lanes;
  constexpr Index kr = 4, nr = 2 * V::kLanes, width = V::kLanes * kr;
  constexpr Index kPiece = 1024;  // blocks at a time: their column stays in the first-level cache
  // The first `count` blocks at p, at most a register of them.
  const auto load = [](const typename V::Lhs* p, Index count) QUANTA_INLINE_LAMBDA {
    const auto* const fours = reinterpret_cast<const std::int32_t*>(p);
    const typename V::Register a = count >= V::kLanes ? V::load(p) : Lanes::load_int_first(fours, count);
    if constexpr (V::kLhsShift != 0) return V::turn_signs(a);
    return a;
  };
  alignas(kCacheLine) typename V::Rhs column[kPiece * kr + width], of_tail[width] = {};
  Index first = 0;
  do {
    const Index count = std::min(kPiece, blocks - first);
    const bool takes_tail = lhs.tail != nullptr && first + count == blocks;
    for (Index c = 0; c < columns; ++c) {
      const auto copy = [&](typename V::Rhs* to, Index block)
                            QUANTA_INLINE_LAMBDA { std::memcpy(to, panel + (block * nr + c) * kr, usize(kr)); };
      for (Index b = 0; b < count; ++b) copy(column + b * kr, first + b);
      std::memset(column + count * kr, 0, usize(width));
      if (takes_tail) copy(of_tail, blocks);
      for (Index r = 0; r < rows; ++r) {
        const typename V::Lhs* const row = lhs.data + r * lhs.stride + first * kr;
        typename V::Register sum = V::zero();
        for (Index b = 0; b < count; b += V::kLanes) {
          sum = V::dot(sum, load(row + b * kr, count - b), V::load(column + b * kr));
        }
        if (takes_tail) sum = V::dot(sum, load(lhs.tail + r * kr, 1), V::load(of_tail));
        std::int32_t& to = tile.data[r * tile.stride + c];
        const std::int32_t before = accumulate || first > 0 ? to : 0;
        to = simd::ScalarLanes::add(before, Lanes::reduce_add_int(sum));
      }
    }
    first += count;
  } while (first < blocks);
}

}  // namespace detail
QUANTA_NAMESPACE_END
