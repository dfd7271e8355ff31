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

/// Packs lines of all rows of a panel, kSteps steps each, for kernels with blocks of whole lines, where kThere.
template <MicroKernel Kernel, class Square = simd::NativeSquare>
class LinePacker {
  using Word = typename Square::Word;
  using L = simd::NativeLanes;
  static constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr, kBits = kRhsBits<Kernel>, kInAByte = 8 / kBits;
  static constexpr int kSide = std::max(1, Square::template kSide<kKr>);
  static constexpr int kShared = kNr / kInAByte;  ///< columns with bytes of their own
  static constexpr int kLaneUnits = 16 / kKr;     ///< words are joined lane by lane
  static constexpr Index kLine = kCacheLine, kBlockBytes = Index{kShared} * kKr;

 public:
  static constexpr bool kThere = sizeof(Word) == kCacheLine && sizeof(typename L::I) == kCacheLine &&
                                 kSide * kKr == int(sizeof(Word)) && kShared % kSide == 0;
  static constexpr Index kSteps = kLine * kInAByte;

  /// Rows are so many bytes long, and codes become operands when their bits are turned where those of `turned` are set.
  /// `stream`: panels pass by the caches.
  LinePacker(Index row_bytes, std::uint8_t turned, bool stream)
      : row_bytes_(row_bytes), stream_(stream), turns_(turned != 0) {
    std::memset(&turned_, turned, sizeof turned_);
  }

  /// `rows` are the first row's lines, so many, and `panel` the block of its first step. read(bytes) is told what has
  /// been read, add(byte, words) what the words at this byte of kSide blocks are.
  template <class Read, class Add>
  QUANTA_ALWAYS_INLINE void pack(const std::byte* rows, Index lines, typename Kernel::Rhs* panel, const Read& read,
                                 const Add& add) const {
    for (Index line = 0; line < lines; ++line, rows += kLine, panel += kSteps / kKr * kBlockBytes) {
      for (int column = 0; column < kShared; column += kSide) {
        Word words[kInAByte][kSide];
        const std::byte* row = rows + column * row_bytes_;
        QUANTA_UNROLL for (int r = 0; r < kSide; ++r, row += row_bytes_) {
          Word joined[kInAByte];
          QUANTA_UNROLL for (int part = 0; part < kInAByte; ++part) {
            std::memcpy(&joined[part], row + part * kShared * row_bytes_, sizeof(Word));
          }
          if constexpr (kInAByte > 1) simd::join_rows<kBits, typename Square::Zip>(joined);
          QUANTA_UNROLL for (int part = 0; part < kInAByte; ++part) words[part][r] = joined[part];
        }
        read(Index{kSide} * kInAByte * kLine);
        QUANTA_UNROLL for (int part = 0; part < kInAByte; ++part) {
          Square::template turn<kKr>(words[part]);
          if (turns_) {
            QUANTA_UNROLL for (int u = 0; u < kSide; ++u) words[part][u] = Square::Zip::flip(words[part][u], turned_);
          }
          write(words[part], panel + part * kLaneUnits * kBlockBytes + column * kKr);
          add(column * kKr, words[part]);
        }
      }
    }
  }

 private:
  QUANTA_ALWAYS_INLINE void write(const Word (&words)[kSide], typename Kernel::Rhs* to) const {
    const auto write_all = [&](auto write_one) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int u = 0; u < kSide; ++u) {
        const int block = u / kLaneUnits * (kInAByte * kLaneUnits) + u % kLaneUnits;
        write_one(reinterpret_cast<std::int32_t*>(to + block * kBlockBytes), words[u]);
      }
    };
    if (stream_) return write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::stream_int(at, word); });
    write_all([](std::int32_t* at, Word word) QUANTA_INLINE_LAMBDA { L::store_int(at, word); });
  }

  Index row_bytes_;
  bool stream_, turns_;
  Word turned_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
