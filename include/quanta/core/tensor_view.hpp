// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the library works on behind its public functions: a pointer, extents and strides. It owns nothing and knows
// nothing of Eigen. Elements are numbered in logical row-major order (the last index fastest) whatever the strides.
#pragma once

#include <algorithm>
#include <numeric>
#include <type_traits>
#include <utility>

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN

/// A pointer with a shape and strides. T may be const. Strides count elements and may be anything, 0 and negative
/// included.
template <class T, int rank>
class TensorView {
  static_assert(rank >= 1, "a view has at least one dimension");

 public:
  /// Of nothing: all extents are 0.
  TensorView() : shape_{}, strides_{} {}

  /// Dense, row-major.
  TensorView(T* data, const Shape<rank>& shape) : data_(data), shape_(shape) {
    Index stride = 1;
    for (int d = rank; d-- > 0;) {
      strides_[usize(d)] = stride;
      stride *= shape[usize(d)];
    }
  }

  /// A view of any storage order: element (i, j, ...) is at data[i * strides[0] + j * strides[1] + ...].
  TensorView(T* data, const Shape<rank>& shape, const Shape<rank>& strides)
      : data_(data), shape_(shape), strides_(strides) {}

  /// A view to read through.
  template <class U>
  requires std::is_same_v<const U, T> TensorView(const TensorView<U, rank>& other)  // NOLINT: implicit
      : data_(other.data()), shape_(other.shape()), strides_(other.strides()) {}

  T* data() const { return data_; }                         ///< the element at index (0, 0, ...)
  const Shape<rank>& shape() const { return shape_; }       ///< extents, outermost first
  const Shape<rank>& strides() const { return strides_; }   ///< of each dimension, in elements
  Index extent(int d) const { return shape_[usize(d)]; }    ///< of dimension d, 0 <= d < rank
  Index stride(int d) const { return strides_[usize(d)]; }  ///< of dimension d, in elements
  Index size() const { return element_count(shape_); }      ///< elements: the product of the extents

  /// Are the elements adjacent in logical order?
  bool is_dense() const {
    Index stride = 1;
    for (int d = rank; d-- > 0;) {
      if (shape_[usize(d)] != 1 && strides_[usize(d)] != stride) return false;
      stride *= shape_[usize(d)];
    }
    return true;
  }

  /// The elements [first, first + count) side by side: in place when the view is dense, else gathered into `scratch`,
  /// which has room for count.
  const T* read(Index first, Index count, std::remove_const_t<T>* scratch) const {
    if (is_dense()) return data_ + first;
    walk(first, count, [&](T* from, Index stride, Index n) {
      for (Index i = 0; i < n; ++i) scratch[i] = from[i * stride];
      scratch += n;
    });
    return scratch - count;
  }

  /// Writes the elements [first, first + count) from adjacent values.
  void write(Index first, Index count, const std::remove_const_t<T>* values) const requires(!std::is_const_v<T>) {
    walk(first, count, [&](T* to, Index stride, Index n) {
      for (Index i = 0; i < n; ++i) to[i * stride] = values[i];
      values += n;
    });
  }

 private:
  /// Calls f(pointer, stride, n) for the pieces of [first, first + count) that lie in one innermost line each.
  template <class F>
  void walk(Index first, Index count, F f) const {
    const Index line = shape_[rank - 1];
    while (count > 0) {
      const Index column = first % line;
      const Index n = std::min(count, line - column);
      Index rest = first / line;
      Index offset = column * strides_[rank - 1];
      for (int d = rank - 1; d-- > 0;) {
        offset += rest % shape_[usize(d)] * strides_[usize(d)];
        rest /= shape_[usize(d)];
      }
      f(data_ + offset, strides_[rank - 1], n);
      first += n;
      count -= n;
    }
  }

  T* data_ = nullptr;
  Shape<rank> shape_;
  Shape<rank> strides_;
};

namespace detail {

/// Where the elements of a matrix are, in bytes. Lines run along its shorter stride.
struct Footprint {
  Index element, line;   ///< widths
  Index inner, outer;    ///< from an element of a line to the next, and from line to line; 0 where there is one
  std::uintptr_t first;  ///< of all bytes

  template <class T>
  explicit Footprint(const TensorView<T, 2>& x) : element(sizeof(T)) {
    const auto step = [&](int d) { return x.extent(d) > 1 ? x.stride(d) * element : 0; };
    const auto size = [](Index v) { return v < 0 ? -v : v; };
    const int in = size(step(0)) < size(step(1)) && x.extent(0) > 1 ? 0 : 1;
    inner = size(step(in));
    outer = size(step(1 - in));
    line = (x.extent(in) - 1) * inner + element;
    // Of strides below 0 the first element is not the lowest.
    Index lowest = 0;
    for (int d = 0; d < 2; ++d) lowest += std::min<Index>(step(d), 0) * (x.extent(d) - 1);
    first = reinterpret_cast<std::uintptr_t>(x.data()) + static_cast<std::uintptr_t>(lowest);
  }
};

/// may_overlap of matrices that lie among each other.
template <class A, class B>
QUANTA_COLD bool may_share_bytes(const TensorView<A, 2>& a, const TensorView<B, 2>& b) {
  if (a.size() == 0 || b.size() == 0) return false;
  const Footprint x(a), y(b);
  // Is it so that in every period one has the first bytes, and the other some behind them?
  const auto apart = [&](Index period, Index of_x, Index of_y) {
    const Index step = x.first <= y.first ? static_cast<Index>(y.first - x.first) % period
                                          : period - 1 - static_cast<Index>(x.first - y.first - 1) % period;
    return of_x <= step && of_y <= period - step;
  };
  const Index common = std::gcd(std::gcd(x.inner, x.outer), std::gcd(y.inner, y.outer));
  if (common > 0 && apart(common, x.element, y.element)) return false;
  const Index lines = x.outer == 0 ? y.outer : x.outer;
  return lines == 0 || (y.outer != 0 && y.outer != lines) || !apart(lines, x.line, y.line);
}

/// May two matrices share memory? Always where they do; of those that do not, blocks of one matrix and others with the
/// same strides are known apart, and all that do not lie among each other.
template <class A, class B>
QUANTA_ALWAYS_INLINE bool may_overlap(const TensorView<A, 2>& a, const TensorView<B, 2>& b) {
  const auto bounds = [](const auto& x) {
    const Index down = (x.extent(0) - 1) * x.stride(0), right = (x.extent(1) - 1) * x.stride(1);
    const auto at = [&](Index element) {
      return reinterpret_cast<std::uintptr_t>(x.data()) + static_cast<std::uintptr_t>(element) * sizeof(*x.data());
    };
    const Index none = 0;
    if ((down | right) >= 0) return std::pair(at(0), at(down + right + 1));
    return std::pair(at(std::min(down, none) + std::min(right, none)),
                     at(std::max(down, none) + std::max(right, none) + 1));
  };
  const auto of_a = bounds(a), of_b = bounds(b);
  return of_a.first < of_b.second && of_b.first < of_a.second && may_share_bytes(a, b);
}

}  // namespace detail

QUANTA_NAMESPACE_END
