// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Will every result fit int32? Decided before any work, from the packed weights and the zero points alone, so that a
// product either is exact for all inputs or throws. The rule is the same on every instruction set.
//
// With x - zero_x in [lo, hi] (lo <= 0 <= hi) and P, N the sums of the positive and negative parts of a column's
// w - zero_w, results lie in [lo P - hi N, hi P - lo N], and both ends are reached.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The sums of the positive and of the negative (code - zero_point) of a column, or of one of its groups.
struct Extremes {
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  void cover(const Extremes& other) {
    positive = std::max(positive, other.positive);
    negative = std::max(negative, other.negative);
  }
};

/// Those of `steps` operands never exceed these, if they and their zero points are codes of so many bits.
constexpr Extremes extremes_of_any(Index steps, int bits) {
  const std::int64_t most = steps * ((std::int64_t{1} << bits) - 1);
  return {most, most};
}
/// Do such bounds leave an eighth of int32 for what is added to results, whatever the lhs of 8 bits?
constexpr bool fit_any_product(const Extremes& bounds) {
  return bounds.positive <= std::numeric_limits<std::int32_t>::max() / 8 * 7 / 255;
}

/// What is added to the results: to those of column c something from least_of[c] to most_of[c], in all from least to
/// most, 0 among them. Null: nothing.
struct AddedToColumns {
  const std::int32_t* least_of = nullptr;
  const std::int32_t* most_of = nullptr;
  std::int64_t least = 0, most = 0;
  const char* what = "";  ///< for the message

  static AddedToColumns between(const std::int32_t* least_of, const std::int32_t* most_of, Index n, const char* what) {
    AddedToColumns added{least_of, most_of, 0, 0, what};
    for (Index c = 0; c < n; ++c) {
      added.least = std::min<std::int64_t>(added.least, least_of[c]);
      added.most = std::max<std::int64_t>(added.most, most_of[c]);
    }
    return added;
  }
};

/// check_capacity of a product that comes near the bounds.
template <class Rhs>
QUANTA_COLD void check_capacity_closely(const char* where, const Rhs& rhs, std::int32_t min_code, std::int32_t max_code,
                                        std::int32_t min_zero, std::int32_t max_zero, bool per_group,
                                        const AddedToColumns& added) {
  constexpr std::int64_t lowest = std::numeric_limits<std::int32_t>::min();
  constexpr std::int64_t highest = std::numeric_limits<std::int32_t>::max();
  // The bounds are linear in the zero point: its ends are enough.
  const auto fits = [&](const Extremes& e, std::int64_t least, std::int64_t most) {
    for (const std::int64_t zero : {min_zero, max_zero}) {
      const std::int64_t hi = max_code - zero, lo = min_code - zero;
      if (hi * e.positive - lo * e.negative + most > highest) return false;
      if (lo * e.positive - hi * e.negative + least < lowest) return false;
    }
    return true;
  };
  // The largest P and the largest N may be of different columns: enough to accept, not to refuse.
  if (fits(per_group ? rhs.group_extremes() : rhs.column_extremes(), added.least, added.most)) return;
  const Index groups = rhs.layout().groups();
  for (Index c = 0; c < rhs.n(); ++c) {
    const std::int64_t least = added.least_of != nullptr ? added.least_of[c] : 0;
    const std::int64_t most = added.most_of != nullptr ? added.most_of[c] : 0;
    for (Index g = 0; g < (per_group ? groups : 1); ++g) {
      check(fits(rhs.extremes(c, g, per_group ? g + 1 : groups), least, most), where, ": the sum over k = ", rhs.k(),
            " for output ", c, added.what, " can leave int32 (lhs codes ", min_code, " to ", max_code, ", zero points ",
            min_zero, " to ", max_zero, "); use fewer inputs per product, or weights of fewer bits");
    }
  }
}

/// Throws Error when some column's result (or, per_group, some group's) can leave int32 for lhs codes in [min_code,
/// max_code] with zero points in [min_zero, max_zero]. `where` begins the message.
template <class Rhs>
QUANTA_ALWAYS_INLINE void check_capacity(const char* where, const Rhs& rhs, std::int32_t min_code,
                                         std::int32_t max_code, std::int32_t min_zero, std::int32_t max_zero,
                                         bool per_group = false, const AddedToColumns& added = {}) {
  // Hardly any product comes near: where zero points are codes, no x - zero_x is larger than this.
  const Extremes& e = per_group ? rhs.group_extremes() : rhs.column_extremes();
  const std::int64_t largest = std::int64_t{std::max(max_code, max_zero)} - std::min(min_code, min_zero);
  const std::int64_t most_added = std::max(added.most, -added.least);
  if (largest * (e.positive + e.negative) + most_added <= std::numeric_limits<std::int32_t>::max()) return;
  check_capacity_closely(where, rhs, min_code, max_code, min_zero, max_zero, per_group, added);
}

}  // namespace detail
QUANTA_NAMESPACE_END
