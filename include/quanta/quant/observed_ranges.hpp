// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The smallest and largest value per parameter, in one read of the data.
#pragma once

#include <limits>

#include <quanta/core/buffer.hpp>
#include <quanta/core/line_reader.hpp>
#include <quanta/quant/memory_order.hpp>
#include <quanta/simd/min_max.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// ranges[p] for every parameter p of this granularity; [0, 0] for one without elements. Throws Error naming the first
/// element that is not finite, and writes nothing then.
template <int rank>
void observe_ranges(const char* where, const TensorView<const float, rank>& x, const GranularityInfo& info,
                    Range* ranges);

/// The same in a buffer of their own.
template <int rank>
Buffer<Range> observed_ranges(const char* where, const TensorView<const float, rank>& x, const GranularityInfo& info) {
  Buffer<Range> ranges(param_map(info, x.shape()).count);
  if (info.kind == GranularityKind::unscaled) {  // to look for what is not finite
    Range all;
    observe_ranges(where, x, GranularityInfo{}, &all);
    return ranges;
  }
  observe_ranges(where, x, info, ranges.data());
  return ranges;
}

// ---- bodies ----

/// Covers adjacent elements, of which the first has logical index `first`, by the extremes of their slots. Are all
/// finite?
QUANTA_LAZY
bool cover_slots(const float* values, Index first, Index count, const ParamMap& slots, float* low, float* high) {
  bool finite = true;
  for_each_run(slots, first, first + count, [&](const ParamRun& run) {
    if (run.follows) {
      finite =
          simd::min_max_columns(values + run.offset, run.rows, run.count, low + run.param, high + run.param) && finite;
      return;
    }
    const simd::MinMax seen = simd::min_max(values + run.offset, run.count);
    low[run.param] = simd::ScalarLanes::min(seen.min, low[run.param]);
    high[run.param] = simd::ScalarLanes::max(seen.max, high[run.param]);
    finite = finite && seen.finite;
  });
  return finite;
}

template <int rank>
[[noreturn]] QUANTA_COLD void fail_not_finite(const char* where, const TensorView<const float, rank>& x) {
  Index i = 0;
  float v = 0.0f;
  do {
    v = *x.read(i++, 1, &v);
  } while (fp::is_finite(v));
  std::string place;
  if constexpr (rank > 1) {
    Shape<rank> at{};
    for (Index d = rank, rest = i - 1; d-- > 0; rest /= x.extent(int(d))) at[usize(d)] = rest % x.extent(int(d));
    place = text(" at ", at);
  }
  fail(where, ": element ", i - 1, " (row-major) is ", NotFinite{v}, place, ", expected finite values");
}

template <int rank>
void observe_ranges(const char* where, const TensorView<const float, rank>& view, const GranularityInfo& info,
                    Range* ranges) {
  constexpr Index kChunk = 4096;
  const MemoryOrder<rank> order = in_memory_order(view, info);
  const TensorView<const float, rank>& x = order.view;
  const ParamMap map = param_map(order.info, x.shape());
  const ParamSlots slots(map);
  const Index n = x.size(), count = slots.map.count;
  SmallBuffer<float, 128> extremes(2 * count);
  float* const low = extremes.data();
  float* const high = low + count;
  std::fill_n(low, count, std::numeric_limits<float>::infinity());
  std::fill_n(high, count, -std::numeric_limits<float>::infinity());
  if (x.is_dense()) {
    if (!cover_slots(x.data(), 0, n, slots.map, low, high)) fail_not_finite(where, view);
  } else {
    LineReader<float, rank> reader(x);
    for (Index first = 0; first < n; first += kChunk) {
      const Index size = std::min(kChunk, n - first);
      if (!cover_slots(reader.read(first, size), first, size, slots.map, low, high)) fail_not_finite(where, view);
    }
  }
  if (!slots.same()) {  // parameters that have several slots: theirs become one
    std::fill_n(ranges, map.count,
                Range{std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity()});
    for (Index s = 0; s < count; ++s) {
      Range& range = ranges[slots.param(s)];
      range = {std::min(range.min, low[s]), std::max(range.max, high[s])};
    }
  } else {
    for (Index p = 0; p < count; ++p) ranges[p] = {low[p], high[p]};
  }
  for (Index p = 0; p < map.count; ++p) {
    const bool empty = ranges[p].min > ranges[p].max;
    ranges[p] = empty ? Range{} : Range{ranges[p].min + 0.0f, ranges[p].max + 0.0f};  // + 0 turns -0 into +0
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
