// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The range of everything seen. No value is clipped; one outlier sets the step for all. It keeps no counts, so
// observing costs one read of the data.
#pragma once

#include <quanta/calib/channel_ranges.hpp>

QUANTA_NAMESPACE_BEGIN

/// The range of everything seen, for each channel, in units of the data: its smallest and its largest value. Exact;
/// merging in any order gives the same. Errors as CalibrationSketch's. (MinMaxObserver of PyTorch, CalibrationMethod
/// MinMax of ONNX Runtime.)
template <Granularity G = PerTensor>
class MinMaxCalibrator : public ChannelRanges<G> {
  using Base = ChannelRanges<G>;

 public:
  /// Nothing observed.
  MinMaxCalibrator() = default;
  /// From data already counted: a sketch's minimum and maximum are exact.
  explicit MinMaxCalibrator(const CalibrationSketch<G>& seen) : Base(ranges_of(seen)) {}

  /// As CalibrationSketch's.
  template <RealObject X>
  void observe(const X& x) {
    Base::join_observed(x, joined);
  }

  /// Throws Error when the numbers of channels differ.
  void merge(const MinMaxCalibrator& other) {
    if (other.channels() != 0) Base::join_other(other, joined);
  }

 private:
  static Range joined(Range a, Range b) { return {std::min(a.min, b.min), std::max(a.max, b.max)}; }
  static Buffer<Range> ranges_of(const CalibrationSketch<G>& seen) {
    Buffer<Range> ranges(seen.channels());
    for (Index c = 0; c < ranges.size(); ++c) ranges[c] = {seen.sketch(c).min(), seen.sketch(c).max()};
    return ranges;
  }
};

QUANTA_NAMESPACE_END
