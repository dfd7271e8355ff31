// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Fake quantization backwards, element by element. y = scale * level, where u = x / scale, correctly rounded as when it
// was quantized, and level = round_half_even(clamp(u, low, high)) with low and high less the zero point.
//
//                        inside, low <= u <= high     below             above
//   dx                   dy                           0                 0
//   slope, dy/dscale     level - u                    low               high
//
// Rounding counts as the identity (the straight-through estimator), so level - u is what is left of a change of the
// scale: a float, rounded once.
#pragma once

#include <quanta/simd/quantize.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// dx[i] and slopes[i] of n adjacent elements, all of them finite.
template <class L = NativeLanes>
void straight_through(const float* x, const float* dy, Index n, const QuantizeStep& step, float* dx, float* slopes);

/// The same of `rows` adjacent rows, each column with its own step.
template <class L = NativeLanes>
void straight_through_columns(const float* x, const float* dy, Index rows, Index columns, const QuantizeColumns& steps,
                              float* dx, float* slopes);

// ---- bodies ----

namespace detail {

template <class L>
QUANTA_ALWAYS_INLINE void straight_through_vector(const float* x, const float* dy, typename L::F scale,
                                                  typename L::F low, typename L::F high, float* dx, float* slopes) {
  using F = typename L::F;
  using I = typename L::I;
  const F minus_one = L::set(-1.0f);
  const F u = L::div(L::load(x), scale);
  const F minus_u = L::mul(u, minus_one);
  const F minus_low = L::add_real(L::set(0.0f), L::mul(low, minus_one));  // never -0: u may be, and is not below 0
  const I below = L::sign_mask(L::add_real(u, minus_low));
  const I above = L::sign_mask(L::add_real(high, minus_u));
  const I inside = L::sub(L::set_int(-1), L::or_int(below, above));
  const F level = L::to_float(L::round(L::min(L::max(u, low), high)));
  L::store(dx, L::from_bits(L::and_int(inside, L::float_bits(L::load(dy)))));
  L::store(slopes, L::add_real(level, L::from_bits(L::and_int(inside, L::float_bits(minus_u)))));
}

template <class L>
QUANTA_ALWAYS_INLINE void straight_through_from(const float* x, const float* dy, Index first, Index last,
                                                const QuantizeStep& step, float* dx, float* slopes) {
  const SameStep<L> same(step);
  for (Index i = first; i < last; i += L::width) {
    straight_through_vector<L>(x + i, dy + i, same.scale(i), same.low(i), same.high(i), dx + i, slopes + i);
  }
}

template <class L>
QUANTA_ALWAYS_INLINE void straight_through_row(const float* x, const float* dy, Index first, Index last,
                                               const QuantizeColumns& steps, float* dx, float* slopes) {
  for (Index j = first; j < last; j += L::width) {
    const typename L::I zero_point = steps.zero_points != nullptr ? L::load_int(steps.zero_points + j) : L::set_int(0);
    const typename L::F low = L::to_float(L::sub(L::set_int(steps.low), zero_point));
    const typename L::F high = L::to_float(L::sub(L::set_int(steps.high), zero_point));
    straight_through_vector<L>(x + j, dy + j, L::load(steps.scales + j), low, high, dx + j, slopes + j);
  }
}

}  // namespace detail

template <class L>
void straight_through(const float* x, const float* dy, Index n, const QuantizeStep& step, float* dx, float* slopes) {
  const Index whole = n - n % L::width;
  detail::straight_through_from<L>(x, dy, 0, whole, step, dx, slopes);
  if constexpr (L::width > 1) detail::straight_through_from<ScalarLanes>(x, dy, whole, n, step, dx, slopes);
}

template <class L>
void straight_through_columns(const float* x, const float* dy, Index rows, Index columns, const QuantizeColumns& steps,
                              float* dx, float* slopes) {
  const Index whole = columns - columns % L::width;
  for (Index r = 0; r < rows; ++r) {
    const Index at = r * columns;
    detail::straight_through_row<L>(x + at, dy + at, 0, whole, steps, dx + at, slopes + at);
    if constexpr (L::width > 1) {
      detail::straight_through_row<ScalarLanes>(x + at, dy + at, whole, columns, steps, dx + at, slopes + at);
    }
  }
}

}  // namespace simd
QUANTA_NAMESPACE_END
