// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Linear layers with weights of few bits, on one thread.
//
//   one row      its weights are read from memory, and no faster than that: packed bytes per second, their fraction of
//                the read bandwidth measured in the same run, and x_int8, by how much it is faster than the layer of
//                the same kind with int8 weights per output, beside how many times fewer bytes it reads
//   128 rows     operations per second (two per multiply-add), and their fraction of those of that int8 layer
//
// Groups of 32, 48, 64, 128, and 100, which does not divide k.
//
//   QUANTA_BENCH_SECONDS  in the environment: the budget per figure (0.1); and Google Benchmark's own flags
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

#include "contest.hpp"
#include "read_rate.hpp"

namespace {

using quanta::Index;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// A layer as often as it takes to fill `bytes`, used in turn.
class Copies {
 public:
  template <class Layer>
  Copies(const Layer& layer, Index bytes, const Matrix& x, quanta::Context& context)
      : packed_bytes_(layer.packed_bytes()), y_(x.rows(), layer.output_size(x.cols())) {
    const quanta::TensorView<const float, 2> from(x.data(), {x.rows(), x.cols()});
    const quanta::TensorView<float, 2> to(y_.data(), {y_.rows(), y_.cols()});
    for (Index i = 0; i == 0 || i < bytes / packed_bytes_ + 1; ++i) {
      runs_.push_back([one = std::make_shared<Layer>(layer), from, to, &context] { one->forward(context, from, to); });
    }
  }
  void run() {
    runs_[next_]();
    next_ = (next_ + 1) % runs_.size();
  }
  Index packed_bytes() const { return packed_bytes_; }
  std::size_t count() const { return runs_.size(); }

 private:
  Index packed_bytes_;
  Matrix y_;
  std::vector<std::function<void()>> runs_;
  std::size_t next_ = 0;
};

class LowBitBench {
 public:
  explicit LowBitBench(double seconds) : seconds_(seconds) {}

  template <class Layer, class Int8Layer>
  void run(benchmark::State& state, const Layer& layer, const Int8Layer& int8, const Matrix& x) {
    const bool one_row = x.rows() == 1;
    const Index bytes = one_row ? Index{256} << 20 : 0;
    Copies ours(layer, bytes, x, context_), theirs(int8, bytes, x, context_);
    std::vector<bench::Contestant> all = {{"ours", [&] { ours.run(); }, {}}, {"int8", [&] { theirs.run(); }, {}}};
    std::unique_ptr<bench::ReadRate> reader;
    if (one_row) {
      reader = std::make_unique<bench::ReadRate>(ours.packed_bytes(), static_cast<Index>(ours.count()), context_);
      all.push_back({"read", [&] { reader->read<0>(); }, {}});
      all.push_back({"read", [&] { reader->read<1024>(); }, {}});
      all.push_back({"read", [&] { reader->read<4096>(); }, {}});
    }
    bench::contest(all, seconds_, false);
    const double best = all[0].best(), x_int8 = all[1].best() / best;
    for (auto _ : state) state.SetIterationTime(best);
    state.counters["x_int8"] = x_int8;
    if (one_row) {
      const double packed = static_cast<double>(ours.packed_bytes());
      double read = all[2].best();
      for (std::size_t i = 3; i < all.size(); ++i) read = std::min(read, all[i].best());
      state.counters["bytes/s"] = packed / best;
      state.counters["of_read"] = read / best;
      state.counters["fewer_bytes"] = static_cast<double>(theirs.packed_bytes()) / packed;
    } else {
      state.counters["ops/s"] =
          2.0 * static_cast<double>(x.size()) * static_cast<double>(layer.output_size(x.cols())) / best;
    }
  }

 private:
  double seconds_;
  quanta::Context context_;
};

/// Layer is compared with Int8Layer.
template <class Layer, class Int8Layer>
void add(LowBitBench& bench, const std::string& name) {
  constexpr Index kSizes[][3] = {{1, 768, 3072}, {1, 4096, 4096}, {1, 4096, 11008}, {128, 4096, 4096}};
  for (const auto& [m, k, n] : kSizes) {
    const std::string full = name + "/" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
    benchmark::RegisterBenchmark(full.c_str(),
                                 [=, &bench, rows = m, in = k, out = n](benchmark::State& state) {
                                   const Matrix weight = Matrix::Random(out, in), x = Matrix::Random(rows, in);
                                   bench.run(state, Layer(weight), Int8Layer(weight), x);
                                 })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMicrosecond);
  }
}

template <class F, class Granularity>
void add_weight_only(LowBitBench& bench, const std::string& name) {
  add<quanta::WeightOnlyLinear<F, Granularity>, quanta::WeightOnlyLinear<>>(bench, "WeightOnly/" + name);
}
template <class F, class Granularity>
void add_dynamic(LowBitBench& bench, const std::string& name) {
  add<quanta::DynamicLinear<F, Granularity>, quanta::DynamicLinear<>>(bench, "Dynamic/" + name);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace quanta;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const char* const seconds = std::getenv("QUANTA_BENCH_SECONDS");
  LowBitBench bench(seconds != nullptr ? std::atof(seconds) : 0.1);
  add_weight_only<Int<8>, PerChannel<0>>(bench, "int8");
  add_weight_only<Int<8>, PerGroup<32>>(bench, "int8/32");
  add_weight_only<Int<8>, PerGroup<128>>(bench, "int8/128");
  add_weight_only<Int<4>, PerGroup<32>>(bench, "int4/32");
  add_weight_only<Int<4>, PerGroup<48>>(bench, "int4/48");
  add_weight_only<Int<4>, PerGroup<64>>(bench, "int4/64");
  add_weight_only<Int<4>, PerGroup<100>>(bench, "int4/100");
  add_weight_only<Int<4>, PerGroup<128>>(bench, "int4/128");
  add_weight_only<UInt<4>, PerGroup<64>>(bench, "uint4/64");
  add_weight_only<Int<2>, PerGroup<64>>(bench, "int2/64");
  add_weight_only<NF4, PerGroup<64>>(bench, "nf4/64");
  add_weight_only<NF4, DoubleQuantized<PerGroup<64>>>(bench, "nf4/64 double");
  add_weight_only<MXFP4, MxBlocks>(bench, "mxfp4");
  add_weight_only<E4M3, PerChannel<0>>(bench, "e4m3");
  add_weight_only<Bf16, Unscaled>(bench, "bf16");
  add_dynamic<Int<8>, PerChannel<0>>(bench, "int8");
  add_dynamic<Int<8>, PerGroup<32>>(bench, "int8/32");
  add_dynamic<Int<8>, PerGroup<128>>(bench, "int8/128");
  add_dynamic<Int<4>, PerGroup<32>>(bench, "int4/32");
  add_dynamic<Int<4>, PerGroup<48>>(bench, "int4/48");
  add_dynamic<Int<4>, PerGroup<64>>(bench, "int4/64");
  add_dynamic<Int<4>, PerGroup<100>>(bench, "int4/100");
  add_dynamic<Int<4>, PerGroup<128>>(bench, "int4/128");
  add_dynamic<UInt<4>, PerGroup<64>>(bench, "uint4/64");
  add_dynamic<Int<2>, PerGroup<64>>(bench, "int2/64");
  benchmark::AddCustomContext("native_kernel", quanta::NativeKernel::name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
