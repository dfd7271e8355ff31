// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The bins of a sketch, counted value by value with frexp and ldexp: what calib/sketch.hpp's picture says, and no code
// of its own.
#pragma once

#include <cmath>
#include <map>

#include <quanta/calib/calibration_sketch.hpp>

#include "tests/calib/data.hpp"

namespace quanta::test {

struct CountedBin {
  float low, high;
  std::uint64_t count;

  bool operator==(const CountedBin&) const = default;
  friend void PrintTo(const CountedBin& bin, std::ostream* out) {  // NOLINT: GoogleTest's name
    *out << '[' << bin.low << ", " << bin.high << "]: " << bin.count;
  }
};

/// Of |v|: 2^-126 and below is octave 0, and every octave has 2^mantissa_bits bins.
struct BinNumber {
  int octave;
  long index;

  BinNumber(float v, int mantissa_bits) {
    const double size = std::fabs(double{v}), bins = std::ldexp(1.0, mantissa_bits);
    if (size < std::ldexp(1.0, -126)) {
      octave = 0;
      index = static_cast<long>(std::floor(std::ldexp(size, 126) * bins));
      return;
    }
    int exponent = 0;
    const double fraction = std::frexp(size, &exponent);  // in [1/2, 1)
    octave = exponent + 126;
    index = static_cast<long>(std::floor((2.0 * fraction - 1.0) * bins));
  }

  static double edge(int octave, long index, int mantissa_bits) {
    const double part = std::ldexp(static_cast<double>(index), -mantissa_bits);
    return octave == 0 ? std::ldexp(part, -126) : std::ldexp(1.0 + part, octave - 127);
  }
};

/// The bins that hold values, ascending, cut to the minimum and the maximum. Those more than 30 octaves below the
/// largest and those that round to no bin at all are at (0, 0).
inline std::vector<CountedBin> counted_bins(const Values& values, int mantissa_bits) {
  int top = 0;
  double min = std::numeric_limits<double>::infinity(), max = -min;
  for (const float v : values) {
    top = std::max(top, BinNumber(v, mantissa_bits).octave);
    min = std::min(min, double{v});
    max = std::max(max, double{v});
  }
  std::map<std::pair<double, double>, std::uint64_t> bins;
  for (const float v : values) {
    const BinNumber bin(v, mantissa_bits);
    if (bin.octave < top - 30 || (bin.octave == 0 && bin.index == 0)) {
      ++bins[{0.0, 0.0}];
      continue;
    }
    const double near = BinNumber::edge(bin.octave, bin.index, mantissa_bits);
    const double far = BinNumber::edge(bin.octave, bin.index + 1, mantissa_bits);
    ++bins[v < 0.0f ? std::pair{std::max(-far, min), std::min(-near, max)}
                    : std::pair{std::max(near, min), std::min(far, max)}];
  }
  std::vector<CountedBin> result;
  result.reserve(bins.size());
  for (const auto& [ends, count] : bins) {
    result.push_back({static_cast<float>(ends.first), static_cast<float>(ends.second), count});
  }
  return result;
}

template <class Sketch>
std::vector<CountedBin> bins_in(const Sketch& sketch) {
  std::vector<CountedBin> result;
  sketch.for_each_bin([&](float low, float high, std::uint64_t n) { result.push_back({low, high, n}); });
  return result;
}

/// A sketch of one batch after the other. Eigen's vectors have no sketch of other resolutions, so this one adds itself.
template <int mantissa_bits>
Sketch<mantissa_bits> sketch_of(const std::vector<Values>& batches) {
  Sketch<mantissa_bits> sketch;
  for (const Values& batch : batches) {
    sketch.add(batch.data(), static_cast<Index>(batch.size()));
  }
  return sketch;
}

template <class G = PerTensor>
CalibrationSketch<G> observed(const std::vector<Values>& batches) {
  CalibrationSketch<G> sketch;
  for (const Values& batch : batches) sketch.observe(as_eigen(batch));
  return sketch;
}

}  // namespace quanta::test
