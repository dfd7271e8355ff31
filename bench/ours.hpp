// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quanta's own product in the terms of bench/peers: the public functions with one kernel, weights packed beforehand.
#pragma once

#include <functional>
#include <optional>

#include <quanta/quanta.hpp>

#include "dot_peak.hpp"
#include "peers/peer.hpp"

namespace bench {

inline quanta::QuantizedTensor<quanta::Int<8>, 2, quanta::PerChannel<0>> quantized_weights(const Problem& problem) {
  const auto& weights = *problem.weights;
  const quanta::PerChannel<0> axis;
  using Params = quanta::QuantParams<quanta::PerChannel<0>>;
  const std::vector<float> scales(weights.scales.data(), weights.scales.data() + weights.scales.size());
  if (problem.zero_w == 0) return {weights.codes, Params(scales, axis)};
  return {weights.codes, Params(scales, std::vector<std::int32_t>(scales.size(), problem.zero_w), axis)};
}

/// F is the lhs's format: UInt<8>, or Int<8> for int32 results.
template <class Kernel, class F>
class OursProduct final : public Product {
  using Weights = quanta::PackedRhs<quanta::Int<8>, quanta::PerChannel<0>, Kernel>;
  using Dynamic = quanta::DynamicLinear<quanta::Int<8>, quanta::PerChannel<0>, Kernel>;

 public:
  OursProduct(const Problem& problem, quanta::Context& context)
      : problem_(problem),
        context_(context),
        lhs_(codes(problem), quanta::QuantParams<quanta::PerTensor>(problem.scale_x, problem.zero_x)) {
    const auto weights = quantized_weights(problem);
    if (problem.form == Form::kDynamic) {
      dynamic_ = std::make_unique<Dynamic>(weights, problem.weights->bias);
    } else {
      rhs_ = std::make_unique<Weights>(weights.view());
    }
    if (problem.form == Form::kInt32) {
      acc_.resize(problem.size.m, problem.size.n);
    } else if (problem.form == Form::kCodes) {
      const quanta::AsymmetricQuantizer<quanta::UInt<8>> output(problem.scale_out, 0);
      requantize_.emplace(problem.scale_x, *rhs_, output, problem.weights->bias);
      codes_.resize(problem.size.m, problem.size.n);
    } else {
      real_.resize(problem.size.m, problem.size.n);
    }
  }

  void run() override {
    const Size& s = problem_.size;
    if (problem_.form == Form::kInt32) {
      quanta::gemm(context_, lhs_, *rhs_, acc_);
    } else if (problem_.form == Form::kReal) {
      quanta::gemm(context_, lhs_, *rhs_, real_, quanta::Dequantize{}, quanta::AddBias{problem_.weights->bias},
                   quanta::Relu{});
    } else if (problem_.form == Form::kDynamic) {
      dynamic_->forward(context_, {problem_.x.data(), {s.m, s.k}}, {real_.data(), {s.m, s.n}});
    } else {
      quanta::gemm(context_, lhs_, *rhs_, codes_, *requantize_);
    }
  }
  Form form() const override { return problem_.form; }
  double value(Index i) const override {
    if (problem_.form == Form::kInt32) return acc_.data()[i];
    if (problem_.form != Form::kCodes) return real_.data()[i];
    return codes_.data()[i];
  }

 private:
  static Matrix<typename F::Code> codes(const Problem& problem) {
    return Eigen::Map<const Matrix<typename F::Code>>(reinterpret_cast<const typename F::Code*>(problem.codes.data()),
                                                      problem.size.m, problem.size.k);
  }

  const Problem& problem_;
  quanta::Context& context_;
  quanta::QuantizedTensor<F, 2> lhs_;
  std::unique_ptr<Weights> rhs_;
  std::unique_ptr<Dynamic> dynamic_;
  Matrix<std::int32_t> acc_;
  Matrix<float> real_;
  std::optional<quanta::Requantize<quanta::UInt<8>>> requantize_;
  Matrix<std::uint8_t> codes_;
};

/// A kernel of this build.
struct Kernel {
  std::string name;
  std::function<std::unique_ptr<Product>(const Problem&, quanta::Context&)> prepare;
  /// Operations per second at most, with weights of seven bits or any; 0 where that is not known (dot_peak.hpp).
  double (*peak)(bool seven_bits);
  bool has_proven_form;
};

template <class K>
Kernel kernel_of() {
  return {K::name,
          [](const Problem& problem, quanta::Context& context) -> std::unique_ptr<Product> {
            if (problem.signed_lhs) return std::make_unique<OursProduct<K, quanta::Int<8>>>(problem, context);
            return std::make_unique<OursProduct<K, quanta::UInt<8>>>(problem, context);
          },
          dot_peak<K>, quanta::HasProvenForm<K>};
}

/// The kernels this build has, best first; those of builds without flags only where there is no other.
template <class... Archs>
std::vector<Kernel> all_kernels(quanta::arch::List<Archs...>) {
  std::vector<Kernel> kernels;
  const auto add = [&](auto arch) {
    using Arch = decltype(arch);
    if constexpr (quanta::detail::HasKernel<Arch>::value) {
      constexpr bool plain = std::is_same_v<Arch, quanta::arch::Scalar> || std::is_same_v<Arch, quanta::arch::Sse2>;
      if (!plain || kernels.empty()) {
        kernels.push_back(kernel_of<quanta::Int8Kernel<Arch>>());
      }
    }
  };
  (add(Archs{}), ...);
  return kernels;
}

}  // namespace bench
