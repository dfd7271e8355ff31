// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From reals to codes whose levels are not integers: each is divided by its scale, and a coder makes a code of the
// quotient; and from codes to levels. The coders are FloatCodes (simd/float_codes.hpp), which does both, and
// NearestLevel; SixteenLevels and PowersOfTwo make levels.
#pragma once

#include <bit>
#include <type_traits>

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

/// Sixteen levels, by the low four bits of a code.
struct SixteenLevels {
  const float* levels;

  template <class L>
  typename L::F decode_lanes(typename L::I code) const {
    return L::lookup(L::load_table(levels), code);
  }
};

/// Code i, up to 254, stands for 2^(i - 127); 255 for infinity, which is no scale.
struct PowersOfTwo {
  template <class L>
  static typename L::F decode_lanes(typename L::I code) {
    // It is the exponent of a float; the lowest is a subnormal number.
    return L::from_bits(L::max_int(L::template shift_left<23>(code), L::set_int(1 << 22)));
  }
};

/// values[i] = what codes[i], a byte or a word without a sign, stands for. The two do not overlap.
template <class L = NativeLanes, class Coder, class Code>
void decode(const Code* codes, Index n, const Coder& coder, float* values);

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

namespace detail {

template <class L, class Coder, class Code>
QUANTA_ALWAYS_INLINE void decode_from(const Code* codes, Index first, Index last, const Coder& coder,
                                      float* QUANTA_RESTRICT values) {
  for (Index i = first; i < last; i += L::width) {
    typename L::I code;
    if constexpr (sizeof(Code) == 1) {
      code = L::load_bytes(codes + i);
    } else {
      code = L::load_words(codes + i);
    }
    L::store(values + i, coder.template decode_lanes<L>(code));
  }
}

}  // namespace detail

template <class L, class Coder, class Code>
void decode(const Code* codes, Index n, const Coder& coder, float* values) {
  static_assert(std::is_unsigned_v<Code> && sizeof(Code) <= 2);
  const Index whole = n - n % L::width;
  detail::decode_from<L>(codes, 0, whole, coder, values);
  if constexpr (L::width > 1) detail::decode_from<ScalarLanes>(codes, whole, n, coder, values);
}

}  // namespace simd
QUANTA_NAMESPACE_END
