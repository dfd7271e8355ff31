// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which elements of a tensor share one scale and zero point.
//
//   PerTensor          all of them                                         1 parameter
//   PerChannel<axis>   those with the same index along axis                one per channel
//   PerGroup<g, axis>  g neighbours along axis, all other indices fixed    one per (line, group); the last group of a
//                                                                          line may be shorter
//
// Lines are numbered in row-major order of the other indices; parameter = line * groups_per_line + group.
#pragma once

#include <algorithm>
#include <concepts>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN

/// Extents of a tensor whose rank may be known only at run time.
struct Extents {
  const Index* data;
  int rank;

  template <std::size_t n>
  Extents(const std::array<Index, n>& shape) : data(shape.data()), rank(static_cast<int>(n)) {}  // NOLINT: implicit
  Extents(const Index* extents, int count) : data(extents), rank(count) {}

  Index operator[](int d) const { return data[d]; }
  Index product(int first, int last) const {
    Index n = 1;
    for (int d = first; d < last; ++d) n *= data[d];
    return n;
  }
};

/// From an element's logical row-major index to its parameter. The index is seen as (o, a, i) with extents (outer,
/// axis, inner); the parameter is o * outer_step + a / group + i * inner_step, and there are `count` of them.
struct ParamMap {
  Index outer, axis, inner;
  Index group;
  Index outer_step, inner_step;
  Index count;
};

/// A granularity knows the map for a shape; `Kind` and the numbers describe it to files and tables.
enum class GranularityKind : std::uint8_t { per_tensor, per_channel, per_group };
struct GranularityInfo {
  GranularityKind kind = GranularityKind::per_tensor;
  int axis = 0;          ///< of per_channel and per_group; negative counts from the end
  Index group_size = 0;  ///< of per_group
  bool operator==(const GranularityInfo&) const = default;
};

template <class G>
concept Granularity = std::copyable<G> && requires(const G& g) {
  { g.info() } -> std::same_as<GranularityInfo>;
  { G::template fits_rank<2> } -> std::convertible_to<bool>;
};

struct PerTensor {
  template <int rank>
  static constexpr bool fits_rank = true;
  GranularityInfo info() const { return {}; }
};

/// axis: 0 is the outermost, -1 the last.
template <int axis>
struct PerChannel {
  template <int rank>
  static constexpr bool fits_rank = axis >= -rank&& axis < rank;
  GranularityInfo info() const { return {GranularityKind::per_channel, axis, 0}; }
};

/// size: elements in a group, at least 1; Dynamic (-1) when given to the constructor.
template <int group_size, int axis = -1>
struct PerGroup {
  static_assert(group_size >= 1 || group_size == Dynamic, "quanta::PerGroup: the group size is at least 1, or Dynamic");
  template <int rank>
  static constexpr bool fits_rank = axis >= -rank&& axis < rank;

  PerGroup() requires(group_size != Dynamic) = default;
  /// Throws Error unless size is at least 1, and the static size where there is one.
  explicit PerGroup(Index size) : size_(size) {
    detail::check(size >= 1 && (group_size == Dynamic || size == group_size), "PerGroup: group size ", size,
                  group_size == Dynamic ? ", expected at least " : ", expected ",
                  group_size == Dynamic ? 1 : group_size);
  }

  Index size() const { return size_; }
  GranularityInfo info() const { return {GranularityKind::per_group, axis, size_}; }

 private:
  Index size_ = group_size;
};

/// The map of a granularity over a shape. Throws Error when the axis is not one of the tensor's, or a group has no
/// size.
ParamMap param_map(const GranularityInfo& info, Extents extents);

/// Calls f(offset, count, param) for the runs of neighbouring elements of [first, last) that share a parameter; offset
/// counts from `first`.
template <class F>
void for_each_run(const ParamMap& map, Index first, Index last, F f);

// ---- bodies ----

inline ParamMap param_map(const GranularityInfo& info, Extents extents) {
  if (info.kind == GranularityKind::per_tensor) {
    const Index n = extents.product(0, extents.rank);
    return {1, n, 1, std::max<Index>(n, 1), 0, 0, 1};
  }
  const int axis = info.axis < 0 ? info.axis + extents.rank : info.axis;
  detail::check(axis >= 0 && axis < extents.rank, "granularity: axis ", info.axis, " of a tensor of rank ",
                extents.rank);
  const Index outer = extents.product(0, axis);
  const Index inner = extents.product(axis + 1, extents.rank);
  if (info.kind == GranularityKind::per_channel) return {outer, extents[axis], inner, 1, 0, 0, extents[axis]};
  detail::check(info.group_size >= 1, "granularity: group size ", info.group_size, ", expected at least 1");
  const Index groups = ceil_div(extents[axis], info.group_size);
  return {outer, extents[axis], inner, info.group_size, inner * groups, groups, outer * inner * groups};
}

template <class F>
void for_each_run(const ParamMap& map, Index first, Index last, F f) {
  for (Index at = first; at < last;) {
    const Index i = at % map.inner;
    const Index a = at / map.inner % map.axis;
    const Index o = at / map.inner / map.axis;
    const Index param = o * map.outer_step + a / map.group + i * map.inner_step;
    Index count = std::min(map.inner - i, last - at);  // up to the end of the innermost extent
    Index step = map.inner_step;
    if (map.inner == 1) {
      step = map.group == 1 ? 1 : 0;
      const Index end = map.group == 1 ? map.axis - a : std::min(map.group - a % map.group, map.axis - a);
      count = std::min(end, last - at);
    }
    if (step == 0) {
      f(at - first, count, param);
    } else {
      for (Index j = 0; j < count; ++j) f(at - first + j, Index{1}, param + j * step);
    }
    at += count;
  }
}

QUANTA_NAMESPACE_END
