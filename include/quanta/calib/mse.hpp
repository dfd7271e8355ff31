// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The range with the least mean squared error for the scheme and format that ask: rounding inside, clipping outside.
//
// Grid. The ends of the range are those of the data times 2^(-j/8), j = 0 ... 80; a symmetric range, and a range with
// all data on one side of 0, has one such factor, an asymmetric range over both sides has one for each end. j = 0, the
// whole range, is in it, so the result is never worse than that; of equals the larger range is chosen.
//
// Criterion. Values are taken to be spread evenly within bins of at most 1/32 of their value, and (x - quantized(x))^2
// is integrated over each in closed form. In steps u = x / scale, with n = clamp(round(u), lowest, highest) -
// zero_point, its integral from 0 is n / 12 + (u - n)^3 / 3.
#pragma once

#include <limits>

#include <quanta/calib/calibrator.hpp>

QUANTA_NAMESPACE_BEGIN

/// The range with the least mean squared error for the quantizer that asks, among those of a grid, for each channel and
/// in units of the data; calib/mse.hpp says how. The error is the whole one, of rounding and of clipping, as in Banner
/// et al., "Post training 4-bit quantization of convolutional networks", 2019, but of the counted values and not of a
/// distribution fitted to them. Errors as CalibrationSketch's.
template <Granularity G = PerTensor>
class MseCalibrator : public SketchCalibrator<MseCalibrator<G>, G> {
 public:
  using SketchCalibrator<MseCalibrator<G>, G>::SketchCalibrator;

  /// How many factors of 2^(-1/8) the grid has on one side.
  static constexpr int kFactors = 81;

  /// For SketchCalibrator, which calls it with a sketch that holds values.
  template <class Quantizer, class Sketch>
  Range choose(const Sketch& sketch, const typename Quantizer::FitOptions& options) const;
};

namespace detail {

/// v * 2^(-j/8), rounded twice.
inline float shrunk(float v, int j) {
  constexpr float roots[8] = {1.0f,        0.917004043f, 0.840896415f, 0.771105413f,
                              0.70710678f, 0.648419777f, 0.594603558f, 0.545253866f};
  return fp::mul(fp::mul(v, roots[j % 8]), 1.0f / static_cast<float>(1 << (j / 8)));
}

/// The bins of a sketch, ascending, neighbours joined up to 1/32 of their value.
template <class Sketch>
std::vector<Bin> joined_bins(const Sketch& sketch) {
  Lazy<std::vector<Bin>, Sketch> joined;
  sketch.for_each_bin([&](float low, float high, std::uint64_t n) {
    const double reach = std::max(std::fabs(double{low}), std::fabs(double{high}));
    if (!joined.empty()) {
      Bin& last = joined.back();
      const bool same_sign = (last.low < 0.0) == (high <= 0.0 && low < 0.0) && (last.high > 0.0) == (high > 0.0);
      if (same_sign && high - last.low <= std::max(reach, std::fabs(last.low)) * 0.03125) {
        last = {last.low, double{high}, last.count + n};
        return;
      }
    }
    joined.push_back({double{low}, double{high}, n});
  });
  return joined;
}

/// The same ordered from both ends inwards: what clipping costs comes first, so that a bad range is given up early.
template <class Bins>
Bins from_both_ends(const Bins& bins) {
  Bins ordered;
  for (std::size_t i = 0, j = bins.size(); i < j;) {
    ordered.push_back(bins[i++]);
    if (i < j) ordered.push_back(bins[--j]);
  }
  return ordered;
}

/// What a range costs at least, in the time of a few comparisons: the error of the bins that are clipped, and of those
/// that become 0. With few codes that is most of it, and most ranges need not be looked at bin by bin.
template <class Bins>
class LeastError {
 public:
  /// Of ascending bins.
  explicit LeastError(const Bins& bins) : bins_(bins), sums_(bins.size() + 1) {
    for (std::size_t i = 0; i < bins.size(); ++i) {
      const Bin& bin = bins[i];
      const double n = static_cast<double>(bin.count);
      const double square = (bin.low * bin.low + bin.low * bin.high + bin.high * bin.high) / 3.0;
      sums_[i + 1] = {sums_[i].count + n, sums_[i].values + n * (bin.low + bin.high) / 2.0,
                      sums_[i].squares + n * square};
    }
  }

  /// low and high are the smallest and the largest code minus the zero point.
  double operator()(double scale, double low, double high) const {
    const double least = low * scale, most = high * scale;
    return clipped_to(least, -std::numeric_limits<double>::infinity(), least) +
           clipped_to(most, most, std::numeric_limits<double>::infinity()) +
           clipped_to(0.0, std::max(-0.5 * scale, least), std::min(0.5 * scale, most));
  }

 private:
  struct Sums {
    double count = 0.0, values = 0.0, squares = 0.0;
  };

  /// The squared error of all bins within [from, to] becoming `value`, less what rounding may have added to it.
  double clipped_to(double value, double from, double to) const {
    const auto first = std::partition_point(bins_.begin(), bins_.end(), [&](const Bin& b) { return b.low < from; });
    const auto last = std::partition_point(first, bins_.end(), [&](const Bin& b) { return b.high <= to; });
    const Sums& a = sums_[static_cast<std::size_t>(first - bins_.begin())];
    const Sums& b = sums_[static_cast<std::size_t>(last - bins_.begin())];
    const double squares = b.squares - a.squares, moved = value * value * (b.count - a.count);
    const double error = squares - 2.0 * value * (b.values - a.values) + moved;
    return std::max(error - 1e-9 * (b.squares + moved), 0.0);
  }

  const Bins& bins_;
  std::vector<Sums> sums_;
};

/// The summed squared error of quantizing the bins, or anything above `limit` once that is passed.
QUANTA_LAZY double squared_error(const std::vector<Bin>& bins, ScaleZeroPoint p, std::int32_t low, std::int32_t high,
                                 double limit) {
  const double scale = double{p.scale};
  const double lowest = low - p.zero_point, highest = high - p.zero_point;
  const double square = fp::mul(scale, scale);
  const auto nearest = [&](double u) { return std::min(std::max(std::floor(u + 0.5), lowest), highest); };
  const auto integral = [&](double u) {
    const double n = nearest(u), t = u - n;
    return n / 12.0 + fp::mul(fp::mul(t, t), t) / 3.0;
  };
  double sum = 0.0;
  for (const Bin& bin : bins) {
    const double a = bin.low / scale, b = bin.high / scale;
    double mean;  // of the squared error, in steps
    if (a == b) {
      const double t = a - nearest(a);
      mean = fp::mul(t, t);
    } else {
      mean = (integral(b) - integral(a)) / (b - a);
    }
    sum += fp::mul(fp::mul(mean, static_cast<double>(bin.count)), square);
    if (sum > limit) break;
  }
  return sum;
}

}  // namespace detail

template <Granularity G>
template <class Quantizer, class Sketch>
Range MseCalibrator<G>::choose(const Sketch& sketch, const typename Quantizer::FitOptions& options) const {
  using Scheme = typename Quantizer::SchemeType;
  using F = typename Quantizer::FormatType;
  const Range whole{sketch.min(), sketch.max()};
  const std::vector<detail::Bin> ascending = detail::joined_bins(sketch);
  const std::vector<detail::Bin> bins = detail::from_both_ends(ascending);
  const detail::LeastError least_error(ascending);
  Range best = whole;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](Range range) {
    const ScaleZeroPoint p = Scheme::template from_range<F>(range, options);
    const std::int32_t low = Scheme::template low<F>(options);
    if (least_error(double{p.scale}, low - p.zero_point, F::max - p.zero_point) > least) return;
    const double error = detail::squared_error(bins, p, low, F::max, least);
    if (error < least) {
      least = error;
      best = range;
    }
  };
  const bool two_ends = std::is_same_v<Scheme, Asymmetric> && whole.min < 0.0f && whole.max > 0.0f;
  const auto consider_all = [&](int step) {
    for (int i = 0; i < kFactors; i += step) {
      const float low = detail::shrunk(whole.min, i);
      if (!two_ends) {
        consider({low, detail::shrunk(whole.max, i)});
        continue;
      }
      for (int j = 0; j < kFactors; j += step) consider({low, detail::shrunk(whole.max, j)});
    }
  };
  // A few first, for a limit that most of the others are given up at; it then lets equals through, so that the first of
  // them in order is chosen.
  consider_all(8);
  least = std::nextafter(least, std::numeric_limits<double>::infinity());
  best = whole;
  consider_all(1);
  return best;
}

QUANTA_NAMESPACE_END
