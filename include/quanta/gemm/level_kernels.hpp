// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What is done with packed codes while they are floats: levels of a few panels are made in registers, and multiplied at
// once (one row of x), or laid out as a small block for the float tile (more rows). Two functions for each decoder;
// formats and granularities share them.
//
//   group by group:  acc = fma(x, level - zero point, acc) for each step, from 0;  sum = fma(acc, scale, sum)
#pragma once

#include <quanta/gemm/float_product.hpp>
#include <quanta/gemm/level_steps.hpp>

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

/// Panels that are multiplied by one row at the same time: their sums are chains of fma, which wait four cycles for
/// themselves, and CPUs start two or more in a cycle. Beside levels in the making, 16 registers of eight lanes hold
/// four.
inline constexpr int kPanelsAtOnce = simd::NativeLanes::width == 8 ? 4 : 8;

/// Fewer than a whole float tile. Lanes of four have registers for tiles that do well with two rows.
inline constexpr int kMostFewRows = simd::NativeLanes::width >= 8 ? FloatTile::kRows - 1 : 1;

struct LevelKernels {
  struct Functions {
    /// To the sums of each panel, one after another, adds the scaled sums of whole groups (the last may end early).
    template <int panels>
    using MultiplyRow = void (*)(const float* levels, const PanelSteps<panels>&, const float* x, float* sums);
    MultiplyRow<kPanelsAtOnce> multiply_row_by_all;
    MultiplyRow<kPanelsAtOnce / 2> multiply_row_by_half;  ///< where there are no more panels
    template <int panels>
    MultiplyRow<panels> multiply_row() const {
      if constexpr (panels == kPanelsAtOnce) return multiply_row_by_all;
      if constexpr (panels == kPanelsAtOnce / 2) return multiply_row_by_half;
    }
    /// Writes the levels of the panels of a float tile, zero points taken off, as that reads them.
    void (*decode)(const float* levels, const PanelSteps<FloatTile::kVectors>&, float* to);
    /// Making levels anew for each of so many rows of x takes less time than laying them out once: at least 1, and at
    /// most kMostFewRows.
    int few_rows;
  };
  int bits;
  std::uint32_t flip;    ///< kHeldFlip
  const float* levels;   ///< kHeldLevels
  Functions plain;       ///< without zero points
  Functions from_zeros;  ///< with them, where the format has them
  /// Quicker than plain, where no code of 8 bits is beyond `last_finite` but for its highest bit; if there are such.
  Functions finite;
  std::uint8_t last_finite;

  /// Those for these codes, a stream as in format/bits.hpp.
  QUANTA_LAZY const Functions& pick(const std::byte* codes, Index count, bool has_zero_points) const;
};

/// Of format F, for this unit's lanes.
template <ValueFormat F>
constexpr LevelKernels make_level_kernels();
template <ValueFormat F>
inline constexpr LevelKernels kLevelKernels = make_level_kernels<F>();

// ---- bodies ----

QUANTA_LAZY_BODY const LevelKernels::Functions& LevelKernels::pick(const std::byte* codes, Index count,
                                                                   bool has_zero_points) const {
  if (has_zero_points) return from_zeros;
  if (finite.multiply_row_by_all == nullptr) return plain;
  constexpr Index kPiece = 4096;
  for (Index first = 0; first < count; first += kPiece) {
    const Index last = std::min(first + kPiece, count);
    int worst = 0;
    QUANTA_VECTORIZE_LOOP
    for (Index i = first; i < last; ++i) worst = std::max(worst, std::to_integer<int>(codes[i]) & 0x7f);
    if (worst > last_finite) return plain;
  }
  return finite;
}

/// Calls use(first, last, row) for all groups of the steps; `row` is where their parameters are.
template <int panels, class Use>
QUANTA_ALWAYS_INLINE void for_each_group(const PanelSteps<panels>& steps, Use use) {
  Index end = (steps.first / steps.group + 1) * steps.group, row = 0;
  for (Index k = steps.first; k < steps.last; k = end, end += steps.group, row += steps.params_stride) {
    use(k, std::min(end, steps.last), row);
  }
}

/// Calls use(k, p, level) for all steps of a group of every panel p, zero points taken off: see for_each_step, or,
/// where they are whole words, for_each_word.
template <class L, bool from_zeros, bool words, class D, int panels, class Use>
QUANTA_ALWAYS_INLINE void for_each_level(const D& decoder, const PanelSteps<panels>& steps, Index first, Index last,
                                         Index row, Use use) {
  using F = typename L::F;
  F minus_zero[panels];
  if constexpr (from_zeros) {
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) minus_zero[p] = L::load(steps.minus_zeros[p] + row);
  }
  const auto step = [&](Index k, int p, F level) QUANTA_INLINE_LAMBDA {
    if constexpr (from_zeros) level = L::add_real(level, minus_zero[p]);
    use(k, p, level);
  };
  if constexpr (words) {
    for_each_word<L>(decoder, steps.codes, steps.codes_stride, first, last, step);
  } else {
    for_each_step<L>(decoder, steps.codes, steps.codes_stride, first, last, step);
  }
}

/// The sums of one group, from 0.
template <class L, bool from_zeros, bool words, class D, int panels>
QUANTA_ALWAYS_INLINE void sum_group(const D& decoder, const PanelSteps<panels>& steps, Index first, Index last,
                                    Index row, const float* x, typename L::F (&acc)[panels]) {
  using F = typename L::F;
  QUANTA_UNROLL for (int p = 0; p < panels; ++p) acc[p] = L::set(0.0f);
  for_each_level<L, from_zeros, words>(
      decoder, steps, first, last, row, [&](Index k, int p, F level) QUANTA_INLINE_LAMBDA {
        // With the levels of a few panels after those of others registers suffice; 16 of them where x is read anew.
        const float* const from = DecodesWords<D> && L::width == 8 ? left_in_memory(x + k) : x + k;
        acc[p] = L::fma(L::set(*from), level, acc[p]);
        if constexpr (DecodesWords<D>) acc[p] = in_order(acc[p]);
      });
}

/// The same of a group that ends within words; out of line, so that it takes no registers from those that do not.
template <class L, class D, bool from_zeros, int panels>
void sum_ragged_group(const float* levels, const PanelSteps<panels>& steps, Index first, Index last, Index row,
                      const float* x, float* sums) {
  typename L::F acc[panels];
  sum_group<L, from_zeros, false>(D(levels), steps, first, last, row, x, acc);
  QUANTA_UNROLL for (int p = 0; p < panels; ++p) L::store(sums + p * L::width, acc[p]);
}

template <class L, class D, bool from_zeros, int panels>
void multiply_row(const float* levels, const PanelSteps<panels>& steps, const float* x, float* sums) {
  const D decoder(levels);
  for_each_group(steps, [&](Index first, Index last, Index row) QUANTA_INLINE_LAMBDA {
    typename L::F acc[panels];
    if constexpr (!kWholeWords<D>) {
      sum_group<L, from_zeros, false>(decoder, steps, first, last, row, x, acc);
    } else if ((first | last) % kWordSteps<D> == 0) {
      sum_group<L, from_zeros, true>(decoder, steps, first, last, row, x, acc);
    } else {
      alignas(kCacheLine) float group[panels * L::width];
      sum_ragged_group<L, D, from_zeros>(levels, steps, first, last, row, x, group);
      QUANTA_UNROLL for (int p = 0; p < panels; ++p) acc[p] = L::load(group + p * L::width);
    }
    QUANTA_UNROLL for (int p = 0; p < panels; ++p) {
      float* const sum = sums + p * L::width;
      L::store(sum, L::fma(acc[p], L::load(steps.scales[p] + row), L::load(sum)));
    }
  });
}

template <class L, class D, bool from_zeros>
void decode_panels(const float* levels, const PanelSteps<FloatTile::kVectors>& steps, float* to) {
  const D decoder(levels);
  for_each_group(steps, [&](Index first, Index last, Index row) QUANTA_INLINE_LAMBDA {
    for_each_level<L, from_zeros, false>(decoder, steps, first, last, row,
                                         [&](Index k, int p, const typename L::F& level) QUANTA_INLINE_LAMBDA {
                                           L::store(to + (k - steps.first) * FloatTile::kColumns + p * L::width, level);
                                         });
  });
}

template <class L, class D, bool from_zeros>
constexpr LevelKernels::Functions make_functions() {
  constexpr int cost = D::cost + (from_zeros ? 1 : 0);
  return {&multiply_row<L, D, from_zeros, kPanelsAtOnce>, &multiply_row<L, D, from_zeros, kPanelsAtOnce / 2>,
          &decode_panels<L, D, from_zeros>, std::clamp(FloatTile::kRows + 1 - cost, 1, kMostFewRows)};
}

template <ValueFormat F>
constexpr LevelKernels make_level_kernels() {
  using L = simd::NativeLanes;
  using D = DecoderOf<L, F>;
  LevelKernels kernels{F::bits, kHeldFlip<F>, kHeldLevels<F>, {}, {}, {}, 0};
  kernels.plain = make_functions<L, D, false>();
  if constexpr (IntegerFormat<F>) kernels.from_zeros = make_functions<L, D, true>();
  if constexpr (HasFinite<L, D>) {
    kernels.finite = make_functions<L, typename Finite<L, D>::Decoder, false>();
    kernels.last_finite = Finite<L, D>::last;
  }
  return kernels;
}

}  // namespace detail
QUANTA_NAMESPACE_END
