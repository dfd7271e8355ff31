// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the program prints: a table, and what it says.
#pragma once

#include <algorithm>
#include <cstdio>
#include <functional>
#include <string>
#include <vector>

#include "compare.hpp"

namespace qat {

/// A way to train and quantize: an accuracy in percent for each seed.
struct Column {
  std::string name;
  std::vector<double> accuracies = {};

  double median() const {
    std::vector<double> sorted = accuracies;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
  double lowest() const { return *std::min_element(accuracies.begin(), accuracies.end()); }
  double highest() const { return *std::max_element(accuracies.begin(), accuracies.end()); }
};

/// Columns 0 and 1 are in float, 2 to 4 quantized after training, 5 and 6 trained so.
inline void print_head(const std::vector<Column>& columns) {
  std::printf("%-8s %9s %9s   %29s   %19s\n%-8s", "", "", "float,", "post-training quantization   ",
              "quantization-aware", "");
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::printf("%s %9s", i == 2 || i == 5 ? "  " : "", columns[i].name.c_str());
  }
  std::printf("\n");
}

inline void print_row(const std::string& name, const std::vector<Column>& columns,
                      const std::function<double(const Column&)>& value) {
  std::printf("%-8s", name.c_str());
  for (std::size_t i = 0; i < columns.size(); ++i) {
    std::printf("%s %9.2f", i == 2 || i == 5 ? "  " : "", value(columns[i]));
  }
  std::printf("\n");
  std::fflush(stdout);  // the next row takes a while
}

/// By medians, how much of what quantization after training costs does training recover? True when at least half.
inline bool print_recovery(const Column& in_float, const Column& after, const Column& trained) {
  const double cost = in_float.median() - after.median(), recovered = trained.median() - after.median();
  const bool enough = recovered >= 0.5 * cost;
  std::printf(
      "\nPost-training quantization to %s costs %.2f points; quantization-aware training recovers %.2f, %.0f %% of "
      "that.\n"
      "At least half: %s\n",
      after.name.c_str(), cost, recovered, 100.0 * recovered / cost, enough ? "yes" : "NO");
  return enough;
}

/// True when every difference is explained.
inline bool print_agreement(const char* name, const Agreement& agreement) {
  std::printf(
      "\nInteger models of %s against the networks they come from, %ld images in all:\n"
      "  %ld get another class; of %ld codes between layers %ld differ\n",
      name, agreement.images, agreement.other_classes, agreement.codes, agreement.other_codes);
  for (const std::string& line : agreement.explanations) std::printf("  %s\n", line.c_str());
  return agreement.unexplained == 0;
}

}  // namespace qat
