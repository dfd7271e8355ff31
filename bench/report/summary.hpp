// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Tables of any program's results: means over groups of cases, and every case.
#pragma once

#include <set>

#include "../figures.hpp"
#include "results.hpp"
#include "table.hpp"

namespace report {

/// The program's counters that are ratios ("of_...", "x_..."), in order of their names.
std::vector<std::string> ratios_of(const Results& results);

/// "of_read_limit" as "of read limit", "x_ONNX_Runtime" as "x ONNX Runtime".
std::string spaced(std::string counter);

/// Cases whose names begin alike: the geometric means of their ratios, and the least.
Table groups_table(const Results& results);

/// Every case with its time and counters; medians are left to the JSON files.
Table cases_table(const Results& results);

/// "gemm: Avx2/real/1x768x768: the message" for each that has no figures.
std::vector<std::string> failures_of(const Results& results);

// ---- bodies ----

inline std::vector<std::string> ratios_of(const Results& results) {
  std::set<std::string> names;
  for (const Case& one : results.cases) {
    for (const auto& [name, value] : one.counters) {
      if (value > 0.0 && (name.starts_with("of_") || name.starts_with("x_"))) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

inline std::string spaced(std::string counter) {
  std::replace(counter.begin(), counter.end(), '_', ' ');
  return counter;
}

inline Table groups_table(const Results& results) {
  const std::vector<std::string> ratios = ratios_of(results);
  Table table = {{results.program + ", geometric means", "cases"}, {}};
  for (const std::string& ratio : ratios) table.columns.insert(table.columns.end(), {spaced(ratio), "least"});
  std::vector<std::string> groups;
  for (const Case& one : results.cases) {
    const std::string group = one.parts()[0];
    if (std::find(groups.begin(), groups.end(), group) == groups.end()) groups.push_back(group);
  }
  for (const std::string& group : groups) {
    int cases = 0;
    std::map<std::string, bench::GeometricMean> means;
    std::map<std::string, double> least;
    for (const Case& one : results.cases) {
      if (one.parts()[0] != group || !one.error.empty()) continue;
      ++cases;
      for (const std::string& ratio : ratios) {
        const double value = one.counter(ratio);
        if (value <= 0.0) continue;
        means[ratio].add(value);
        double& smallest = least.emplace(ratio, value).first->second;
        smallest = std::min(smallest, value);
      }
    }
    std::vector<std::string> row = {group, std::to_string(cases)};
    for (const std::string& ratio : ratios) {
      const bool there = means.contains(ratio);
      row.push_back(there ? fixed(means[ratio].value(), 2) : "");
      row.push_back(there ? fixed(least[ratio], 2) : "");
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

inline Table cases_table(const Results& results) {
  std::set<std::string> names;
  for (const Case& one : results.cases) {
    for (const auto& [name, value] : one.counters) {
      if (!name.starts_with("median_") && !one.name.starts_with("aggregate/")) names.insert(name);
    }
  }
  Table table = {{"case", "time"}, {}};
  for (const std::string& name : names) table.columns.push_back(spaced(name));
  for (const Case& one : results.cases) {
    if (one.name.starts_with("aggregate/")) continue;
    std::vector<std::string> row = {one.name, one.error.empty() ? duration(one.seconds) : one.error};
    for (const std::string& name : names) {
      const auto found = one.counters.find(name);
      row.push_back(found == one.counters.end() ? "" : with_prefix(found->second, ""));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

inline std::vector<std::string> failures_of(const Results& results) {
  std::vector<std::string> failures;
  for (const Case& one : results.cases) {
    if (!one.error.empty()) failures.push_back(results.program + ": " + one.name + ": " + one.error);
  }
  return failures;
}

}  // namespace report
