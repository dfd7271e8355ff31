// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a benchmark program measured, read from the JSON file that Google Benchmark wrote.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace report {

/// One case, as it was measured once.
struct Case {
  /// Without what Google Benchmark appends for its own settings: "Avx2/real/1x768x768/cold".
  std::string name;
  double seconds = 0.0;
  /// What the program counted: "ops/s", "of_read_limit", "x_Eigen".
  std::map<std::string, double> counters;
  /// Of the case, or why there are no figures.
  std::string label, error;

  /// The parts of the name between slashes.
  std::vector<std::string> parts() const;
  /// The end of the name that says the size: from the last part that begins with a digit, or the last part.
  std::string size() const;
  /// 0 where the program counted no such thing: none of these can be 0.
  double counter(const std::string& counter_name) const;
};

/// One run of one program.
struct Results {
  /// The program's name, less "bench_".
  std::string program;
  /// What the program said of itself: "threads", "native_kernel", versions of peers.
  std::map<std::string, std::string> context;
  std::vector<Case> cases;
};

/// Throws std::runtime_error naming the file when it is not there, or is not what Google Benchmark writes.
Results read_results(const std::filesystem::path& file);

// ---- bodies ----

inline std::vector<std::string> Case::parts() const {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c == '/') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

inline std::string Case::size() const {
  const std::vector<std::string> all = parts();
  std::size_t first = all.size() - 1;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!all[i].empty() && all[i][0] >= '0' && all[i][0] <= '9') first = i;
  }
  std::string size = all[first];
  for (std::size_t i = first + 1; i < all.size(); ++i) size += "/" + all[i];
  return size;
}

inline double Case::counter(const std::string& counter_name) const {
  const auto found = counters.find(counter_name);
  return found != counters.end() ? found->second : 0.0;
}

namespace detail {

inline double seconds_per(const std::string& unit) {
  if (unit == "ns") return 1e-9;
  if (unit == "us") return 1e-6;
  if (unit == "ms") return 1e-3;
  if (unit == "s") return 1.0;
  throw std::runtime_error("unknown time_unit " + unit);
}

inline Case read_case(const nlohmann::json& json) {
  static const std::vector<std::string> kNoCounters = {"family_index", "per_family_instance_index",
                                                       "repetitions",  "repetition_index",
                                                       "threads",      "iterations",
                                                       "real_time",    "cpu_time"};
  Case one;
  one.name = json.at("name").get<std::string>();
  for (const char* suffix : {"/manual_time", "/iterations:1"}) {
    if (one.name.ends_with(suffix)) one.name.erase(one.name.size() - std::string(suffix).size());
  }
  one.label = json.value("label", "");
  if (json.contains("error_message")) {
    one.error = json["error_message"].get<std::string>();
    return one;
  }
  one.seconds = json.at("real_time").get<double>() * seconds_per(json.at("time_unit").get<std::string>());
  for (const auto& [key, value] : json.items()) {
    const bool counter = std::find(kNoCounters.begin(), kNoCounters.end(), key) == kNoCounters.end();
    if (counter && value.is_number()) one.counters[key] = value.get<double>();
  }
  return one;
}

}  // namespace detail

inline Results read_results(const std::filesystem::path& file) {
  Results results;
  results.program = file.stem().string();
  try {
    std::ifstream in(file);
    if (!in) throw std::runtime_error("cannot be read");
    const nlohmann::json json = nlohmann::json::parse(in);
    for (const auto& [key, value] : json.at("context").items()) {
      if (value.is_string()) results.context[key] = value.get<std::string>();
    }
    for (const nlohmann::json& one : json.at("benchmarks")) {
      if (one.value("run_type", "iteration") == "iteration") results.cases.push_back(detail::read_case(one));
    }
  } catch (const std::exception& error) {
    throw std::runtime_error(file.string() + ": " + error.what());
  }
  return results;
}

}  // namespace report
