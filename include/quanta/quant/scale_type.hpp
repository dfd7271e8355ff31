// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How scales are held. Without a word they are float32. WithScales<G, S> holds those of granularity G as codes of the
// format S, and in one of two ways also scales of their own for them:
//
//   scale = level                             one level: S covers the range (Fp16, Bf16, E8M0)
//   scale = fma(outer, level, mean)           two levels: `outer` is a float32 for all scales or for some neighbours,
//                                             `mean` that of all scales where they are centered, else 0
//
// Scales are rounded up, to the smallest that can be held: where one were rounded down, the largest values of its group
// would be clipped.
#pragma once

#include <quanta/format/floating.hpp>
#include <quanta/format/scale_formats.hpp>
#include <quanta/quant/granularity.hpp>

QUANTA_NAMESPACE_BEGIN

/// Of WithScales: no outer scale, the codes are the scales.
inline constexpr int kNoScales = 0;
/// Of WithScales: all scales of a tensor share one outer scale.
inline constexpr int kAllScales = -1;

/// The granularity G whose scales are codes of S. `shared` neighbouring scales have an outer scale, or kAllScales of
/// them; centered (of codebooks alone): their mean is taken off first.
template <Granularity G, RealFormat S, int shared = kNoScales, bool centered = false>
struct WithScales : G {
  static_assert(shared >= kAllScales, "quanta: WithScales: shared is at least 1, kNoScales or kAllScales");
  static_assert(!centered || (CodebookFormat<S> && shared != kNoScales),
                "quanta: WithScales: scales that are centered are codes of a codebook, with an outer scale");
  using ScaleFormat = S;  ///< what scales are codes of
  using G::G;

  /// That of G, with the type of its scales.
  GranularityInfo info() const {
    GranularityInfo result = G::info();
    result.scales = {S::name, shared, centered};
    return result;
  }
};

/// QLoRA's double quantization: scales less their mean in 8 bits, 256 of which share a float32.
template <Granularity G>
using DoubleQuantized = WithScales<G, Dynamic8, 256, true>;

namespace detail {

/// Has a granularity scales that are codes, and do those have outer scales?
template <class G>
inline constexpr bool has_narrow_scales = requires {
  typename G::ScaleFormat;
};
template <class G>
inline constexpr bool has_outer_scales = false;
template <class G, class S, int shared, bool centered>
inline constexpr bool has_outer_scales<WithScales<G, S, shared, centered>> = shared != kNoScales;

}  // namespace detail
QUANTA_NAMESPACE_END
