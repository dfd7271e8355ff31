// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A range per channel, or one for all: what the calibrators that keep no counts are made of.
#pragma once

#include <quanta/calib/calibrator.hpp>

QUANTA_NAMESPACE_BEGIN

/// What MinMaxCalibrator and MovingAverageCalibrator hold: a range for each channel.
template <Granularity G>
class ChannelRanges {
  static_assert(detail::is_calibration_granularity<G>, "quanta: calibrators are PerTensor or PerChannel<axis>");

 public:
  using GranularityType = G;  ///< PerTensor or PerChannel

  /// 0 before the first observation.
  Index channels() const { return ranges_.size(); }

  /// The range held, whatever the quantizer. Throws Error when nothing was observed or there is no such channel.
  template <class Quantizer>
  Range range(Index channel = 0, const typename Quantizer::FitOptions& = {}) const {
    return seen(channel);
  }
  /// The same for any quantizer.
  Range seen(Index channel = 0) const {
    detail::check(channels() > 0, "calibration: no data was observed");
    detail::check(channel >= 0 && channel < channels(), "calibration: channel ", channel, " of ", channels());
    return ranges_[channel];
  }

 protected:
  /// Nothing observed.
  ChannelRanges() = default;
  /// One range for each channel.
  explicit ChannelRanges(Buffer<Range> ranges) : ranges_(std::move(ranges)) {}

  /// Makes the range of every channel join(held, that of x), or that of x where none is held yet. Returns whether there
  /// was anything to observe. Errors as CalibrationSketch::observe's.
  template <RealObject X, class F>
  bool join_observed(const X& x, F join) {
    static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
    const detail::Input<float, rank_of<X>> input(x);
    if (input.view().size() == 0) return false;
    const ParamMap map = param_map(G{}.info(), input.view().shape());
    detail::check(channels() == 0 || map.count == channels(), "observe: x has ", map.count,
                  " channels, the earlier data had ", channels());
    if (channels() == 0) {
      ranges_ = detail::observed_ranges("observe", input.view(), G{}.info());
      return true;
    }
    SmallBuffer<Range, 64> batch(map.count);
    detail::observe_ranges("observe", input.view(), G{}.info(), batch.data());
    for (Index c = 0; c < channels(); ++c) ranges_[c] = join(ranges_[c], batch[c]);
    return true;
  }

  /// The same with the ranges of another, which holds some. Throws Error when the numbers of channels differ.
  template <class F>
  void join_other(const ChannelRanges& other, F join) {
    detail::check(channels() == 0 || channels() == other.channels(), "merge: the other has ", other.channels(),
                  " channels, this one ", channels());
    if (channels() == 0) {
      ranges_ = other.ranges_;
      return;
    }
    for (Index c = 0; c < channels(); ++c) ranges_[c] = join(ranges_[c], other.ranges_[c]);
  }

 private:
  Buffer<Range> ranges_;
};

QUANTA_NAMESPACE_END
