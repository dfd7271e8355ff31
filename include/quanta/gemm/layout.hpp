// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where each weight lies in a packed rhs. One function, `position`, is the whole truth; packing, unpacking and the loop
// nest use it or its parts.
//
//   panels of kNr columns (n)
//     groups of `group` steps of k (one group for the whole k unless scales are per group)
//       blocks of kKr steps, the last of a group filled up with zeros
//         columns
//           steps
#pragma once

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN

/// n columns (output features), k steps (input features).
struct RhsLayout {
  Index n, k;
  Index group;  ///< at least 1; max(k, 1) when there are no groups
  int nr, kr;

  constexpr Index panels() const { return ceil_div(n, nr); }
  constexpr Index padded_n() const { return panels() * nr; }
  constexpr Index groups() const { return ceil_div(k, group); }
  /// Steps of k in group g, and the blocks they take.
  constexpr Index group_length(Index g) const { return g + 1 < groups() ? group : k - g * group; }
  constexpr Index group_blocks() const { return ceil_div(group, kr); }
  /// The first block of group g.
  constexpr Index first_block(Index g) const { return g * group_blocks(); }
  constexpr Index blocks() const {
    return k == 0 ? 0 : first_block(groups() - 1) + ceil_div(group_length(groups() - 1), kr);
  }
  constexpr Index block_size() const { return Index{nr} * kr; }
  constexpr Index panel_size() const { return blocks() * block_size(); }
  constexpr Index size() const { return panels() * panel_size(); }

  /// The offset of the weight of output `column` and input `step`.
  constexpr Index position(Index column, Index step) const {
    const Index in_group = step % group;
    const Index block = first_block(step / group) + in_group / kr;
    return column / nr * panel_size() + block * block_size() + column % nr * kr + in_group % kr;
  }
};

QUANTA_NAMESPACE_END
