// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The range that holds a given percentage of the values. Tools disagree on what "99.9 %" means, so the two meanings
// have names.
#pragma once

#include <quanta/calib/calibrator.hpp>

QUANTA_NAMESPACE_BEGIN

/// Half of what lies outside is cut from each end: [quantile((100 - percent) / 2), quantile(100 - (100 - percent) /
/// 2)].
struct TwoSided {
  double percent = 99.99;  ///< of the values that the range holds, more than 0 and at most 100
};
/// The percentile of |x|, t: [max(min, -t), min(max, t)].
struct Abs {
  double percent = 99.99;  ///< of the values whose magnitude is at most t, more than 0 and at most 100
};

/// The range that holds a given percentage of the values of each channel, in units of the data. Quantiles are those of
/// the order statistics, interpolated linearly (numpy's default; type 7 of Hyndman & Fan, "Sample quantiles in
/// statistical packages", 1996), each order statistic being known to the sketch's resolution. 100 % is exactly the
/// minimum and maximum. Errors as CalibrationSketch's.
template <Granularity G = PerTensor>
class PercentileCalibrator : public SketchCalibrator<PercentileCalibrator<G>, G> {
  using Base = SketchCalibrator<PercentileCalibrator<G>, G>;

 public:
  /// Throws Error unless 0 < percent <= 100.
  explicit PercentileCalibrator(TwoSided policy = {}, CalibrationSketch<G> seen = {})
      : PercentileCalibrator(policy.percent, false, std::move(seen)) {}
  /// The same for the percentile of magnitudes.
  explicit PercentileCalibrator(Abs policy, CalibrationSketch<G> seen = {})
      : PercentileCalibrator(policy.percent, true, std::move(seen)) {}
  /// From data already counted, 99.99 % from both sides.
  explicit PercentileCalibrator(CalibrationSketch<G> seen) : PercentileCalibrator(TwoSided{}, std::move(seen)) {}

  /// For SketchCalibrator, which calls it with a sketch that holds values.
  template <class Quantizer, class Sketch>
  Range choose(const Sketch& sketch, const typename Quantizer::FitOptions&) const;

 private:
  PercentileCalibrator(double percent, bool absolute, CalibrationSketch<G> seen)
      : Base(std::move(seen)), percent_(percent), absolute_(absolute) {
    detail::check(percent > 0.0 && percent <= 100.0, "PercentileCalibrator: ", percent,
                  " percent, expected more than 0 and at most 100");
  }

  double percent_;
  bool absolute_;
};

namespace detail {

/// The bins of |x|, ascending; the two signs' are one, so that more percent never give less.
template <class Sketch>
std::vector<Bin> absolute_bins_of(const Sketch& sketch) {
  std::vector<Bin> bins = bins_of(sketch);
  for (Bin& bin : bins) {
    if (bin.low < 0.0) bin = {-bin.high, -bin.low, bin.count};
  }
  std::sort(bins.begin(), bins.end(), [](const Bin& a, const Bin& b) {
    return a.low != b.low ? a.low < b.low : (a.high != b.high ? a.high < b.high : a.count < b.count);
  });
  std::vector<Bin> joined;
  for (const Bin& bin : bins) {
    if (!joined.empty() && joined.back().low == bin.low) {
      joined.back() = {bin.low, bin.high, joined.back().count + bin.count};
    } else {
      joined.push_back(bin);
    }
  }
  return joined;
}

/// The quantile of ascending bins at fraction [0, 1].
QUANTA_LAZY double quantile(const std::vector<Bin>& bins, std::uint64_t total, double fraction) {
  const auto last = static_cast<double>(total - 1);  // may be rounded up, to 2^64 even
  const double rank = fp::mul(last, fraction);
  const std::uint64_t below = rank >= last ? total - 1 : static_cast<std::uint64_t>(rank);
  const double rest = rank >= last ? 0.0 : rank - static_cast<double>(below);
  const auto statistic = [&](std::uint64_t k) {  // the k-th smallest value, counted from 0
    std::uint64_t before = 0;
    std::size_t i = 0;
    while (i + 1 < bins.size() && before + bins[i].count <= k) before += bins[i++].count;
    if (k == 0) return bins.front().low;
    if (k + 1 >= total) return bins.back().high;
    const double position = (static_cast<double>(k - before) + 0.5) / static_cast<double>(bins[i].count);
    return bins[i].low + fp::mul(bins[i].high - bins[i].low, position);
  };
  const double value = statistic(below);
  return rest == 0.0 ? value : value + fp::mul(rest, statistic(below + 1) - value);
}

}  // namespace detail

template <Granularity G>
template <class Quantizer, class Sketch>
Range PercentileCalibrator<G>::choose(const Sketch& sketch, const typename Quantizer::FitOptions&) const {
  const float min = sketch.min(), max = sketch.max();
  const auto clip = [&](double v) { return std::min(std::max(static_cast<float>(v), min), max) + 0.0f; };  // no -0
  if (absolute_) {
    std::vector<detail::Bin> bins = detail::absolute_bins_of(sketch);
    bins.back().high = std::max(std::fabs(double{min}), std::fabs(double{max}));
    const double t = detail::quantile(bins, sketch.count(), percent_ / 100.0);
    return {clip(-t), clip(t)};
  }
  std::vector<detail::Bin> bins = detail::bins_of(sketch);
  bins.front().low = min;  // exact even where they are in the bin around 0
  bins.back().high = max;
  const double outside = (100.0 - percent_) / 200.0;
  return {clip(detail::quantile(bins, sketch.count(), outside)),
          clip(detail::quantile(bins, sketch.count(), 1.0 - outside))};
}

QUANTA_NAMESPACE_END
