// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packing cache lines: codes get from words of the rows of a panel to whole lines of the panel in registers, sums and
// all, where the words of squares (simd/square.hpp) are as long as vectors.
//
//   a word of each row -> words of operands, turned -> a line of the panel for each block
//
//   Where operands are smaller than a byte, rows that share bytes, two or four, are joined when they are read.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/simd/fields.hpp>
#include <quanta/simd/lanes.hpp>
#include <quanta/simd/square.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Reads words of operands where codes have as many bits and rows begin with bytes: kRows rows, so many bits apart,
/// make as many words.
template <int bits, class Zip>
class JoinedRows {
  using Word = typename Zip::Word;

 public:
  static constexpr int kRows = 8 / bits, kWords = kRows;

  /// Codes become operands when these bits are turned.
  explicit JoinedRows(std::uint8_t turned) { std::memset(&turned_, turned, sizeof turned_); }

  QUANTA_ALWAYS_INLINE void read(const std::byte* codes, Index bit, Index apart, Word (&words)[kWords]) const {
    QUANTA_UNROLL for (int r = 0; r < kRows; ++r) {
      std::memcpy(&words[r], codes + usize(bit) / 8 + r * (apart / 8), sizeof(Word));
      words[r] = Zip::flip(words[r], turned_);
    }
    if constexpr (kRows > 1) simd::join_rows<bits, Zip>(words);
  }

 private:
  Word turned_;
};

/// Makes operands of codes that lack their signs yet, a byte each.
template <class Zip>
class UnsignedCodes {
  using Word = typename Zip::Word;

 public:
  /// An operand is the code, with its sign if it has one, and the shift, modulo 256.
  UnsignedCodes(int bits, bool is_signed, std::int32_t shift) {
    const int sign = is_signed ? 1 << (bits - 1) : 0;  // turned, it counts for more by as much
    std::memset(&turned_, sign, sizeof turned_);
    std::memset(&less_, sign - shift, sizeof less_);
  }

  QUANTA_ALWAYS_INLINE Word operands(Word codes) const { return Zip::sub(Zip::flip(codes, turned_), less_); }

 private:
  Word turned_, less_;
};

/// Reads words where operands are bytes, codes have 4 bits and rows begin with bytes.
template <class Zip>
class SpreadRow {
  using Word = typename Zip::Word;

 public:
  static constexpr int kRows = 1, kWords = 2;

  SpreadRow(bool is_signed, std::int32_t shift) : codes_(4, is_signed, shift) {}

  QUANTA_ALWAYS_INLINE void read(const std::byte* codes, Index bit, Index, Word (&words)[kWords]) const {
    Word row;
    std::memcpy(&row, codes + usize(bit) / 8, sizeof row);
    simd::spread_row<Zip>(row, words);
    QUANTA_UNROLL for (Word& word : words) word = codes_.operands(word);
  }

 private:
  UnsignedCodes<Zip> codes_;
};

/// Reads words of operands of `bits` from any codes, where rows begin anywhere.
template <int bits, class Zip, class Words>
class FieldRows {
  using Word = typename Zip::Word;

 public:
  static constexpr int kRows = 8 / bits, kWords = 1;
  static Index read_bytes(int code_bits) { return Words::read_bytes(code_bits); }

  FieldRows(int code_bits, bool is_signed, std::int32_t shift)
      : words_(code_bits), codes_(code_bits, is_signed, shift) {
    std::memset(&mask_, (1 << bits) - 1, sizeof mask_);
  }

  QUANTA_ALWAYS_INLINE void read(const std::byte* codes, Index bit, Index apart, Word (&words)[kWords]) const {
    words[0] = operands(codes, bit);
    if constexpr (kRows >= 2) words[0] = Zip::flip(words[0], Zip::template up<bits>(operands(codes, bit + apart)));
    if constexpr (kRows == 4) {
      words[0] = Zip::flip(words[0], Zip::template up<2 * bits>(operands(codes, bit + 2 * apart)));
      words[0] = Zip::flip(words[0], Zip::template up<3 * bits>(operands(codes, bit + 3 * apart)));
    }
  }

 private:
  QUANTA_ALWAYS_INLINE Word operands(const std::byte* codes, Index bit) const {
    const Word all = codes_.operands(words_.read(codes + usize(bit) / 8, usize(bit) % 8));
    return bits == 8 ? all : Zip::both(all, mask_);
  }

  Words words_;
  UnsignedCodes<Zip> codes_;
  Word mask_;
};

/// The same of Rows whose words are of a row's next operands, and only so many of them: zeros else.
template <class Rows, class Zip>
class FirstOfRows {
  using Word = typename Zip::Word;

 public:
  static constexpr int kRows = Rows::kRows, kWords = 1;

  FirstOfRows(const Rows& rows, Index count) : rows_(rows) {
    std::uint8_t mask[sizeof(Word)] = {};
    std::fill_n(mask, count, std::uint8_t{255});
    std::memcpy(&mask_, mask, sizeof mask_);
  }

  QUANTA_ALWAYS_INLINE void read(const std::byte* codes, Index bit, Index apart, Word (&words)[kWords]) const {
    rows_.read(codes, bit, apart, words);
    words[0] = Zip::both(words[0], mask_);
  }

 private:
  const Rows& rows_;
  Word mask_;
};

#if QUANTA_HAS_SSE2
template <int bits>
using NativeFieldRows = FieldRows<bits, simd::NativeSquare::Zip, simd::NativeFieldWords>;
#else
template <int bits>
struct NativeFieldRows {  // which nothing reads
  NativeFieldRows(int, bool, std::int32_t) {}
};
#endif

/// Columns with bytes of their own; those that share these are as many columns further on.
template <MicroKernel Kernel>
inline constexpr int kByteColumns = Kernel::kNr* kRhsBits<Kernel> / 8;
/// Squares that lie side by side in a line.
template <MicroKernel Kernel, class Square>
inline constexpr int kSquaresOfLine = [] {
  constexpr int side = std::min(Square::template kSide<Kernel::kKr>, kByteColumns<Kernel>);
  return std::clamp(int(kCacheLine / sizeof(typename Square::Word)), 1, kByteColumns<Kernel> / std::max(1, side));
}();
/// Are words as long as vectors, and blocks whole words, or half a word where squares have half as many rows, too?
template <MicroKernel Kernel, class Square = simd::NativeSquare>
inline constexpr bool kPacksLines = [] {
  constexpr int word = sizeof(typename Square::Word), side = Square::template kSide<Kernel::kKr>;
  return QUANTA_HAS_SSE2 && word == sizeof(typename simd::NativeLanes::I) && side * Kernel::kKr == word &&
         (kByteColumns<Kernel> % std::max(1, side * kSquaresOfLine<Kernel, Square>) == 0 ||
          (Square::kTurnsHalf && kByteColumns<Kernel> == side / 2));
}();

/// Packs lines of all rows of a panel: as many codes as are read together. Rows is one of the above.
template <MicroKernel Kernel, class Rows, class Square = simd::NativeSquare>
class LinePacker {
  using Word = typename Square::Word;
  using L = simd::NativeLanes;
  static constexpr int kKr = Kernel::kKr, kWords = Rows::kWords;  ///< of operands, that are made together
  static constexpr int kShared = kByteColumns<Kernel>, kSquares = kSquaresOfLine<Kernel, Square>;
  static constexpr int kSide = std::min(Square::template kSide<kKr>, kShared);
  static constexpr int kUnits = sizeof(Word) / kSide / kKr;  ///< of each row in a word that has been turned
  static constexpr int kLaneUnits = 16 / kKr;                ///< words are zipped lane by lane
  static constexpr Index kBlockBytes = Index{kShared} * kKr;

 public:
  static constexpr Index kSteps = Index{kWords} * Index{sizeof(Word)};            ///< of a line
  static constexpr Index kAtOnce = Index{Rows::kRows} * Index{kSquares} * kSide;  ///< lines

  /// Of a panel whose rows are so many bits apart in `codes`. `stream`: it passes by the caches.
  LinePacker(const Rows& rows, const std::byte* codes, Index row_bits, bool stream)
      : rows_(rows), codes_(codes), row_bits_(row_bits), stream_(stream) {}

  /// So many lines of every row, so many bits apart, the first row's at `bit`, to `panel`, the block of their first
  /// step. read() is called whenever kAtOnce of them have been read, add(line, byte, words) is told what the words at
  /// this byte of as many blocks are; where blocks are whole words.
  template <class Read, class Add>
  QUANTA_ALWAYS_INLINE void pack(Index bit, Index lines, Index apart, typename Kernel::Rhs* panel, const Read& read,
                                 const Add& add) const {
    const Index shared_bits = kShared * row_bits_;
    for (Index line = 0; line < lines; ++line, bit += apart, panel += kSteps / kKr * kBlockBytes) {
      Index at = bit;
      for (int column = 0; column < kShared; column += kSquares * kSide) {
        Word words[kWords][kSquares][kSide];
        QUANTA_UNROLL for (int s = 0; s < kSquares; ++s) {
          QUANTA_UNROLL for (int r = 0; r < kSide; ++r, at += row_bits_) {
            Word of_row[kWords];
            rows_.read(codes_, at, shared_bits, of_row);
            QUANTA_UNROLL for (int i = 0; i < kWords; ++i) words[i][s][r] = of_row[i];
          }
          QUANTA_UNROLL for (int i = 0; i < kWords; ++i) {
            Square::template turn<kKr>(words[i][s]);
            if constexpr (kUnits == 1) add(line, (column + s * kSide) * kKr, words[i][s]);
          }
        }
        read();
        QUANTA_UNROLL for (int i = 0; i < kWords; ++i)
            write(words[i], panel + i * kLaneUnits * kBlockBytes + column * kKr);
      }
    }
  }

 private:
  QUANTA_ALWAYS_INLINE void write(const Word (&words)[kSquares][kSide], typename Kernel::Rhs* to) const {
    const auto write_all = [&](auto write_one) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int i = 0; i < kSide; ++i) {
        const int u = i * kUnits, block = u / kLaneUnits * (kWords * kLaneUnits) + u % kLaneUnits;
        auto* const line = reinterpret_cast<std::int32_t*>(to + block * kBlockBytes);
        QUANTA_UNROLL for (int s = 0; s < kSquares; ++s) write_one(line + s * L::width, words[s][i]);
      }
    };
    if (stream_) return write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::stream_int(at, word); });
    write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::store_int(at, word); });
  }

  const Rows& rows_;
  const std::byte* codes_;
  Index row_bits_;
  bool stream_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
