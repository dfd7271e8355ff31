// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The entropy search as calib/entropy.hpp describes it, with P and Q written out over P's bins for every candidate.
#pragma once

#include <cmath>

#include "tests/calib/sketch_oracle.hpp"

namespace quanta::test {

constexpr int kEntropyBins = 2048;

/// A candidate: i parts of 2048 of the histogram, after so many doublings of its end.
struct EntropyCandidate {
  int doublings, i;
  bool operator==(const EntropyCandidate&) const = default;
};

struct EntropySideOracle {
  /// In units of the smallest, of which 2048 make the smallest histogram.
  struct PBin {
    long start, length;
    std::uint64_t count = 0;
  };

  double end;
  int octaves;
  std::vector<PBin> p;

  EntropySideOracle(double data_end, int halvings) : end(data_end), octaves(halvings) {
    for (long start = 0; start < long{kEntropyBins} << octaves;) {
      long length = 1;
      while (start >= kEntropyBins * length) length *= 2;
      p.push_back({start, length});
      start += length;
    }
  }

  std::size_t bin_of(double size) const {
    const double units = std::ldexp(size / end * kEntropyBins, octaves);
    const auto above = [&](double u, const PBin& bin) { return u < static_cast<double>(bin.start); };
    return static_cast<std::size_t>(std::upper_bound(p.begin(), p.end(), units, above) - p.begin()) - 1;
  }

  /// In whole counts, the first bins getting what is left over.
  void spread(double low, double high, std::uint64_t n) {
    const std::size_t first = bin_of(low), bins = bin_of(high) - first + 1;
    for (std::size_t i = 0; i < bins; ++i) p[first + i].count += n / bins + (i < n % bins ? 1 : 0);
  }

  /// Units of one bin of the histogram.
  long width(int doublings) const { return 1l << std::min(doublings, octaves); }

  std::uint64_t mass(long from, long to) const {
    std::uint64_t sum = 0;
    for (const PBin& bin : p) sum += bin.start >= from && bin.start < to ? bin.count : 0;
    return sum;
  }

  /// How many bins of the histogram a candidate keeps: a bulk's are counted up to its last value.
  int used = kEntropyBins;
  void finish() {
    p[0].count = 0;
    if (octaves == 0) return;
    while (used > 1 && p[static_cast<std::size_t>(used - 1)].count == 0) --used;
  }
  int kept(EntropyCandidate c) const {
    return static_cast<int>(std::ceil((c.doublings == 0 ? used : kEntropyBins) * (c.i / double{kEntropyBins})));
  }
  double length(EntropyCandidate c) const {
    return std::ldexp(end, std::min(c.doublings, octaves) - octaves) * (kept(c) / double{kEntropyBins});
  }
};

struct EntropyOracle {
  bool symmetric;
  int levels;
  Range whole;
  std::vector<EntropySideOracle> sides;

  /// The data of a sketch, as a scheme sees it.
  template <class Sketch>
  EntropyOracle(const Sketch& sketch, bool is_symmetric, int bits)
      : symmetric(is_symmetric), levels(1 << (symmetric ? bits - 1 : bits)), whole{sketch.min(), sketch.max()} {
    const double negative = std::max(-double{whole.min}, 0.0), positive = std::max(double{whole.max}, 0.0);
    const bool two = !symmetric && negative > 0.0 && positive > 0.0;
    const std::vector<CountedBin> bins = bins_in(sketch);
    const auto side_of = [&](const CountedBin& bin) { return two && bin.high > 0.0f ? 1 : 0; };
    const auto far = [](const CountedBin& bin) { return std::max(std::fabs(bin.low), std::fabs(bin.high)); };
    std::vector<double> ends = {std::max(negative, positive)};
    if (two) ends = {negative, positive};
    // The most halvings that leave one value of a thousand beyond, or fewer.
    std::vector<int> octaves;
    for (int side = 0; side < static_cast<int>(ends.size()); ++side) {
      std::uint64_t all = 0;
      for (const CountedBin& bin : bins) all += side_of(bin) == side && far(bin) > 0.0f ? bin.count : 0;
      int most = 30;
      for (int k = 30; k > 0; --k) {
        std::uint64_t beyond = 0;
        for (const CountedBin& bin : bins) {
          const bool out = double{far(bin)} > ends[static_cast<std::size_t>(side)] / std::pow(2.0, k);
          beyond += side_of(bin) == side && out ? bin.count : 0;
        }
        if (1000 * beyond > all) most = k - 1;
      }
      octaves.push_back(most);
    }
    // Do they leave fewer bins of 2048 than there are levels, or as many?
    const int most = *std::max_element(octaves.begin(), octaves.end());
    const bool zoomed = kEntropyBins / std::pow(2.0, most) <= levels;
    for (std::size_t side = 0; side < ends.size(); ++side) sides.emplace_back(ends[side], zoomed ? octaves[side] : 0);
    for (const CountedBin& bin : bins) {
      const double a = std::fabs(double{bin.low}), b = std::fabs(double{bin.high});
      if (far(bin) > 0.0f) {
        sides[static_cast<std::size_t>(side_of(bin))].spread(std::min(a, b), std::max(a, b), bin.count);
      }
    }
    for (EntropySideOracle& side : sides) side.finish();
  }

  std::uint64_t total() const {
    std::uint64_t sum = 0;
    for (const EntropySideOracle& side : sides) sum += side.mass(0, long{kEntropyBins} << side.octaves);
    return sum;
  }
  int doublings() const {
    int most = 0;
    for (const EntropySideOracle& side : sides) most = std::max(most, side.octaves);
    return most;
  }

  /// The levels of a side.
  int share(std::size_t side, int doubled) const {
    if (sides.size() == 1) return levels;
    const EntropyCandidate c{doubled, kEntropyBins};
    const double part = sides[0].length(c) / (sides[0].length(c) + sides[1].length(c));
    const int below = std::min(std::max(static_cast<int>(std::floor(levels * part + 0.5)), 1), levels - 1);
    return side == 0 ? below : levels - below;
  }

  /// KL(P || Q) of a candidate.
  long double divergence(EntropyCandidate c) const {
    std::uint64_t inside = 0;
    for (const EntropySideOracle& side : sides) inside += side.mass(0, side.kept(c) * side.width(c.doublings));
    const long double all = static_cast<long double>(total());
    long double sum = 0.0L;
    for (std::size_t s = 0; s < sides.size(); ++s) {
      const EntropySideOracle& side = sides[s];
      const long width = side.width(c.doublings);
      const int i = side.kept(c), n = share(s, c.doublings);
      // P, and its counts and Q's in the histogram's bins.
      std::vector<EntropySideOracle::PBin> p;
      std::vector<std::uint64_t> counts(static_cast<std::size_t>(i), 0);
      for (const auto& bin : side.p) {
        if (bin.start >= i * width) break;
        p.push_back(bin);
        counts[static_cast<std::size_t>(bin.start / width)] += bin.count;
      }
      std::vector<std::uint64_t> clipped = counts;
      const std::uint64_t tail = side.mass(i * width, long{kEntropyBins} << side.octaves);
      p.back().count += tail;
      clipped.back() += tail;
      std::vector<long double> q(counts.size(), 0.0L);
      for (int level = 0; level < n; ++level) {
        const auto from = static_cast<std::size_t>(long{i} * level / n);
        const auto to = static_cast<std::size_t>(long{i} * (level + 1) / n);
        long double mass = 0.0L, filled = 0.0L;
        for (std::size_t b = from; b < to; ++b) {
          mass += static_cast<long double>(counts[b]);
          filled += clipped[b] != 0 ? 1.0L : 0.0L;
        }
        for (std::size_t b = from; b < to; ++b) q[b] = clipped[b] != 0 ? mass / filled : 0.0L;
      }
      for (const auto& bin : p) {
        if (bin.count == 0) continue;
        const long double there = q[static_cast<std::size_t>(bin.start / width)] / static_cast<long double>(inside) *
                                  static_cast<long double>(bin.length) / static_cast<long double>(width);
        if (there == 0.0L) return std::numeric_limits<long double>::infinity();
        const long double share = static_cast<long double>(bin.count) / all;
        sum += share * std::log(share / there);
      }
    }
    return sum;
  }

  /// From the shortest on.
  std::vector<EntropyCandidate> candidates() const {
    std::vector<EntropyCandidate> result;
    for (int doubled = 0; doubled <= doublings(); ++doubled) {
      int least = kEntropyBins / 2 + 1;
      if (doubled == 0) least = std::max(share(0, 0), sides.size() > 1 ? share(1, 0) : 0);
      for (int i = least; i <= kEntropyBins; ++i) {
        if (i % (doubled == 0 ? 8 : 64) == 0) result.push_back({doubled, i});
      }
    }
    return result;
  }

  /// Of equals (but for rounding) the longest; the whole where there are too few values.
  EntropyCandidate best() const {
    const EntropyCandidate longest{doublings(), kEntropyBins};
    if (total() < 2048) return longest;
    std::vector<long double> divergences;
    const std::vector<EntropyCandidate> all = candidates();
    for (const EntropyCandidate& c : all) {
      std::uint64_t inside = 0;
      for (const EntropySideOracle& side : sides) inside += side.mass(0, side.kept(c) * side.width(c.doublings));
      divergences.push_back(inside == 0 ? std::numeric_limits<long double>::infinity() : divergence(c));
    }
    const long double least = *std::min_element(divergences.begin(), divergences.end());
    for (std::size_t c = divergences.size(); c-- > 0;) {
      if (divergences[c] <= least + 1e-12L) return all[c];
    }
    return longest;
  }

  Range range(EntropyCandidate c) const {
    const auto low = static_cast<float>(sides.front().length(c)), high = static_cast<float>(sides.back().length(c));
    return {std::min(std::max(whole.min, -low), high), std::max(std::min(whole.max, high), -low)};
  }
};

}  // namespace quanta::test
