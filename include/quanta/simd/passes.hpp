// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Passes over adjacent floats, each written once over a lane type. What is left of a vector at the end runs through
// ScalarLanes, whose results are the same bits.
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

  void merge(const MinMax& other) {
    min = ScalarLanes::min(other.min, min);
    max = ScalarLanes::max(other.max, max);
    finite = finite && other.finite;
  }
};

/// Smallest and largest of x[0, n); of none, +inf and -inf. The sign of a zero is not defined.
template <class L = NativeLanes>
MinMax min_max(const float* x, Index n);

/// How reals become codes: code = clamp(round_half_even(x / scale) + zero_point, low, high), NaN -> zero_point.
/// low <= zero_point <= high, all within 17 bits.
struct QuantizeStep {
  float scale;
  std::int32_t zero_point;
  std::int32_t low;
  std::int32_t high;
};

/// codes[i] = the code of x[i]. `Code` holds every integer of [low, high].
template <class L = NativeLanes, class Code>
void quantize(const float* x, Index n, const QuantizeStep& step, Code* codes);

/// Where each of n finite values is counted in a sketch (calib/sketch.hpp): its leading bits, the magnitude without its
/// low `shift` bits, minus base, plus `spare`; or, below that, one of the first `spare` slots (a power of two, at most
/// 8) in turn. Values that are not negative come `half` slots later. Returns how many are not zero.
template <int shift, int spare, class L = NativeLanes>
Index sketch_slots(const float* x, Index n, std::int32_t base, std::int32_t half, std::int32_t* slots);

/// x[i] = max(x[i], 0); NaN stays NaN and -0 becomes +0.
template <class L = NativeLanes>
void relu(float* x, Index n);

/// values[i] becomes scale * (values[i] - zero), saturated to +-FLT_MAX: from levels to reals.
template <class L = NativeLanes>
void scale_levels(float* values, Index n, float scale, float zero);

// ---- bodies ----

template <class L>
MinMax min_max(const float* x, Index n) {
  constexpr std::int32_t kInfinityBits = 0x7f800000;
  MinMax result;
  Index i = 0;
  if (n >= 2 * L::width) {
    // Two chains hide the latency of min and max.
    typename L::F low0 = L::load(x), low1 = L::load(x + L::width);
    typename L::F high0 = low0, high1 = low1;
    typename L::I bits0 = L::magnitude_bits(low0), bits1 = L::magnitude_bits(low1);
    for (i = 2 * L::width; i + 2 * L::width <= n; i += 2 * L::width) {
      const typename L::F a = L::load(x + i), b = L::load(x + i + L::width);
      low0 = L::min(a, low0);
      low1 = L::min(b, low1);
      high0 = L::max(a, high0);
      high1 = L::max(b, high1);
      bits0 = L::max_int(L::magnitude_bits(a), bits0);
      bits1 = L::max_int(L::magnitude_bits(b), bits1);
    }
    result.min = L::reduce_min(L::min(low0, low1));
    result.max = L::reduce_max(L::max(high0, high1));
    result.finite = L::reduce_max_int(L::max_int(bits0, bits1)) < kInfinityBits;
  }
  for (; i < n; ++i) {
    result.min = ScalarLanes::min(x[i], result.min);
    result.max = ScalarLanes::max(x[i], result.max);
    result.finite = result.finite && fp::is_finite(x[i]);
  }
  return result;
}

namespace detail {
template <class L, class Code>
QUANTA_ALWAYS_INLINE void quantize_from(const float* x, Index first, Index last, const QuantizeStep& step,
                                        Code* codes) {
  const typename L::F scale = L::set(step.scale);
  // Clamped before the conversion, so that no float outside int32 is ever converted. The bounds are integers: to clamp
  // and then round is to round and then clamp.
  const typename L::F low = L::set(static_cast<float>(step.low - step.zero_point));
  const typename L::F high = L::set(static_cast<float>(step.high - step.zero_point));
  const typename L::I zero_point = L::set_int(step.zero_point);
  for (Index i = first; i < last; i += L::width) {
    const typename L::F real = L::nan_to_zero(L::div(L::load(x + i), scale));
    const typename L::I code = L::round(L::min(L::max(real, low), high));
    L::store_narrow(codes + i, L::add(code, zero_point));
  }
}
}  // namespace detail

template <class L, class Code>
void quantize(const float* x, Index n, const QuantizeStep& step, Code* codes) {
  const Index whole = n - n % L::width;
  detail::quantize_from<L>(x, 0, whole, step, codes);
  if constexpr (L::width > 1) detail::quantize_from<ScalarLanes>(x, whole, n, step, codes);
}

namespace detail {
template <int shift, int spare, class L>
QUANTA_ALWAYS_INLINE Index sketch_slots_from(const float* x, Index first, Index last, std::int32_t base,
                                             std::int32_t half, std::int32_t* slots) {
  alignas(64) std::int32_t turn[16];  // which spare slot each lane uses
  for (int i = 0; i < 16; ++i) turn[i] = i % spare;
  const typename L::I one = L::set_int(1), offset = L::set_int(spare - base);
  const typename L::I positive = L::set_int(half), to_negative = L::set_int(-half);
  typename L::I least = L::load_int(turn), seen = L::set_int(0);
  for (Index i = first; i < last; i += L::width) {
    const typename L::F v = L::load(x + i);
    const typename L::I magnitude = L::magnitude_bits(v);
    seen = L::add(seen, L::min_int(magnitude, one));
    if constexpr (L::width < spare) least = L::load_int(turn + i % spare);
    const typename L::I slot = L::max_int(L::add(L::template shift_right<shift>(magnitude), offset), least);
    L::store_int(slots + i, L::add(slot, L::add(positive, L::and_int(L::sign_mask(v), to_negative))));
  }
  alignas(64) std::int32_t lanes[16] = {};
  L::store_int(lanes, seen);
  Index count = 0;
  for (const std::int32_t lane : lanes) count += lane;
  return count;
}
}  // namespace detail

template <int shift, int spare, class L>
Index sketch_slots(const float* x, Index n, std::int32_t base, std::int32_t half, std::int32_t* slots) {
  static_assert(spare >= 1 && spare <= 8 && (spare & (spare - 1)) == 0);
  const Index whole = n - n % L::width;
  Index nonzero = detail::sketch_slots_from<shift, spare, L>(x, 0, whole, base, half, slots);
  if constexpr (L::width > 1)
    nonzero += detail::sketch_slots_from<shift, spare, ScalarLanes>(x, whole, n, base, half, slots);
  return nonzero;
}

namespace detail {
template <class L>
QUANTA_ALWAYS_INLINE void scale_levels_from(float* values, Index first, Index last, float scale, float zero) {
  const typename L::F high = L::set(fp::kMaxFloat), low = L::set(-fp::kMaxFloat);
  for (Index i = first; i < last; i += L::width) {
    const typename L::F real = L::mul(L::add_real(L::load(values + i), L::set(-zero)), L::set(scale));
    L::store(values + i, L::min(L::max(real, low), high));
  }
}
}  // namespace detail

template <class L>
void scale_levels(float* values, Index n, float scale, float zero) {
  const Index whole = n - n % L::width;
  detail::scale_levels_from<L>(values, 0, whole, scale, zero);
  if constexpr (L::width > 1) detail::scale_levels_from<ScalarLanes>(values, whole, n, scale, zero);
}

namespace detail {
template <class L>
QUANTA_ALWAYS_INLINE void relu_from(float* x, Index first, Index last) {
  const typename L::F zero = L::set(0.0f);
  for (Index i = first; i < last; i += L::width) L::store(x + i, L::add_real(L::max(zero, L::load(x + i)), zero));
}
}  // namespace detail

template <class L>
void relu(float* x, Index n) {
  const Index whole = n - n % L::width;
  detail::relu_from<L>(x, 0, whole);
  if constexpr (L::width > 1) detail::relu_from<ScalarLanes>(x, whole, n);
}

}  // namespace simd
QUANTA_NAMESPACE_END
