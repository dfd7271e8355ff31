// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What is done with packed codes while they are floats: weights of a few panels are made in registers, from levels and
// a row of scales for every group of k, and multiplied at once (one row of x), or laid out as a small block for the
// float tile (more rows). Two functions for each decoder; formats and granularities share them.
//
//   weight = scale * (level - zero point), saturated; one fma per term, k ascending
#pragma once

#include <quanta/gemm/level_decoders.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Some steps of k of some panels. Rows of scales, and of the zero points' negatives (null where all are 0), are as
/// wide as a panel, one for each group; the first is that of step `first`. What steps share is in front.
template <int panels>
struct PanelSteps {
  Index first, last, group;
  float limit;  ///< weights saturate here
  const std::byte* codes[panels];
  const float* scales[panels];
  const float* minus_zeros[panels];
};

/// Panels that are multiplied by one row at the same time: their sums are chains of fma, which wait for themselves.
inline constexpr int kPanelsAtOnce = 4;

struct LevelKernels {
  int bits;
  std::uint32_t flip;  ///< kHeldFlip
  HeldLevels levels;
  bool saturates;  ///< does multiply_row? Else weights must not reach the limit
  /// Both without zero points, and with them where the format has them.
  struct {
    /// To the sums of each panel, one after another, adds x times the weights; x[k * stride] is that of step k.
    void (*multiply_row)(const HeldLevels&, const PanelSteps<kPanelsAtOnce>&, const float* x, Index stride,
                         float* sums);
    /// Writes the weights of one panel, steps `stride` apart.
    void (*decode)(const HeldLevels&, const PanelSteps<1>&, float* to, Index stride);
  } plain, from_zeros;
};

/// Of format F, for this unit's lanes.
template <ValueFormat F>
constexpr LevelKernels make_level_kernels();
template <ValueFormat F>
inline constexpr LevelKernels kLevelKernels = make_level_kernels<F>();

// ---- bodies ----

/// Calls use(k, weights) for all steps in order; a vector of weights for each panel.
template <class L, class D, bool from_zeros, bool saturates, int panels, class Use>
QUANTA_ALWAYS_INLINE void for_each_weight(const HeldLevels& levels, const PanelSteps<panels>& steps, Use use) {
  using F = typename L::F;
  const D decoder(levels);
  const F limit = L::set(steps.limit), lowest = L::set(-steps.limit);
  Index end = (steps.first / steps.group + 1) * steps.group, row = 0;
  for (Index k = steps.first; k < steps.last; k = end, end += steps.group, row += L::width) {
    F scale[panels], less[panels];
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
      scale[p] = L::load(steps.scales[p] + row);
      less[p] = L::set(D::kShifted ? levels.lowest : 0.0f);
      if constexpr (from_zeros) {
        const F minus_zero = L::load(steps.minus_zeros[p] + row);
        less[p] = D::kShifted ? L::add_real(less[p], minus_zero) : minus_zero;
      }
    }
    const auto step = [&](Index i, const auto& codes) QUANTA_INLINE_LAMBDA {
      F weights[panels];
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
        weights[p] = decoder.level(codes[p]);
        if constexpr (D::kShifted || from_zeros) weights[p] = L::add_real(weights[p], less[p]);
        weights[p] = L::mul(weights[p], scale[p]);
        // In this order NaN stays.
        if constexpr (saturates) weights[p] = L::min(limit, L::max(lowest, weights[p]));
      }
      use(i, weights);
    };
    for_each_step<L, D>(steps.codes, k, std::min(end, steps.last), step);
  }
}

template <class L, class D, bool from_zeros>
void multiply_row(const HeldLevels& levels, const PanelSteps<kPanelsAtOnce>& steps, const float* x, Index stride,
                  float* sums) {
  typename L::F acc[kPanelsAtOnce];
  QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) acc[p] = L::load(sums + p * L::width);
  for_each_weight<L, D, from_zeros, D::kInfinite>(
      levels, steps, [&](Index k, const auto& weights) QUANTA_INLINE_LAMBDA {
        const typename L::F a = L::set(x[k * stride]);
        QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) acc[p] = L::fma(a, weights[p], acc[p]);
      });
  QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) L::store(sums + p * L::width, acc[p]);
}

template <class L, class D, bool from_zeros>
void decode_weights(const HeldLevels& levels, const PanelSteps<1>& steps, float* to, Index stride) {
  const auto write = [&](Index k, const auto& weights)
                         QUANTA_INLINE_LAMBDA { L::store(to + (k - steps.first) * stride, weights[0]); };
  for_each_weight<L, D, from_zeros, true>(levels, steps, write);
}

template <ValueFormat F>
constexpr LevelKernels make_level_kernels() {
  using L = simd::NativeLanes;
  using D = DecoderOf<L, F>;
  LevelKernels kernels{F::bits, kHeldFlip<F>, kLevelsOf<F>, D::kInfinite, {}, {}};
  kernels.plain = {&multiply_row<L, D, false>, &decode_weights<L, D, false>};
  if constexpr (IntegerFormat<F>) kernels.from_zeros = {&multiply_row<L, D, true>, &decode_weights<L, D, true>};
  return kernels;
}

}  // namespace detail
QUANTA_NAMESPACE_END
