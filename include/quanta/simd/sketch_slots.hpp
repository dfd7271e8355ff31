// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which counter of a sketch a float belongs to, for adjacent floats.
#pragma once

#include <quanta/core/types.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// Where each of n finite values is counted in a sketch (calib/sketch.hpp): its leading bits, the magnitude without its
/// low `shift` bits, minus base, plus `spare`; or, below that, one of the first `spare` slots (a power of two, at most
/// 8) in turn. Values that are not negative come `half` slots later. Returns how many are not zero.
template <int shift, int spare, class L = NativeLanes>
Index sketch_slots(const float* x, Index n, std::int32_t base, std::int32_t half, std::int32_t* slots);

// ---- bodies ----

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

}  // namespace simd
QUANTA_NAMESPACE_END
