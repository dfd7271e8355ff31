// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Encoding weights: from floats to codes and scales by fit_quantize, of every kind of format, on one thread. bytes/s
// are of floats.
//
//   of_read   the time that reading the floats takes, by nothing else, over ours
//   of_copy   the time of a copy into new memory that reads and writes as many bytes in all, over ours: new memory is
//             cleared by the system first
//
//   QUANTA_BENCH_SECONDS  in the environment: the budget per figure (0.1); and Google Benchmark's own flags
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

#include "contest.hpp"
#include "read_rate.hpp"

namespace {

using namespace quanta;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class Quantizer>
void run(benchmark::State& state, const Matrix& x, double seconds) {
  const Index bytes = x.size() * Index{sizeof(float)};
  const Index encoded = Quantizer::fit_quantize(x).bytes(), half = (bytes + encoded) / 2;
  const Buffer<std::byte> source(half, std::byte{1});
  std::vector<bench::Contestant> all = {
      {"ours", [&] { benchmark::DoNotOptimize(Quantizer::fit_quantize(x).data()); }, {}},
      {"copy",
       [&] {
         Buffer<std::byte> copy(half);
         std::memcpy(copy.data(), source.data(), static_cast<std::size_t>(half));
         benchmark::DoNotOptimize(copy.data());
       },
       {}},
      {"read", [&] { bench::read_once<0>(x.data(), bytes); }, {}},
      {"read", [&] { bench::read_once<1024>(x.data(), bytes); }, {}},
      {"read", [&] { bench::read_once<4096>(x.data(), bytes); }, {}}};
  bench::contest(all, seconds, false);
  const double best = all[0].best(), read = std::min({all[2].best(), all[3].best(), all[4].best()});
  for (auto _ : state) state.SetIterationTime(best);
  state.counters["bytes/s"] = static_cast<double>(bytes) / best;
  state.counters["of_read"] = read / best;
  state.counters["of_copy"] = all[1].best() / best;
}

template <class Quantizer>
void add(const std::string& name, double seconds) {
  for (const auto& [rows, columns] : {std::pair<Index, Index>{768, 3072}, {4096, 4096}}) {
    const std::string full = "Encode/" + name + "/" + std::to_string(rows) + "x" + std::to_string(columns);
    benchmark::RegisterBenchmark(
        full.c_str(),
        [=, m = rows, n = columns](benchmark::State& state) { run<Quantizer>(state, Matrix::Random(m, n), seconds); })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMicrosecond);
  }
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const char* const text = std::getenv("QUANTA_BENCH_SECONDS");
  const double seconds = text != nullptr ? std::atof(text) : 0.1;
  add<SymmetricQuantizer<Int<8>, PerChannel<0>>>("int8", seconds);
  add<SymmetricQuantizer<Int<8>, PerChannel<1>>>("int8 last axis", seconds);
  add<SymmetricQuantizer<Int<8>, PerGroup<32>>>("int8/32", seconds);
  add<AsymmetricQuantizer<UInt<8>>>("uint8 per tensor", seconds);
  add<SymmetricQuantizer<Int<6>, PerChannel<0>>>("int6", seconds);
  add<SymmetricQuantizer<Int<4>, PerGroup<32>>>("int4/32", seconds);
  add<AsymmetricQuantizer<UInt<4>, PerGroup<64>>>("uint4/64", seconds);
  add<SymmetricQuantizer<Int<3>, PerGroup<32>>>("int3/32", seconds);
  add<SymmetricQuantizer<Int<2>, PerGroup<16>>>("int2/16", seconds);
  add<SymmetricQuantizer<NF4>>("nf4/64", seconds);
  add<SymmetricQuantizer<NF4, DoubleQuantized<PerGroup<64>>>>("nf4/64 double", seconds);
  add<SymmetricQuantizer<FP4>>("fp4/64", seconds);
  add<SymmetricQuantizer<MXFP4>>("mxfp4", seconds);
  add<SymmetricQuantizer<NVFP4>>("nvfp4", seconds);
  add<SymmetricQuantizer<E4M3, PerChannel<0>>>("e4m3", seconds);
  add<SymmetricQuantizer<E5M2, PerChannel<0>>>("e5m2", seconds);
  add<SymmetricQuantizer<Fp16, Unscaled>>("fp16", seconds);
  add<SymmetricQuantizer<Bf16, Unscaled>>("bf16", seconds);
  benchmark::AddCustomContext("native_kernel", NativeKernel::name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
