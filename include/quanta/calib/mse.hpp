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

template <Granularity G = PerTensor>
class MseCalibrator : public SketchCalibrator<MseCalibrator<G>, G> {
 public:
  using SketchCalibrator<MseCalibrator<G>, G>::SketchCalibrator;

  /// How many factors of 2^(-1/8) the grid has on one side.
  static constexpr int kFactors = 81;

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

/// The bins of a sketch, neighbours joined up to 1/32 of their value, and ordered from both ends inwards: what clipping
/// costs comes first, so that a bad range is given up early.
template <class Sketch>
std::vector<Bin> search_bins(const Sketch& sketch) {
  std::vector<Bin> joined;
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
  std::vector<Bin> ordered;
  for (std::size_t i = 0, j = joined.size(); i < j;) {
    ordered.push_back(joined[i++]);
    if (i < j) ordered.push_back(joined[--j]);
  }
  return ordered;
}

/// The summed squared error of quantizing the bins, or anything above `limit` once that is passed.
inline double squared_error(const std::vector<Bin>& bins, ScaleZeroPoint p, std::int32_t low, std::int32_t high,
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
  const std::vector<detail::Bin> bins = detail::search_bins(sketch);
  Range best = whole;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](Range range) {
    const ScaleZeroPoint p = Scheme::template from_range<F>(range, options);
    const double error = detail::squared_error(bins, p, Scheme::template low<F>(options), F::max, least);
    if (error < least) {
      least = error;
      best = range;
    }
  };
  const bool two_ends = std::is_same_v<Scheme, Asymmetric> && whole.min < 0.0f && whole.max > 0.0f;
  consider(whole);
  for (int i = 0; i < kFactors; ++i) {
    const float low = detail::shrunk(whole.min, i);
    if (!two_ends) {
      consider({low, detail::shrunk(whole.max, i)});
      continue;
    }
    for (int j = 0; j < kFactors; ++j) consider({low, detail::shrunk(whole.max, j)});
  }
  return best;
}

QUANTA_NAMESPACE_END
