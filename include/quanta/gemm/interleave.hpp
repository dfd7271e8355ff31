// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rows side by side, and apart again: how weights get into panels and out of them, whatever the layout. A unit is a few
// neighbouring bytes of a row.
//
//   row 0   a0 a1 a2 ...
//   row 1   b0 b1 b2 ...    <->    a0 b0 c0 ... | a1 b1 c1 ... | a2 b2 c2 ... | ...
//   row 2   c0 c1 c2 ...           unit 0 of all rows, then unit 1, and so on
//
// They are moved as squares, words of as many rows as a word has units; what is left over by smaller squares, or unit
// by unit.
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

/// Both, of the units [first, units) of each row. Reads a panel where it is const, else writes it; `panel` is where
/// unit 0 of row 0 is, and `next` what lies between a row's units there, in bytes.
template <int unit, class Square, class Row, class Panel>
void move_units(Row* const* rows, Index count, Index first, Index units, Panel* panel, Index next) {
  constexpr bool to_panel = !std::is_const_v<Panel>;
  if constexpr (std::is_void_v<Square>) {
    for (Index row = 0; row < count; ++row) {
      for (Index u = first; u < units; ++u) {
        Row* const in_row = rows[row] + u * unit;
        Panel* const in_panel = panel + row * unit + u * next;
        if constexpr (to_panel) {
          std::memcpy(in_panel, in_row, unit);
        } else {
          std::memcpy(in_row, in_panel, unit);
        }
      }
    }
  } else {
    using Smaller = typename Square::Smaller;
    constexpr int side = Square::template kSide<unit>;
    Index row = 0;
    if constexpr (side > 0) {
      using Word = typename Square::Word;
      const Index whole = first + (units - first) / side * side;
      for (; row + side <= count; row += side) {
        Row* at[side];
        QUANTA_UNROLL for (int r = 0; r < side; ++r) at[r] = rows[row + r];
        Panel* square = panel + row * unit + first * next;
        for (Index u = first; u < whole; u += side, square += side * next) {
          Word words[side];
          QUANTA_UNROLL for (int r = 0; r < side; ++r) {
            std::memcpy(&words[r], to_panel ? at[r] + u * unit : square + r * next, sizeof(Word));
          }
          Square::template turn<unit>(words);
          QUANTA_UNROLL for (int r = 0; r < side; ++r) {
            if constexpr (to_panel) {
              std::memcpy(square + r * next, &words[r], sizeof(Word));
            } else {
              std::memcpy(at[r] + u * unit, &words[r], sizeof(Word));
            }
          }
        }
        if (whole < units) move_units<unit, Smaller>(rows + row, side, whole, units, panel + row * unit, next);
      }
    }
    if (row < count) move_units<unit, Smaller>(rows + row, count - row, first, units, panel + row * unit, next);
  }
}

template <int unit, class Square>
void interleave(const std::byte* const* rows, Index count, Index units, std::byte* panel) {
  move_units<unit, Square>(rows, count, 0, units, panel, count * unit);
}

template <int unit, class Square>
void separate(const std::byte* panel, Index count, Index units, std::byte* const* rows) {
  move_units<unit, Square>(rows, count, 0, units, panel, count * unit);
}

}  // namespace detail
QUANTA_NAMESPACE_END
