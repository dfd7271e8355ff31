// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packing one panel of a rhs: a few hundred steps of its rows at a time are read along memory, made operands, laid side
// by side, and summed up while they are in the first-level cache. What is in memory is read once and written once.
//
//   stream of codes -> rows of operands, a byte each -> rows two or four to a byte, of the     -> blocks of the panel
//                                                       columns of each half or quarter, where    (gemm/layout.hpp)
//                                                       the kernel takes 4 or 2 bits
#pragma once

#include <algorithm>

#include <quanta/core/buffer.hpp>
#include <quanta/gemm/interleave.hpp>
#include <quanta/gemm/layout.hpp>
#include <quanta/gemm/micro_kernel.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The sums of the positive and of the negative (code - zero_point) of a column, or of one of its groups.
struct Extremes {
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  void add(std::int64_t value) { (value > 0 ? positive : negative) += value > 0 ? value : -value; }
  void cover(const Extremes& other) {
    positive = std::max(positive, other.positive);
    negative = std::max(negative, other.negative);
  }
};

/// Codes of weights (n, k), of at most 8 bits: a stream as in format/bits.hpp. `unpack` is unpack_bytes of the format;
/// an operand is such a byte and the shift, modulo 256.
struct CodeStream {
  const std::byte* codes;
  void (*unpack)(const std::byte* stream, Index first, Index count, std::uint8_t* bytes);
  std::int32_t shift;
};

/// The sums of a panel's columns over the blocks of a group. An operand of 8 bits and a zero point are 255 apart at
/// most, so that int16 holds 128 of their differences: that many blocks are added at a time.
template <class Operand, int nr, int kr, int bits>
class PanelSums {
 public:
  static constexpr Index kMostBlocks = 128;

  /// For columns that have this zero point unless they are told another.
  explicit PanelSums(std::int32_t zero_point) {
    std::fill_n(zero_points_, nr, zero_point);
    spread_zero_points();
  }

  /// A new group, of columns with these zero points, or null: those of the group before.
  void begin(const std::int32_t* zero_points) {
    std::fill_n(sums_, nr, 0);
    std::fill_n(positive_, nr, 0);
    if (zero_points == nullptr) return;
    std::copy_n(zero_points, nr, zero_points_);
    spread_zero_points();
  }
  /// Adds at most kMostBlocks blocks.
  void add(const Operand* blocks, Index count);
  /// The sum of a column's operands, modulo 2^32, when `steps` have been added and what fills up the last block.
  std::int32_t sum(int c, Index steps) const {
    return static_cast<std::int32_t>(static_cast<std::uint64_t>(sums_[c] + round_up(steps, kr) * zero_points_[c]));
  }
  /// Its sums of differences from the zero point.
  Extremes extremes(int c, Index steps) const {
    const Index filled = round_up(steps, kr) - steps;  // with zeros, whose differences do not count
    const std::int64_t positive = positive_[c] - filled * std::max(-zero_points_[c], 0);
    return {positive, positive - (sums_[c] + filled * zero_points_[c])};
  }

 private:
  static constexpr int kSize = nr * kr;

  void spread_zero_points() {
    for (int j = 0; j < kSize; ++j) zeros_[j] = static_cast<std::int16_t>(zero_points_[j / kr]);
  }

  std::int32_t zero_points_[nr];
  std::int16_t zeros_[kSize];             ///< the zero point of every operand of a block
  std::int64_t sums_[nr], positive_[nr];  ///< of differences
};

/// Packs the panels of a rhs, one after another.
template <MicroKernel Kernel>
class PanelPacker {
  using Rhs = typename Kernel::Rhs;
  static constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr;
  using Sums = PanelSums<Rhs, kNr, kKr, kRhsBits<Kernel>>;

 public:
  static constexpr Index kInAByte = 8 / kRhsBits<Kernel>;
  static constexpr Index kBlockBytes = Index{kNr} * kKr / kInAByte;

  /// `zero_point` is that of columns without one of their own, in operand terms.
  PanelPacker(const RhsLayout& layout, const CodeStream& codes, std::int32_t zero_point)
      : layout_(layout), codes_(codes), sums_(zero_point) {
    // Short groups that end with a block are packed several at a time: they follow each other in rows and panels.
    if (layout.group % kKr == 0) groups_at_once_ = std::max<Index>(1, kSteps / layout.group);
  }

  /// Writes operands and, kNr for each group, sums; zero_points as sums are, or null. Adds to what the extremes cover.
  void pack(Index panel, const std::int32_t* zero_points, Rhs* operands, std::int32_t* sums, Extremes& group,
            Extremes& column);

 private:
  static constexpr Index kSteps = std::min<Index>(256 / kKr, Sums::kMostBlocks) * kKr;  ///< that are packed at a time
  static constexpr Index kRow = round_up(kSteps, 8);
  static_assert(kNr % kInAByte == 0,
                "quanta: operands of 4 bits take a kernel with an even kNr, of 2 one that 4 divides");

  /// Lays steps [first, first + steps) of the panel's columns side by side.
  void pack_steps(Index panel, Index first, Index steps, Rhs* to);
  /// The operands of a column in rows_[c], the first that of code `first`.
  void read_row(int c, Index first, Index steps);

  const RhsLayout& layout_;
  const CodeStream codes_;
  Index groups_at_once_ = 1;
  Sums sums_;
  alignas(kCacheLine) std::uint8_t rows_[kNr][kRow] = {};
};

// ---- bodies ----

template <class Operand, int nr, int kr, int bits>
void PanelSums<Operand, nr, kr, bits>::add(const Operand* blocks, Index count) {
  constexpr int bytes = kSize * bits / 8;
  std::int16_t all[kSize] = {}, above[kSize] = {};
  const auto add_one = [&](int j, int operand) QUANTA_INLINE_LAMBDA {
    const auto difference = static_cast<std::int16_t>(operand - zeros_[j]);
    all[j] = static_cast<std::int16_t>(all[j] + difference);
    above[j] = static_cast<std::int16_t>(above[j] + std::max<std::int16_t>(difference, 0));
  };
  for (Index b = 0; b < count; ++b, blocks += bytes) {
    QUANTA_VECTORIZE_LOOP
    for (int j = 0; j < bytes; ++j) {
      if constexpr (bits == 8) {
        add_one(j, blocks[j]);
      } else {
        const auto byte = static_cast<std::uint8_t>(blocks[j]);
        QUANTA_UNROLL for (int part = 0; part < 8 / bits; ++part) {
          add_one(part * bytes + j, byte >> (part * bits) & ((1 << bits) - 1));
        }
      }
    }
  }
  for (int c = 0; c < nr; ++c) {
    std::int32_t sum = 0, positive = 0;
    QUANTA_UNROLL for (int i = 0; i < kr; ++i) {
      sum += all[c * kr + i];
      positive += above[c * kr + i];
    }
    sums_[c] += sum;
    positive_[c] += positive;
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack(Index panel, const std::int32_t* zero_points, Rhs* operands, std::int32_t* sums,
                               Extremes& group, Extremes& column) {
  Extremes whole[kNr];
  const int columns = static_cast<int>(std::min<Index>(kNr, layout_.n - panel * kNr));
  for (Index g = 0; g < layout_.groups(); g += groups_at_once_) {
    const Index start = g * layout_.group, end = std::min(start + groups_at_once_ * layout_.group, layout_.k);
    for (Index first = start; first < end; first += kSteps) {
      const Index steps = std::min(kSteps, end - first);
      pack_steps(panel, first, steps, operands);
      for (Index step = first; step < first + steps;) {
        const Index at = step / layout_.group, length = layout_.group_length(at);
        const Index count = std::min(first + steps, at * layout_.group + length) - step;
        if (step == at * layout_.group) sums_.begin(zero_points == nullptr ? nullptr : zero_points + at * kNr);
        sums_.add(operands, ceil_div(count, kKr));
        operands += ceil_div(count, kKr) * kBlockBytes;
        step += count;
        if (step != at * layout_.group + length) continue;
        for (int c = 0; c < kNr; ++c) sums[at * kNr + c] = sums_.sum(c, length);
        for (int c = 0; c < columns; ++c) {
          const Extremes part = sums_.extremes(c, length);
          group.cover(part);
          whole[c] = {whole[c].positive + part.positive, whole[c].negative + part.negative};
        }
      }
    }
  }
  for (int c = 0; c < columns; ++c) column.cover(whole[c]);
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack_steps(Index panel, Index first, Index steps, Rhs* to) {
  const Index columns = std::min<Index>(kNr, layout_.n - panel * kNr);
  const std::byte* rows[kNr];
  for (int c = 0; c < kNr; ++c) {
    if (c < columns) read_row(c, (panel * kNr + c) * layout_.k + first, steps);
    if (c == columns) std::fill_n(rows_[c], (kNr - c) * kRow, std::uint8_t{0});
    rows[c] = reinterpret_cast<const std::byte*>(rows_[c]);
  }
  if constexpr (kInAByte > 1) {
    constexpr int columns_of_part = kNr / static_cast<int>(kInAByte);
    for (int c = 0; c < columns_of_part; ++c) {
      QUANTA_VECTORIZE_LOOP
      for (int i = 0; i < kRow; i += 8) {  // words at a time: operands stay in their byte, old ones behind need not
        std::uint64_t all;
        std::memcpy(&all, rows_[c] + i, 8);
        QUANTA_UNROLL for (int part = 1; part < kInAByte; ++part) {
          std::uint64_t one;
          std::memcpy(&one, rows_[part * columns_of_part + c] + i, 8);
          all |= one << (part * kRhsBits<Kernel>);
        }
        std::memcpy(rows_[c] + i, &all, 8);
      }
    }
  }
  interleave<kKr>(rows, kNr / kInAByte, ceil_div(steps, kKr), reinterpret_cast<std::byte*>(to));
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::read_row(int c, Index first, Index steps) {
  std::uint8_t* const row = rows_[c];
  codes_.unpack(codes_.codes, first, steps, row);
  const auto shift = static_cast<std::uint8_t>(codes_.shift);
  if (shift != 0) {
    QUANTA_VECTORIZE_LOOP
    for (int i = 0; i < kRow; ++i) row[i] = static_cast<std::uint8_t>(row[i] + shift);
  }
  std::fill_n(row + steps, round_up(steps, kKr) - steps, std::uint8_t{0});
}

}  // namespace detail
QUANTA_NAMESPACE_END
