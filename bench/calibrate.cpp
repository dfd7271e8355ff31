// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Calibration on one core: how fast batches are observed, and weights fitted and quantized per channel, as a fraction
// of the read bandwidth measured in the same run; and how long a search over the finished sketch takes.
#include <algorithm>
#include <chrono>
#include <string>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

namespace {

using Clock = std::chrono::steady_clock;
using Vector = Eigen::VectorXf;
using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

template <class F>
double seconds(F f) {
  const auto start = Clock::now();
  f();
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Normal-like values from a fixed seed; half of them 0 when `relu`.
Vector activations(Eigen::Index n, bool relu) {
  Vector x(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    float sum = -6.0f;
    for (int j = 0; j < 12; ++j) sum += quanta::uniform(7, static_cast<std::uint64_t>(12 * i + j));
    x[i] = relu ? std::max(sum, 0.0f) : sum;
  }
  return x;
}

/// Reads all of x with nothing else to do: the sum of its bits as integers, in many chains.
double read_seconds(const Vector& x) {
  using L = quanta::simd::NativeLanes;
  typename L::I sums[8];
  return seconds([&] {
    for (auto& s : sums) s = L::set_int(0);
    const Eigen::Index step = 8 * L::width;
    for (Eigen::Index i = 0; i + step <= x.size(); i += step) {
      QUANTA_UNROLL for (int j = 0; j < 8; ++j) {
        sums[j] = L::add(sums[j], L::magnitude_bits(L::load(x.data() + i + j * L::width)));
      }
    }
    benchmark::DoNotOptimize(sums);
  });
}

/// Times f(x) beside a bare read of x. `Object` is what f takes: the values as they are, or in rows of `columns`.
template <class Object, class F>
void measure(benchmark::State& state, const Vector& values, Eigen::Index columns, F f) {
  const Eigen::Index n = values.size();
  const Eigen::Map<const Object> x(values.data(), n / columns, columns);
  double ours = 1e30, limit = 1e30;
  for (int round = 0; round < 10; ++round) {
    ours = std::min(ours, seconds([&] { f(x); }));
    limit = std::min(limit, read_seconds(values));
  }
  for (auto _ : state) f(x);
  const double bytes = 4.0 * static_cast<double>(n);
  state.counters["GB/s"] = 1e-9 * bytes / ours;
  state.counters["of_read_limit"] = limit / ours;
}

template <class F>
void add_observe(const std::string& name, Eigen::Index n, bool relu, F f) {
  benchmark::RegisterBenchmark(("observe/" + name).c_str(),
                               [=](benchmark::State& state) { measure<Vector>(state, activations(n, relu), 1, f); });
}

/// Observing a matrix stored by columns, as Eigen's are unless said otherwise.
template <class C>
void add_column_major(const std::string& name, const C& calibrator) {
  constexpr Eigen::Index kSize = 4096;
  benchmark::RegisterBenchmark(("observe/" + name + "/column_major/4096x4096").c_str(), [=](benchmark::State& state) {
    measure<Eigen::MatrixXf>(state, activations(kSize * kSize, false), kSize,
                             [seen = calibrator](const auto& x) mutable { seen.observe(x); });
  });
}

/// Everything that is done per channel, the channels being the rows (axis 0) or the columns (axis 1) of a matrix.
template <int axis>
void add_channels(Eigen::Index rows, Eigen::Index columns) {
  using G = quanta::PerChannel<axis>;
  using Quantizer = quanta::SymmetricQuantizer<quanta::Int<8>, G>;
  const std::string suffix =
      "/axis" + std::to_string(axis) + "/" + std::to_string(rows) + "x" + std::to_string(columns);
  const auto add = [&](const std::string& name, auto make) {
    benchmark::RegisterBenchmark(("channels/" + name + suffix).c_str(), [=](benchmark::State& state) {
      const Vector values = activations(rows * columns, false);
      const RowMatrix sample = Eigen::Map<const RowMatrix>(values.data(), rows, columns);
      auto work = make(sample);
      measure<RowMatrix>(state, values, columns, [&](const auto& x) { work(x); });
    });
  };
  add("min_max", [](const RowMatrix&) {
    return [calibrator = quanta::MinMaxCalibrator<G>{}](const auto& x) mutable { calibrator.observe(x); };
  });
  add("sketch", [](const RowMatrix&) {
    return [sketch = quanta::CalibrationSketch<G>{}](const auto& x) mutable { sketch.observe(x); };
  });
  add("quantize", [](const RowMatrix& sample) {
    return [q = Quantizer::fit(sample)](const auto& x) { benchmark::DoNotOptimize(q.quantize(x).data()); };
  });
  add("fit_quantize", [](const RowMatrix&) {
    return [](const auto& x) { benchmark::DoNotOptimize(Quantizer::fit_quantize(x).data()); };
  });
}

template <class Quantizer, class C>
void search(benchmark::State& state, const C& calibrator) {
  for (auto _ : state) benchmark::DoNotOptimize(calibrator.template range<Quantizer>());
}

template <class Quantizer>
void add_searches(const std::string& scheme, const quanta::CalibrationSketch<>& seen) {
  const auto add = [&](const char* method, auto calibrator) {
    benchmark::RegisterBenchmark(("search/" + std::string(method) + "/" + scheme).c_str(),
                                 [calibrator](benchmark::State& state) { search<Quantizer>(state, calibrator); })
        ->Unit(benchmark::kMillisecond);
  };
  add("percentile", quanta::PercentileCalibrator<>(seen));
  add("mse", quanta::MseCalibrator<>(seen));
  add("entropy", quanta::EntropyCalibrator<>(seen));
}

}  // namespace

int main(int argc, char** argv) {
  for (const bool relu : {false, true}) {
    const std::string data = relu ? "/relu" : "/normal";
    for (const Eigen::Index n : {Eigen::Index{1} << 16, Eigen::Index{1} << 24}) {
      const std::string size = "/" + std::to_string(n >> 8) + "Ki";
      add_observe("sketch" + data + size, n, relu,
                  [sketch = quanta::CalibrationSketch<>{}](const auto& x) mutable { sketch.observe(x); });
      add_observe("min_max" + data + size, n, relu,
                  [calibrator = quanta::MinMaxCalibrator<>{}](const auto& x) mutable { calibrator.observe(x); });
      add_observe("quantize" + data + size, n, relu,
                  [q = quanta::SymmetricQuantizer<quanta::Int<8>>(0.03f)](const auto& x) {
                    benchmark::DoNotOptimize(q.quantize(x).data());
                  });
    }
  }
  for (const int size : {256, 4096}) {
    add_channels<0>(size, size);
    add_channels<1>(size, size);
  }
  add_channels<1>(1 << 20, 16);
  add_column_major("min_max", quanta::MinMaxCalibrator<>{});
  add_column_major("sketch", quanta::CalibrationSketch<>{});
  quanta::CalibrationSketch<> normal, relu, heavy;
  normal.observe(activations(1 << 20, false));
  relu.observe(activations(1 << 20, true));
  heavy.observe(activations(1 << 20, false).array().cube());
  add_searches<quanta::SymmetricQuantizer<quanta::Int<8>>>("symmetric_int8/normal", normal);
  add_searches<quanta::AsymmetricQuantizer<quanta::UInt<8>>>("asymmetric_uint8/normal", normal);
  add_searches<quanta::AsymmetricQuantizer<quanta::UInt<8>>>("asymmetric_uint8/relu", relu);
  add_searches<quanta::AsymmetricQuantizer<quanta::UInt<4>>>("asymmetric_uint4/normal", normal);
  add_searches<quanta::AsymmetricQuantizer<quanta::UInt<2>>>("asymmetric_uint2/normal", normal);
  add_searches<quanta::AsymmetricQuantizer<quanta::UInt<2>>>("asymmetric_uint2/heavy", heavy);

  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
