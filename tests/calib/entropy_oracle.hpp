// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The entropy search as calib/entropy.hpp describes it, with P and Q written out bin by bin for every candidate.
#pragma once

#include <cmath>

#include "tests/calib/sketch_oracle.hpp"

namespace quanta::test {

constexpr int kEntropyBins = 2048;

struct EntropySideOracle {
  long double end;
  int levels;
  std::vector<std::uint64_t> counts = std::vector<std::uint64_t>(kEntropyBins, 0);

  int bin_of(double size) const {
    return std::min(static_cast<int>(std::floor(size / static_cast<double>(end) * kEntropyBins)), kEntropyBins - 1);
  }

  /// In whole counts, the first bins getting what is left over.
  void spread(double low, double high, std::uint64_t n) {
    const int first = bin_of(low), last = bin_of(high);
    for (std::uint64_t i = 0, bins = static_cast<std::uint64_t>(last - first) + 1; i < bins; ++i) {
      counts[static_cast<std::size_t>(first) + i] += n / bins + (i < n % bins ? 1 : 0);
    }
  }

  std::uint64_t mass(int from, int to) const {
    std::uint64_t sum = 0;
    for (int b = from; b < to; ++b) sum += counts[static_cast<std::size_t>(b)];
    return sum;
  }
};

/// KL(P || Q) of a candidate of i bins on each side.
inline long double divergence(const std::vector<EntropySideOracle>& sides, int i) {
  std::uint64_t all = 0, inside = 0;
  for (const EntropySideOracle& side : sides) {
    all += side.mass(0, kEntropyBins);
    inside += side.mass(0, i);
  }
  long double sum = 0.0L;
  for (const EntropySideOracle& side : sides) {
    std::vector<std::uint64_t> p(side.counts.begin(), side.counts.begin() + i);
    p.back() += side.mass(i, kEntropyBins);
    for (int level = 0; level < side.levels; ++level) {
      const int from = static_cast<int>(long{i} * level / side.levels);
      const int to = static_cast<int>(long{i} * (level + 1) / side.levels);
      int filled = 0;
      for (int b = from; b < to; ++b) filled += p[static_cast<std::size_t>(b)] != 0 ? 1 : 0;
      const std::uint64_t mass = side.mass(from, to);
      const long double q = static_cast<long double>(mass) / static_cast<long double>(filled);
      for (int b = from; b < to; ++b) {
        if (p[static_cast<std::size_t>(b)] == 0) continue;
        if (mass == 0) return std::numeric_limits<long double>::infinity();
        const long double share =
            static_cast<long double>(p[static_cast<std::size_t>(b)]) / static_cast<long double>(all);
        sum += share * std::log(share / (q / static_cast<long double>(inside)));
      }
    }
  }
  return sum;
}

/// The sides of a sketch's data, as a scheme sees them.
template <class Sketch>
std::vector<EntropySideOracle> entropy_sides(const Sketch& sketch, bool symmetric, int bits) {
  const double negative = std::max(-double{sketch.min()}, 0.0), positive = std::max(double{sketch.max()}, 0.0);
  std::vector<EntropySideOracle> sides;
  const int levels = 1 << (symmetric ? bits - 1 : bits);
  const bool two = !symmetric && negative > 0.0 && positive > 0.0;
  if (two) {
    const int below = static_cast<int>(std::floor(levels * (negative / (negative + positive)) + 0.5));
    const int kept = std::min(std::max(below, 1), levels - 1);
    sides.push_back({negative, kept});
    sides.push_back({positive, levels - kept});
  } else {
    sides.push_back({std::max(negative, positive), levels});
  }
  for (const CountedBin& bin : bins_in(sketch)) {
    const double a = std::fabs(double{bin.low}), b = std::fabs(double{bin.high});
    if (b == 0.0 && a == 0.0) continue;  // in the bin at 0 whatever the side
    sides[two && bin.high > 0.0f ? 1 : 0].spread(std::min(a, b), std::max(a, b), bin.count);
  }
  for (EntropySideOracle& side : sides) side.counts[0] = 0;
  return sides;
}

/// How many of the 2048 bins are kept: of equals (but for rounding) the most; all of them where there are too few
/// values.
inline int best_bins(const std::vector<EntropySideOracle>& sides) {
  std::uint64_t total = 0;
  int least_bins = 1;
  for (const EntropySideOracle& side : sides) {
    total += side.mass(0, kEntropyBins);
    least_bins = std::max(least_bins, side.levels);
  }
  if (total < 2048) return kEntropyBins;
  int best = kEntropyBins;
  long double least = std::numeric_limits<long double>::infinity();
  for (int i = kEntropyBins; i >= least_bins; i -= 8) {
    std::uint64_t inside = 0;
    for (const EntropySideOracle& side : sides) inside += side.mass(0, i);
    if (inside == 0) break;
    const long double d = divergence(sides, i);
    if (d < least - 1e-12L) {
      least = d;
      best = i;
    }
  }
  return best;
}

}  // namespace quanta::test
