// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Files as Google Benchmark writes them, made up by tests.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

namespace made_up {

/// A directory of its own, empty at first and gone at the end.
class Directory {
 public:
  explicit Directory(const std::string& name) : path_(std::filesystem::temp_directory_path() / ("quanta " + name)) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& file, const std::string& text) const {
    std::filesystem::create_directories((path_ / file).parent_path());
    std::ofstream(path_ / file) << text;
    return path_ / file;
  }

 private:
  std::filesystem::path path_;
};

/// A case; `more` is further members: "\"ops/s\": 2e9".
inline std::string one_case(const std::string& name, double time, const std::string& unit,
                            const std::string& more = "") {
  return R"({"name": ")" + name + R"(", "run_name": ")" + name +
         R"(", "run_type": "iteration", "repetitions": 1, "threads": 1, "iterations": 1, "real_time": )" +
         std::to_string(time) + R"(, "cpu_time": 1.0, "time_unit": ")" + unit + '"' +
         (more.empty() ? "" : ", " + more) + "}";
}

/// A file; `context` is more of its context, `cases` are separated by commas.
inline std::string file(const std::string& cases, const std::string& context = "") {
  return R"({"context": {"date": "2026-01-01", "num_cpus": 2, "caches": [])" + (context.empty() ? "" : ", " + context) +
         R"(}, "benchmarks": [)" + cases + "]}";
}

}  // namespace made_up
