// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales and zero points: real = scale * (code - zero_point). Zero points that are all 0 are not stored.
#pragma once

#include <initializer_list>
#include <utility>

#include <quanta/core/buffer.hpp>
#include <quanta/core/fp.hpp>
#include <quanta/quant/granularity.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {
/// Anything one can loop over: a std container, a span, an Eigen vector.
template <class R>
concept Iterable = requires(const R& r) {
  r.begin();
  r.end();
};

inline void check_scale(const char* where, float scale, Index i) {
  check(fp::is_finite(scale) && scale >= fp::kMinScale, where, ": scale ", i, " is ", scale,
        ", expected a finite value of at least 2^-126");
}

}  // namespace detail

/// Borrowed parameters of any granularity. zero_points is null when all are 0.
struct ParamsData {
  const float* scales;
  const std::int32_t* zero_points;
  Index size;

  float scale(Index i) const { return scales[i]; }
  std::int32_t zero_point(Index i) const { return zero_points != nullptr ? zero_points[i] : 0; }
  /// The parameters from i on.
  ParamsData from(Index i) const { return {scales + i, zero_points != nullptr ? zero_points + i : nullptr, size - i}; }
};

namespace detail {

/// Parameters by slot (quant/granularity.hpp): the very ones borrowed, or copies in the order of the slots.
class SlotParams {
 public:
  SlotParams(const ParamMap& map, const ParamsData& params) : slots_(map), data_(params) {
    if (slots_.same()) return;
    const Index n = slots_.map.count;
    scales_ = Buffer<float>(n);
    for (Index s = 0; s < n; ++s) scales_[s] = params.scales[slots_.param(s)];
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

/// Owns the parameters of one tensor: one per tensor, channel, or (line, group), in the order of quant/granularity.hpp.
template <Granularity G>
class QuantParams {
 public:
  /// One scale and zero point.
  explicit QuantParams(float scale, std::int32_t zero_point = 0, G granularity = default_granularity())
      : QuantParams({scale}, {zero_point}, granularity) {}

  /// Scales with zero points 0. Every constructor throws Error unless scales are finite and at least 2^-126, there is
  /// just one for PerTensor, and there
  /// are as many zero points as scales.
  template <detail::Iterable Scales>
  explicit QuantParams(const Scales& scales, G granularity = default_granularity()) : granularity_(granularity) {
    assign_scales(scales);
  }

  template <detail::Iterable Scales, detail::Iterable ZeroPoints>
  QuantParams(const Scales& scales, const ZeroPoints& zero_points, G granularity = default_granularity())
      : granularity_(granularity) {
    assign_scales(scales);
    assign_zero_points(zero_points);
  }

  QuantParams(std::initializer_list<float> scales, std::initializer_list<std::int32_t> zero_points,
              G granularity = default_granularity())
      : granularity_(granularity) {
    assign_scales(scales);
    assign_zero_points(zero_points);
  }

  Index size() const { return scales_.size(); }
  float scale(Index i) const { return scales_[i]; }
  std::int32_t zero_point(Index i) const { return zero_points_.empty() ? 0 : zero_points_[i]; }
  const G& granularity() const { return granularity_; }
  ParamsData data() const { return {scales_.data(), zero_points_.empty() ? nullptr : zero_points_.data(), size()}; }

  /// What the parameters take: 4 bytes a scale, 4 a zero point where those are stored.
  Index bytes() const { return static_cast<Index>(scales_.bytes() + zero_points_.bytes()); }

 private:
  static G default_granularity() {
    static_assert(std::default_initializable<G>,
                  "quanta: PerGroup<Dynamic> needs its size: pass PerGroup<Dynamic>{size}");
    return G{};
  }

  template <class Scales>
  void assign_scales(const Scales& scales) {
    scales_ = Buffer<float>(static_cast<Index>(scales.end() - scales.begin()));
    if (granularity_.info().kind == GranularityKind::per_tensor) {
      detail::check(size() == 1, "QuantParams: ", size(), " scales, expected one (PerTensor)");
    }
    Index i = 0;
    for (const auto value : scales) {
      const float scale = static_cast<float>(value);
      detail::check_scale("QuantParams", scale, i);
      scales_[i++] = scale;
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
  Buffer<float> scales_;
  Buffer<std::int32_t> zero_points_;
};

namespace detail {

/// Throws Error unless there is a parameter for every element of the shape, scales are valid, and every zero point is a
/// code of the format.
inline void check_params(const char* where, const ParamsData& params, const ParamMap& map, Extents extents,
                         std::int32_t low, std::int32_t high) {
  if (params.size != map.count) {
    std::string shape;
    for (int d = 0; d < extents.rank; ++d) shape += text(d == 0 ? "" : ", ", extents[d]);
    fail(where, ": ", params.size, " scales for a tensor of shape (", shape, ") that has ", map.count,
         " of them at this granularity");
  }
  for (Index i = 0; i < params.size; ++i) check_scale(where, params.scales[i], i);
  for (Index i = 0; params.zero_points != nullptr && i < params.size; ++i) {
    check(params.zero_points[i] >= low && params.zero_points[i] <= high, where, ": zero point ", i, " is ",
          params.zero_points[i], ", expected a code of the format, ", low, " to ", high);
  }
}

}  // namespace detail

QUANTA_NAMESPACE_END
