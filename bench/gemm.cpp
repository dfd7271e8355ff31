// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The int8 product beside other libraries, for each kernel this build has. Per size: operations per second (two per
// multiply-add), the fraction of the limit measured in the same run (the dot instruction's peak, or for one row the
// bandwidth of reading as many bytes), and the ratio to each library found, whose runs alternate with ours: x_NAME of
// best times, median_x_NAME of medians. At the end, means over all sizes. Peers: bench/peers; sizes: cases.hpp.
//
//   --threads=N   threads for everyone (1)       --seconds=S  budget per figure (0.1, or QUANTA_BENCH_SECONDS)
//   --kernel=NAME that kernel of ours alone      and Google Benchmark's own flags
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <benchmark/benchmark.h>
#include <unsupported/Eigen/CXX11/Tensor>

#include "measure.hpp"

namespace {

struct Results {
  std::vector<bench::Figure> figures;
  std::vector<std::string> wrong;
  /// A result of ours was wrong, or a library failed.
  bool failed = false;
};

/// The case measured last: the kernels' entries of one case follow each other.
struct Last {
  const bench::Table* table = nullptr;
  const bench::Size* size = nullptr;
  bench::Outcome outcome;
};

void run_case(benchmark::State& state, bench::Bench& bench, Results& results, const bench::Table& table,
              const bench::Size& size, const std::string& kernel) {
  static Last last;
  if (last.table != &table || last.size != &size) {
    try {
      last = {&table, &size, bench.measure(table, size)};
    } catch (const std::exception& e) {
      results.failed = true;
      state.SkipWithError(e.what());
      return;
    }
    for (const std::string& peer : last.outcome.wrong) {
      results.wrong.push_back(peer + " at " + table.name + "/" + size.name());
    }
  }
  for (const bench::Figure& figure : last.outcome.figures) {
    if (figure.kernel != kernel) continue;
    for (auto _ : state) state.SetIterationTime(figure.seconds);
    state.counters["ops/s"] = figure.operations / figure.seconds;
    state.counters["median_ops/s"] = figure.operations / figure.median_seconds;
    if (figure.of_dot_peak > 0.0) state.counters["of_dot_peak"] = figure.of_dot_peak;
    if (figure.of_read_limit > 0.0) state.counters["of_read_limit"] = figure.of_read_limit;
    for (const auto& [peer, ratio] : figure.ratios) {
      state.counters["x_" + peer] = ratio.best;
      state.counters["median_x_" + peer] = ratio.median;
    }
    results.figures.push_back(figure);
  }
  std::string label;
  for (const std::string& peer : last.outcome.wrong) label += peer + " is wrong, not timed. ";
  if (!label.empty()) state.SetLabel(label);
}

void run_aggregate(benchmark::State& state, const Results& results, const std::string& kernel,
                   const std::string& table) {
  const bench::Summary sum = bench::summarize(results.figures, kernel, table);
  for (auto _ : state) state.SetIterationTime(1e-9);
  state.counters["figures"] = sum.figures;
  if (sum.of_dot_peak.count() > 0) state.counters["of_dot_peak"] = sum.of_dot_peak.value();
  if (sum.of_read_limit.count() > 0) state.counters["of_read_limit"] = sum.of_read_limit.value();
  for (const auto& [peer, mean] : sum.best) {
    state.counters["x_" + peer] = mean.value();
    state.counters["median_x_" + peer] = sum.median.at(peer).value();
  }
  if (sum.worst_at.empty()) return;
  state.counters["worst"] = sum.worst;
  state.counters["worst_median"] = sum.worst_median;
  state.counters["slower"] = sum.slower;
  state.SetLabel("worst at " + sum.worst_at);
}

/// The value of --name=value, taken out of the arguments; null when it is not there.
const char* take_flag(int& argc, char** argv, const char* name) {
  const std::size_t length = std::strlen(name);
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], name, length) != 0) continue;
    const char* value = argv[i] + length;
    std::copy(argv + i + 1, argv + argc, argv + i);
    --argc;
    return value;
  }
  return nullptr;
}

void register_all(bench::Bench& bench, Results& results) {
  const auto add = [](const std::string& name, auto run) {
    benchmark::RegisterBenchmark(name.c_str(), run)->UseManualTime()->Iterations(1)->Unit(benchmark::kMicrosecond);
  };
  for (const bench::Table& table : bench::kTables) {
    for (const bench::Size& size : bench::kSizes) {
      for (const bench::Kernel& kernel : bench.kernels()) {
        if (!bench::takes_part(kernel, table)) continue;
        add(kernel.name + "/" + table.name + "/" + size.name(),
            [&, name = kernel.name](benchmark::State& state) { run_case(state, bench, results, table, size, name); });
      }
    }
  }
  for (const bench::Kernel& kernel : bench.kernels()) {
    for (const bench::Table& table : bench::kTables) {
      if (!bench::takes_part(kernel, table)) continue;
      add("aggregate/" + kernel.name + "/" + table.name,
          [&, name = kernel.name](benchmark::State& state) { run_aggregate(state, results, name, table.name); });
    }
    add("aggregate/" + kernel.name,
        [&, name = kernel.name](benchmark::State& state) { run_aggregate(state, results, name, ""); });
  }
}

}  // namespace

int main(int argc, char** argv) {
  const char* const seconds_flag = take_flag(argc, argv, "--seconds=");
  const char* const seconds = seconds_flag != nullptr ? seconds_flag : std::getenv("QUANTA_BENCH_SECONDS");
  const char* const threads_flag = take_flag(argc, argv, "--threads=");
  const char* const kernel = take_flag(argc, argv, "--kernel=");
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;

  bench::Threads threads;
  threads.count = std::max(1, threads_flag != nullptr ? std::atoi(threads_flag) : 1);
  Eigen::ThreadPool pool(threads.count);
  Eigen::ThreadPoolDevice device(&pool, threads.count);
  if (threads.count > 1) threads.pool = &device;
  quanta::Context alone, together(device);

  std::vector<bench::Kernel> kernels = bench::all_kernels(quanta::arch::All{});
  if (kernel != nullptr) std::erase_if(kernels, [&](const bench::Kernel& one) { return one.name != kernel; });
  bench::Bench bench(std::move(kernels), bench::find_peers(threads), threads, threads.count > 1 ? together : alone,
                     seconds != nullptr ? std::atof(seconds) : 0.1);
  benchmark::AddCustomContext("native_kernel", quanta::NativeKernel::name);
  benchmark::AddCustomContext("threads", std::to_string(threads.count));
  for (const auto& peer : bench.peers().found) benchmark::AddCustomContext(peer->name(), peer->version());
  for (const std::string& peer : bench.peers().missing) benchmark::AddCustomContext(peer, "not measured");

  Results results;
  register_all(bench, results);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();

  // Beside a report that may be JSON.
  for (const std::string& wrong : results.wrong) std::fprintf(stderr, "wrong, not timed: %s\n", wrong.c_str());
  for (const std::string& peer : bench.peers().missing) std::fprintf(stderr, "%s: not measured\n", peer.c_str());
  for (const bench::Kernel& one : bench.kernels()) {
    std::fprintf(stderr, "%s: %s\n", one.name.c_str(), bench::summarize(results.figures, one.name, "").line().c_str());
  }
  return results.failed ? 1 : 0;
}
