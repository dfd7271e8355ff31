// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Layers beside what one writes with Eigen in float, on one thread: linear layers, forward from float to float, and
// activations. Runs of both alternate. Per case: time, operations (two per multiply-add) or bytes read and written per
// second, and x_Eigen, by how much ours is faster: of best times, and of medians. At the end geometric means and the
// worst case.
//
//   QUANTA_BENCH_SECONDS  in the environment: the budget per figure (0.1); and Google Benchmark's own flags
#include <cstdio>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

#include "contest.hpp"
#include "figures.hpp"

namespace {

using quanta::Index;
using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Result {
  std::string name;
  double best, median;  ///< ratios
};

class LayerBench {
 public:
  LayerBench(double seconds, std::vector<Result>& results) : seconds_(seconds), results_(results) {}

  /// Times layer(x) against `eigen(x, y)`. `work` is what the rate `unit` counts.
  template <class Layer, class Eigens>
  void run(benchmark::State& state, const std::string& name, const Layer& layer, const Matrix& x, const char* unit,
           double work, Eigens eigen) {
    const Index outputs = layer.output_size(x.cols());
    Matrix ours(x.rows(), outputs), theirs(x.rows(), outputs);
    const quanta::TensorView<const float, 2> from(x.data(), {x.rows(), x.cols()});
    const quanta::TensorView<float, 2> to(ours.data(), {x.rows(), outputs});
    std::vector<bench::Contestant> both = {{"ours", [&] { layer.forward(context_, from, to); }, {}},
                                           {"Eigen", [&] { eigen(x, theirs); }, {}}};
    bench::contest(both, seconds_, false);
    if (!((ours - theirs).norm() <= 0.05f * theirs.norm())) {
      state.SkipWithError("the results differ");
      return;
    }
    for (auto _ : state) state.SetIterationTime(both[0].best());
    const Result result = {name, both[1].best() / both[0].best(), both[1].median() / both[0].median()};
    state.counters[unit] = work / both[0].best();
    state.counters["x_Eigen"] = result.best;
    state.counters["median_x_Eigen"] = result.median;
    results_.push_back(result);
  }

 private:
  double seconds_;
  std::vector<Result>& results_;
  quanta::Context context_;
};

template <class F>
void add(const std::string& name, F run) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { run(state, name); })
      ->UseManualTime()
      ->Iterations(1)
      ->Unit(benchmark::kMicrosecond);
}

/// make(weight, bias, x) is the layer.
template <class Make>
void add_linear(LayerBench& bench, const std::string& layer, Make make) {
  constexpr Index kSizes[][2] = {{784, 256}, {768, 3072}, {4096, 4096}};
  for (const auto& [in, out] : kSizes) {
    for (const Index batch : {1, 8, 128}) {
      const std::string size = std::to_string(batch) + "x" + std::to_string(in) + "x" + std::to_string(out);
      add(layer + "/" + size, [=, &bench, k = in, n = out](benchmark::State& state, const std::string& name) {
        const Matrix weight = Matrix::Random(n, k), x = Matrix::Random(batch, k);
        const Eigen::VectorXf bias = Eigen::VectorXf::Random(n);
        const double operations = 2.0 * static_cast<double>(batch * k * n);
        bench.run(state, name, make(weight, bias, x), x, "ops/s", operations, [&](const Matrix& from, Matrix& to) {
          to.noalias() = from * weight.transpose();
          to.rowwise() += bias.transpose();
        });
      });
    }
  }
}

/// Eigen's formula is to = eigen(from).
template <class Layer, class Eigens>
void add_activation(LayerBench& bench, const Layer& layer, Eigens eigen) {
  for (const Index rows : {8, 1024}) {
    const std::string size = std::to_string(rows) + "x4096";
    add(layer.name() + "/" + size, [=, &bench](benchmark::State& state, const std::string& name) {
      const Matrix x = 4.0f * Matrix::Random(rows, 4096);
      bench.run(state, name, layer, x, "bytes/s", 8.0 * static_cast<double>(x.size()), eigen);
    });
  }
}

void add_activations(LayerBench& bench) {
  add_activation(bench, quanta::Relu{}, [](const Matrix& x, Matrix& y) { y = x.cwiseMax(0.0f); });
  add_activation(bench, quanta::Sigmoid{}, [](const Matrix& x, Matrix& y) { y = x.array().logistic(); });
  add_activation(bench, quanta::Tanh{}, [](const Matrix& x, Matrix& y) { y = x.array().tanh(); });
  add_activation(bench, quanta::Gelu{}, [](const Matrix& x, Matrix& y) {
    y = 0.5f * x.array() * (1.0f + (0.70710678f * x.array()).unaryExpr([](float v) { return std::erf(v); }));
  });
  add_activation(bench, quanta::GeluTanh{}, [](const Matrix& x, Matrix& y) {
    y = 0.5f * x.array() * (1.0f + (0.79788456f * x.array() * (1.0f + 0.044715f * x.array().square())).tanh());
  });
  add_activation(bench, quanta::Softmax{}, [](const Matrix& x, Matrix& y) {
    for (Index r = 0; r < x.rows(); ++r) {
      y.row(r) = (x.row(r).array() - x.row(r).maxCoeff()).exp();
      y.row(r) /= y.row(r).sum();
    }
  });
  const Eigen::VectorXf weight = Eigen::VectorXf::Random(4096), bias = Eigen::VectorXf::Random(4096);
  add_activation(bench, quanta::LayerNorm(weight, bias), [=](const Matrix& x, Matrix& y) {
    for (Index r = 0; r < x.rows(); ++r) {
      y.row(r) = x.row(r).array() - x.row(r).mean();
      const float scale = 1.0f / std::sqrt(y.row(r).squaredNorm() / static_cast<float>(x.cols()) + 1e-5f);
      y.row(r) = y.row(r).array() * scale * weight.transpose().array() + bias.transpose().array();
    }
  });
}

/// Of the results whose names begin so.
void print_aggregate(const std::vector<Result>& results, const std::string& layer) {
  bench::GeometricMean best, median;
  const Result* worst = nullptr;
  for (const Result& one : results) {
    if (one.name.rfind(layer + "/", 0) != 0) continue;
    best.add(one.best);
    median.add(one.median);
    if (worst == nullptr || one.best < worst->best) worst = &one;
  }
  if (worst == nullptr) return;
  std::fprintf(stderr, "%s: %.2f x Eigen float (median %.2f), %d figures; worst %.2f at %s\n", layer.c_str(),
               best.value(), median.value(), best.count(), worst->best, worst->name.c_str());
}

}  // namespace

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  const char* const seconds = std::getenv("QUANTA_BENCH_SECONDS");
  std::vector<Result> results;
  LayerBench bench(seconds != nullptr ? std::atof(seconds) : 0.1, results);
  add_linear(bench, "DynamicLinear", [](const Matrix& weight, const Eigen::VectorXf& bias, const Matrix&) {
    return quanta::DynamicLinear<>(weight, bias);
  });
  add_linear(bench, "StaticLinear", [](const Matrix& weight, const Eigen::VectorXf& bias, const Matrix& x) {
    return quanta::StaticLinear<>(weight, bias, quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(x));
  });
  add_activations(bench);
  benchmark::AddCustomContext("native_kernel", quanta::NativeKernel::name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  // Beside a report that may be JSON.
  for (const char* layer :
       {"DynamicLinear", "StaticLinear", "Relu", "Sigmoid", "Tanh", "Gelu", "GeluTanh", "Softmax", "LayerNorm"}) {
    print_aggregate(results, layer);
  }
}
