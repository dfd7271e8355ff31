// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The index type, shapes, and small integer arithmetic on them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN

/// Signed, as Eigen's own.
using Index = Eigen::Index;

/// A size that is known only at run time, as a template argument (Eigen's own value).
inline constexpr int Dynamic = -1;

/// The number of dimensions a quantized tensor may have.
inline constexpr int kMaxRank = 5;

/// Extents, outermost first.
template <int rank>
using Shape = std::array<Index, static_cast<std::size_t>(rank)>;

/// A closed interval of real values. Valid when min <= max and both are finite.
struct Range {
  float min = 0.0f;  ///< the lower end
  float max = 0.0f;  ///< the upper end, not below min
};

/// The number of elements; an empty shape has one.
template <std::size_t rank>
constexpr Index element_count(const std::array<Index, rank>& shape) {
  Index n = 1;
  for (const Index extent : shape) n *= extent;
  return n;
}

/// No extent is negative, and the number of elements fits an Index 16 times over: sizes in bits or bytes cannot
/// overflow. `shape` is anything to loop over.
template <class Extents>
constexpr bool is_valid_shape(const Extents& shape) {
  Index n = 16;
  bool empty = false;
  for (const Index extent : shape) {
    if (extent < 0) return false;
    empty = empty || extent == 0;
  }
  for (const Index extent : shape) {
    if (!empty && extent > std::numeric_limits<Index>::max() / n) return false;
    n *= empty ? 1 : extent;
  }
  return true;
}

/// a / b rounded up, for a >= 0 and b > 0.
constexpr Index ceil_div(Index a, Index b) { return a / b + (a % b != 0 ? 1 : 0); }

/// The smallest multiple of b that is not below a.
constexpr Index round_up(Index a, Index b) { return ceil_div(a, b) * b; }

namespace detail {

/// T, as a type that depends on X: a template's code on it is compiled when the template is used, not where it stands.
template <class T, class X>
struct DependentOn {
  using type = T;
};
template <class T, class X>
using Lazy = typename DependentOn<T, X>::type;

}  // namespace detail

/// For indexing standard containers with an Index.
constexpr std::size_t usize(Index i) { return static_cast<std::size_t>(i); }

QUANTA_NAMESPACE_END
