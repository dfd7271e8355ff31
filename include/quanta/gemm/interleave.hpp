// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rows side by side, and apart again: how weights get into panels and out of them, whatever the layout. A unit is a few
// neighbouring bytes of a row.
//
//   row 0   a0 a1 a2 ...
//   row 1   b0 b1 b2 ...    <->    a0 b0 c0 ... | a1 b1 c1 ... | a2 b2 c2 ... | ...
//   row 2   c0 c1 c2 ...           unit 0 of all rows, then unit 1, and so on
//
// They are moved as squares, words of as many rows as a word has units; what is left over, unit by unit.
#pragma once

#include <algorithm>
#include <cstring>
#include <type_traits>

#include <quanta/simd/square.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Units [0, units) of the rows [0, count) to `panel`: unit u of row r goes to byte (u * count + r) * unit.
template <int unit, class Square = simd::NativeSquare>
void interleave(const std::byte* const* rows, Index count, Index units, std::byte* panel);

/// The other way round: from the panel to the rows.
template <int unit, class Square = simd::NativeSquare>
void separate(const std::byte* panel, Index count, Index units, std::byte* const* rows);

// ---- bodies ----

/// Both. Reads a panel where it is const, else writes it.
template <int unit, class Square, class Row, class Panel>
void move_units(Row* const* rows, Index count, Index units, Panel* panel) {
  constexpr bool to_panel = !std::is_const_v<Panel>;
  const auto copy = [](Row* in_row, Panel* in_panel) QUANTA_INLINE_LAMBDA {
    if constexpr (to_panel) {
      std::memcpy(in_panel, in_row, unit);
    } else {
      std::memcpy(in_row, in_panel, unit);
    }
  };
  using Word = typename Square::Word;
  constexpr int size = sizeof(Word), side = size % unit == 0 ? size / unit : 0;
  const Index next = count * unit;                         // from a unit of a row to the row's next unit
  const Index squares = count / std::max(side, 1) * side;  // rows that are moved so
  if constexpr (side > 0) {
    for (Index row = 0; row < squares; row += side) {
      Row* at[side];
      QUANTA_UNROLL for (int r = 0; r < side; ++r) at[r] = rows[row + r];
      Panel* square = panel + row * unit;
      Index u = 0;
      for (; u + side <= units; u += side, square += side * next) {
        Word words[side];
        QUANTA_UNROLL for (int r = 0; r < side; ++r) {
          std::memcpy(&words[r], to_panel ? at[r] + u * unit : square + r * next, size);
        }
        Square::template turn<unit>(words);
        QUANTA_UNROLL for (int r = 0; r < side; ++r) {
          if constexpr (to_panel) {
            std::memcpy(square + r * next, &words[r], size);
          } else {
            std::memcpy(at[r] + u * unit, &words[r], size);
          }
        }
      }
      for (; u < units; ++u, square += next) {
        for (int r = 0; r < side; ++r) copy(at[r] + u * unit, square + r * unit);
      }
    }
  }
  for (Index row = squares; row < count; ++row) {
    Row* at = rows[row];
    Panel* in_panel = panel + row * unit;
    for (Index u = 0; u < units; ++u, at += unit, in_panel += next) copy(at, in_panel);
  }
}

template <int unit, class Square>
void interleave(const std::byte* const* rows, Index count, Index units, std::byte* panel) {
  move_units<unit, Square>(rows, count, units, panel);
}

template <int unit, class Square>
void separate(const std::byte* panel, Index count, Index units, std::byte* const* rows) {
  move_units<unit, Square>(rows, count, units, panel);
}

}  // namespace detail
QUANTA_NAMESPACE_END
