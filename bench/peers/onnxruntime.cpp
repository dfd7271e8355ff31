// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// ONNX Runtime. Each product is a model of one operator, or two: int32 MatMulInteger, real MatMulIntegerToFloat and
// Relu, codes QGemm, dynamic DynamicQuantizeMatMul (one scale for all rows, where ours has one for each). Those with
// weights of 4 bits are MatMulNBits.
#include <cstdlib>

#include "low_bit_peer.hpp"
#include "onnx_model.hpp"
#include "onnx_session.hpp"
#include "peer.hpp"

namespace bench {
namespace {

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
  OnnxRuntimeProduct(const Problem& problem, const ort::Runtime& runtime)
      : ProductOf<T>(problem, problem.form),
        session_(
            runtime, model_of(problem, lhs_type(problem), kResultType), lhs(problem),
            {this->results_.data(), this->results_.size() * sizeof(T), problem.size.m, problem.size.n, kResultType}) {}
  void run() override { session_.run(); }

 private:
  static constexpr int kResultType = std::is_same_v<T, float>          ? ort::kFloat
                                     : std::is_same_v<T, std::int32_t> ? ort::kS32
                                                                       : ort::kU8;
  static int lhs_type(const Problem& problem) {
    if (problem.form == Form::kDynamic) return ort::kFloat;
    return problem.signed_lhs ? ort::kS8 : ort::kU8;
  }
  static ort::Bound lhs(const Problem& problem) {
    const bool dynamic = problem.form == Form::kDynamic;
    const void* const data = dynamic ? static_cast<const void*>(problem.x.data()) : problem.codes.data();
    const auto size = static_cast<std::size_t>(problem.codes.size());
    return {data, dynamic ? size * sizeof(float) : size, problem.size.m, problem.size.k, lhs_type(problem)};
  }

  ort::Session session_;
};

class OnnxRuntimePeer final : public Peer {
 public:
  explicit OnnxRuntimePeer(const ort::Runtime& runtime) : runtime_(runtime) {}
  std::string name() const override { return "ONNX_Runtime"; }
  std::string version() const override { return runtime_.api.version(); }
  std::unique_ptr<Product> prepare(const Problem& problem) override {
    return with_result_type(problem.form, [&]<class T>(T) -> std::unique_ptr<Product> {
      return std::make_unique<OnnxRuntimeProduct<T>>(problem, runtime_);
    });
  }

 private:
  ort::Runtime runtime_;
};

class OnnxRuntimeLowBitProduct final : public LowBitProduct {
 public:
  OnnxRuntimeLowBitProduct(const LowBitProblem& problem, const ort::Runtime& runtime)
      : LowBitProduct(problem),
        session_(runtime, model_of(problem),
                 {problem.x, sizeof(float) * size(problem.m, problem.k), problem.m, problem.k, ort::kFloat},
                 {results_.data(), sizeof(float) * results_.size(), problem.m, problem.n, ort::kFloat}) {}
  void run() override { session_.run(); }

 private:
  static std::size_t size(Index rows, Index columns) { return static_cast<std::size_t>(rows * columns); }

  static std::string model_of(const LowBitProblem& problem) {
    // Codes of (n, groups, group) from 0 to 15, two to a byte, the first in the low bits; 8 stands for 0.
    const Index groups = problem.k / problem.group;
    std::vector<std::uint8_t> bytes(size(problem.n, problem.k) / 2);
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::uint8_t>((problem.codes[2 * i] + 8) | (problem.codes[2 * i + 1] + 8) << 4);
    }
    const std::vector<std::string> constants = {
        onnx::constant("B", ort::kU8, {problem.n, groups, problem.group / 2}, bytes.data(), bytes.size()),
        onnx::constant("scales", ort::kFloat, {problem.n * groups}, problem.scales,
                       sizeof(float) * size(problem.n, groups))};
    constexpr std::int64_t kInFloat = 1, kInInt8 = 4;
    const std::string product = onnx::node("MatMulNBits", "com.microsoft", {"A", "B", "scales"}, "Y",
                                           {{"K", problem.k},
                                            {"N", problem.n},
                                            {"bits", 4},
                                            {"block_size", problem.group},
                                            {"accuracy_level", problem.quantize_x ? kInInt8 : kInFloat}});
    return onnx::model({product}, constants, onnx::port("A", ort::kFloat, {problem.m, problem.k}),
                       onnx::port("Y", ort::kFloat, {problem.m, problem.n}));
  }

  ort::Session session_;
};

class OnnxRuntimeLowBitPeer final : public LowBitPeer {
 public:
  explicit OnnxRuntimeLowBitPeer(const ort::Runtime& runtime) : runtime_(runtime) {}
  std::string name() const override { return "ONNX_Runtime"; }
  std::string version() const override { return runtime_.api.version(); }
  std::unique_ptr<LowBitProduct> prepare(const LowBitProblem& problem) override {
    const bool power_of_two = (problem.group & (problem.group - 1)) == 0;
    if (problem.group < 16 || !power_of_two || problem.k % problem.group != 0) return nullptr;
    return std::make_unique<OnnxRuntimeLowBitProduct>(problem, runtime_);
  }

 private:
  ort::Runtime runtime_;
};

}  // namespace

std::unique_ptr<Peer> make_onnxruntime(const Threads& threads) {
  ort::Runtime runtime;
  if (!runtime.load(threads.count)) return nullptr;
  return std::make_unique<OnnxRuntimePeer>(runtime);
}

std::unique_ptr<LowBitPeer> make_onnxruntime_low_bit() {
  ort::Runtime runtime;
  if (!runtime.load(1)) return nullptr;
  return std::make_unique<OnnxRuntimeLowBitPeer>(runtime);
}

}  // namespace bench
