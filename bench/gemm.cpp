// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The int8 product on one core, for each kernel this build has: operations per second (two per multiply-add), as a
// fraction of the dot instruction's peak measured in the same run, and as a multiple of Eigen's float product of the
// same shape, whose runs alternate with ours. u8 x s8, per channel, both zero points 0; `real` has
// Dequantize, AddBias and Relu.
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

#include "dot_peak.hpp"

namespace {

using Clock = std::chrono::steady_clock;
using RowMajorMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Size {
  Eigen::Index m, k, n;
};

const std::vector<Size> kSizes = {{1, 768, 768},    {1, 4096, 4096},  {8, 768, 3072},     {32, 768, 768},
                                  {128, 768, 3072}, {512, 768, 3072}, {1024, 1024, 1024}, {3136, 576, 64},
                                  {196, 2304, 256}, {1, 784, 256},    {128, 784, 256},    {128, 128, 10},
                                  {17, 123, 45},    {255, 511, 257}};

template <class F>
double seconds(F f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class Kernel, bool real>
void run(benchmark::State& state, Size size) {
  const RowMajorMatrix weight = RowMajorMatrix::Random(size.n, size.k), x = RowMajorMatrix::Random(size.m, size.k);
  const Eigen::VectorXf bias = Eigen::VectorXf::Random(size.n);
  const auto rhs = quanta::pack<Kernel>(
      quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>::fit(weight).quantize(weight));
  const auto lhs = quanta::AsymmetricQuantizer<quanta::UInt<8>>(1.0f / 128.0f, 0).quantize(x);
  quanta::Context context;
  RowMajorMatrix y(size.m, size.n);
  Eigen::Matrix<std::int32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> acc(size.m, size.n);
  const auto ours = [&] {
    if constexpr (real) {
      quanta::gemm(context, lhs, rhs, y, quanta::Dequantize{}, quanta::AddBias{bias}, quanta::Relu{});
    } else {
      quanta::gemm(context, lhs, rhs, acc);
    }
    benchmark::ClobberMemory();
  };
  const auto eigen = [&] {
    y.noalias() = x * weight.transpose();
    benchmark::ClobberMemory();
  };

  // Best of alternating rounds: the machine's bad moments hit both alike.
  const double operations = 2.0 * static_cast<double>(size.m * size.n) * static_cast<double>(size.k);
  const int repeats = std::max(1, static_cast<int>(2e7 / operations));
  double best_ours = 1e30, best_eigen = 1e30, peak = 0.0;
  for (int round = 0; round < 8; ++round) {
    best_ours = std::min(best_ours, seconds([&] {
                                      for (int i = 0; i < repeats; ++i) ours();
                                    }) / repeats);
    best_eigen = std::min(best_eigen, seconds([&] {
                                        for (int i = 0; i < repeats; ++i) eigen();
                                      }) / repeats);
    if (round == 0) peak = bench::dot_peak<Kernel>();
  }
  for (auto _ : state) ours();
  state.counters["ops/s"] = benchmark::Counter(operations, benchmark::Counter::kIsIterationInvariantRate);
  if (peak > 0.0) state.counters["of_dot_peak"] = operations / best_ours / peak;
  state.counters["x_eigen_float"] = best_eigen / best_ours;
}

template <class Kernel>
void add_kernel() {
  for (const Size size : kSizes) {
    const std::string shape =
        "/" + std::to_string(size.m) + "x" + std::to_string(size.k) + "x" + std::to_string(size.n);
    benchmark::RegisterBenchmark((std::string(Kernel::name) + "/int32" + shape).c_str(), run<Kernel, false>, size);
    benchmark::RegisterBenchmark((std::string(Kernel::name) + "/real" + shape).c_str(), run<Kernel, true>, size);
  }
}

/// The kernels this build has, best first.
template <class... Archs>
void add_kernels(quanta::arch::List<Archs...>) {
  const auto add = [](auto arch) {
    using Arch = decltype(arch);
    if constexpr (quanta::detail::HasKernel<Arch>::value) add_kernel<quanta::Int8Kernel<Arch>>();
  };
  (add(Archs{}), ...);
}

}  // namespace

int main(int argc, char** argv) {
  add_kernels(quanta::arch::All{});
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::AddCustomContext("native_kernel", quanta::NativeKernel::name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
