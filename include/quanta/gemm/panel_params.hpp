// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales and zero points of weights (n, k) in rows as wide as a panel of packed codes: one row for every group of
// steps of k. Scales per output, or per group along k, are held in that order, floats and codes of 8 and 16 bits; of
// codes, and of all others, which are few or run along the outputs, rows of floats are made when they are wanted.
#pragma once

#include <quanta/gemm/packed_codes.hpp>
#include <quanta/quant/params.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

class PanelParams {
  static constexpr int kLanes = simd::NativeLanes::width;

 public:
  QUANTA_LAZY
  PanelParams(Index n, Index k, const GranularityInfo& granularity, const HeldScales& scales,
              const std::int32_t* zero_points, int beside);

  /// Steps of k to a row of parameters, and how many rows a panel has.
  Index group() const { return group_; }
  Index rows() const { return ceil_div(k_, group_); }
  bool has_zero_points() const { return !zero_points_.empty() || !minus_zeros_.empty(); }

  /// Are rows there? Then these are a panel's, from that of step 0 on: scales, and zero points' negatives, null where
  /// all are 0.
  bool has_rows() const { return !scale_rows_.empty(); }
  const float* scales(Index panel) const { return scale_rows_.data() + first_of(panel); }
  const float* minus_zeros(Index panel) const {
    return minus_zeros_.empty() ? nullptr : minus_zeros_.data() + first_of(panel);
  }
  /// How many floats after a row of a panel its next begins: `beside` panels lie side by side, as those of codes do.
  Index stride(Index panel) const { return blocks().stride(panel) * kLanes; }
  /// Else this makes `count` rows of a panel, from `first` on, one after another. minus_zeros is not written where
  /// there are none.
  QUANTA_LAZY void make_rows(Index panel, Index first, Index count, float* scales, float* minus_zeros) const;

  /// What it was made of.
  QUANTA_LAZY HeldScales held_scales() const;
  QUANTA_LAZY Buffer<std::int32_t> held_zero_points() const;

  Index bytes() const {
    return held_.bytes() + code_rows_.bytes() +
           static_cast<Index>(zero_points_.bytes() + scale_rows_.bytes() + minus_zeros_.bytes());
  }

 private:
  ParamsData data() const {
    return {held_.floats(), zero_points_.empty() ? nullptr : zero_points_.data(), held_.size(), held_.codes()};
  }
  PanelBlocks blocks() const { return {ceil_div(n_, kLanes), beside_}; }
  Index first_of(Index panel) const { return blocks().first_row(panel, rows()) * kLanes; }
  /// Of the first step of a row.
  Index param(Index output, Index row) const { return map_(output * k_ + row * group_); }
  /// f(where in the rows, parameter) for all that are of an output.
  template <class F>
  void for_each_held(F f) const {
    for (Index output = 0; output < n_; ++output) {
      const Index panel = output / kLanes, to_next = stride(panel);
      Index at = first_of(panel) + output % kLanes;
      for (Index row = 0; row < rows(); ++row, at += to_next) f(at, output * rows() + row);
    }
  }

  /// make_rows from code_rows_; scales alone.
  QUANTA_LAZY void decode_rows(Index panel, Index first, Index count, float* scales) const;

  Index n_, k_, group_, beside_;
  ParamMap map_;
  HeldScales held_;                   ///< where there are no rows; without codes, where those are in code_rows_
  Buffer<std::int32_t> zero_points_;  ///< where there are no rows
  PackedCodes code_rows_;
  Buffer<float> scale_rows_, minus_zeros_;
};

// ---- bodies ----

QUANTA_LAZY_BODY
PanelParams::PanelParams(Index n, Index k, const GranularityInfo& granularity, const HeldScales& scales,
                         const std::int32_t* zero_points, int beside)
    : n_(n), k_(k), group_(std::max<Index>(k, 1)), beside_(beside), map_(param_map(granularity, Shape<2>{n, k})) {
  const int axis = (granularity.axis + 2) % 2;
  const bool in_groups = granularity.kind == GranularityKind::per_group;
  const bool in_channels = granularity.kind == GranularityKind::per_channel;
  if ((in_groups && axis == 0) || (in_channels && axis == 1)) {
    group_ = 1;
  } else if (in_groups) {
    group_ = std::min(group_, granularity.group_size);
  }
  const bool of_outputs = (in_groups && axis == 1) || (in_channels && axis == 0);
  const NarrowScales codes = scales.codes();
  if (!of_outputs || n == 0 || k == 0 || (codes.decode != nullptr && codes.bits % 8 != 0)) {
    held_ = scales;
    if (zero_points == nullptr) return;
    zero_points_ = Buffer<std::int32_t>(scales.size());
    std::copy_n(zero_points, scales.size(), zero_points_.data());
    return;
  }
  const Index size = ceil_div(n, kLanes) * kLanes * rows();
  if (codes.decode != nullptr) {
    Buffer<float> outer(HeldScales::count_floats(scales.size(), granularity.scales));
    std::copy_n(codes.outer, outer.size(), outer.data());
    held_ = HeldScales({}, scales.size(), codes.bits, codes.decode, std::move(outer), granularity.scales);
    code_rows_ = PackedCodes(n, rows(), codes.bits, kLanes, 0, codes.codes);
  } else {
    scale_rows_ = Buffer<float>(size, 0.0f);
    for_each_held([&](Index at, Index param) { scale_rows_[at] = scales.floats()[param]; });
  }
  if (zero_points == nullptr) return;
  minus_zeros_ = Buffer<float>(size, 0.0f);
  for_each_held([&](Index at, Index param) { minus_zeros_[at] = -static_cast<float>(zero_points[param]); });
}

QUANTA_LAZY_BODY
void PanelParams::decode_rows(Index panel, Index first, Index count, float* scales) const {
  using L = simd::NativeLanes;
  const NarrowScales codes = held_.codes();
  codes.decode(code_rows_.panel(panel), first * kLanes, count * kLanes, scales);
  if (const Index later = panel + beside_; later < code_rows_.panels()) {  // of the block that is multiplied next
    const Index row = code_rows_.stride(later);
    for (Index i = 0; i < count * row; i += Index{kCacheLine}) {
      QUANTA_PREFETCH(code_rows_.panel(later) + first * row + i);
    }
  }
  if (codes.outer == nullptr) return;
  const typename L::F mean = L::set(codes.mean), most = L::set(fp::kMaxFloat);
  for (Index row = 0, run; row < count; row += run) {  // as many rows as every lane has one outer scale for
    float outer[kLanes];
    run = count - row;
    for (Index lane = 0; lane < kLanes; ++lane) {
      const Index scale = std::min(panel * kLanes + lane, n_ - 1) * rows() + first + row;
      outer[lane] = codes.outer[scale / codes.shared];
      run = std::min(run, codes.shared - scale % codes.shared);
    }
    for (Index i = row * kLanes; i < (row + run) * kLanes; i += kLanes) {
      L::store(scales + i, L::min(L::fma(L::load(outer), L::load(scales + i), mean), most));
    }
  }
}

QUANTA_LAZY_BODY
void PanelParams::make_rows(Index panel, Index first, Index count, float* scales, float* minus_zeros) const {
  if (map_.count == 0) return static_cast<void>(std::fill_n(scales, count * kLanes, 1.0f));  // Unscaled
  if (code_rows_.bytes() > 0) {
    decode_rows(panel, first, count, scales);
    for (Index row = 0; !minus_zeros_.empty() && row < count; ++row) {
      std::copy_n(this->minus_zeros(panel) + (first + row) * stride(panel), kLanes, minus_zeros + row * kLanes);
    }
    return;
  }
  const ParamsData params = data();
  const bool has_zero_points = params.zero_points != nullptr;
  const Index begin = panel * kLanes, end = std::min(begin + kLanes, n_);
  const auto copy_lane = [&](float* rows, Index from, Index to) {
    for (Index row = 0; row < count; ++row) rows[row * kLanes + to] = rows[row * kLanes + from];
  };
  for (Index output = begin; output < begin + kLanes; ++output) {
    const Index lane = output - begin;
    if (output >= end || (lane > 0 && param(output, first) == param(output - 1, first))) {
      copy_lane(scales, lane - 1, lane);
      if (has_zero_points) copy_lane(minus_zeros, lane - 1, lane);
      continue;
    }
    constexpr Index kPiece = 64;
    float piece[kPiece];
    for (Index done = 0; done < count; done += kPiece) {
      const Index some = std::min(kPiece, count - done), from = param(output, first + done);
      // From one row to the next parameters follow each other, or lie apart.
      const Index step = some == 1 ? 1 : param(output, first + done + 1) - from;
      if (step == 1) params.read_scales(from, some, piece);
      for (Index i = 0; step != 1 && i < some; ++i) piece[i] = params.scale(from + i * step);
      for (Index i = 0; i < some; ++i) scales[(done + i) * kLanes + lane] = piece[i];
      for (Index i = 0; has_zero_points && i < some; ++i) {
        minus_zeros[(done + i) * kLanes + lane] = -static_cast<float>(params.zero_points[from + i * step]);
      }
    }
  }
}

QUANTA_LAZY_BODY HeldScales PanelParams::held_scales() const {
  if (code_rows_.bytes() > 0) {
    const NarrowScales held = held_.codes();
    Buffer<std::byte> codes(packed_size(held_.size(), held.bits));
    code_rows_.unpack(codes.data());
    return held_.with_codes(std::move(codes));
  }
  if (!has_rows()) return held_;
  Buffer<float> scales(map_.count);
  for_each_held([&](Index at, Index param) { scales[param] = scale_rows_[at]; });
  return HeldScales(std::move(scales));
}

QUANTA_LAZY_BODY Buffer<std::int32_t> PanelParams::held_zero_points() const {
  if (minus_zeros_.empty()) return zero_points_;
  Buffer<std::int32_t> zero_points(map_.count);
  for_each_held([&](Index at, Index param) { zero_points[param] = -static_cast<std::int32_t>(minus_zeros_[at]); });
  return zero_points;
}

}  // namespace detail
QUANTA_NAMESPACE_END
