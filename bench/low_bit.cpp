// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Linear layers with weights of few bits, on one thread.
//
//   one row      its weights are read from memory (or, "warm", from where the caches hold them), and no faster than
//                that: packed bytes per second, their fraction of the read bandwidth measured in the same run, and
//                x_int8, by how much it is faster than the layer of the same kind with int8 weights per output, beside
//                how many times fewer bytes it reads
//   128 rows     operations per second (two per multiply-add), and x_int8
//
// Groups of 32, 48, 64, 128, and 100, which does not divide k. Beside libraries that have such layers of 4 bits
// (peers/), whose results are checked: x_NAME is by how much ours is faster, best time against best time.
//
//   QUANTA_BENCH_SECONDS  in the environment: the budget per figure (0.1); and Google Benchmark's own flags
#include <cstdio>
#include <cstdlib>
#include <memory>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

#include "contest.hpp"
#include "peers/low_bit_peer.hpp"
#include "read_rate.hpp"

namespace {

using quanta::Index;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

/// What is read from memory is held so often that it fills this many bytes, and used in turn.
constexpr Index kBytes = Index{256} << 20;

class Turns {
 public:
  void add(std::function<void()> run) { runs_.push_back(std::move(run)); }
  void run() {
    runs_[next_]();
    next_ = (next_ + 1) % runs_.size();
  }

 private:
  std::vector<std::function<void()>> runs_;
  std::size_t next_ = 0;
};

/// A layer, once or as often as it takes.
class Copies {
 public:
  template <class Layer>
  Copies(const Layer& layer, const Matrix& x, bool cold, quanta::Context& context)
      : packed_bytes_(layer.packed_bytes()),
        count_(cold ? kBytes / packed_bytes_ + 1 : 1),
        y_(x.rows(), layer.output_size(x.cols())) {
    const quanta::TensorView<const float, 2> from(x.data(), {x.rows(), x.cols()});
    const quanta::TensorView<float, 2> to(y_.data(), {y_.rows(), y_.cols()});
    for (Index i = 0; i < count_; ++i) {
      turns_.add([one = std::make_shared<Layer>(layer), from, to, &context] { one->forward(context, from, to); });
    }
  }
  void run() { turns_.run(); }
  Index packed_bytes() const { return packed_bytes_; }
  Index count() const { return count_; }
  const Matrix& y() const { return y_; }

 private:
  Index packed_bytes_, count_;
  Matrix y_;
  Turns turns_;
};

/// The groups of a layer that libraries have too, 0 where they have none such.
template <class F, class Granularity>
constexpr Index kGroup = 0;
template <int size>
constexpr Index kGroup<quanta::Int<4>, quanta::PerGroup<size>> = size;

class LowBitBench {
 public:
  explicit LowBitBench(double seconds) : seconds_(seconds), peers_(bench::find_low_bit_peers()) {}

  const std::vector<std::unique_ptr<bench::LowBitPeer>>& peers() const { return peers_; }

  /// Layer has the weights of format F, Int8Layer is what it is compared with.
  template <class F, class Granularity, class Layer, class Int8Layer>
  void run(benchmark::State& state, const Matrix& weight, const Matrix& x, bool cold, bool quantize_x) {
    const Layer layer(weight);
    Copies ours(layer, x, cold, context_), theirs(Int8Layer(weight), x, cold, context_);
    std::vector<bench::Contestant> all = {{"ours", [&] { ours.run(); }, {}}, {"int8", [&] { theirs.run(); }, {}}};
    std::vector<Turns> held;
    held.reserve(peers_.size());
    std::vector<std::string> names;
    constexpr Index group = kGroup<F, Granularity>;
    if constexpr (group != 0) {
      ours.run();
      const auto quantized = quanta::SymmetricQuantizer<F, Granularity>::fit_quantize(weight);
      const auto codes = quantized.codes();
      const bench::LowBitProblem problem{
          x.rows(),  x.cols(), weight.rows(), group, x.data(), codes.data(), quantized.params().data().scales,
          quantize_x};
      for (const auto& peer : peers_) {
        if (enter(*peer, problem, ours, held)) {
          names.push_back(peer->name());
          all.push_back({peer->name(), [turns = &held.back()] { turns->run(); }, {}});
        }
      }
    }
    const std::size_t first_limit = all.size();
    const bool one_row = x.rows() == 1;
    std::unique_ptr<bench::ReadRate> reader;
    if (one_row) {
      reader = std::make_unique<bench::ReadRate>(ours.packed_bytes(), ours.count(), context_);
      all.push_back({"read", [&] { reader->read<0>(); }, {}});
      all.push_back({"read", [&] { reader->read<1024>(); }, {}});
      all.push_back({"read", [&] { reader->read<4096>(); }, {}});
    }
    bench::contest(all, seconds_, false);
    const double best = all[0].best();
    for (auto _ : state) state.SetIterationTime(best);
    state.counters["x_int8"] = all[1].best() / best;
    for (std::size_t i = 0; i < names.size(); ++i) state.counters["x_" + names[i]] = all[2 + i].best() / best;
    state.counters["ops/s"] = 2.0 * static_cast<double>(x.rows() * weight.size()) / best;
    if (one_row) {
      const double packed = static_cast<double>(ours.packed_bytes());
      double read = all[first_limit].best();
      for (std::size_t i = first_limit; i < all.size(); ++i) read = std::min(read, all[i].best());
      state.counters["bytes/s"] = packed / best;
      state.counters["of_read"] = read / best;
      state.counters["fewer_bytes"] = static_cast<double>(theirs.packed_bytes()) / packed;
    }
  }

 private:
  /// Prepares a library's product as often as ours is there; false, and said so, when its results are wrong.
  static bool enter(bench::LowBitPeer& peer, const bench::LowBitProblem& problem, const Copies& ours,
                    std::vector<Turns>& held) {
    Turns turns;
    for (Index i = 0; i < ours.count(); ++i) {
      std::shared_ptr<bench::LowBitProduct> product = peer.prepare(problem);
      if (product == nullptr) return false;
      if (i == 0) {
        product->run();
        const Eigen::Map<const Matrix> results(product->results().data(), problem.m, problem.n);
        const float allowed = (problem.quantize_x ? 2e-2f : 1e-4f) * ours.y().cwiseAbs().maxCoeff();
        if (!((results - ours.y()).cwiseAbs().maxCoeff() <= allowed)) {
          std::fprintf(stderr, "%s is wrong, and not measured\n", peer.name().c_str());
          return false;
        }
      }
      turns.add([product] { product->run(); });
    }
    held.push_back(std::move(turns));
    return true;
  }

  double seconds_;
  std::vector<std::unique_ptr<bench::LowBitPeer>> peers_;
  quanta::Context context_;
};

/// Layer is compared with Int8Layer.
template <class F, class Granularity, class Layer, class Int8Layer>
void add(LowBitBench& bench, const std::string& name, bool quantize_x) {
  struct Size {
    Index m, k, n;
    bool cold;
  };
  constexpr Size kSizes[] = {{1, 768, 3072, true},
                             {1, 4096, 4096, true},
                             {1, 4096, 11008, true},
                             {1, 4096, 4096, false},
                             {128, 4096, 4096, false}};
  for (const auto& [m, k, n, cold] : kSizes) {
    std::string full = name + "/" + std::to_string(m) + "x" + std::to_string(k) + "x" + std::to_string(n);
    if (m == 1 && !cold) full += "/warm";
    benchmark::RegisterBenchmark(full.c_str(),
                                 [=, &bench, rows = m, in = k, out = n, from_memory = cold](benchmark::State& state) {
                                   const Matrix weight = Matrix::Random(out, in), x = Matrix::Random(rows, in);
                                   bench.run<F, Granularity, Layer, Int8Layer>(state, weight, x, from_memory,
                                                                               quantize_x);
                                 })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMicrosecond);
  }
}

template <class F, class Granularity>
void add_weight_only(LowBitBench& bench, const std::string& name) {
  using Layer = quanta::WeightOnlyLinear<F, Granularity>;
  add<F, Granularity, Layer, quanta::WeightOnlyLinear<>>(bench, "WeightOnly/" + name, false);
}
template <class F, class Granularity>
void add_dynamic(LowBitBench& bench, const std::string& name) {
  using Layer = quanta::DynamicLinear<F, Granularity>;
  add<F, Granularity, Layer, quanta::DynamicLinear<>>(bench, "Dynamic/" + name, true);
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
  add_dynamic<Int<4>, WithScales<PerGroup<32>, Fp16>>(bench, "int4/32 fp16");
  add_dynamic<Int<4>, PerGroup<48>>(bench, "int4/48");
  add_dynamic<Int<4>, PerGroup<64>>(bench, "int4/64");
  add_dynamic<Int<4>, PerGroup<100>>(bench, "int4/100");
  add_dynamic<Int<4>, PerGroup<128>>(bench, "int4/128");
  add_dynamic<UInt<4>, PerGroup<64>>(bench, "uint4/64");
  add_dynamic<Int<2>, PerGroup<64>>(bench, "int2/64");
  benchmark::AddCustomContext("native_kernel", quanta::NativeKernel::name);
  for (const auto& peer : bench.peers()) benchmark::AddCustomContext(peer->name(), peer->version());
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
