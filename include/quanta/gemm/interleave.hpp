// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rows side by side: how weights get into panels, whatever the layout. A unit is a few neighbouring bytes of a row.
//
//   row 0   a0 a1 a2 ...
//   row 1   b0 b1 b2 ...    ->    a0 b0 c0 ... | a1 b1 c1 ... | a2 b2 c2 ... | ...
//   row 2   c0 c1 c2 ...          unit 0 of all rows, then unit 1, and so on
//
// They are moved as squares, words of as many rows as a word has units; what is left over, unit by unit.
#pragma once

#include <cstring>

#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Units [0, units) of the rows [0, count) to `to`: unit u of row r goes to byte (u * count + r) * unit.
template <int unit, class Square = simd::NativeSquare>
void interleave(const std::byte* const* rows, Index count, Index units, std::byte* to) {
  using Word = typename Square::Word;
  constexpr int size = sizeof(Word), side = size % unit == 0 ? size / unit : 0;
  const Index next = count * unit;  // from a unit of a row to the row's next unit
  Index row = 0;
  if constexpr (side > 0) {
    for (; row + side <= count; row += side) {
      const std::byte* from[side];
      QUANTA_UNROLL for (int r = 0; r < side; ++r) from[r] = rows[row + r];
      std::byte* at = to + row * unit;
      Index u = 0;
      for (; u + side <= units; u += side, at += side * next) {
        Word words[side];
        QUANTA_UNROLL for (int r = 0; r < side; ++r) std::memcpy(&words[r], from[r] + u * unit, size);
        Square::template turn<unit>(words);
        QUANTA_UNROLL for (int r = 0; r < side; ++r) std::memcpy(at + r * next, &words[r], size);
      }
      for (; u < units; ++u, at += next) {
        for (int r = 0; r < side; ++r) std::memcpy(at + r * unit, from[r] + u * unit, unit);
      }
    }
  }
  for (; row < count; ++row) {
    const std::byte* from = rows[row];
    std::byte* at = to + row * unit;
    for (Index u = 0; u < units; ++u, at += next, from += unit) std::memcpy(at, from, unit);
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
