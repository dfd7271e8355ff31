// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales and zero points: real = scale * (code - zero_point). Zero points that are all 0 are not stored.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <utility>

#include <quanta/core/buffer.hpp>
#include <quanta/core/fp.hpp>
#include <quanta/quant/held_scales.hpp>
#include <quanta/simd/min_max.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {
/// Anything one can loop over: a std container, a span, an Eigen vector.
template <class R>
concept Iterable = requires(const R& r) {
  r.begin();
  r.end();
};

QUANTA_LAZY void check_scale(const char* where, float scale, Index i) {
  check(fp::is_finite(scale) && scale >= fp::kMinScale, where, ": scale ", i, " is ", scale,
        ", expected a finite value of at least 2^-126");
}

}  // namespace detail

/// Borrowed parameters of any granularity. scales is null where they are codes; zero_points is null when all are 0.
struct ParamsData {
  const float* scales;              ///< (size), or null
  const std::int32_t* zero_points;  ///< (size), or null
  Index size;                       ///< parameters
  NarrowScales narrow = {};         ///< the scales, where `scales` is null

  float scale(Index i) const { return scales != nullptr ? scales[i] : narrow.scale(i); }  ///< of parameter i, unchecked
  /// Of parameter i, unchecked.
  std::int32_t zero_point(Index i) const { return zero_points != nullptr ? zero_points[i] : 0; }
  /// Is there a zero point other than 0?
  QUANTA_LAZY bool has_zero_points() const {
    return zero_points != nullptr &&
           std::any_of(zero_points, zero_points + size, [](std::int32_t z) { return z != 0; });
  }
  /// The zero points from i on.
  const std::int32_t* zero_points_from(Index i) const { return zero_points != nullptr ? zero_points + i : nullptr; }
  /// scales[i] = scale first + i.
  QUANTA_LAZY void read_scales(Index first, Index count, float* to) const {
    if (scales != nullptr) {
      std::copy_n(scales + first, count, to);
    } else if (count > 0) {
      narrow.read(first, count, to);
    }
  }
};

namespace detail {

/// Parameters by slot (quant/granularity.hpp): the very ones borrowed, or copies in the order of the slots. Scales are
/// floats here, however they are held.
class SlotParams {
 public:
  QUANTA_LAZY SlotParams(const ParamMap& map, const ParamsData& params) : slots_(map), data_(params) {
    const Index n = slots_.map.count;
    if (slots_.same()) {
      if (params.scales != nullptr || n == 0) return;
      scales_ = Buffer<float>(n);
      params.read_scales(0, n, scales_.data());
      data_ = {scales_.data(), params.zero_points, n};
      return;
    }
    scales_ = Buffer<float>(n);
    for (Index s = 0; s < n; ++s) scales_[s] = params.scale(slots_.param(s));
    data_ = {scales_.data(), nullptr, n};
    if (params.zero_points == nullptr) return;
    zero_points_ = Buffer<std::int32_t>(n);
    for (Index s = 0; s < n; ++s) zero_points_[s] = params.zero_points[slots_.param(s)];
    data_.zero_points = zero_points_.data();
  }
  SlotParams(const SlotParams&) = delete;
  SlotParams& operator=(const SlotParams&) = delete;

  const ParamMap& map() const { return slots_.map; }
  const ParamsData& data() const { return data_; }

 private:
  ParamSlots slots_;
  ParamsData data_;
  Buffer<float> scales_;
  Buffer<std::int32_t> zero_points_;
};

}  // namespace detail

/// Owns the parameters of one tensor: one per tensor, channel, or (line, group), in the order of quant/granularity.hpp;
/// Unscaled has none. Scales are held as the granularity says, rounded up to what can be held (quant/scale_type.hpp).
template <Granularity G>
class QuantParams {
 public:
  /// No parameters.
  QuantParams() requires std::same_as<G, Unscaled>
  = default;

  /// One scale and zero point.
  explicit QuantParams(float scale, std::int32_t zero_point = 0, G granularity = default_granularity())
      : QuantParams({scale}, {zero_point}, granularity) {}

  /// Scales with zero points 0. Every constructor throws Error unless scales are finite, at least 2^-126 and at most
  /// what can be held, there is just one for PerTensor, and there are as many zero points as scales.
  template <detail::Iterable Scales>
  explicit QuantParams(const Scales& scales, G granularity = default_granularity()) : granularity_(granularity) {
    assign_scales(scales);
  }

  /// From vectors of scales and of zero points, or whatever else can be looped over; as many of both.
  template <detail::Iterable Scales, detail::Iterable ZeroPoints>
  QuantParams(const Scales& scales, const ZeroPoints& zero_points, G granularity = default_granularity())
      : granularity_(granularity) {
    assign_scales(scales);
    assign_zero_points(zero_points);
  }

  /// From lists of scales and of zero points, as many of both.
  QuantParams(std::initializer_list<float> scales, std::initializer_list<std::int32_t> zero_points,
              G granularity = default_granularity())
      : granularity_(granularity) {
    assign_scales(scales);
    assign_zero_points(zero_points);
  }

  /// From scales that are held already, and zero points or none.
  QuantParams(detail::HeldScales scales, Buffer<std::int32_t> zero_points, G granularity)
      : granularity_(granularity), scales_(std::move(scales)), zero_points_(std::move(zero_points)) {}

  Index size() const { return scales_.size(); }  ///< parameters: 1, channels, or (line, group) pairs
  /// As it is held.
  float scale(Index i) const { return data().scale(i); }
  /// 0 of symmetric tensors, which store none.
  std::int32_t zero_point(Index i) const { return zero_points_.empty() ? 0 : zero_points_[i]; }
  const G& granularity() const { return granularity_; }  ///< with its axis and group size
  /// Borrowed, without the granularity.
  ParamsData data() const {
    return {scales_.floats(), zero_points_.empty() ? nullptr : zero_points_.data(), size(), scales_.codes()};
  }
  /// As they are held: floats, or codes with their outer scales.
  const detail::HeldScales& scales() const { return scales_; }

  /// What the parameters take: 4 bytes a float32 scale, 4 a zero point where those are stored.
  Index bytes() const { return scales_.bytes() + static_cast<Index>(zero_points_.bytes()); }

 private:
  static G default_granularity() {
    static_assert(std::default_initializable<G>,
                  "quanta: PerGroup<Dynamic> needs its size: pass PerGroup<Dynamic>{size}");
    return G{};
  }

  template <class Scales>
  void assign_scales(const Scales& scales) {
    Buffer<float> floats(static_cast<Index>(scales.end() - scales.begin()));
    const GranularityInfo info = granularity_.info();
    if (info.kind == GranularityKind::per_tensor || info.kind == GranularityKind::unscaled) {
      const Index count = info.kind == GranularityKind::per_tensor ? 1 : 0;
      detail::check(floats.size() == count, "QuantParams: ", floats.size(), " scales, expected ",
                    count == 1 ? "one (PerTensor)" : "none (Unscaled)");
    }
    Index i = 0;
    for (const auto value : scales) {
      const float scale = static_cast<float>(value);
      detail::check_scale("QuantParams", scale, i);
      floats[i++] = scale;
    }
    if constexpr (detail::has_narrow_scales<G>) {
      scales_ = detail::HeldScales::narrow<typename G::ScaleFormat>(floats, info.scales);
    } else {
      scales_ = detail::HeldScales(std::move(floats));
    }
  }

  template <class ZeroPoints>
  void assign_zero_points(const ZeroPoints& zero_points) {
    const Index n = static_cast<Index>(zero_points.end() - zero_points.begin());
    detail::check(n == size(), "QuantParams: ", n, " zero points for ", size(), " scales");
    bool any = false;
    Index i = 0;
    for (const auto value : zero_points) {
      static_assert(std::is_integral_v<decltype(value)>, "quanta: zero points are integers");
      detail::check(std::in_range<std::int32_t>(value), "QuantParams: zero point ", i, " is ", value,
                    ", expected a code of the format");
      any = any || value != 0;
      ++i;
    }
    if (!any) return;
    zero_points_ = Buffer<std::int32_t>(n);
    i = 0;
    for (const auto value : zero_points) zero_points_[i++] = static_cast<std::int32_t>(value);
  }

  G granularity_;
  detail::HeldScales scales_;
  Buffer<std::int32_t> zero_points_;
};

namespace detail {

/// Throws Error unless there is a parameter for every element of the shape, scales are valid, and every zero point is a
/// code of the format.
QUANTA_LAZY void check_params(const char* where, const ParamsData& params, const ParamMap& map, Extents extents,
                              std::int32_t low, std::int32_t high) {
  if (params.size != map.count) {
    std::string shape;
    for (int d = 0; d < extents.rank; ++d) shape += text(d == 0 ? "" : ", ", extents[d]);
    fail(where, ": ", params.size, " scales for a tensor of shape (", shape, ") that has ", map.count,
         " of them at this granularity");
  }
  constexpr Index kPiece = 1024;  // that are looked at together, and one by one where some are wrong
  float decoded[kPiece];
  for (Index first = 0; first < params.size; first += kPiece) {
    const Index count = std::min(kPiece, params.size - first);
    const float* scales = params.scales == nullptr ? decoded : params.scales + first;
    if (params.scales == nullptr) params.read_scales(first, count, decoded);
    const simd::MinMax all = simd::min_max(scales, count);
    if (!all.finite || all.min < fp::kMinScale) {
      for (Index i = 0; i < count; ++i) check_scale(where, scales[i], first + i);
    }
    if (params.zero_points == nullptr || simd::all_within(params.zero_points + first, count, low, high)) continue;
    for (Index i = first; i < first + count; ++i) {
      check(params.zero_points[i] >= low && params.zero_points[i] <= high, where, ": zero point ", i, " is ",
            params.zero_points[i], ", expected a code of the format, ", low, " to ", high);
    }
  }
}

}  // namespace detail

QUANTA_NAMESPACE_END
