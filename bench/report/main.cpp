// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Makes of the JSON files that the benchmarks wrote what a reader wants (bench/run calls it):
//
//   report DIRECTORY [NAME=VALUE...]    prints the summary of DIRECTORY/results/*.json, and writes
//                                             DIRECTORY/report.html and DIRECTORY/speed.md; the pairs are what is said
//                                             of the machine and the build
//   report --compare DIRECTORY          compares two builds from DIRECTORY/<round>/{before,after}/*.json; ends
//   with
//                                             status 1 when cases became slower or fail
#include <cstdio>
#include <exception>

#include "compare.hpp"
#include "page.hpp"

namespace {

using namespace report;

void write(const std::filesystem::path& file, const std::string& text) {
  std::ofstream out(file);
  out << text;
  out.close();
  if (!out) throw std::runtime_error(file.string() + ": cannot be written");
}

/// The table of a few sizes, what its columns mean, and the machine.
std::string speed(const Facts& facts, const Results& gemm) {
  const std::string kernel = gemm.context.at("native_kernel");
  std::string text =
      to_markdown(speed_table(gemm, kernel)) +
      "\nuint8 x int8 to uint8 codes, with bias and Relu; two operations per multiply-add; x NAME: by how much "
      "Quanta is faster,\nbest time against best time.\n\nMeasured on ";
  for (const auto& [name, value] : facts) text += value + "; ";
  return text + "kernel " + kernel + ", threads: " + gemm.context.at("threads") + "; beside " + measured_peers(gemm) +
         ".\n";
}

int summarize(const std::filesystem::path& directory, Facts facts) {
  std::vector<std::filesystem::path> files;
  for (const auto& entry : std::filesystem::directory_iterator(directory / "results")) {
    if (entry.path().extension() == ".json") files.push_back(entry.path());
  }
  if (files.empty()) throw std::runtime_error((directory / "results").string() + ": no .json files");
  // The product first: it is what the others rest on.
  std::sort(files.begin(), files.end(), [](const auto& a, const auto& b) {
    const bool a_first = a.stem().string().starts_with("gemm"), b_first = b.stem().string().starts_with("gemm");
    return a_first != b_first ? a_first : a < b;
  });
  std::vector<Results> all;
  for (const auto& file : files) all.push_back(read_results(file));
  bool failed = false;
  for (const Results& results : all) {
    if (is_gemm(results)) {
      const std::string kernel = results.context.at("native_kernel");
      std::printf("%s, kernel %s\n%s\n", results.program.c_str(), kernel.c_str(),
                  to_text(means_table(results, kernel)).c_str());
      if (results.program == "gemm") {
        write(directory / "speed.md", speed(facts, results));
        const std::string missing = missing_peers(results);
        if (!missing.empty()) std::printf("%s\n", missing.c_str());
      }
    } else {
      std::printf("%s\n", to_text(groups_table(results)).c_str());
    }
    for (const std::string& failure : failures_of(results)) {
      std::printf("FAILED %s\n", failure.c_str());
      failed = true;
    }
  }
  write(directory / "report.html", page(facts, all, directory / "pictures"));
  std::printf("written: %s and speed.md\n", (directory / "report.html").string().c_str());
  return failed ? 1 : 0;
}

int compare_builds(const std::filesystem::path& directory) {
  const Measured measured = read_rounds(directory);
  for (const std::string& one : measured.failed) std::printf("FAILED %s\n", one.c_str());
  if (measured.cases.empty()) throw std::runtime_error(directory.string() + ": no case that both builds measured");
  const std::vector<Change> changes = compare(measured.cases);
  const Table slower = changes_table(changes, [](const Change& one) { return one.slower(); });
  const Table faster = changes_table(changes, [](const Change& one) { return one.faster(); });
  if (!measured.left_out.empty()) std::printf("%zu cases are not compared:\n", measured.left_out.size());
  for (const std::string& one : measured.left_out) std::printf("  %s\n", one.c_str());
  if (!faster.rows.empty()) std::printf("FASTER\n%s\n", to_text(faster).c_str());
  if (!slower.rows.empty()) std::printf("SLOWER\n%s\n", to_text(slower).c_str());
  std::vector<double> noises;
  for (const Change& one : changes) noises.push_back(one.noise);
  std::printf("%zu cases compared: %zu slower, %zu faster beyond the noise, whose median is %.1f %%\n", changes.size(),
              slower.rows.size(), faster.rows.size(), 100.0 * (median(noises) - 1.0));
  return slower.rows.empty() && measured.failed.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  try {
    if (arguments.size() == 2 && arguments[0] == "--compare") return compare_builds(arguments[1]);
    if (arguments.empty() || arguments[0].starts_with('-')) {
      std::fprintf(stderr, "usage: %s DIRECTORY [NAME=VALUE...]\n       %s --compare DIRECTORY\n", argv[0], argv[0]);
      return 2;
    }
    Facts facts;
    for (std::size_t i = 1; i < arguments.size(); ++i) {
      const std::size_t equal = arguments[i].find('=');
      if (equal == std::string::npos) throw std::runtime_error("expected NAME=VALUE, got " + arguments[i]);
      facts.emplace_back(arguments[i].substr(0, equal), arguments[i].substr(equal + 1));
    }
    return summarize(arguments[0], facts);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_report: %s\n", error.what());
    return 2;
  }
}
