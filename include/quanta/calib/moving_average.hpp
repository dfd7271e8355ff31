// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// An average of each batch's range that forgets: v becomes v + c (v_batch - v), the first batch sets v (PyTorch's
// MovingAverageMinMaxObserver). It depends on the order and the size of the batches by definition.
#pragma once

#include <quanta/calib/channel_ranges.hpp>

QUANTA_NAMESPACE_BEGIN

/// An average v of the ranges of batches, for each channel, which forgets: v becomes v + c (v_batch - v), and the first
/// batch sets it (PyTorch's MovingAverageMinMaxObserver). v is in units of the data and float32, each operation rounded
/// (in double and once where the difference overflows), and stays between v and v_batch; 0 is not folded into it (only
/// the quantizer widens its range to contain 0).
template <Granularity G = PerTensor>
class MovingAverageCalibrator : public ChannelRanges<G> {
  using Base = ChannelRanges<G>;

 public:
  /// The weight of a new batch. Throws Error unless 0 < constant <= 1.
  explicit MovingAverageCalibrator(float constant = 0.01f) : constant_(constant) {
    detail::check(constant > 0.0f && constant <= 1.0f, "MovingAverageCalibrator: constant ", constant,
                  ", expected more than 0 and at most 1");
  }

  /// Counts x as one batch. Errors as CalibrationSketch's.
  template <RealObject X>
  void observe(const X& x) {
    const bool any = Base::join_observed(x, [this](Range held, Range seen) {
      const float min = moved(held.min, seen.min);
      return Range{min, std::max(min, moved(held.max, seen.max))};
    });
    batches_ += any ? 1u : 0u;
  }

  /// The mean of the two averages, weighted by their numbers of batches, in double: symmetric, but not what one pass
  /// over all batches would give. Throws Error when the constants or the numbers of channels differ.
  void merge(const MovingAverageCalibrator& other) {
    detail::check(constant_ == other.constant_, "merge: the other has constant ", other.constant_, ", this one ",
                  constant_);
    if (other.batches_ == 0) return;
    const double mine = static_cast<double>(batches_), theirs = static_cast<double>(other.batches_);
    const auto mean = [&](float a, float b) {
      return static_cast<float>((fp::mul(mine, double{a}) + fp::mul(theirs, double{b})) / (mine + theirs));
    };
    Base::join_other(other, [&](Range a, Range b) { return Range{mean(a.min, b.min), mean(a.max, b.max)}; });
    batches_ += other.batches_;
  }

  std::uint64_t batches() const { return batches_; }  ///< how many were observed, merged ones too

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
};

QUANTA_NAMESPACE_END
