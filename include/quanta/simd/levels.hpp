// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From reals to codes whose levels are not integers: each is divided by its scale, and a coder makes a code of the
// quotient. The coders are FloatCodes (simd/float_codes.hpp) and NearestLevel.
#pragma once

#include <bit>

#include <quanta/core/types.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// Which of size + 1 intervals a real lies in: the number of limits, ascending, that are not above it. NaN counts as 0.
/// Few limits are all compared with, many are searched.
template <int size>
struct NearestLevel {
  float limits[size];

  template <class L>
  typename L::I encode(typename L::F v) const;
};

/// codes[i] = the code of x[i] / scale. Code has room for every code. The two do not overlap.
template <class L = NativeLanes, class Coder, class Code>
void encode(const float* x, Index n, float scale, const Coder& coder, Code* codes);

/// The same of `rows` adjacent rows, each column with its own scale.
template <class L = NativeLanes, class Coder, class Code>
void encode_columns(const float* x, Index rows, Index columns, const float* scales, const Coder& coder, Code* codes);

/// values[i] = what the word codes[i] stands for in a floating format of 16 bits.
template <class Words, class L = NativeLanes>
void decode_words(const std::uint16_t* codes, Index n, float* values);

// ---- bodies ----

template <int size>
template <class L>
typename L::I NearestLevel<size>::encode(typename L::F v) const {
  v = L::nan_to_zero(v);
  if constexpr (L::width > 1 && size <= 32) {
    typename L::I count = L::set_int(0);
    QUANTA_UNROLL for (int i = 0; i < size; ++i) count = L::count_at_least(count, v, L::set(limits[i]));
    return count;
  } else {
    // Which 16 limits to look at is counted, where lanes compare at once; then half of what is left is left out again
    // and again. Beyond the last limit there is more of the same: that counts too much where nothing is above v.
    typename L::I count = L::set_int(0);
    int step = int(std::bit_floor(unsigned{size}));
    if constexpr (L::width > 1) {
      for (int i = 15; i < size; i += 16) count = L::count_at_least(count, v, L::set(limits[i]));
      count = L::template shift_left<4>(count);
      step = 8;
    }
    for (; step > 0; step /= 2) {
      const typename L::I next = L::add(count, L::set_int(step));
      const typename L::I at = L::min_int(L::add(next, L::set_int(-1)), L::set_int(size - 1));
      const typename L::I is_below = L::count_at_least(L::set_int(-1), v, L::gather(limits, at));
      count = L::sub(next, L::and_int(is_below, L::set_int(step)));
    }
    return L::min_int(count, L::set_int(size));
  }
}

namespace detail {

template <class L, class Coder, class Code>
QUANTA_ALWAYS_INLINE void encode_from(const float* x, Index first, Index last, float scale, const Coder& coder,
                                      Code* codes) {
  if (scale == 1.0f) {  // what dividing by 1 gives
    for (Index i = first; i < last; i += L::width) {
      L::store_narrow(codes + i, coder.template encode<L>(L::load(x + i)));
    }
    return;
  }
  for (Index i = first; i < last; i += L::width) {
    L::store_narrow(codes + i, coder.template encode<L>(L::div(L::load(x + i), L::set(scale))));
  }
}

template <class L, class Coder, class Code>
QUANTA_ALWAYS_INLINE void encode_row(const float* x, Index first, Index last, const float* scales, const Coder& coder,
                                     Code* codes) {
  for (Index i = first; i < last; i += L::width) {
    L::store_narrow(codes + i, coder.template encode<L>(L::div(L::load(x + i), L::load(scales + i))));
  }
}

}  // namespace detail

template <class L, class Coder, class Code>
void encode(const float* x, Index n, float scale, const Coder& coder, Code* codes) {
  const Index whole = n - n % L::width;
  detail::encode_from<L>(x, 0, whole, scale, coder, codes);
  if constexpr (L::width > 1) detail::encode_from<ScalarLanes>(x, whole, n, scale, coder, codes);
}

template <class L, class Coder, class Code>
void encode_columns(const float* x, Index rows, Index columns, const float* scales, const Coder& coder, Code* codes) {
  const Index whole = columns - columns % L::width;
  for (Index r = 0; r < rows; ++r, x += columns, codes += columns) {
    detail::encode_row<L>(x, 0, whole, scales, coder, codes);
    if constexpr (L::width > 1) detail::encode_row<ScalarLanes>(x, whole, columns, scales, coder, codes);
  }
}

template <class Words, class L>
void decode_words(const std::uint16_t* codes, Index n, float* values) {
  const Index whole = n - n % L::width;
  for (Index i = 0; i < whole; i += L::width) {
    L::store(values + i, Words::template decode_lanes<L>(L::load_words(codes + i)));
  }
  for (Index i = whole; i < n; ++i) values[i] = Words::decode(codes[i]);
}

}  // namespace simd
QUANTA_NAMESPACE_END
