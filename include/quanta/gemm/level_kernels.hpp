// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What is done with packed codes while they are floats: levels of a few panels are made in registers, and multiplied at
// once (one row of x), or laid out as a small block for the float tile (more rows). Two functions for each decoder;
// formats and granularities share them.
//
//   group by group:  acc = fma(x, level - zero point, acc) for each step, from 0;  sum = fma(acc, scale, sum)
#pragma once

#include <quanta/gemm/float_product.hpp>
#include <quanta/gemm/level_decoders.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Some steps of k of some panels. Rows of scales, and of the zero points' negatives (null where all are 0), are as
/// wide as a panel, one for each group; the first is that of step `first`. What steps share is in front. From a row of
/// codes to the panel's next it is so many bytes, from one of parameters so many floats.
template <int panels>
struct PanelSteps {
  Index first, last, group, codes_stride, params_stride;
  const std::byte* codes[panels];
  const float* scales[panels];
  const float* minus_zeros[panels];
};

/// Panels that are multiplied by one row at the same time: their sums are chains of fma, which wait for themselves. Of
/// those of four lanes CPUs start up to four in a cycle.
inline constexpr int kPanelsAtOnce = simd::NativeLanes::width == 4 ? 8 : 4;

struct LevelKernels {
  int bits;
  std::uint32_t flip;   ///< kHeldFlip
  const float* levels;  ///< kHeldLevels
  /// Both without zero points, and with them where the format has them.
  struct {
    /// To the sums of each panel, one after another, adds the scaled sums of whole groups (the last may end early).
    void (*multiply_row)(const float* levels, const PanelSteps<kPanelsAtOnce>&, const float* x, float* sums);
    /// Writes the levels of the panels of a float tile, zero points taken off, as that reads them.
    void (*decode)(const float* levels, const PanelSteps<FloatTile::kVectors>&, float* to);
  } plain, from_zeros;
};

/// Of format F, for this unit's lanes.
template <ValueFormat F>
constexpr LevelKernels make_level_kernels();
template <ValueFormat F>
inline constexpr LevelKernels kLevelKernels = make_level_kernels<F>();

// ---- bodies ----

/// Calls use(first, last, row) for all groups of the steps; `row` is where their parameters are.
template <int panels, class Use>
QUANTA_ALWAYS_INLINE void for_each_group(const PanelSteps<panels>& steps, Use use) {
  Index end = (steps.first / steps.group + 1) * steps.group, row = 0;
  for (Index k = steps.first; k < steps.last; k = end, end += steps.group, row += steps.params_stride) {
    use(k, std::min(end, steps.last), row);
  }
}

/// Calls use(k, p, level) for all steps of a group of every panel p, zero points taken off: see for_each_step.
template <class L, bool from_zeros, class D, int panels, class Use>
QUANTA_ALWAYS_INLINE void for_each_level(const D& decoder, const PanelSteps<panels>& steps, Index first, Index last,
                                         Index row, Use use) {
  using F = typename L::F;
  F minus_zero[panels];
  if constexpr (from_zeros) {
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) minus_zero[p] = L::load(steps.minus_zeros[p] + row);
  }
  for_each_step<L>(decoder, steps.codes, steps.codes_stride, first, last,
                   [&](Index k, int p, F level) QUANTA_INLINE_LAMBDA {
                     if constexpr (from_zeros) level = L::add_real(level, minus_zero[p]);
                     use(k, p, level);
                   });
}

template <class L, class D, bool from_zeros>
void multiply_row(const float* levels, const PanelSteps<kPanelsAtOnce>& steps, const float* x, float* sums) {
  using F = typename L::F;
  const D decoder(levels);
  F total[kPanelsAtOnce];
  QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) total[p] = L::load(sums + p * L::width);
  for_each_group(steps, [&](Index first, Index last, Index row) QUANTA_INLINE_LAMBDA {
    F acc[kPanelsAtOnce];
    QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) acc[p] = L::set(0.0f);
    for_each_level<L, from_zeros>(decoder, steps, first, last, row, [&](Index k, int p, F level) QUANTA_INLINE_LAMBDA {
      acc[p] = L::fma(L::broadcast(x + k), level, acc[p]);
      // With the levels of one panel after another registers suffice.
      if constexpr (DecodesWords<D>) acc[p] = in_order(acc[p]);
    });
    QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) {
      total[p] = L::fma(acc[p], L::load(steps.scales[p] + row), total[p]);
    }
  });
  QUANTA_UNROLL for (int p = 0; p < kPanelsAtOnce; ++p) L::store(sums + p * L::width, total[p]);
}

template <class L, class D, bool from_zeros>
void decode_panels(const float* levels, const PanelSteps<FloatTile::kVectors>& steps, float* to) {
  const D decoder(levels);
  for_each_group(steps, [&](Index first, Index last, Index row) QUANTA_INLINE_LAMBDA {
    for_each_level<L, from_zeros>(decoder, steps, first, last, row,
                                  [&](Index k, int p, const typename L::F& level) QUANTA_INLINE_LAMBDA {
                                    L::store(to + (k - steps.first) * FloatTile::kColumns + p * L::width, level);
                                  });
  });
}

template <ValueFormat F>
constexpr LevelKernels make_level_kernels() {
  using L = simd::NativeLanes;
  using D = DecoderOf<L, F>;
  LevelKernels kernels{F::bits, kHeldFlip<F>, kHeldLevels<F>, {}, {}};
  kernels.plain = {&multiply_row<L, D, false>, &decode_panels<L, D, false>};
  if constexpr (IntegerFormat<F>) kernels.from_zeros = {&multiply_row<L, D, true>, &decode_panels<L, D, true>};
  return kernels;
}

}  // namespace detail
QUANTA_NAMESPACE_END
