// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packing one panel of a rhs. What is in memory is read once and written once, past the caches where it would drive out
// all that is in them: in registers where vectors can (gemm/pack_lines.hpp); else a few hundred steps of its rows at a
// time are read along memory, made operands, laid side by side, and summed up while they are in the first-level cache.
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

  PanelPacker(const RhsLayout& layout, const CodeStream& codes)
      : layout_(layout),
        codes_(codes),
        ahead_(codes.codes, layout.n, layout.k, codes.bits, kNr),
        fields_(codes.bits, codes.is_signed, codes.shift) {
    is_large_ = layout.size() / kInAByte >= kLarge;
    if constexpr (kTakesLines) choose_lines();
    // Groups that end with a block follow each other in rows and panels: all are packed as one, unless they have sums
    // and lines end within groups and groups within lines.
    const bool end_together = line_steps_ == 0 || layout.group % line_steps_ == 0 || line_steps_ % layout.group == 0;
    if (layout.group % kKr == 0 && (!kTakesSums || end_together)) groups_at_once_ = layout.groups();
  }
  ~PanelPacker() {
    if (kStreams && is_large_) L::finish_streams();
  }
  PanelPacker(const PanelPacker&) = delete;
  PanelPacker& operator=(const PanelPacker&) = delete;

  /// Writes operands and, where they are taken, kNr sums for each group.
  void pack(Index panel, Rhs* operands, std::int32_t* sums);

 private:
  static constexpr Index kSteps = std::min<Index>(256 / kKr, Sums::kMostBlocks) * kKr;  ///< at a time, at most
  static constexpr Index kRow = round_up(kSteps, 64);                                   ///< whole words of all squares
  using L = simd::NativeLanes;
  static constexpr Index kVector = sizeof(typename L::I);
  /// May operands pass by the caches? Not where the kernel reads them once more (Kernel::proves).
  static constexpr bool kStreams = L::width > 1 && kBlockBytes % kVector == 0 && !HasProvenForm<Kernel>;
  static constexpr Index kLarge = Index{4} << 20;  ///< bytes of operands: more than second-level caches hold
  static constexpr bool kTakesLines = kPacksLines<Kernel> && (Sums::kTakesVectors || !kTakesSums);
  static constexpr Index kWord = sizeof(typename simd::NativeSquare::Word);  ///< steps of a row that are read together
  static_assert(kNr % kInAByte == 0,
                "quanta: operands of 4 bits take a kernel with an even kNr, of 2 one that 4 divides");

  /// How rows are read a line at a time.
  enum class LineRows { joined, spread, fields };
  void choose_lines();
  /// How many lines of each row of this panel, from step `first` on to `end`, are packed in registers.
  Index lines(Index panel, Index first, Index end) const;
  /// A word of fields looks at more bytes than it is of. So many bytes of the stream are left behind those of the
  /// word at step `first` of the panel's last row; fewer than 0: it may not be read.
  Index left_to_read(Index panel, Index first) const;
  bool can_read_word(Index panel, Index first) const {
    return line_steps_ > 0 && (panel + 1) * kNr <= layout_.n && left_to_read(panel, first) >= 0;
  }
  /// Packs at most kWord steps to piece_.
  void pack_word(Index panel, Index first, Index steps);
  /// Packs them, and adds to the panel's sums, where they are taken.
  void pack_lines(Index panel, Index first, Index count, Rhs* to, std::int32_t* sums);
  template <class Rows>
  void pack_lines_of(const Rows& rows, Index panel, Index first, Index count, Rhs* to, std::int32_t* sums);
  /// Adds the sums of steps [first, first + steps), which begin with these blocks.
  void add_sums(const Rhs* blocks, Index first, Index steps, std::int32_t* sums) const;
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
  NativeFieldRows<kRhsBits<Kernel>> fields_;
  Index groups_at_once_ = 1;
  Index line_steps_ = 0;  ///< 0: nothing is packed in lines
  LineRows line_rows_ = LineRows::fields;
  /// Then blocks are laid out in piece_ first: to write a little of many lines that are not in the caches is slow.
  bool is_large_ = false;
  alignas(kCacheLine) std::uint8_t rows_[kNr][kRow] = {};
  alignas(kCacheLine) Rhs piece_[kSteps / kKr * kBlockBytes];
};

// ---- bodies ----

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack(Index panel, Rhs* operands, std::int32_t* sums) {
  const Index columns = std::min<Index>(kNr, layout_.n - panel * kNr);
  if (kTakesSums) std::fill_n(sums, layout_.groups() * kNr, 0);
  for (Index g = 0; g < layout_.groups(); g += groups_at_once_) {
    const Index start = g * layout_.group, end = std::min(start + groups_at_once_ * layout_.group, layout_.k);
    for (Index first = start, steps; first < end; first += steps) {
      if (const Index count = lines(panel, first, end); count > 0) {
        steps = count * line_steps_;
        pack_lines(panel, first, count, operands, sums);
      } else {
        const bool in_a_word = can_read_word(panel, first);
        steps = std::min(in_a_word ? kWord : kSteps, end - first);
        Rhs* const packed = is_large_ || in_a_word ? piece_ : operands;
        ahead_.advance(steps * columns * codes_.bits / 8);
        if (in_a_word) {
          pack_word(panel, first, steps);
        } else {
          pack_steps(panel, first, steps, packed);
        }
        if (packed != operands) write_piece(operands, ceil_div(steps, kKr) * kBlockBytes);
        if (kTakesSums) add_sums(packed, first, steps, sums);  // meanwhile writing goes on
      }
      operands += ceil_div(steps, kKr) * kBlockBytes;
    }
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::add_sums(const Rhs* blocks, Index first, Index steps, std::int32_t* sums) const {
  for (Index step = first, last; step < first + steps; step = last) {
    const Index group = step / layout_.group;
    last = std::min(first + steps, group * layout_.group + layout_.group_length(group));
    const Index count = ceil_div(last - step, kKr);
    Sums::add(blocks, count, sums + group * kNr);
    blocks += count * kBlockBytes;
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::choose_lines() {
  constexpr int bits = kRhsBits<Kernel>;
  const bool one_group = layout_.groups() == 1;
  const bool begin_with_bytes = layout_.k * codes_.bits % 8 == 0 && (one_group || layout_.group * codes_.bits % 8 == 0);
  if (codes_.bits == bits && begin_with_bytes) {
    line_rows_ = LineRows::joined;
    line_steps_ = kWord * kInAByte;
  } else if (codes_.bits == 4 && bits == 8 && begin_with_bytes && one_group) {
    line_rows_ = LineRows::spread;
    line_steps_ = 2 * kWord;
  } else if (codes_.bits < 8 && (QUANTA_HAS_AVX2 || 8 % codes_.bits != 0)) {  // else SSE2 unpacks rows in less time
    line_rows_ = LineRows::fields;
    line_steps_ = kWord;
  }
}

template <MicroKernel Kernel>
Index PanelPacker<Kernel>::lines(Index panel, Index first, Index end) const {
  if (line_steps_ == 0 || (panel + 1) * kNr > layout_.n) return 0;
  const Index count = (end - first) / line_steps_;
  if (line_rows_ != LineRows::fields) return count;
  const Index left = left_to_read(panel, first);
  return left < 0 ? 0 : std::min(count, 1 + left / (line_steps_ * codes_.bits / 8));
}

template <MicroKernel Kernel>
Index PanelPacker<Kernel>::left_to_read(Index panel, Index first) const {
  if constexpr (kTakesLines) {
    const Index last_row = ((panel * kNr + kNr - 1) * layout_.k + first) * codes_.bits / 8;
    return packed_size(layout_.n * layout_.k, codes_.bits) - last_row - fields_.read_bytes(codes_.bits);
  }
  return -1;
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack_word(Index panel, Index first, Index steps) {
  if constexpr (kTakesLines) {
    using Rows = FirstOfRows<NativeFieldRows<kRhsBits<Kernel>>, simd::NativeSquare::Zip>;
    const Rows rows(fields_, steps);
    const Index row_bits = layout_.k * codes_.bits;
    LinePacker<Kernel, Rows>(rows, codes_.codes, row_bits, false)
        .pack(
            panel * kNr * row_bits + first * codes_.bits, 1, 0, piece_, [] {}, [](Index, Index, const auto&) {});
  }
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::pack_lines(Index panel, Index first, Index count, Rhs* to, std::int32_t* sums) {
  if constexpr (kTakesLines) {
    using LineZip = simd::NativeSquare::Zip;
    constexpr int bits = kRhsBits<Kernel>;
    if (line_rows_ == LineRows::joined) {
      return pack_lines_of(JoinedRows<bits, LineZip>(turned_bits()), panel, first, count, to, sums);
    }
    if constexpr (bits == 8) {
      const SpreadRow<LineZip> rows(codes_.is_signed, codes_.shift);
      if (line_rows_ == LineRows::spread) return pack_lines_of(rows, panel, first, count, to, sums);
    }
    if constexpr (kTakesLines) pack_lines_of(fields_, panel, first, count, to, sums);
  }
}

template <MicroKernel Kernel>
template <class Rows>
void PanelPacker<Kernel>::pack_lines_of(const Rows& rows, Index panel, Index first, Index count, Rhs* to,
                                        std::int32_t* sums) {
  using Lines = LinePacker<Kernel, Rows>;
  const Index line_bits = line_steps_ * codes_.bits, row_bits = layout_.k * codes_.bits;
  std::int32_t* of_line = sums;
  Lines(rows, codes_.codes, row_bits, kStreams && is_large_)
      .pack(
          panel * kNr * row_bits + first * codes_.bits, count, line_bits, to,
          [&]() QUANTA_INLINE_LAMBDA { ahead_.advance(Lines::kAtOnce * line_bits / 8); },
          [&](Index line, Index byte, const auto& words) QUANTA_INLINE_LAMBDA {
            if constexpr (kTakesSums) {
              if (byte == 0) of_line = sums + (first + line * line_steps_) / layout_.group * kNr;
              Sums::add_vectors(words, layout_.group / kKr, of_line + byte / kKr);
            }
          });
}

template <MicroKernel Kernel>
void PanelPacker<Kernel>::write_piece(Rhs* to, Index bytes) const {
  if (kStreams && is_large_) {
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
    constexpr Index shared = kNr / kInAByte, kBytes = sizeof(Word);
    const JoinedRows<kRhsBits<Kernel>, Zip> rows(turned_bits());
    const auto join = [&](const std::byte* row, Index apart, std::uint8_t* to) QUANTA_INLINE_LAMBDA {
      Word words[kInAByte];
      rows.read(row, 0, 8 * apart, words);
      QUANTA_UNROLL for (int r = 0; r < kInAByte; ++r) std::memcpy(to + r * kBytes, &words[r], kBytes);  // in registers
    };
    const Index row_bytes = layout_.k / kInAByte, bytes = ceil_div(steps, kInAByte),
                filled = round_up(steps, kKr) - steps;
    const std::byte* row = codes_.codes + code / kInAByte;
    for (int c = 0; c < shared; ++c, row += row_bytes) {
      Index at = 0;
      for (; at + kBytes <= bytes; at += kBytes) join(row + at, shared * row_bytes, rows_[c] + at * kInAByte);
      if (at < bytes) {
        std::byte last[kInAByte][kBytes] = {};
        for (int r = 0; r < kInAByte; ++r) std::memcpy(last[r], row + r * shared * row_bytes + at, usize(bytes - at));
        join(last[0], kBytes, rows_[c] + at * kInAByte);
      }
      if (filled > 0) std::fill_n(rows_[c] + steps, filled, std::uint8_t{0});
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
