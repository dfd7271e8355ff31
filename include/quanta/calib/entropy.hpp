// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The range whose quantized distribution tells most about the data's: the least Kullback-Leibler divergence KL(P || Q)
// (Migacz, "8-bit inference with TensorRT", GTC 2017), in double.
//
// The data is seen as a histogram of 2048 bins from 0 to its end. For a range of i bins, P is bins [0, i) with all that
// lies beyond added to the last: what is clipped counts. Q merges the i bins into the format's levels and spreads each
// level's mass evenly over those of its bins that hold any. The bin at 0 is left out of both, so that the zeros of a
// Relu decide nothing. i goes from the number of levels to 2048 by 8; of equals the larger range is chosen.
//
//   symmetric                  one histogram of |x|, 2^(bits - 1) levels
//   asymmetric, one side of 0  one histogram, 2^bits levels
//   asymmetric, both sides     a histogram for each side, both cut at the same fraction of their ends;
//                              they share the 2^bits levels by their lengths
//
// Its histogram is as long as the data, so it cannot clip what lies farther out than 2048 / levels times the rest:
// after one isolated outlier at 100 standard deviations it returns the whole range. Mse or Percentile clip those.
//
// It needs 2048 values outside the bin at 0; with fewer, or with as many levels as bins (formats of more than 10 bits),
// it returns the whole range.
#pragma once

#include <limits>

#include <quanta/calib/calibrator.hpp>
#include <quanta/core/math.hpp>

QUANTA_NAMESPACE_BEGIN

template <Granularity G = PerTensor>
class EntropyCalibrator : public SketchCalibrator<EntropyCalibrator<G>, G> {
 public:
  using SketchCalibrator<EntropyCalibrator<G>, G>::SketchCalibrator;

  static constexpr int kBins = 2048;
  static constexpr int kStride = 8;
  static constexpr std::uint64_t kLeastValues = 2048;
  /// Divergences this close are equal: it is more than rounding makes of a sum, and far less than data does.
  static constexpr double kRounding = 1e-12;

  template <class Quantizer, class Sketch>
  Range choose(const Sketch& sketch, const typename Quantizer::FitOptions& options) const;
};

namespace detail {

/// Counts of |x| up to `end` in kBins equal bins, with running sums: all that the divergence of a candidate needs.
template <int bins>
class EntropySide {
 public:
  EntropySide(double end, int levels) : end_(end), levels_(levels), counts_(bins, 0) {}

  /// Spreads n values over [low, high], 0 <= low <= high <= end, in whole counts.
  void add(double low, double high, std::uint64_t n) {
    const int first = bin_of(low), last = std::max(first, bin_of(high));
    const auto width = static_cast<std::uint64_t>(last - first + 1);
    for (int b = first; b <= last; ++b) {
      const auto position = static_cast<std::uint64_t>(b - first);
      counts_[static_cast<std::size_t>(b)] += n / width + (position < n % width ? 1u : 0u);
    }
  }

  void finish() {
    counts_[0] = 0;
    sums_.assign(1, 0);
    filled_.assign(1, 0);
    entropy_.assign(1, 0.0);
    for (const std::uint64_t n : counts_) {
      sums_.push_back(sums_.back() + n);
      filled_.push_back(filled_.back() + (n != 0 ? 1 : 0));
      entropy_.push_back(entropy_.back() + n_log_n(n));
    }
  }

  int levels() const { return levels_; }
  std::uint64_t total() const { return sums_.back(); }
  std::uint64_t within(int i) const { return sums_[usize(i)]; }

  /// Sum over the bins below i of P (log P - log Q), unnormalised.
  double divergence(int i) const {
    const std::uint64_t tail = total() - within(i);
    const std::uint64_t at_end = counts_[usize(i - 1)];
    double sum = entropy_[usize(i - 1)] + n_log_n(at_end + tail);
    for (int level = 0; level < levels_; ++level) {
      const auto from = static_cast<int>(std::int64_t{i} * level / levels_);
      const auto to = static_cast<int>(std::int64_t{i} * (level + 1) / levels_);
      const bool last = level + 1 == levels_;
      const std::uint64_t mass = sums_[usize(to)] - sums_[usize(from)];
      const std::uint64_t priced = mass + (last ? tail : 0);
      if (priced == 0) continue;
      if (mass == 0) return std::numeric_limits<double>::infinity();
      const int filled = filled_[usize(to)] - filled_[usize(from)] + (last && at_end == 0 && tail != 0 ? 1 : 0);
      const double q = static_cast<double>(mass) / static_cast<double>(filled);
      sum -= fp::mul(static_cast<double>(priced), math::log(q));
    }
    return sum;
  }

 private:
  int bin_of(double v) const {
    return end_ > 0.0 ? std::min(static_cast<int>(fp::mul(v / end_, double{bins})), bins - 1) : 0;
  }
  static double n_log_n(std::uint64_t n) {
    return n == 0 ? 0.0 : fp::mul(static_cast<double>(n), math::log(static_cast<double>(n)));
  }

  double end_;
  int levels_;
  std::vector<std::uint64_t> counts_, sums_;
  std::vector<int> filled_;
  std::vector<double> entropy_;
};

}  // namespace detail

template <Granularity G>
template <class Quantizer, class Sketch>
Range EntropyCalibrator<G>::choose(const Sketch& sketch, const typename Quantizer::FitOptions&) const {
  using F = typename Quantizer::FormatType;
  using Side = detail::EntropySide<kBins>;
  constexpr bool symmetric = std::is_same_v<typename Quantizer::SchemeType, Symmetric>;
  constexpr int levels = 1 << (symmetric ? F::bits - 1 : F::bits);
  const Range whole{sketch.min(), sketch.max()};
  if constexpr (levels >= kBins) return whole;
  const double negative = std::max(-double{whole.min}, 0.0), positive = std::max(double{whole.max}, 0.0);

  // One side, or the two of an asymmetric range around 0; each level belongs to one of them, and each has one at least.
  std::vector<Side> sides;
  const bool two_sides = !symmetric && negative > 0.0 && positive > 0.0;
  if (two_sides) {
    const double share = std::floor(fp::mul(double{levels}, negative / (negative + positive)) + 0.5);
    const int below = std::min(std::max(static_cast<int>(share), 1), levels - 1);
    sides = {Side(negative, below), Side(positive, levels - below)};
  } else {
    sides = {Side(std::max(negative, positive), levels)};
  }
  sketch.for_each_bin([&](float low, float high, std::uint64_t n) {
    const double a = std::fabs(double{low}), b = std::fabs(double{high});
    sides[two_sides && high > 0.0f ? 1 : 0].add(std::min(a, b), std::max(a, b), n);
  });
  std::uint64_t total = 0;
  int most_levels = 1;
  for (Side& side : sides) {
    side.finish();
    total += side.total();
    most_levels = std::max(most_levels, side.levels());
  }
  if (total < kLeastValues) return whole;

  int best = kBins;
  double least = std::numeric_limits<double>::infinity();
  for (int i = kBins; i >= most_levels; i -= kStride) {
    std::uint64_t within = 0;
    double sum = 0.0;
    for (const Side& side : sides) {
      within += side.within(i);
      sum += side.divergence(i);
    }
    if (within == 0) break;
    const double n = static_cast<double>(total);
    const double divergence = sum / n - math::log(n) + math::log(static_cast<double>(within));
    if (divergence < least - kRounding) {
      least = divergence;
      best = i;
    }
  }
  if (best == kBins) return whole;
  const double fraction = static_cast<double>(best) / kBins;
  if (symmetric) {
    const auto t = static_cast<float>(fp::mul(std::max(negative, positive), fraction));
    return {std::max(whole.min, -t), std::min(whole.max, t)};
  }
  return {static_cast<float>(fp::mul(double{whole.min}, fraction)),
          static_cast<float>(fp::mul(double{whole.max}, fraction))};
}

QUANTA_NAMESPACE_END
