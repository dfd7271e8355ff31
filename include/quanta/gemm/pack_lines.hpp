// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packing cache lines: where a word of squares (simd/square.hpp) is as long as a line, codes get from one line of every
// row of a panel to whole lines of the panel in registers, sums and all.
//
//   a line of 16 rows -> 16 words, turned -> 16 lines of the panel, of as many blocks
//
//   where operands are smaller than a byte, of rows that share bytes, two or four: joined words of each row of 16
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/simd/lanes.hpp>
#include <quanta/simd/square.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Reads words of operands where codes have as many bits: kRows rows, so far apart, make as many words.
template <int bits, class Zip>
class JoinedRows {
  using Word = typename Zip::Word;

 public:
  static constexpr int kCodeBits = bits, kRows = 8 / bits, kWords = kRows;

  /// Codes become operands when these bits are turned.
  explicit JoinedRows(std::uint8_t turned) { std::memset(&turned_, turned, sizeof turned_); }

  QUANTA_ALWAYS_INLINE void read(const std::byte* row, Index apart, Word (&words)[kWords]) const {
    QUANTA_UNROLL for (int r = 0; r < kRows; ++r) {
      std::memcpy(&words[r], row + r * apart, sizeof(Word));
      words[r] = Zip::flip(words[r], turned_);
    }
    if constexpr (kRows > 1) simd::join_rows<bits, Zip>(words);
  }

 private:
  Word turned_;
};

/// The same where operands are bytes and codes have 4 bits.
template <class Zip>
class SpreadRow {
  using Word = typename Zip::Word;

 public:
  static constexpr int kCodeBits = 4, kRows = 1, kWords = 2;

  /// An operand is the code, with its sign if it has one, and the shift, modulo 256.
  SpreadRow(bool is_signed, std::int32_t shift) {
    const int sign = is_signed ? 8 : 0;  // turned, it counts for more by as much
    std::memset(&turned_, sign, sizeof turned_);
    std::memset(&less_, sign - shift, sizeof less_);
  }

  QUANTA_ALWAYS_INLINE void read(const std::byte* row, Index, Word (&words)[kWords]) const {
    Word joined;
    std::memcpy(&joined, row, sizeof joined);
    simd::spread_row<Zip>(joined, turned_, less_, words);
  }

 private:
  Word turned_, less_;
};

/// Is a word as long as a line, and a block of whole lines?
template <MicroKernel Kernel, class Square = simd::NativeSquare>
inline constexpr bool kPacksLines = [] {
  using Word = typename Square::Word;
  constexpr int side = Square::template kSide<Kernel::kKr>, shared = Kernel::kNr * kRhsBits<Kernel> / 8;
  return sizeof(Word) == kCacheLine && sizeof(typename simd::NativeLanes::I) == kCacheLine &&
         side * Kernel::kKr == int(sizeof(Word)) && shared % std::max(1, side) == 0;
}();

/// Packs lines of all rows of a panel, kSteps steps each, where kPacksLines. Rows is one of the above.
template <MicroKernel Kernel, class Rows, class Square = simd::NativeSquare>
class LinePacker {
  using Word = typename Square::Word;
  using L = simd::NativeLanes;
  static constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr, kInAByte = 8 / kRhsBits<Kernel>;
  static constexpr int kWords = Rows::kWords;  ///< of operands, that are made together
  static constexpr int kSide = Square::template kSide<kKr>;
  static constexpr int kShared = kNr / kInAByte;  ///< columns with bytes of their own
  static constexpr int kLaneUnits = 16 / kKr;     ///< words are zipped lane by lane
  static constexpr Index kLine = kCacheLine, kBlockBytes = Index{kShared} * kKr;

 public:
  static constexpr Index kSteps = kLine * 8 / Rows::kCodeBits;

  /// Rows are so many bytes long. `stream`: panels pass by the caches.
  LinePacker(const Rows& rows, Index row_bytes, bool stream) : rows_(rows), row_bytes_(row_bytes), stream_(stream) {}

  /// `codes` are the first row's lines, so many, and `panel` the block of its first step. read(bytes) is told what has
  /// been read, add(byte, words) what the words at this byte of kSide blocks are.
  template <class Read, class Add>
  QUANTA_ALWAYS_INLINE void pack(const std::byte* codes, Index lines, typename Kernel::Rhs* panel, const Read& read,
                                 const Add& add) const {
    for (Index line = 0; line < lines; ++line, codes += kLine, panel += kSteps / kKr * kBlockBytes) {
      for (int column = 0; column < kShared; column += kSide) {
        Word words[kWords][kSide];
        const std::byte* row = codes + column * row_bytes_;
        QUANTA_UNROLL for (int r = 0; r < kSide; ++r, row += row_bytes_) {
          Word of_row[kWords];
          rows_.read(row, kShared * row_bytes_, of_row);
          QUANTA_UNROLL for (int i = 0; i < kWords; ++i) words[i][r] = of_row[i];
        }
        read(Index{kSide} * Rows::kRows * kLine);
        QUANTA_UNROLL for (int i = 0; i < kWords; ++i) {
          Square::template turn<kKr>(words[i]);
          write(words[i], panel + i * kLaneUnits * kBlockBytes + column * kKr);
          add(column * kKr, words[i]);
        }
      }
    }
  }

 private:
  QUANTA_ALWAYS_INLINE void write(const Word (&words)[kSide], typename Kernel::Rhs* to) const {
    const auto write_all = [&](auto write_one) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int u = 0; u < kSide; ++u) {
        const int block = u / kLaneUnits * (kWords * kLaneUnits) + u % kLaneUnits;
        write_one(reinterpret_cast<std::int32_t*>(to + block * kBlockBytes), words[u]);
      }
    };
    if (stream_) return write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::stream_int(at, word); });
    write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::store_int(at, word); });
  }

  Rows rows_;
  Index row_bytes_;
  bool stream_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
