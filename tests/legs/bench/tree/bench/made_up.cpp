// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A benchmark that measures nothing: one case takes a microsecond in every build, the other what this build says.
#include <benchmark/benchmark.h>

namespace {

void takes(benchmark::State& state, double seconds) {
  for (auto _ : state) state.SetIterationTime(seconds);
}
BENCHMARK_CAPTURE(takes, steady, 1e-6)->Name("steady")->UseManualTime()->Iterations(2);
BENCHMARK_CAPTURE(takes, changed, SECONDS)->Name("changed")->UseManualTime()->Iterations(2);

}  // namespace

BENCHMARK_MAIN();
