// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What was measured, and what it comes to: per kernel and table the geometric means of the fractions and ratios, and
// the worst size against the best peer. Peers that were not measured take part in nothing.
#pragma once

#include <cmath>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

namespace bench {

/// One kernel, one table, one size. Ratios are by how much ours is faster: of best times, and of medians.
struct Figure {
  struct Ratio {
    double best, median;
  };
  std::string kernel, table, size;
  double seconds = 0.0, median_seconds = 0.0, operations = 0.0;
  double of_dot_peak = 0.0;    ///< 0 where there is no such instruction, and for one row
  double of_read_limit = 0.0;  ///< 0 for more than one row
  std::map<std::string, Ratio> ratios;
};

class GeometricMean {
 public:
  void add(double value) {
    logs_ += std::log(value);
    ++count_;
  }
  int count() const { return count_; }
  double value() const { return std::exp(logs_ / count_); }

 private:
  double logs_ = 0.0;
  int count_ = 0;
};

struct Summary {
  int figures = 0;
  GeometricMean of_dot_peak, of_read_limit;
  std::map<std::string, GeometricMean> best, median;
  /// The smallest ratio to any peer, and where.
  double worst = 0.0, worst_median = 0.0;
  std::string worst_at;
  /// How many sizes are slower than the best peer.
  int slower = 0;

  std::string line() const;
};

/// `table` empty: all of them.
inline Summary summarize(const std::vector<Figure>& figures, const std::string& kernel, const std::string& table) {
  Summary sum;
  for (const Figure& one : figures) {
    if (one.kernel != kernel || (!table.empty() && one.table != table)) continue;
    ++sum.figures;
    if (one.of_dot_peak > 0.0) sum.of_dot_peak.add(one.of_dot_peak);
    if (one.of_read_limit > 0.0) sum.of_read_limit.add(one.of_read_limit);
    bool slower = false;
    for (const auto& [peer, ratio] : one.ratios) {
      sum.best[peer].add(ratio.best);
      sum.median[peer].add(ratio.median);
      slower = slower || ratio.best < 1.0;
      if (sum.worst_at.empty() || ratio.best < sum.worst) {
        sum.worst = ratio.best;
        sum.worst_median = ratio.median;
        sum.worst_at = one.table + "/" + one.size + " " + peer;
      }
    }
    sum.slower += slower ? 1 : 0;
  }
  return sum;
}

inline std::string Summary::line() const {
  const auto number = [](double value) {
    char text[32];
    std::snprintf(text, sizeof text, "%.2f", value);
    return std::string(text);
  };
  std::string text = std::to_string(figures) + " figures";
  if (of_dot_peak.count() > 0) text += ", " + number(of_dot_peak.value()) + " of dot peak";
  if (of_read_limit.count() > 0) text += ", " + number(of_read_limit.value()) + " of read limit (m = 1)";
  for (const auto& [peer, mean] : best) {
    text += ", " + number(mean.value()) + " x " + peer + " (median " + number(median.at(peer).value()) + ", " +
            std::to_string(mean.count()) + ")";
  }
  if (!worst_at.empty()) {
    text += "; slower than the best peer at " + std::to_string(slower) + ", worst " + number(worst) + " (median " +
            number(worst_median) + ") at " + worst_at;
  }
  return text;
}

}  // namespace bench
