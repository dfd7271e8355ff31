// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The contract between a micro-kernel and everything around it. A kernel says what it multiplies and in which tile;
// layout, packing and the loop nest adapt to that. It knows nothing of zero points, scales, caches or formats.
//
//             rhs panel: kNr columns, blocks of kKr steps of k side by side (gemm/layout.hpp)
//             +--------------------+
//             | n0 k0..3 | n1 k0..3| ...      one block: kNr * kKr operands
//   lhs rows  +--------------------+
//   k0..3 ->  |  tile (rows x kNr) |          int32, rows at its own `stride`
//   rows at   |                    |
//   `stride`  +--------------------+
#pragma once

#include <concepts>
#include <cstdint>

#include <quanta/arch.hpp>
#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN

/// The lhs rows of one tile. Row r holds blocks * kKr operands from data + r * stride; if k ends within a block, `tail`
/// holds that last block of every row, kKr operands each, filled up with anything (the rhs is zero there); else null.
template <class T>
struct LhsTile {
  const T* data;  ///< the first operand of row 0
  Index stride;   ///< from a row to the next, in operands
  const T* tail;  ///< (rows, kKr), dense, or null
};

/// Where the sums of one tile go: those of row r, kNr of them, from data + r * stride on. It is a place of its own or
/// in the result itself.
struct SumTile {
  std::int32_t* data;  ///< the first sum of row 0
  Index stride;        ///< from a row to the next, in sums
};

/// run<rows>(lhs, panel, blocks, tile, accumulate): tile(r, c) = sum of lhs(r, k) * rhs(c, k) over all blocks (the tail
/// too, where there is one), modulo 2^32, for r < rows. 1 <= rows <= kMr. With `accumulate` the sums start from what
/// the tile holds, so that k can be cut into pieces; else from 0, and the tile is not read. Writes nothing else.
template <class K>
concept MicroKernel = requires(const LhsTile<typename K::Lhs>& lhs, const typename K::Rhs* panel, const SumTile& tile) {
  { K::name } -> std::convertible_to<const char*>;
  requires K::kMr >= 1 && K::kNr >= 1 && K::kKr >= 1;
  requires sizeof(typename K::Lhs) == 1 && sizeof(typename K::Rhs) == 1;
  K::template run<1>(lhs, panel, Index{}, tile, bool{});
  K::template run<K::kMr>(lhs, panel, Index{}, tile, bool{});
};

/// A kernel may have a second, faster form that is exact for some weights only. proves(panel, blocks): is it exact for
/// all of these blocks, whatever the lhs? Weights between others of which it is are no harder: where it is for blocks
/// full of a format's lowest code, and of its highest, no panel is looked at, else each is once, when it is packed.
/// run_proven<rows> is the contract of `run` where it is. Both forms read one layout.
///
/// Who derives a kernel from another inherits its other forms too: this one, HasNarrowForm's, HasThinForm's,
/// HasPairedForm's, ReadsBothSigns', HasNibbles', HasCrumbs' and HasGroupedForm's. It is without them that hides their
/// names: `static void proves() = delete`, `kNarrow = 0`, `kThin = 0`, `static void run_paired() = delete`, `using
/// OtherSign = void`, `using Nibbles = void`, `using Crumbs = void`, `static void row_reads() = delete`.
template <class K>
concept HasProvenForm = MicroKernel<K> &&
    requires(const LhsTile<typename K::Lhs>& lhs, const typename K::Rhs* panel, const SumTile& tile) {
  { K::proves(panel, Index{}) } -> std::same_as<bool>;
  K::template run_proven<1>(lhs, panel, Index{}, tile, bool{});
  K::template run_proven<K::kMr>(lhs, panel, Index{}, tile, bool{});
};

/// A kernel may have a narrow form for panels that are hardly filled: run_narrow<rows>, the same for the first kNarrow
/// columns of a panel alone; the rest of the tile may be left as it is.
template <class K>
concept HasNarrowForm = MicroKernel<K> &&
    requires(const LhsTile<typename K::Lhs>& lhs, const typename K::Rhs* panel, const SumTile& tile) {
  requires K::kNarrow >= 1 && K::kNarrow < K::kNr;
  K::template run_narrow<K::kMr>(lhs, panel, Index{}, tile, bool{});
};

/// A kernel may have a thin form for panels of a column or two: run_thin(lhs, rows, panel, blocks, columns, tile,
/// accumulate), the same for the first `columns` columns alone, at most kThin; the rest of the tile may be left as it
/// is. It is worth while from kThinRows rows and kThinBlocks blocks on.
template <class K>
concept HasThinForm = MicroKernel<K> &&
    requires(const LhsTile<typename K::Lhs>& lhs, const typename K::Rhs* panel, const SumTile& tile) {
  requires K::kThin >= 1 && K::kThinRows >= 1 && K::kThinBlocks >= 1;
  K::run_thin(lhs, Index{}, panel, Index{}, Index{}, tile, bool{});
};

/// A kernel may have a form that reads rows of the lhs in pairs, for instructions that want two rows side by side:
/// run_paired<rows> is `run` with an lhs whose pair p, rows 2 p and 2 p + 1, starts at data + p * stride and holds
/// block after block kKr operands of the first row and as many of the second. There is no tail: the last block is as
/// long as the others. Of an odd number of rows the last is half of a pair whose other half is anything.
template <class K>
concept HasPairedForm = MicroKernel<K> &&
    requires(const LhsTile<typename K::Lhs>& lhs, const typename K::Rhs* panel, const SumTile& tile) {
  K::template run_paired<1>(lhs, panel, Index{}, tile, bool{});
  K::template run_paired<K::kMr>(lhs, panel, Index{}, tile, bool{});
};

/// A kernel may name another, OtherSign, that reads an lhs of the other signedness over the same packed rhs: of the
/// same tile, and with OtherSign::kLhsShift, which it adds to every lhs operand that it reads (0, 128 or -128). Without
/// it such an lhs is copied and shifted before it is multiplied.
template <class K>
concept ReadsBothSigns = MicroKernel<K> && MicroKernel<typename K::OtherSign> &&
                         !std::same_as<typename K::OtherSign::Lhs, typename K::Lhs> &&
                         std::same_as<typename K::OtherSign::Rhs, typename K::Rhs> && requires {
  requires K::OtherSign::kMr == K::kMr&& K::OtherSign::kNr == K::kNr&& K::OtherSign::kKr == K::kKr;
  { K::OtherSign::kLhsShift } -> std::convertible_to<std::int32_t>;
};

/// Bits of an operand of the rhs: 8 unless the kernel says 4 or 2 as kRhsBits. Then operands are 0 to 15, or 0 to 3,
/// and of a block the first half, or quarter, of its operands are in the lowest bits of its bytes, the next in the bits
/// above those, and so on.
template <class K>
inline constexpr int kRhsBits = 8;
/// What the kernel says.
template <class K>
requires requires { K::kRhsBits; }
inline constexpr int kRhsBits<K> = K::kRhsBits;

/// A kernel may name another, Nibbles, for rhs codes of at most 4 bits, with a kRhsBits of 4.
template <class K>
concept HasNibbles = MicroKernel<K> && MicroKernel<typename K::Nibbles> &&(kRhsBits<typename K::Nibbles> == 4);
/// And one, Crumbs, for rhs codes of at most 2 bits, with a kRhsBits of 2.
template <class K>
concept HasCrumbs = MicroKernel<K> && MicroKernel<typename K::Crumbs> &&(kRhsBits<typename K::Crumbs> == 2);

/// Some rows of an lhs whose k is walked in groups; tails as in LhsTile, and what correct_zero_points takes of rows
/// (gemm/outputs.hpp). Those of the next group are so many elements on.
template <class T>
struct GroupedLhs {
  const T* data;                    ///< the first operand of row 0
  Index stride;                     ///< from a row to the next, in operands
  const T* tails;                   ///< of the first group, (rows, kKr), dense, or null
  Index next_tails;                 ///< from a group's tails to the next group's
  const std::int32_t* zero_points;  ///< null where all are 0; the same for all groups
  const std::int32_t* rests;        ///< of the first group, one for each row
  Index next_rests;                 ///< from a group's rests to the next group's
};

/// How the scales of groups lie in memory: as floats, as IEEE halves, as the upper halves of floats, or as a byte e for
/// 2^(e - 127).
enum class GroupScales { floats, halves, upper_halves, powers };

/// A panel with `groups` groups of `group` steps, of which the last has `last`. Of scales, sums and zero points there
/// are kNr for each group; sums only if the lhs has zero points. Where zero points are the same for all, zero_points is
/// null, and with `same_zero` a row's sums start from its rest. Scales are floats but where run_grouped<1> reads
/// others.
template <class T>
struct GroupedPanel {
  const T* blocks;           ///< of the first group; those of the others follow
  Index group;               ///< steps of a group
  Index groups;              ///< how many
  Index last;                ///< steps of the last group
  const void* scales;        ///< (groups, kNr)
  GroupScales scales_are;    ///< what lies there
  const std::int32_t* sums;  ///< (groups, kNr), of operands
  const T* zero_points;      ///< (groups, kNr), or null
  bool same_zero;            ///< is there one for all, other than 0?
};

/// A kernel may have a form for rhs with scales per group: run_grouped<rows>(lhs, panel, sums) leaves the float sums
/// of N11, kNr for each row: f = fma(float(acc_g), scale_g, f), g ascending from f = 0, where acc_g is the exact sum of
/// group g, zero points taken off. So a group costs no more than it must. One row, whose weights come from memory, may
/// read scales as they are held: row_reads(scales_are) says which.
template <class K>
concept HasGroupedForm = MicroKernel<K> &&
    requires(const GroupedLhs<typename K::Lhs>& lhs, const GroupedPanel<typename K::Rhs>& panel, float* sums) {
  K::template run_grouped<1>(lhs, panel, sums);
  K::template run_grouped<K::kMr>(lhs, panel, sums);
  { K::row_reads(GroupScales::floats) } -> std::same_as<bool>;
};

/// The int8 kernel of an instruction set: each `gemm/kernels/<isa>.hpp` specialises it.
template <class Arch>
struct Int8Kernel;

QUANTA_NAMESPACE_END
