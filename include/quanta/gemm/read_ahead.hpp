// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Asking for codes, or what goes with them, before they are packed. Packing reads a little of every row of a panel in
// turn: from so many places that no CPU guesses which bytes come next. It is told, and in an order that memory likes: a
// stretch of one row after the other.
//
//   row 0   | first | 4th ...
//   row 1   | 2nd   |              of the last panel, then of that before it, and so on
//   row 2   | 3rd   |
//
// Panels go from the last to the first because of the memory they are written to. The system clears a large page when
// it is touched, from both ends towards that place: where it is the last, upwards, in less than half the time that
// downwards takes, and what is written next is in the caches then.
#pragma once

#include <algorithm>

#include <quanta/format/bits.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Stays a stretch of all rows of a panel ahead of who packs (n, k) codes, a stream as in format/bits.hpp: panels of
/// `rows` rows, the last panel first.
class ReadAhead {
 public:
  ReadAhead(const std::byte* codes, Index n, Index k, int bits, Index rows)
      : codes_(codes),
        n_(n),
        k_(k),
        rows_(rows),
        bits_(bits),
        row_bytes_(packed_size(k, bits)),
        end_(packed_size(n * k, bits)) {
    if (row_bytes_ <= kStretch) {  // a panel is as good as one row
      n_ = ceil_div(n, rows);
      k_ = rows * k;
      rows_ = 1;
      row_bytes_ = packed_size(k_, bits);
    }
    panel_ = end_ == 0 ? 0 : ceil_div(n_, rows_);
    row_ = n_;
    stretch_ = row_bytes_;
    advance(rows * kStretch);
  }

  /// So many bytes are packed next.
  void advance(Index bytes) {
    for (owed_ += bytes; owed_ > 0;) {
      if (at_ >= last_ && !next()) return;
      const Index count = std::min(ceil_div(owed_, kLine), ceil_div(last_ - at_, kLine)) * kLine;
      for (const std::byte *line = codes_ + at_, *const end = line + count; line < end; line += kLine) {
        QUANTA_PREFETCH_SOON(line);
      }
      at_ += count;
      owed_ -= count;
    }
  }

 private:
  static constexpr Index kLine = 64;
  /// Bytes of a row: of all rows they are more than first-level caches hold, and far less than second-level ones do.
  static constexpr Index kStretch = 1024;

  /// Goes to the next row, stretch or panel; false behind the last.
  bool next() {
    if (++row_ >= std::min((panel_ + 1) * rows_, n_)) {
      stretch_ += kStretch;
      if (stretch_ >= row_bytes_) {
        if (panel_ == 0) return false;
        --panel_;
        stretch_ = 0;
        touch_panel();
      }
      row_ = panel_ * rows_;
    }
    const Index begin = packed_size(row_ * k_, bits_);
    owed_ += at_ - last_;  // of the last line
    at_ = begin + stretch_;
    last_ = std::min(begin + std::min(stretch_ + kStretch, row_bytes_), end_);
    return at_ < last_;
  }

  /// Reads a byte here and there of a panel: pages of a mapped file come here when they are read for the first time,
  /// with their neighbours within 64 KB, and asking for what is not here yet does nothing.
  void touch_panel() const {
    constexpr Index kPages = 65536;
    const Index end = std::min(packed_size(std::min((panel_ + 1) * rows_, n_) * k_, bits_), end_);
    for (Index at = packed_size(panel_ * rows_ * k_, bits_); at < end; at += kPages) {
      static_cast<void>(*static_cast<const volatile std::byte*>(codes_ + at));
    }
  }

  const std::byte* codes_;
  Index n_, k_, rows_;
  int bits_;
  Index row_bytes_, end_;
  Index panel_, stretch_, row_;  ///< asked for last
  Index at_ = 0, last_ = 0;      ///< of its bytes
  Index owed_ = 0;               ///< bytes that are to be asked for
};

}  // namespace detail
QUANTA_NAMESPACE_END
