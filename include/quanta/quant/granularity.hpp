// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which elements of a tensor share one scale and zero point.
//
//   PerTensor          all of them                                         1 parameter
//   PerChannel<axis>   those with the same index along axis                one per channel
//   PerGroup<g, axis>  g neighbours along axis, all other indices fixed    one per (line, group); the last group of a
//                                                                          line may be shorter
//   Unscaled           none: codes stand for their levels as they are      none
//
// Lines are numbered in row-major order of the other indices; parameter = line * groups_per_line + group.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>
#include <string_view>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN

/// Extents of a tensor whose rank may be known only at run time.
struct Extents {
  const Index* data;  ///< outermost first
  int rank;           ///< how many there are

  /// Those of a shape, borrowed.
  template <std::size_t n>
  Extents(const std::array<Index, n>& shape) : data(shape.data()), rank(static_cast<int>(n)) {}  // NOLINT: implicit
  /// `count` extents, borrowed.
  Extents(const Index* extents, int count) : data(extents), rank(count) {}

  Index operator[](int d) const { return data[d]; }  ///< of dimension d, unchecked
  /// Of the extents [first, last); 1 when there are none.
  Index product(int first, int last) const {
    Index n = 1;
    for (int d = first; d < last; ++d) n *= data[d];
    return n;
  }
};

/// From an element's logical row-major index to its parameter. The index is seen as (o, a, i) with extents (outer,
/// axis, inner); the parameter is o * outer_step + a / group * group_step + i * inner_step, and there are `count` of
/// them.
struct ParamMap {
  Index outer;       ///< the product of the extents before the axis
  Index axis;        ///< the extent of the axis
  Index inner;       ///< the product of the extents behind it
  Index group;       ///< neighbours along the axis that share a parameter
  Index outer_step;  ///< from a parameter to that of the next o
  Index group_step;  ///< to that of the next group
  Index inner_step;  ///< to that of the next i
  Index count;       ///< parameters in all

  /// The parameter of an element, by its logical row-major index.
  Index operator()(Index element) const {
    const Index a = element / inner % axis;
    return element / inner / axis * outer_step + a / group * group_step + element % inner * inner_step;
  }
  /// Are the elements of each parameter neighbours, in one run?
  bool has_one_run_each() const { return inner_step == 0 && (outer <= 1 || outer_step != 0); }
};

/// What shares a scale and a zero point.
enum class GranularityKind : std::uint8_t {
  per_tensor,   ///< one parameter
  per_channel,  ///< one for each index along an axis
  per_group,    ///< one for each group of neighbours along an axis, at each index of the other dimensions
  unscaled      ///< none: codes are the levels themselves
};
/// How scales are held: as float32, or as quant/scale_type.hpp says.
struct ScaleInfo {
  std::string_view format = "float32";  ///< the name of the format they are codes of, or float32
  Index shared = 0;                     ///< neighbouring scales that share a scale of their own: 0 none, -1 all
  bool centered = false;                ///< are they held as their differences from their mean?
  bool operator==(const ScaleInfo&) const = default;  ///< the same way of holding scales?
};
/// A granularity at run time.
struct GranularityInfo {
  GranularityKind kind = GranularityKind::per_tensor;  ///< what shares a scale
  int axis = 0;                                        ///< of per_channel and per_group; negative counts from the end
  Index group_size = 0;                                ///< of per_group
  ScaleInfo scales = {};                               ///< how scales are held
  /// The same granularity? An axis from the end differs from the same one from the start.
  bool operator==(const GranularityInfo&) const = default;
};

/// "per_tensor", "per_channel(axis 0)", "per_group(64, axis 1), fp16 scales", ..., for messages and tables, of a tensor
/// of this rank.
inline std::string description(const GranularityInfo& granularity, int rank);

/// Which elements share parameters, as a type: info() says it at run time, for param_map, files and tables;
/// fits_rank<rank>: has a tensor of this rank its axis?
template <class G>
concept Granularity = std::copyable<G> && requires(const G& g) {
  { g.info() } -> std::same_as<GranularityInfo>;
  { G::template fits_rank<2> } -> std::convertible_to<bool>;
};

/// Real = level: of formats that cover the range of the data themselves, as Fp16 and Bf16 do. Nothing is stored.
struct Unscaled {
  /// Has a tensor of this rank the axis?
  template <int rank>
  static constexpr bool fits_rank = true;
  GranularityInfo info() const { return {GranularityKind::unscaled}; }  ///< for files and tables
};

/// One scale and zero point for all elements.
struct PerTensor {
  /// Has a tensor of this rank the axis? There is none, so that every one has.
  template <int rank>
  static constexpr bool fits_rank = true;
  GranularityInfo info() const { return {}; }  ///< for files and tables
};

/// A scale and zero point for each index along an axis. axis: 0 is the outermost, -1 the last.
template <int axis>
struct PerChannel {
  /// Has a tensor of this rank the axis?
  template <int rank>
  static constexpr bool fits_rank = axis >= -rank&& axis < rank;
  GranularityInfo info() const { return {GranularityKind::per_channel, axis, 0}; }  ///< for files and tables
};

/// A scale and zero point for each group of neighbours along an axis, at each index of the other dimensions.
/// group_size: elements in a group, at least 1; Dynamic (-1) when given to the constructor. The last group of a line is
/// shorter where the size does not divide it.
template <int group_size, int axis = -1>
struct PerGroup {
  static_assert(group_size >= 1 || group_size == Dynamic, "quanta::PerGroup: the group size is at least 1, or Dynamic");
  /// Has a tensor of this rank the axis?
  template <int rank>
  static constexpr bool fits_rank = axis >= -rank&& axis < rank;

  /// Of the static size.
  PerGroup() requires(group_size != Dynamic) = default;
  /// Throws Error unless size is at least 1, and the static size where there is one.
  explicit PerGroup(Index size) : size_(size) {
    detail::check(size >= 1 && (group_size == Dynamic || size == group_size), "PerGroup: group size ", size,
                  group_size == Dynamic ? ", expected at least " : ", expected ",
                  group_size == Dynamic ? 1 : group_size);
  }

  Index size() const { return size_; }                                                ///< elements in a group
  GranularityInfo info() const { return {GranularityKind::per_group, axis, size_}; }  ///< for files and tables

 private:
  Index size_ = group_size;
};

/// The map of a granularity over a shape. Throws Error when the axis is not one of the tensor's, or a group has no
/// size.
ParamMap param_map(const GranularityInfo& info, Extents extents);

/// Neighbouring elements and their parameters: all have `param`; or, where `follows`, they are `rows` rows, and the
/// elements of each have param, param + 1, ...
///
///   one parameter     p p p p p p p p
///   that follow       p p+1 p+2 p+3 | p p+1 p+2 p+3 | ...
struct ParamRun {
  Index offset;  ///< of the first element
  Index rows;    ///< of `count` elements each; one row where they share a parameter
  Index count;   ///< elements of a row
  Index param;   ///< the parameter, or that of a row's first element
  bool follows;  ///< has each element of a row the parameter after that of the one before?
};

/// Calls f(ParamRun) for the elements [first, last), in order; offsets count from `first`.
template <class F>
void for_each_run(const ParamMap& map, Index first, Index last, F f);

/// Parameters numbered anew, as slots, where that makes long runs of short ones: where neighbours' parameters lie
/// apart, and where a short pattern of channels is repeated over and over, which then has a slot for each element of
/// several repetitions.
struct ParamSlots {
  /// Of the parameters of a map.
  explicit ParamSlots(const ParamMap& params);

  /// Are slots and parameters the same?
  bool same() const { return same_; }
  /// The parameter of a slot.
  Index param(Index slot) const;

  ParamMap map;     ///< from elements to slots
  ParamMap params;  ///< from elements to parameters

 private:
  bool same_ = true;
};

// ---- bodies ----

inline std::string description(const GranularityInfo& granularity, int rank) {
  const int axis = granularity.axis < 0 ? granularity.axis + rank : granularity.axis;
  std::string text = granularity.kind == GranularityKind::unscaled ? "unscaled" : "per_tensor";
  if (granularity.kind == GranularityKind::per_channel) text = detail::text("per_channel(axis ", axis, ")");
  if (granularity.kind == GranularityKind::per_group) {
    text = detail::text("per_group(", granularity.group_size, ", axis ", axis, ")");
  }
  const ScaleInfo& scales = granularity.scales;
  if (scales == ScaleInfo{}) return text;
  text += ", " + std::string(scales.format) + " scales";
  if (scales.shared > 0) text += " in blocks of " + std::to_string(scales.shared);
  if (scales.shared < 0) text += " with one scale";
  return text + (scales.centered ? ", centered" : "");
}

inline ParamMap param_map(const GranularityInfo& info, Extents extents) {
  const Index n = extents.product(0, extents.rank);
  if (info.kind == GranularityKind::per_tensor) return {1, n, 1, std::max<Index>(n, 1), 0, 0, 0, 1};
  if (info.kind == GranularityKind::unscaled) return {1, n, 1, std::max<Index>(n, 1), 0, 0, 0, 0};
  const int axis = info.axis < 0 ? info.axis + extents.rank : info.axis;
  detail::check(axis >= 0 && axis < extents.rank, "granularity: axis ", info.axis, " of a tensor of rank ",
                extents.rank);
  const Index outer = extents.product(0, axis), length = extents[axis];
  const Index inner = extents.product(axis + 1, extents.rank);
  if (info.kind == GranularityKind::per_channel) {
    if (inner == 1) return {1, outer, length, std::max<Index>(outer, 1), 0, 0, 1, length};
    return {outer, length, inner, 1, 0, 1, 0, length};
  }
  detail::check(info.group_size >= 1, "granularity: group size ", info.group_size, ", expected at least 1");
  const Index group = std::min(info.group_size, std::max<Index>(length, 1));
  const Index groups = ceil_div(length, group);
  if (group == 1 && inner == 1) return {1, 1, n, 1, 0, 0, 1, n};
  return {outer, length, inner, group, inner * groups, 1, inner == 1 ? 0 : groups, outer * inner * groups};
}

template <class F>
void for_each_run(const ParamMap& map, Index first, Index last, F f) {
  if (first >= last) return;
  const Index line = map.axis * map.inner, group = map.group * map.inner;
  Index begin_of_line = first / line * line;
  Index begin = begin_of_line + (first - begin_of_line) / group * group;
  Index param_of_line = first / line * map.outer_step;
  Index param = param_of_line + (begin - begin_of_line) / group * map.group_step;
  for (Index at = first; at < last;) {
    const Index end = std::min(std::min(begin + group, begin_of_line + line), last);
    if (map.inner_step == 0) {
      f(ParamRun{at - first, 1, end - at, param, false});
      at = end;
    }
    while (at < end) {
      const Index i = (at - begin) % map.inner;
      const Index count = map.inner_step == 1 ? std::min(map.inner - i, end - at) : 1;
      const Index rows = count == map.inner ? (end - at) / count : 1;
      f(ParamRun{at - first, rows, count, param + i * map.inner_step, true});
      at += rows * count;
    }
    begin += group;
    param += map.group_step;
    if (begin >= begin_of_line + line) {
      begin_of_line += line;
      begin = begin_of_line;
      param_of_line += map.outer_step;
      param = param_of_line;
    }
  }
}

inline ParamSlots::ParamSlots(const ParamMap& p) : map(p), params(p) {
  constexpr Index kShort = 64;   // a run this long is worth a call of its own
  constexpr Index kRow = 512;    // how long rows become
  constexpr Index kMost = 4096;  // how long rows may become
  if (p.inner_step > 1) {        // groups along another axis than the last: (outer, group, inner) instead of
    map.group_step = p.inner;    // (outer, inner, group)
    map.inner_step = 1;
    same_ = false;
    return;
  }
  // Per channel, is there a short pattern, and is it repeated?
  const bool follows = p.inner_step == 1 && p.group_step == 0 && p.outer == 1;
  const bool in_runs = p.inner_step == 0 && p.outer_step == 0 && p.group_step == 1 && p.group == 1;
  const Index period = follows ? p.inner : p.axis * p.inner;
  const Index repetitions = follows ? p.axis : p.outer;
  if (!(follows || in_runs) || p.inner >= kShort || repetitions < 2 || period < 1 || period > kMost) return;
  const Index row = period * std::min(repetitions, ceil_div(kRow, period));
  const Index rows = ceil_div(period * repetitions, row);
  map = {1, rows, row, rows, 0, 0, 1, row};
  same_ = false;
}

inline Index ParamSlots::param(Index slot) const {
  if (same_) return slot;
  if (map.outer_step == 0) return params(slot);  // a row is the first elements of the tensor
  const Index o = slot / map.outer_step, in_line = slot % map.outer_step;
  return params((o * map.axis + in_line / map.inner * map.group) * map.inner + in_line % map.inner);
}

QUANTA_NAMESPACE_END
