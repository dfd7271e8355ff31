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

/// Where the operands of a packed rhs lie: n columns (output features), k steps (input features). The quotients that
/// every product needs are computed once.
class RhsLayout {
 public:
  Index n = 0;      ///< columns: output features
  Index k = 0;      ///< steps: input features
  Index group = 1;  ///< at least 1; max(k, 1) when there are no groups
  int nr = 1;       ///< columns of a panel: the kernel's kNr
  int kr = 1;       ///< steps of a block: the kernel's kKr

  /// Of an empty rhs.
  constexpr RhsLayout() = default;
  /// n and k are not negative, the others at least 1.
  constexpr RhsLayout(Index n_, Index k_, Index group_, int nr_, int kr_)
      : n(n_),
        k(k_),
        group(group_),
        nr(nr_),
        kr(kr_),
        panels_(ceil_div(n_, nr_)),
        groups_(ceil_div(k_, group_)),
        group_blocks_(ceil_div(group_, kr_)) {
    blocks_ = k == 0 ? 0 : first_block(groups_ - 1) + ceil_div(group_length(groups_ - 1), kr);
    ragged_ = k_ % kr_ != 0 || (groups_ > 1 && group_ % kr_ != 0);
  }

  constexpr Index panels() const { return panels_; }         ///< of nr columns; the last one may be filled up
  constexpr Index padded_n() const { return panels_ * nr; }  ///< columns of all panels, those filled up too
  constexpr Index groups() const { return groups_; }         ///< of steps; 1 when there are no groups
  /// Steps of k in group g; the last group may be shorter.
  constexpr Index group_length(Index g) const { return g + 1 < groups_ ? group : k - g * group; }
  constexpr Index group_blocks() const { return group_blocks_; }  ///< of a group, but for a shorter last one
  constexpr bool ragged() const { return ragged_; }               ///< does a group end within a block?
  /// The first block of group g.
  constexpr Index first_block(Index g) const { return g * group_blocks_; }
  constexpr Index blocks() const { return blocks_; }                     ///< of a panel
  constexpr Index block_size() const { return Index{nr} * kr; }          ///< operands
  constexpr Index panel_size() const { return blocks_ * block_size(); }  ///< operands
  constexpr Index size() const { return panels_ * panel_size(); }        ///< operands of all panels

  /// The offset of the weight of output `column` and input `step`.
  constexpr Index position(Index column, Index step) const {
    const Index in_group = step % group;
    const Index block = first_block(step / group) + in_group / kr;
    return column / nr * panel_size() + block * block_size() + column % nr * kr + in_group % kr;
  }

 private:
  Index panels_ = 0, groups_ = 0, group_blocks_ = 1, blocks_ = 0;
  bool ragged_ = false;
};

QUANTA_NAMESPACE_END
