// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Smallest and largest: of adjacent floats, and of the columns of adjacent rows. A value that is not finite is found in
// the same pass; which one it was is the caller's to look for. And are integers within a range?
#pragma once

#include <limits>

#include <quanta/core/types.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// What min_max found. min and max mean nothing unless all values are finite.
struct MinMax {
  float min = std::numeric_limits<float>::infinity();
  float max = -std::numeric_limits<float>::infinity();
  bool finite = true;
};

/// Smallest and largest of x[0, n); of none, +inf and -inf. The sign of a zero is not defined.
template <class L = NativeLanes>
MinMax min_max(const float* x, Index n);

/// Are all of x[0, n) in [low, high]? low is from -2^16 to 0, high from 0 to 2^16.
template <class L = NativeLanes>
bool all_within(const std::int32_t* x, Index n, std::int32_t low, std::int32_t high);

/// Lowers low[j] and raises high[j] to what column j of `rows` adjacent rows of x holds. Are all values finite? If not,
/// low and high mean nothing. The sign of a zero is not defined.
template <class L = NativeLanes>
bool min_max_columns(const float* x, Index rows, Index columns, float* low, float* high);

// ---- bodies ----

namespace detail {
inline constexpr std::int32_t kInfinityBits = 0x7f800000;
}  // namespace detail

template <class L>
MinMax min_max(const float* x, Index n) {
  constexpr int kChains = 4;  // hide the latency of min and max
  constexpr Index kStep = kChains * L::width;
  MinMax result;
  Index i = 0;
  if (n >= L::width) {
    typename L::F low[kChains], high[kChains];
    typename L::I bits[2];
    low[0] = high[0] = L::load(x);
    bits[0] = bits[1] = L::magnitude_bits(low[0]);
    QUANTA_UNROLL for (int c = 0; c < kChains - 1; ++c) low[c + 1] = high[c + 1] = low[0];
    const auto cover = [&](int c) QUANTA_INLINE_LAMBDA {
      const typename L::F v = L::load(x + i + c * L::width);
      low[c] = L::min(v, low[c]);
      high[c] = L::max(v, high[c]);
      bits[c % 2] = L::max_int(L::magnitude_bits(v), bits[c % 2]);
    };
    for (; i + kStep <= n; i += kStep) {
      QUANTA_UNROLL for (int c = 0; c < kChains; ++c) cover(c);
    }
    for (; i + L::width <= n; i += L::width) cover(0);
    if (i < n) {
      i = n - L::width;  // some values once more, which changes nothing
      cover(0);
      i = n;
    }
    result.min = L::reduce_min(L::min(L::min(low[0], low[1]), L::min(low[2], low[3])));
    result.max = L::reduce_max(L::max(L::max(high[0], high[1]), L::max(high[2], high[3])));
    result.finite = L::all_below(L::max_int(bits[0], bits[1]), detail::kInfinityBits);
  }
  for (; i < n; ++i) {
    result.min = ScalarLanes::min(x[i], result.min);
    result.max = ScalarLanes::max(x[i], result.max);
    result.finite = result.finite && fp::is_finite(x[i]);
  }
  return result;
}

template <class L>
bool all_within(const std::int32_t* x, Index n, std::int32_t low, std::int32_t high) {
  // One of v - low and high - v is negative where v is outside: neither wraps around to what is not.
  const typename L::I least = L::set_int(low), most = L::set_int(high);
  typename L::I outside = L::set_int(0);
  Index i = 0;
  for (; i + L::width <= n; i += L::width) {
    const typename L::I v = L::load_int(x + i);
    outside = L::or_int(outside, L::or_int(L::sub(v, least), L::sub(most, v)));
  }
  bool within = L::all_below(L::template shift_right<31>(outside), 1);
  for (; i < n; ++i) within = within && x[i] >= low && x[i] <= high;
  return within;
}

namespace detail {

/// The same for `rows` rows that are `stride` apart, as many as are worth one load of low and high; bits collects
/// magnitudes.
template <class L, int rows>
QUANTA_ALWAYS_INLINE void min_max_rows(const float* x, Index stride, Index columns, float* low, float* high,
                                       typename L::I& bits) {
  for (Index j = 0; j < columns; j += L::width) {
    typename L::F least = L::load(low + j), most = L::load(high + j);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      const typename L::F v = L::load(x + r * stride + j);
      least = L::min(v, least);
      most = L::max(v, most);
      bits = L::max_int(L::magnitude_bits(v), bits);
    }
    L::store(low + j, least);
    L::store(high + j, most);
  }
}

template <class L>
QUANTA_ALWAYS_INLINE bool min_max_block(const float* x, Index rows, Index stride, Index columns, float* low,
                                        float* high) {
  // Eight rows share a load of low and high. But rows that come from memory are best read one after the other, as the
  // hardware expects, where low and high stay in the first-level cache.
  const bool one_by_one = columns <= 1024 && rows * stride > (Index{1} << 18);
  typename L::I bits = L::set_int(0);
  Index r = 0;
  for (; !one_by_one && r + 8 <= rows; r += 8) min_max_rows<L, 8>(x + r * stride, stride, columns, low, high, bits);
  for (; !one_by_one && r + 4 <= rows; r += 4) min_max_rows<L, 4>(x + r * stride, stride, columns, low, high, bits);
  for (; r < rows; ++r) min_max_rows<L, 1>(x + r * stride, stride, columns, low, high, bits);
  return L::all_below(bits, kInfinityBits);
}

}  // namespace detail

template <class L>
bool min_max_columns(const float* x, Index rows, Index columns, float* low, float* high) {
  constexpr Index kBlock = 8192;  // low and high of that many columns stay in the second-level cache
  const Index whole = columns - columns % L::width;
  bool finite = true;
  for (Index j = 0; j < whole; j += kBlock) {
    const Index n = whole - j < kBlock ? whole - j : kBlock;
    finite = detail::min_max_block<L>(x + j, rows, columns, n, low + j, high + j) && finite;
  }
  if constexpr (L::width > 1) {
    if (whole < columns) {
      finite =
          detail::min_max_block<ScalarLanes>(x + whole, rows, columns, columns - whole, low + whole, high + whole) &&
          finite;
    }
  }
  return finite;
}

}  // namespace simd
QUANTA_NAMESPACE_END
