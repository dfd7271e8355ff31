// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packing one panel of a rhs: a few hundred steps of its rows at a time are read along memory, made operands, laid side
// by side, and summed up while they are in the first-level cache. What is in memory is read once and written once, past
// the caches where it would drive out all that is in them.
//
//   stream of codes -> rows of operands, a byte each -> rows two or four to a byte, of the     -> blocks of the panel
//                                                       columns of each half or quarter, where    (gemm/layout.hpp)
//                                                       the kernel takes 4 or 2 bits
#pragma once

#include <algorithm>

#include <quanta/core/buffer.hpp>
#include <quanta/format/bits.hpp>
#include <quanta/gemm/interleave.hpp>
#include <quanta/gemm/layout.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/gemm/pack_lines.hpp>
#include <quanta/gemm/panel_sums.hpp>
#include <quanta/gemm/read_ahead.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Codes of weights (n, k), of at most 8 bits: a stream as in format/bits.hpp. `unpack` is unpack_bytes of the format;
/// an operand is such a byte and the shift, modulo 256.
struct CodeStream {
  const std::byte* codes;
  int bits;  ///< of a code
  bool is_signed;
  void (*unpack)(const std::byte* stream, Index size, Index first, Index count, std::uint8_t* bytes);
  std::int32_t shift;
};

/// Packs the panels of a rhs, one after another.
template <MicroKernel Kernel>
class PanelPacker {
  using Rhs = typename Kernel::Rhs;
  static constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr;
  using Sums = PanelSums<Rhs, kNr, kKr>;
  using Zip = simd::NativeZip;

 public:
  static constexpr Index kInAByte = 8 / kRhsBits<Kernel>;
  /// Are sums taken of the operands? Smaller ones have bounds that hardly any product comes near.
  static constexpr bool kTakesSums = kRhsBits<Kernel> == 8;
  static constexpr Index kBlockBytes = Index{kNr} * kKr / kInAByte;

  /// `zero_point` is that of columns without one of their own, in operand terms.
  PanelPacker(const RhsLayout& layout, const CodeStream& codes, std::int32_t zero_point)
      : layout_(layout), codes_(codes), ahead_(codes.codes, layout.n, layout.k, codes.bits, kNr), sums_(zero_point) {
    // Short groups that end with a block are packed several at a time: they follow each other in rows and panels. All
    // are as one where they have no sums.
    if (layout.group % kKr == 0)
      groups_at_once_ = kTakesSums ? std::max<Index>(1, kSteps / layout.group) : layout.groups();
    is_large_ = layout.size() / kInAByte >= kLarge;
  }
  ~PanelPacker() {
    if (kStreams && is_large_) L::finish_streams();
  }
  PanelPacker(const PanelPacker&) = delete;
  PanelPacker& operator=(const PanelPacker&) = delete;

  /// Writes operands and, where they are taken, kNr sums for each group; zero_points as sums are, or null. Adds to what
  /// the extremes cover, with sums.
  void pack(Index panel, const std::int32_t* zero_points, Rhs* operands, std::int32_t* sums, Extremes& group,
            Extremes& column);

 private:
  static constexpr Index kSteps = std::min<Index>(256 / kKr, Sums::kMostBlocks) * kKr;  ///< at a time, at most
  static constexpr Index kRow = round_up(kSteps, 64);                                   ///< whole words of all squares
  using L = simd::NativeLanes;
  static constexpr Index kVector = sizeof(typename L::I);
  /// May operands pass by the caches? Not where the kernel reads them once more (Kernel::proves).
  static constexpr bool kStreams = L::width > 1 && kBlockBytes % kVector == 0 && !HasProvenForm<Kernel>;
  static constexpr Index kLarge = Index{4} << 20;  ///< bytes of operands: more than second-level caches hold
  static constexpr bool kTakesLines = kPacksLines<Kernel> && (Sums::kTakesVectors || !kTakesSums);
  static_assert(kNr % kInAByte == 0,
                "quanta: operands of 4 bits take a kernel with an even kNr, of 2 one that 4 divides");

  /// Do lines of this panel get packed in registers? Then pack_lines does so with those of the steps [first, first +
  /// steps), and adds their sums where they are taken.
  bool can_take_lines(Index panel) const;
  void pack_lines(Index panel, Index first, Index steps, Rhs* to);
  Index line_steps() const { return Index{kCacheLine} * 8 / codes_.bits; }
  /// The bits of a byte that are turned to make operands of codes, where these have as many bits.
  std::uint8_t turned_bits() const {
    return static_cast<std::uint8_t>(simd::in_every(kRhsBits<Kernel>, static_cast<std::uint64_t>(codes_.shift)) & 255);
  }
  /// The first bytes of piece_ to memory.
  void write_piece(Rhs* to, Index bytes) const;
  /// Lays steps [first, first + steps) of the panel's columns side by side.
  void pack_steps(Index panel, Index first, Index steps, Rhs* to);
  /// The same for whole blocks of all columns, where codes have 8 bits as operands have: from where they are. `code` is
  /// the first of the first column.
  void lay_bytes(Index code, Index steps, Rhs* to) const;
  /// The operands of a column in rows_[c], the first that of code `first`.
  void read_row(int c, Index first, Index steps);
  /// Those of all columns, joined in the rows of those that share bytes, where codes have as many bits as operands and
  /// begin with a byte: `code` is the first of the first column.
  void join_rows(Index code, Index steps);

  const RhsLayout& layout_;
  const CodeStream codes_;
  ReadAhead ahead_;
  Index groups_at_once_ = 1;
  /// Then blocks are laid out in piece_ first: to write a little of many lines that are not in the caches is slow.
  bool is_large_ = false;
  Sums sums_;
  alignas(kCacheLine) std::uint8_t rows_[kNr][kRow] = {};
  alignas(kCacheLine) Rhs piece_[kSteps / kKr * kBlockBytes];
};

// ---- bodies ----

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack(Index panel, const std::int32_t* zero_points, Rhs* operands, std::int32_t* sums,
                               Extremes& group, Extremes& column) {
  std::int64_t positive[kNr], negative[kNr];  // of a group; the most of all groups, and the sums of them
  std::int64_t most_positive[kNr] = {}, most_negative[kNr] = {}, all_positive[kNr] = {}, all_negative[kNr] = {};
  const int columns = static_cast<int>(std::min<Index>(kNr, layout_.n - panel * kNr));
  const bool has_lines = can_take_lines(panel);
  for (Index g = 0; g < layout_.groups(); g += groups_at_once_) {
    const Index start = g * layout_.group, end = std::min(start + groups_at_once_ * layout_.group, layout_.k);
    for (Index first = start, steps; first < end; first += steps) {
      const bool in_lines = has_lines && end - first >= line_steps();
      steps = in_lines ? (end - first) / line_steps() * line_steps() : std::min(kSteps, end - first);
      const Index bytes = ceil_div(steps, kKr) * kBlockBytes;
      Rhs* const packed = is_large_ ? piece_ : operands;
      if (!in_lines) {
        ahead_.advance(steps * columns * codes_.bits / 8);
        pack_steps(panel, first, steps, packed);
        if (is_large_) write_piece(operands, bytes);  // which goes on while sums are taken
      } else if (!kTakesSums) {
        pack_lines(panel, first, steps, operands);
      }
      const Rhs* blocks = packed;
      for (Index step = first; kTakesSums && step < first + steps;) {
        const Index at = step / layout_.group, length = layout_.group_length(at);
        const Index count = std::min(first + steps, at * layout_.group + length) - step;
        if (step == at * layout_.group) sums_.begin(zero_points == nullptr ? nullptr : zero_points + at * kNr);
        if (in_lines) {
          pack_lines(panel, first, steps, operands);
        } else {
          sums_.add(blocks, ceil_div(count, kKr));
        }
        blocks += ceil_div(count, kKr) * kBlockBytes;
        step += count;
        if (step != at * layout_.group + length) continue;
        sums_.finish(length, sums + at * kNr, positive, negative);
        QUANTA_VECTORIZE_LOOP
        for (int c = 0; c < kNr; ++c) {
          most_positive[c] = std::max(most_positive[c], positive[c]);
          most_negative[c] = std::max(most_negative[c], negative[c]);
          all_positive[c] += positive[c];
          all_negative[c] += negative[c];
        }
      }
      operands += bytes;
    }
  }
  for (int c = 0; c < columns; ++c) {
    group.cover({most_positive[c], most_negative[c]});
    column.cover({all_positive[c], all_negative[c]});
  }
}

template <MicroKernel Kernel>
bool PanelPacker<Kernel>::can_take_lines(Index panel) const {
  const bool has_bits = codes_.bits == kRhsBits<Kernel> || (kRhsBits<Kernel> == 8 && codes_.bits == 4);
  const bool begin_with_bytes =
      layout_.k * codes_.bits % 8 == 0 && (layout_.groups() == 1 || layout_.group * codes_.bits % 8 == 0);
  return kTakesLines && has_bits && begin_with_bytes && (panel + 1) * kNr <= layout_.n &&
         (groups_at_once_ == 1 || !kTakesSums);
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack_lines(Index panel, Index first, Index steps, Rhs* to) {
  if constexpr (kTakesLines) {
    using LineZip = simd::NativeSquare::Zip;
    constexpr int bits = kRhsBits<Kernel>;
    const auto pack_all = [&](const auto& rows) QUANTA_INLINE_LAMBDA {
      const LinePacker<Kernel, std::decay_t<decltype(rows)>> lines(rows, layout_.k * codes_.bits / 8,
                                                                   kStreams && is_large_);
      lines.pack(
          codes_.codes + (panel * kNr * layout_.k + first) * codes_.bits / 8, steps / line_steps(), to,
          [&](Index bytes) QUANTA_INLINE_LAMBDA { ahead_.advance(bytes); },
          [&](int byte, const auto& words) QUANTA_INLINE_LAMBDA {
            if constexpr (kTakesSums) sums_.add_vectors(byte, words);
          });
    };
    if (codes_.bits == bits) return pack_all(JoinedRows<bits, LineZip>(turned_bits()));
    if constexpr (bits == 8) pack_all(SpreadRow<LineZip>(codes_.is_signed, codes_.shift));
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::write_piece(Rhs* to, Index bytes) const {
  if constexpr (kStreams) {
    const auto* from = reinterpret_cast<const std::int32_t*>(piece_);
    auto* at = reinterpret_cast<std::int32_t*>(to);
    for (Index i = 0; i < bytes / 4; i += kVector / 4) L::stream_int(at + i, L::load_int(from + i));
  } else {
    std::memcpy(to, piece_, usize(bytes));
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack_steps(Index panel, Index first, Index steps, Rhs* to) {
  constexpr int bits = kRhsBits<Kernel>, shared = kNr / static_cast<int>(kInAByte);  // columns with bytes of their own
  const Index columns = std::min<Index>(kNr, layout_.n - panel * kNr), code = panel * kNr * layout_.k + first;
  const bool as_wide = codes_.bits == bits && columns == kNr;
  if (as_wide && bits == 8 && steps % kKr == 0) return lay_bytes(code, steps, to);
  const std::byte* rows[kNr];
  for (int c = 0; c < kNr; ++c) rows[c] = reinterpret_cast<const std::byte*>(rows_[c]);
  // Where rows are no whole bytes, some begin within one.
  if (as_wide && bits < 8 && layout_.k % kInAByte == 0 && first % kInAByte == 0) {
    join_rows(code, steps);
    return interleave<kKr>(rows, shared, ceil_div(steps, kKr), reinterpret_cast<std::byte*>(to));
  }
  for (int c = 0; c < kNr; ++c) {
    if (c < columns) read_row(c, code + c * layout_.k, steps);
    if (c == columns) std::fill_n(rows_[c], (kNr - c) * kRow, std::uint8_t{0});
  }
  if constexpr (kInAByte > 1) {
    for (int c = 0; c < shared; ++c) {
      QUANTA_VECTORIZE_LOOP
      for (int i = 0; i < kRow; i += 8) {  // words at a time: operands stay in their byte, old ones behind need not
        std::uint64_t all;
        std::memcpy(&all, rows_[c] + i, 8);
        QUANTA_UNROLL for (int part = 1; part < kInAByte; ++part) {
          std::uint64_t one;
          std::memcpy(&one, rows_[part * shared + c] + i, 8);
          all |= one << (part * bits);
        }
        std::memcpy(rows_[c] + i, &all, 8);
      }
    }
  }
  interleave<kKr>(rows, shared, ceil_div(steps, kKr), reinterpret_cast<std::byte*>(to));
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::lay_bytes(Index code, Index steps, Rhs* to) const {
  const std::byte* rows[kNr];
  for (int c = 0; c < kNr; ++c) rows[c] = codes_.codes + code + c * layout_.k;
  interleave<kKr>(rows, kNr, steps / kKr, reinterpret_cast<std::byte*>(to));
  if (codes_.shift == 0) return;
  for (Index step = 0; step < steps; step += kKr, to += kBlockBytes) {
    QUANTA_VECTORIZE_LOOP
    for (int i = 0; i < kBlockBytes; ++i) to[i] = static_cast<Rhs>(to[i] ^ 128);  // the shift is 128 or -128
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::read_row(int c, Index first, Index steps) {
  std::uint8_t* const row = rows_[c];
  const Index all = layout_.n * layout_.k;  // some more of them are read than are packed, where there are more
  codes_.unpack(codes_.codes, all, first, std::min(round_up(steps, 64), all - first), row);
  const auto shift = static_cast<std::uint8_t>(codes_.shift);
  if (shift != 0) {
    QUANTA_VECTORIZE_LOOP
    for (int i = 0; i < kRow; ++i) row[i] = static_cast<std::uint8_t>(row[i] + shift);
  }
  std::fill_n(row + steps, round_up(steps, kKr) - steps, std::uint8_t{0});
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::join_rows(Index code, Index steps) {
  if constexpr (kInAByte > 1) {
    using Word = Zip::Word;
    constexpr Index shared = kNr / kInAByte, kWord = sizeof(Word);
    const JoinedRows<kRhsBits<Kernel>, Zip> rows(turned_bits());
    const auto join = [&](const std::byte* row, Index apart, std::uint8_t* to) QUANTA_INLINE_LAMBDA {
      Word words[kInAByte];
      rows.read(row, apart, words);
      QUANTA_UNROLL for (int r = 0; r < kInAByte; ++r) std::memcpy(to + r * kWord, &words[r], kWord);  // in registers
    };
    const Index row_bytes = layout_.k / kInAByte, bytes = ceil_div(steps, kInAByte),
                filled = round_up(steps, kKr) - steps;
    const std::byte* row = codes_.codes + code / kInAByte;
    for (int c = 0; c < shared; ++c, row += row_bytes) {
      Index at = 0;
      for (; at + kWord <= bytes; at += kWord) join(row + at, shared * row_bytes, rows_[c] + at * kInAByte);
      if (at < bytes) {
        std::byte last[kInAByte][kWord] = {};
        for (int r = 0; r < kInAByte; ++r) std::memcpy(last[r], row + r * shared * row_bytes + at, usize(bytes - at));
        join(last[0], kWord, rows_[c] + at * kInAByte);
      }
      if (filled > 0) std::fill_n(rows_[c] + steps, filled, std::uint8_t{0});
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
