// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The range of everything seen. No value is clipped; one outlier sets the step for all. It keeps no counts, so
// observing costs one read of the data.
#pragma once

#include <quanta/calib/calibrator.hpp>

QUANTA_NAMESPACE_BEGIN

/// Exact; merging in any order gives the same.
template <Granularity G = PerTensor>
class MinMaxCalibrator {
  static_assert(detail::is_calibration_granularity<G>, "quanta: calibrators are PerTensor or PerChannel<axis>");

 public:
  using GranularityType = G;

  MinMaxCalibrator() = default;
  /// From data already counted: a sketch's minimum and maximum are exact.
  explicit MinMaxCalibrator(const CalibrationSketch<G>& seen) : ranges_(seen.channels()) {
    for (Index c = 0; c < channels(); ++c) ranges_[c] = {seen.sketch(c).min(), seen.sketch(c).max()};
  }

  /// As CalibrationSketch's.
  template <RealObject X>
  void observe(const X& x) {
    static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
    const detail::Input<float, rank_of<X>> input(x);
    if (input.view().size() == 0) return;
    const ParamMap map = param_map(G{}.info(), input.view().shape());
    detail::check(channels() == 0 || map.count == channels(), "observe: x has ", map.count,
                  " channels, the earlier data had ", channels());
    cover(detail::observed_ranges("observe", input.view(), map));
  }

  /// Throws Error when the numbers of channels differ.
  void merge(const MinMaxCalibrator& other) {
    if (other.channels() == 0) return;
    detail::check(channels() == 0 || channels() == other.channels(), "merge: the other has ", other.channels(),
                  " channels, this one ", channels());
    cover(other.ranges_);
  }

  Index channels() const { return ranges_.size(); }

  /// [min, max] whatever the quantizer. Throws Error when nothing was observed or there is no such channel.
  template <class Quantizer>
  Range range(Index channel = 0, const typename Quantizer::FitOptions& = {}) const {
    return seen(channel);
  }
  Range seen(Index channel = 0) const {
    detail::check(channels() > 0, "calibration: no data was observed");
    detail::check(channel >= 0 && channel < channels(), "calibration: channel ", channel, " of ", channels());
    return ranges_[channel];
  }

 private:
  void cover(const Buffer<Range>& seen) {
    if (channels() == 0) {
      ranges_ = seen;
      return;
    }
    for (Index c = 0; c < channels(); ++c) {
      ranges_[c] = {std::min(ranges_[c].min, seen[c].min), std::max(ranges_[c].max, seen[c].max)};
    }
  }

  Buffer<Range> ranges_;
};

QUANTA_NAMESPACE_END
