// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A model of layers of one format in a safetensors file of 1 GB of codes, which is written for it and removed again:
// all that happens between the file and the first product, on one thread. The file lies in the system's cache; how fast
// a disk is, is not measured.
//
//   open      Safetensors::open and a view of every weight: maps the file and reads its header
//   read      all codes and parameters through such views, and nothing done with them: the mapped pages come here for
//             the first time
//   memcpy    the same, copied to memory that has been written before; as many bytes are written as packing writes:
//   what
//             is lacking is set to zero, what is beyond them is read alone
//   copy      the same, copied to new memory, as packing has it: the system clears its pages first
//   pack      from the views to what products read; of_memcpy and of_copy: the time that these two take over its own
//   load      a whole model: opens and packs
//   save      a whole model, to a file that has reached the disk
//
// Bytes per second are of codes, scales and zero points.
//
//   QUANTA_BENCH_MEGABYTES  in the environment: of codes, 1000 unless set; and Google Benchmark's own flags
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include <quanta/io.hpp>
#include <quanta/quanta.hpp>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "read_rate.hpp"

namespace {

using quanta::Index;

/// Square weights of so many outputs and inputs.
constexpr Index kSize = 4096;

/// The codes and parameters of one weight: any codes will do.
template <class F, class G>
quanta::QuantizedTensor<F, 2, G> some_weight(G granularity) {
  quanta::Buffer<std::byte> codes(kSize * kSize * F::bits / 8);
  std::uint64_t state = 1;
  for (std::byte& code : codes) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    code = static_cast<std::byte>(state >> 56);
  }
  const Index group = granularity.info().group_size;
  const std::vector<float> scales(static_cast<std::size_t>(kSize * (group == 0 ? 1 : kSize / group)), 0x1p-10f);
  const std::vector<int> zero_points(scales.size(), F::is_signed ? 0 : 1 << (F::bits - 1));
  return quanta::QuantizedTensor<F, 2, G>::from_packed({kSize, kSize}, std::move(codes),
                                                       quanta::QuantParams<G>(scales, zero_points, granularity));
}

/// A model of one kind of layer, in a file as long as this lives.
template <class F, class G>
class ModelFile {
  using View = quanta::QuantizedView<F, 2, G>;
  using Layer = quanta::DynamicLinear<F, G>;
  using Packed = quanta::PackedRhs<F, G>;

 public:
  ModelFile(double megabytes, G granularity)
      : path_(std::filesystem::temp_directory_path() /
              ("quanta_bench_" + std::string(F::name) + "_" +
               std::to_string(std::chrono::steady_clock::now().time_since_epoch().count()) + ".safetensors")) {
    const auto weight = some_weight<F, G>(granularity);
    const View view = weight.view();
    layers_ = std::max<Index>(1, static_cast<Index>(megabytes * 1e6 / static_cast<double>(code_bytes(view)) + 0.5));
    bytes_ = static_cast<double>(layers_ * (code_bytes(view) + param_bytes(view)));
    packed_bytes_ = quanta::pack(view).packed_bytes();
    quanta::Sequential model;
    for (Index i = 0; i < layers_; ++i) model.push_back(Layer(weight));
    quanta::save(path_, model);
  }
  ~ModelFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  ModelFile(const ModelFile&) = delete;
  ModelFile& operator=(const ModelFile&) = delete;

  const std::filesystem::path& path() const { return path_; }
  /// Of all codes, scales and zero points.
  double bytes() const { return bytes_; }
  struct Views {
    quanta::Safetensors file;
    std::vector<View> weights;
  };
  /// The file, mapped afresh, and all weights in it.
  Views open() const {
    Views views{quanta::Safetensors::open(path_), {}};
    for (Index i = 0; i < layers_; ++i) {
      views.weights.push_back(views.file.template view<F, 2, G>(std::to_string(i) + ".weight"));
    }
    return views;
  }
  void read(const Views& views) const {
    for (const auto& weight : views.weights) {
      bench::read_once<0>(reinterpret_cast<const float*>(weight.data()), code_bytes(weight));
      for_params(weight,
                 [](const void* at, Index bytes) { bench::read_once<0>(static_cast<const float*>(at), bytes); });
    }
  }
  /// Into buffers as large as what is packed, or new ones where there are none.
  std::vector<quanta::Buffer<std::byte>> copy(const Views& views,
                                              std::vector<quanta::Buffer<std::byte>> copies = {}) const {
    copies.resize(views.weights.size());
    for (std::size_t i = 0; i < copies.size(); ++i) {
      copies[i].reserve(packed_bytes_);
      std::byte* to = copies[i].data();
      Index room = packed_bytes_;
      const auto copy_part = [&](const void* from, Index bytes) {
        const Index some = std::min(bytes, room);
        std::memcpy(to, from, static_cast<std::size_t>(some));
        const float* const rest = static_cast<const float*>(from) + some / Index{sizeof(float)};
        if (some < bytes) bench::read_once<0>(rest, bytes - some);
        to += some;
        room -= some;
      };
      copy_part(views.weights[i].data(), code_bytes(views.weights[i]));
      for_params(views.weights[i], copy_part);
      std::memset(to, 0, static_cast<std::size_t>(room));
    }
    return copies;
  }
  std::vector<Packed> pack(const Views& views) const {
    std::vector<Packed> packed;
    for (const auto& weight : views.weights) packed.push_back(quanta::pack(weight));
    return packed;
  }

 private:
  static Index code_bytes(const View& weight) { return weight.size() * F::bits / 8; }
  /// Calls f(first, bytes) with the scales and, if there are any, with the zero points.
  template <class Each>
  static void for_params(const View& weight, const Each& f) {
    const quanta::ParamsData params = weight.params();
    f(params.scales, params.size * static_cast<Index>(sizeof(float)));
    if (params.zero_points != nullptr) f(params.zero_points, params.size * static_cast<Index>(sizeof(std::int32_t)));
  }
  static Index param_bytes(const View& weight) {
    Index all = 0;
    for_params(weight, [&all](const void*, Index bytes) { all += bytes; });
    return all;
  }

  std::filesystem::path path_;
  Index layers_ = 0;
  Index packed_bytes_ = 0;  ///< of a layer
  double bytes_ = 0.0;
};

template <class Run>
double seconds(Run run) {
  const auto start = std::chrono::steady_clock::now();
  benchmark::DoNotOptimize(run());
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// The best of several runs of each, in turns: the machine's bad moments hit all alike. Memory is given back between
/// them, outside the time.
struct Times {
  double open = 1e30, read = 1e30, memcpy = 1e30, copy = 1e30, pack = 1e30;

  template <class Model>
  void add(const Model& model) {
    const auto take = [](double& best, double time) { best = std::min(best, time); };
    take(open, seconds([&] { return model.open(); }));
    const auto timed = [&](double& best, auto run) {
      const auto views = model.open();
      decltype(run(views)) result;
      take(best, seconds([&] { return (result = run(views)).size(); }));
    };
    timed(read, [&](const auto& views) { return model.read(views), std::string(); });
    timed(copy, [&](const auto& views) { return model.copy(views); });
    auto there = model.copy(model.open());
    timed(memcpy, [&](const auto& views) { return model.copy(views, std::move(there)); });
    timed(pack, [&](const auto& views) { return model.pack(views); });
  }
};

template <class F, class G>
class FileBench {
 public:
  FileBench(double megabytes, G granularity) : megabytes_(megabytes), granularity_(granularity) {}

  void run_open(benchmark::State& state) {
    report(state, times().open, 0.0);
    state.counters["GB"] = model().bytes() * 1e-9;
  }
  void run_read(benchmark::State& state) { report(state, times().read, model().bytes()); }
  void run_memcpy(benchmark::State& state) { report(state, times().memcpy, model().bytes()); }
  void run_copy(benchmark::State& state) { report(state, times().copy, model().bytes()); }
  void run_pack(benchmark::State& state) {
    report(state, times().pack, model().bytes());
    state.counters["of_memcpy"] = times().memcpy / times().pack;
    state.counters["of_copy"] = times().copy / times().pack;
  }
  void run_load(benchmark::State& state) {
    quanta::Sequential loaded;
    report(state, seconds([&] { return (loaded = quanta::load(model().path())).size(); }), model().bytes());
  }
  void run_save(benchmark::State& state) {
    const quanta::Sequential loaded = quanta::load(model().path());
    report(state, seconds([&] { return quanta::save(model().path(), loaded), 0; }), model().bytes());
  }

 private:
  static void report(benchmark::State& state, double time, double bytes) {
    for (auto _ : state) state.SetIterationTime(time);
    if (bytes > 0.0) state.counters["bytes/s"] = bytes / time;
  }
  /// Made when a benchmark first asks for it.
  const ModelFile<F, G>& model() {
    if (model_ == nullptr) model_ = std::make_unique<ModelFile<F, G>>(megabytes_, granularity_);
    return *model_;
  }
  const Times& times() {
    for (; rounds_ < 5; ++rounds_) times_.add(model());
    return times_;
  }

  double megabytes_;
  G granularity_;
  std::unique_ptr<ModelFile<F, G>> model_;
  Times times_;
  int rounds_ = 0;
};

template <class Bench>
void add(Bench& bench, const std::string& name) {
  const auto one = [&](const char* what, void (Bench::*run)(benchmark::State&)) {
    benchmark::RegisterBenchmark((name + "/" + what).c_str(), [&bench, run](benchmark::State& s) { (bench.*run)(s); })
        ->UseManualTime()
        ->Iterations(1)
        ->Unit(benchmark::kMillisecond);
  };
  one("open", &Bench::run_open);
  one("read", &Bench::run_read);
  one("memcpy", &Bench::run_memcpy);
  one("copy", &Bench::run_copy);
  one("pack", &Bench::run_pack);
  one("load", &Bench::run_load);
  one("save", &Bench::run_save);
}

}  // namespace

int main(int argc, char** argv) {
  using namespace quanta;
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
#if defined(__GLIBC__)
  // Else memory that was given back is kept after a while: then it is not new, and nothing clears it.
  mallopt(M_MMAP_THRESHOLD, 1 << 20);
#endif
  const char* const text = std::getenv("QUANTA_BENCH_MEGABYTES");
  const double megabytes = text != nullptr ? std::atof(text) : 1000.0;
  FileBench<Int<8>, PerChannel<0>> int8(megabytes, {});
  FileBench<Int<4>, PerGroup<64>> groups(megabytes, {});
  FileBench<Int<4>, PerChannel<0>> int4(megabytes, {});
  FileBench<UInt<4>, PerGroup<32>> zero_points(megabytes, {});
  FileBench<Int<6>, PerChannel<0>> int6(megabytes, {});
  add(int8, "int8");
  add(groups, "int4 per 64");
  add(int4, "int4");
  add(zero_points, "uint4 per 32, zero points");
  add(int6, "int6");
  benchmark::AddCustomContext("native_kernel", NativeKernel::name);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
}
