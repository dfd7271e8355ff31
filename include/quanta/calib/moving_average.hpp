// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// An average of each batch's range that forgets: v becomes v + c (v_batch - v), the first batch sets v (PyTorch's
// MovingAverageMinMaxObserver). It depends on the order and the size of the batches by definition.
#pragma once

#include <quanta/calib/min_max.hpp>

QUANTA_NAMESPACE_BEGIN

/// v is float32, each operation rounded (in double and once where the difference overflows), and stays between v and
/// v_batch; 0 is not folded into it (only the quantizer widens its range to contain 0).
template <Granularity G = PerTensor>
class MovingAverageCalibrator {
  static_assert(detail::is_calibration_granularity<G>, "quanta: calibrators are PerTensor or PerChannel<axis>");

 public:
  using GranularityType = G;

  /// The weight of a new batch. Throws Error unless 0 < constant <= 1.
  explicit MovingAverageCalibrator(float constant = 0.01f) : constant_(constant) {
    detail::check(constant > 0.0f && constant <= 1.0f, "MovingAverageCalibrator: constant ", constant,
                  ", expected more than 0 and at most 1");
  }

  /// Counts x as one batch. Errors as CalibrationSketch's.
  template <RealObject X>
  void observe(const X& x) {
    MinMaxCalibrator<G> batch;
    batch.observe(x);
    if (batch.channels() == 0) return;
    detail::check(channels() == 0 || batch.channels() == channels(), "observe: x has ", batch.channels(),
                  " channels, the earlier data had ", channels());
    if (channels() == 0) ranges_ = Buffer<Range>(batch.channels());
    for (Index c = 0; c < channels(); ++c) {
      const Range seen = batch.seen(c);
      if (batches_ == 0) {
        ranges_[c] = seen;
        continue;
      }
      const float min = moved(ranges_[c].min, seen.min);
      ranges_[c] = {min, std::max(min, moved(ranges_[c].max, seen.max))};
    }
    ++batches_;
  }

  /// The mean of the two averages, weighted by their numbers of batches, in double: symmetric, but not what one pass
  /// over all batches would give. Throws Error when the constants or the numbers of channels differ.
  void merge(const MovingAverageCalibrator& other) {
    detail::check(constant_ == other.constant_, "merge: the other has constant ", other.constant_, ", this one ",
                  constant_);
    if (other.batches_ == 0) return;
    detail::check(channels() == 0 || channels() == other.channels(), "merge: the other has ", other.channels(),
                  " channels, this one ", channels());
    if (batches_ == 0) ranges_ = other.ranges_;
    const double mine = static_cast<double>(batches_), theirs = static_cast<double>(other.batches_);
    const auto mean = [&](float a, float b) {
      return static_cast<float>((fp::mul(mine, double{a}) + fp::mul(theirs, double{b})) / (mine + theirs));
    };
    for (Index c = 0; c < channels(); ++c) {
      ranges_[c] = {mean(ranges_[c].min, other.ranges_[c].min), mean(ranges_[c].max, other.ranges_[c].max)};
    }
    batches_ += other.batches_;
  }

  Index channels() const { return ranges_.size(); }
  std::uint64_t batches() const { return batches_; }

  /// The averages whatever the quantizer. Throws Error when nothing was observed or there is no such channel.
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
  float moved(float v, float seen) const {
    const float difference = fp::opaque(seen - v);
    const float next = fp::is_finite(difference)
                           ? v + fp::mul(constant_, difference)
                           : static_cast<float>(double{v} + fp::mul(double{constant_}, double{seen} - double{v}));
    return std::min(std::max(next, std::min(v, seen)), std::max(v, seen));
  }

  float constant_;
  std::uint64_t batches_ = 0;
  Buffer<Range> ranges_;
};

QUANTA_NAMESPACE_END
