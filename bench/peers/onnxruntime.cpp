// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// ONNX Runtime, loaded when the program runs: from $QUANTA_ONNXRUNTIME, else from where CMake was told. Each product is
// a model of one operator, or two: int32 MatMulInteger, real MatMulIntegerToFloat and Relu, codes QGemm, dynamic
// DynamicQuantizeMatMul (one scale for all rows, where ours has one for each).
#include <cstdlib>

#include "onnx_model.hpp"
#include "onnxruntime_api.hpp"
#include "peer.hpp"

namespace bench {
namespace {

struct Runtime {
  ort::Api api;
  ort::Handle environment = nullptr, memory = nullptr;
};

/// The model of a problem's form, with its constants inside. Its input is A, its output Y.
std::string model_of(const Problem& problem, int lhs_type, int result_type) {
  const std::int64_t m = problem.size.m, k = problem.size.k, n = problem.size.n;
  const Weights& weights = *problem.weights;
  const auto count = static_cast<std::size_t>(n);
  std::vector<std::string> constants;
  const auto add = [&](const char* name, int type, const onnx::Shape& shape, const auto* data, std::size_t size) {
    constants.push_back(onnx::constant(name, type, shape, data, size * sizeof *data));
  };
  const Matrix<std::int8_t> by_k = weights.codes.transpose();
  add("B", ort::kS8, {k, n}, by_k.data(), static_cast<std::size_t>(by_k.size()));
  const auto zero_a = static_cast<std::uint8_t>(problem.zero_x);
  add("zero_a", lhs_type, {}, &zero_a, 1);
  const std::vector<std::int8_t> zero_b(count, static_cast<std::int8_t>(problem.zero_w));
  add("zero_b", ort::kS8, {n}, zero_b.data(), count);
  add("scale_a", ort::kFloat, {}, &problem.scale_x, 1);
  add("scale_b", ort::kFloat, {n}, weights.scales.data(), count);

  const char* const extended = "com.microsoft";
  const bool plain = problem.zero_x == 0 && problem.zero_w == 0;
  std::vector<std::string> nodes;
  if (problem.form == Form::kInt32) {
    nodes = {onnx::node(
        "MatMulInteger", "",
        plain ? std::vector<std::string>{"A", "B"} : std::vector<std::string>{"A", "B", "zero_a", "zero_b"}, "Y")};
  } else if (problem.form == Form::kCodes) {
    std::vector<std::int32_t> bias;
    for (Index j = 0; j < n; ++j) {
      bias.push_back(static_cast<std::int32_t>(std::lrint(weights.bias[j] / problem.scale(j))));
    }
    add("bias", ort::kS32, {n}, bias.data(), count);
    add("scale_y", ort::kFloat, {}, &problem.scale_out, 1);
    const std::uint8_t zero_y = 0;
    add("zero_y", ort::kU8, {}, &zero_y, 1);
    nodes = {onnx::node("QGemm", extended,
                        {"A", "scale_a", "zero_a", "B", "scale_b", "zero_b", "bias", "scale_y", "zero_y"}, "Y")};
  } else {
    add("bias", ort::kFloat, {n}, weights.bias.data(), count);
    if (problem.form == Form::kDynamic) {
      nodes = {onnx::node("DynamicQuantizeMatMul", extended, {"A", "B", "scale_b", "", "bias"}, "Y")};
    } else {
      nodes = {onnx::node("MatMulIntegerToFloat", extended, {"A", "B", "scale_a", "scale_b", "", "", "bias"}, "sum"),
               onnx::node("Relu", "", {"sum"}, "Y")};
    }
  }
  return onnx::model(nodes, constants, onnx::port("A", lhs_type, {m, k}), onnx::port("Y", result_type, {m, n}));
}

template <class T>
class OnnxRuntimeProduct final : public ProductOf<T> {
 public:
  OnnxRuntimeProduct(const Problem& problem, const Runtime& runtime)
      : ProductOf<T>(problem, problem.form), api_(runtime.api) {
    const bool dynamic = problem.form == Form::kDynamic;
    const int lhs_type = dynamic ? ort::kFloat : problem.signed_lhs ? ort::kS8 : ort::kU8;
    const int result_type = std::is_same_v<T, float>          ? ort::kFloat
                            : std::is_same_v<T, std::int32_t> ? ort::kS32
                                                              : ort::kU8;
    ort::Handle options = nullptr;
    api_.call(ort::kCreateSessionOptions, &options);
    api_.call(ort::kDisablePerSessionThreads, options);
    constexpr int kAllOptimizations = 99;
    api_.call(ort::kSetGraphOptimization, options, kAllOptimizations);
    const std::string model = model_of(problem, lhs_type, result_type);
    api_.call(ort::kCreateSessionFromArray, runtime.environment, static_cast<const void*>(model.data()), model.size(),
              options, &session_);
    api_.release(ort::kReleaseSessionOptions, options);

    const auto bind = [&](const void* data, std::size_t bytes, Index columns, int type) {
      const std::int64_t shape[] = {problem.size.m, columns};
      ort::Handle value = nullptr;
      api_.call(ort::kCreateTensorWithData, runtime.memory, const_cast<void*>(data), bytes,
                static_cast<const std::int64_t*>(shape), std::size_t{2}, type, &value);
      return value;
    };
    const auto lhs_size = static_cast<std::size_t>(problem.codes.size());
    lhs_ = dynamic ? bind(problem.x.data(), lhs_size * sizeof(float), problem.size.k, lhs_type)
                   : bind(problem.codes.data(), lhs_size, problem.size.k, lhs_type);
    dst_ = bind(this->results_.data(), this->results_.size() * sizeof(T), problem.size.n, result_type);
  }
  ~OnnxRuntimeProduct() override {
    api_.release(ort::kReleaseValue, lhs_);
    api_.release(ort::kReleaseValue, dst_);
    api_.release(ort::kReleaseSession, session_);
  }
  OnnxRuntimeProduct(const OnnxRuntimeProduct&) = delete;
  OnnxRuntimeProduct& operator=(const OnnxRuntimeProduct&) = delete;

  void run() override {
    const char* const inputs[] = {"A"};
    const char* const outputs[] = {"Y"};
    const ort::Handle lhs[] = {lhs_};
    api_.call(ort::kRun, session_, ort::Handle{}, static_cast<const char* const*>(inputs),
              static_cast<const ort::Handle*>(lhs), std::size_t{1}, static_cast<const char* const*>(outputs),
              std::size_t{1}, &dst_);
  }

 private:
  const ort::Api& api_;
  ort::Handle session_ = nullptr, lhs_ = nullptr, dst_ = nullptr;
};

class OnnxRuntimePeer final : public Peer {
 public:
  explicit OnnxRuntimePeer(const Runtime& runtime) : runtime_(runtime) {}
  std::string name() const override { return "ONNX_Runtime"; }
  std::string version() const override { return runtime_.api.version(); }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    return with_result_type(problem.form, [&]<class T>(T) -> std::unique_ptr<Product> {
      return std::make_unique<OnnxRuntimeProduct<T>>(problem, runtime_);
    });
  }

 private:
  Runtime runtime_;
};

}  // namespace

std::unique_ptr<Peer> make_onnxruntime(const Threads& threads) {
  const char* const told = std::getenv("QUANTA_ONNXRUNTIME");
  Runtime runtime;
  if (!runtime.api.load(told != nullptr ? told : QUANTA_ONNXRUNTIME_PATH)) return nullptr;
  // One pool for all sessions: cold weights are many of them.
  ort::Handle options = nullptr;
  runtime.api.call(ort::kCreateThreadingOptions, &options);
  runtime.api.call(ort::kSetGlobalIntraOpThreads, options, threads.count);
  runtime.api.call(ort::kSetGlobalInterOpThreads, options, 1);
  constexpr int kErrors = 3, kDeviceAllocator = 0, kDefaultMemory = 0;
  runtime.api.call(ort::kCreateEnvWithGlobalThreads, kErrors, static_cast<const char*>("bench"), options,
                   &runtime.environment);
  runtime.api.call(ort::kCreateCpuMemoryInfo, kDeviceAllocator, kDefaultMemory, &runtime.memory);
  return std::make_unique<OnnxRuntimePeer>(runtime);
}

}  // namespace bench
