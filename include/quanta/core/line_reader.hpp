// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reads a view from beginning to end in logical order. Where the elements of a line lie far apart, as in a column-major
// matrix, those of neighbouring lines are what lies together: so it gathers several lines at a time.
#pragma once

#include <algorithm>

#include <quanta/core/buffer.hpp>
#include <quanta/core/tensor_view.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class T, int rank>
class LineReader {
 public:
  /// The view must outlive the reader.
  explicit LineReader(const TensorView<const T, rank>& view) : view_(view) {}

  /// The elements [first, first + count) side by side, until the next call: in place when the view is dense, else
  /// copied. Fast when pieces follow one another.
  const T* read(Index first, Index count) {
    if (view_.is_dense()) return view_.data() + first;
    const Index line = view_.extent(rank - 1), lines = view_.size() / std::max<Index>(line, 1);
    if (count == 0 || view_.stride(rank - 1) == 1 || lines == 1) return view_.read(first, count, lines_.reserve(count));
    if (first < begin_ || first + count > end_) {
      const Index first_line = first / line;
      const Index last_line = std::max(ceil_div(first + count, line), std::min(first_line + kLines, lines));
      gather(first_line, last_line);
    }
    return lines_.data() + (first - begin_);
  }

 private:
  /// A line of the cache holds 16 floats: so many neighbours are read at once.
  static constexpr Index kLines = 64, kColumns = 16;

  void gather(Index first_line, Index last_line) {
    const Index line = view_.extent(rank - 1), stride = view_.stride(rank - 1), lines = last_line - first_line;
    T* const to = lines_.reserve(lines * line);
    const T** const starts = starts_.reserve(lines);
    for (Index l = 0; l < lines; ++l) {
      Index rest = first_line + l, offset = 0;
      for (int d = rank - 1; d-- > 0;) {
        offset += rest % view_.extent(d) * view_.stride(d);
        rest /= view_.extent(d);
      }
      starts[l] = view_.data() + offset;
    }
    // By way of a small tile: written one by one, the elements of a column would all go to the same sets of the cache
    // where lines are a power of two long.
    T tile[kColumns][kLines];
    for (Index first = 0; first < lines; first += kLines) {
      const Index height = std::min(kLines, lines - first);
      for (Index column = 0; column < line; column += kColumns) {
        const Index width = std::min(kColumns, line - column);
        for (Index c = 0; c < width; ++c) {
          for (Index l = 0; l < height; ++l) tile[c][l] = starts[first + l][(column + c) * stride];
        }
        for (Index l = 0; l < height; ++l) {
          for (Index c = 0; c < width; ++c) to[(first + l) * line + column + c] = tile[c][l];
        }
      }
    }
    begin_ = first_line * line;
    end_ = last_line * line;
  }

  const TensorView<const T, rank>& view_;
  Buffer<T> lines_;
  Buffer<const T*> starts_;
  Index begin_ = 0, end_ = 0;  ///< the elements that lines_ holds
};

}  // namespace detail
QUANTA_NAMESPACE_END
