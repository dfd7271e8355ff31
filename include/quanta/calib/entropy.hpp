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
// So far this is TensorRT's. It cannot clip what lies farther out than 2048 / levels times the rest: no candidate is
// so short, and the whole range looks perfect with all the rest in the bin at 0. So the end is halved while at most one
// value of a thousand lies beyond. Where those values have fewer bins than there are levels (on either side), the
// histograms start at the halved ends (where their values end, for the fraction above), and double up to the data's:
//
//   |x|  0 ... end / 2^k | ... end / 2^(k-1) | ...  ... end      the bins of P, the same for every candidate
//        2048 bins       | 1024, twice as wide | ... 1024
//
// Each doubled histogram has candidates too, from half of its bins up by 64; the last one is the whole range. Its bins
// are pairs of the smaller one's, over which its Q is spread evenly. By the chain rule of the divergence this is the
// divergence between bins, as above, plus what the values within bins lose, sum n log(n * width / width of n's bin in
// P): all candidates are judged by one sum over the same bins, and the result is never worse than the whole range.
//
// An outlier 2^30 times as large as the rest leaves nothing of it in the sketch, and is kept. So are outliers that are
// more than one value of a thousand: then they are what the data is. Levels are counted in full: whether the quantizer
// leaves out the most negative code does not change the choice.
//
// It needs 2048 values outside the bin at 0; with fewer, or with as many levels as bins (formats of more than 10 bits),
// it returns the whole range.
#pragma once

#include <limits>

#include <quanta/calib/calibrator.hpp>
#include <quanta/core/math.hpp>

QUANTA_NAMESPACE_BEGIN

/// The range whose quantized distribution loses least of the data's, by the Kullback-Leibler divergence, for the
/// quantizer that asks, for each channel and in units of the data (Migacz, "8-bit inference with TensorRT", GTC 2017);
/// calib/entropy.hpp says how, and what is added to it. Errors as CalibrationSketch's.
template <Granularity G = PerTensor>
class EntropyCalibrator : public SketchCalibrator<EntropyCalibrator<G>, G> {
 public:
  using SketchCalibrator<EntropyCalibrator<G>, G>::SketchCalibrator;

  static constexpr int kBins = 2048;                   ///< of a histogram
  static constexpr int kStride = 8;                    ///< from one candidate's bins to the next one's
  static constexpr int kDoubledStride = 64;            ///< the same for a doubled histogram
  static constexpr std::uint64_t kLeastValues = 2048;  ///< outside the bin at 0; with fewer the range is the whole one
  /// Divergences this close are equal: it is more than rounding makes of a sum, and far less than data does.
  static constexpr double kRounding = 1e-12;

  /// For SketchCalibrator, which calls it with a sketch that holds values.
  template <class Quantizer, class Sketch>
  Range choose(const Sketch& sketch, const typename Quantizer::FitOptions& options) const;
};

namespace detail {

/// Counts of |x| on one side of 0 in the bins pictured above, with running sums over its histogram, the first `size`
/// of them: all that the divergence of a candidate needs.
template <int size>
class EntropySide {
 public:
  /// `bins` of |x| up to `end`; each is spread evenly over P's, in whole counts.
  EntropySide(const std::vector<Bin>& bins, double end, int octaves)
      : end_(std::ldexp(end, -octaves)), octaves_(octaves), bins_(usize(size + size / 2 * octaves)) {
    for (const Bin& bin : bins) {
      const int first = bin_of(bin.low), last = std::max(first, bin_of(bin.high));
      const auto width = static_cast<std::uint64_t>(last - first + 1);
      for (int b = first; b <= last; ++b) {
        const auto position = static_cast<std::uint64_t>(b - first);
        bins_[usize(b)].count += bin.count / width + (position < bin.count % width ? 1u : 0u);
      }
    }
    bins_[0].count = 0;
    for (Counted& bin : bins_) {
      bin.n_log_n = n_log_n(bin.count);
      total_ += bin.count;
    }
    sum_up();
    used_ = size;
    while (octaves > 0 && used_ > 1 && bins_[usize(used_ - 1)].count == 0) --used_;
  }

  /// On to the histogram of twice the end, if the data goes on.
  void double_end() {
    used_ = size;
    if (octaves_ == 0) return;
    constexpr double log_2 = 0.69314718055994530942;
    for (std::size_t b = 0; b < usize(size / 2); ++b) {
      const Counted &one = bins_[2 * b], &other = bins_[2 * b + 1];
      const std::uint64_t n = one.count + other.count;
      bins_[b] = {n, one.n_log_n + other.n_log_n + fp::mul(static_cast<double>(n), log_2)};
    }
    bins_.erase(bins_.begin() + size / 2, bins_.begin() + size);  // the next octave's follow
    end_ *= 2.0;
    --octaves_;
    sum_up();
  }

  /// Of the histogram.
  double end() const { return end_; }
  /// How many of its bins are `i` of `size` parts of those used: all but the empty ones beyond a bulk.
  int bins_for(int i) const { return static_cast<int>(ceil_div(Index{used_} * i, Index{size})); }
  std::uint64_t total() const { return total_; }
  std::uint64_t within(int i) const { return sums_[usize(i)].count; }

  /// Sum over the bins of P below i of P (log P - log Q), unnormalised. Bin i - 1 is one of P's itself.
  double divergence(int i, int levels) const {
    const std::uint64_t tail = total_ - within(i);
    const std::uint64_t at_end = bins_[usize(i - 1)].count;
    double sum = sums_[usize(i - 1)].n_log_n + n_log_n(at_end + tail);
    for (int level = 0; level < levels; ++level) {
      const Sums& from = sums_[usize(std::int64_t{i} * level / levels)];
      const Sums& to = sums_[usize(std::int64_t{i} * (level + 1) / levels)];
      const bool last = level + 1 == levels;
      const std::uint64_t mass = to.count - from.count;
      const std::uint64_t priced = mass + (last ? tail : 0);
      if (priced == 0) continue;
      if (mass == 0) return std::numeric_limits<double>::infinity();
      const int filled = to.filled - from.filled + (last && at_end == 0 && tail != 0 ? 1 : 0);
      const double q = static_cast<double>(mass) / static_cast<double>(filled);
      sum -= fp::mul(static_cast<double>(priced), math::log(q));
    }
    return sum;
  }

 private:
  struct Counted {
    std::uint64_t count = 0;
    double n_log_n = 0.0;  ///< the sum over P's bins in it, their n multiplied by how much wider this one is
  };
  struct Sums {
    std::uint64_t count = 0;
    int filled = 0;
    double n_log_n = 0.0;
  };

  int bin_of(double v) const {
    if (end_ == 0.0) return 0;
    double position = fp::mul(v / end_, double{size});
    int octave = 0;
    for (; octave < octaves_ && position >= size; ++octave) position *= 0.5;
    return std::min(static_cast<int>(position) + octave * (size / 2), static_cast<int>(bins_.size()) - 1);
  }
  static double n_log_n(std::uint64_t n) {
    return n == 0 ? 0.0 : fp::mul(static_cast<double>(n), math::log(static_cast<double>(n)));
  }
  void sum_up() {
    for (std::size_t b = 0; b < usize(size); ++b) {
      sums_[b + 1] = {sums_[b].count + bins_[b].count, sums_[b].filled + (bins_[b].count != 0 ? 1 : 0),
                      sums_[b].n_log_n + bins_[b].n_log_n};
    }
  }

  double end_;
  int octaves_;  ///< beyond the histogram
  int used_ = size;
  std::uint64_t total_ = 0;
  std::vector<Counted> bins_;
  std::vector<Sums> sums_ = std::vector<Sums>(size + 1);
};

/// How often `end` can be halved with no more than one value of a thousand beyond it.
QUANTA_LAZY int octaves_beyond_bulk(const std::vector<Bin>& bins, double end, int most) {
  const auto beyond = [&](double from) {
    std::uint64_t n = 0;
    for (const Bin& bin : bins) n += bin.high > from ? bin.count : 0;
    return n;
  };
  const std::uint64_t few = beyond(0.0) / 1000;
  int octaves = 0;
  while (octaves < most && beyond(std::ldexp(end, -(octaves + 1))) <= few) ++octaves;
  return octaves;
}

}  // namespace detail

template <Granularity G>
template <class Quantizer, class Sketch>
Range EntropyCalibrator<G>::choose(const Sketch& sketch, const typename Quantizer::FitOptions&) const {
  using F = typename Quantizer::FormatType;
  using Side = detail::Lazy<detail::EntropySide<kBins>, Sketch>;
  constexpr bool symmetric = std::is_same_v<typename Quantizer::SchemeType, Symmetric>;
  constexpr int levels = 1 << (symmetric ? F::bits - 1 : F::bits);
  const Range whole{sketch.min(), sketch.max()};
  if constexpr (levels >= kBins) return whole;
  const double negative = std::max(-double{whole.min}, 0.0), positive = std::max(double{whole.max}, 0.0);

  // One side, or the two of an asymmetric range around 0.
  const bool two_sides = !symmetric && negative > 0.0 && positive > 0.0;
  const std::size_t count = two_sides ? 2 : 1;
  const double side_ends[2] = {two_sides ? negative : std::max(negative, positive), positive};
  detail::Lazy<std::vector<detail::Bin>, Sketch> bins[2];
  sketch.for_each_bin([&](float low, float high, std::uint64_t n) {
    const double a = std::fabs(double{low}), b = std::fabs(double{high});
    if (a != 0.0 || b != 0.0) bins[two_sides && high > 0.0f ? 1 : 0].push_back({std::min(a, b), std::max(a, b), n});
  });
  int octaves[2] = {0, 0};
  for (std::size_t s = 0; s < count; ++s) {
    octaves[s] = detail::octaves_beyond_bulk(bins[s], side_ends[s], Sketch::kOctaves - 1);
  }
  int doublings = std::max(octaves[0], octaves[1]);
  if ((std::int64_t{levels} << doublings) < kBins) octaves[0] = octaves[1] = doublings = 0;
  std::vector<Side> sides;
  std::uint64_t total = 0;
  for (std::size_t s = 0; s < count; ++s) {
    sides.emplace_back(bins[s], side_ends[s], octaves[s]);
    total += sides[s].total();
  }
  if (total < kLeastValues) return whole;

  Range best = whole;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](int i, const int* shares) {
    std::uint64_t within = 0;
    double sum = 0.0, ends[2] = {0.0, 0.0};
    for (std::size_t s = 0; s < count; ++s) {
      const int kept = sides[s].bins_for(i);
      within += sides[s].within(kept);
      sum += sides[s].divergence(kept, shares[s]);
      ends[s] = fp::mul(sides[s].end(), static_cast<double>(kept) / kBins);
    }
    if (within == 0) return;
    const double n = static_cast<double>(total);
    const double divergence = sum / n - math::log(n) + math::log(static_cast<double>(within));
    if (divergence > least + kRounding) return;
    least = std::min(least, divergence);
    const auto low = static_cast<float>(ends[0]), high = static_cast<float>(ends[two_sides ? 1 : 0]);
    best = {std::min(std::max(whole.min, -low), high), std::max(std::min(whole.max, high), -low)};
  };
  for (int left = doublings;; --left) {
    int shares[2] = {levels, 0};  // each level belongs to one side, and each side has one at least
    if (two_sides) {
      const double a = fp::mul(sides[0].end(), static_cast<double>(sides[0].bins_for(kBins)));
      const double b = fp::mul(sides[1].end(), static_cast<double>(sides[1].bins_for(kBins)));
      const double share = std::floor(fp::mul(double{levels}, a / (a + b)) + 0.5);
      shares[0] = std::min(std::max(static_cast<int>(share), 1), levels - 1);
      shares[1] = levels - shares[0];
    }
    const bool first = left == doublings;
    const int fewest = first ? std::max(shares[0], shares[1]) : kBins / 2 + kDoubledStride;
    const int stride = first ? kStride : kDoubledStride;
    for (int i = fewest + (kBins - fewest) % stride; i <= kBins; i += stride) consider(i, shares);
    if (left == 0) return best;
    for (Side& side : sides) side.double_end();
  }
}

QUANTA_NAMESPACE_END
