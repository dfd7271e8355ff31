// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How far an approximation is from the original tensor. Always give the original, never a clipped copy of it: clipping
// is part of the error.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>

#include <quanta/core/eigen.hpp>
#include <quanta/core/line_reader.hpp>
#include <quanta/core/math.hpp>
#include <quanta/core/reduce.hpp>

QUANTA_NAMESPACE_BEGIN

/// How far an approximation is from x: e = x - approx in float32; sums in double in a fixed order. NaN in the data
/// gives NaN here.
struct ErrorMetrics {
  double max_error;       ///< max |e|
  double mean_error;      ///< mean |e|
  double mse;             ///< mean e^2
  double snr_db;          ///< 10 log10(sum x^2 / sum e^2); +inf when the error is zero, -inf when only x is
  double cosine;          ///< sum x approx / (|x| |approx|); 1 when both are zero, 0 when one is
  double relative_error;  ///< |e| / |x| (Frobenius); 0 when the error is zero, +inf when only x is
};

/// x and approx are any Eigen objects of one shape, of float or double; throws Error when the shapes differ. Of empty
/// tensors the errors are 0.
template <RealObject X, RealObject Y>
ErrorMetrics error_metrics(const X& x, const Y& approx);

// ---- bodies ----

namespace detail {

/// What the metrics are made of.
struct ErrorSums {
  Index count = 0;
  float max = 0.0f;                 ///< |e|
  std::array<double, 5> sums = {};  ///< |e|, e^2, x^2, approx^2, x approx

  /// Of the elements of both.
  void add(const ErrorSums& other) {
    count += other.count;
    // As bits, which are ordered like the floats, NaN above all.
    if (std::bit_cast<std::int32_t>(other.max) > std::bit_cast<std::int32_t>(max)) max = other.max;
    for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += other.sums[i];
  }
  ErrorMetrics metrics() const;
};

template <int rank>
ErrorSums error_sums(const TensorView<const float, rank>& x, const TensorView<const float, rank>& y) {
  LineReader<float, rank> x_reader(x), y_reader(y);
  const float *a = nullptr, *b = nullptr;
  std::int32_t largest[kReduceLanes] = {};  // |e|, as bits: ordered like the floats, NaN above all
  // Products of two floats are exact in double, so contraction cannot change them.
  const auto sums = blocked_sums<5>(
      x.size(),
      [&](Index first, Index count) {
        a = x_reader.read(first, count);
        b = y_reader.read(first, count);
      },
      [&](Index i, auto count, ReduceLanes<5>& lanes) {
        QUANTA_VECTORIZE_LOOP
        for (int l = 0; l < count; ++l) {
          const float e = std::fabs(a[i + l] - b[i + l]);
          const double p = a[i + l], q = b[i + l], r = e;
          largest[l] = std::max(largest[l], std::bit_cast<std::int32_t>(e));
          lanes[0][l] += r;
          lanes[1][l] += r * r;
          lanes[2][l] += p * p;
          lanes[3][l] += q * q;
          lanes[4][l] += p * q;
        }
      });
  return {x.size(), std::bit_cast<float>(*std::max_element(largest, largest + kReduceLanes)), sums};
}

inline ErrorMetrics ErrorSums::metrics() const {
  const double n = static_cast<double>(std::max<Index>(count, 1));
  const double error = sums[1], signal = sums[2], approx = sums[3], dot = sums[4];
  constexpr double infinity = std::numeric_limits<double>::infinity();
  ErrorMetrics m{};
  m.max_error = static_cast<double>(max);
  m.mean_error = sums[0] / n;
  m.mse = error / n;
  m.snr_db = error == 0.0 ? infinity : fp::mul(10.0, math::log10(signal / error));
  m.relative_error = error == 0.0 ? 0.0 : std::sqrt(error / signal);
  if ((signal == 0.0 || approx == 0.0) && dot == 0.0) {  // not where the other holds NaN
    m.cosine = signal == approx ? 1.0 : 0.0;
  } else {
    m.cosine = dot / fp::mul(std::sqrt(signal), std::sqrt(approx));
  }
  // Which NaN an operation gives differs between CPUs; here it is always the one quiet NaN.
  for (double* figure : {&m.max_error, &m.mean_error, &m.mse, &m.snr_db, &m.cosine, &m.relative_error}) {
    if (*figure != *figure) *figure = std::numeric_limits<double>::quiet_NaN();
  }
  return m;
}

}  // namespace detail

template <RealObject X, RealObject Y>
ErrorMetrics error_metrics(const X& x, const Y& approx) {
  static_assert(rank_of<X> == rank_of<Y>, "quanta: error_metrics compares tensors of one rank");
  const detail::Input<float, rank_of<X>> a(x);
  const detail::Input<float, rank_of<Y>> b(approx);
  detail::check_shape("error_metrics", "the approximation", b.view().shape(), a.view().shape());
  return detail::error_sums(a.view(), b.view()).metrics();
}

QUANTA_NAMESPACE_END
