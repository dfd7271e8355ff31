// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The float linear layer: the model before quantization, and what calibration runs.
#pragma once

#include <limits>

#include <quanta/core/layer.hpp>
#include <quanta/gemm/float_product.hpp>
#include <quanta/layers/weight_and_bias.hpp>
#include <quanta/quant/tensor_list.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// y[row, column + i] = sums[i] + bias[column + i], where NaN is the one quiet NaN. Rows of y are dense.
QUANTA_LAZY void store_with_bias(const TensorView<float, 2>& y, Index row, Index column, Index count, const float* sums,
                                 const Buffer<float>& bias) {
  float* to = y.data() + row * y.stride(0) + column;
  for (Index i = 0; i < count; ++i) {
    const float value = fp::opaque(sums[i]) + bias[column + i];
    to[i] = value == value ? value : std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace detail

class Linear;

/// What every linear layer D has around its weights: the bias, and the interface of a layer. D has `kName`,
/// in_features(), out_features(), weight_bytes(), weight_format() and weight_granularity().
template <class D>
class LinearBase : public CallableLayer<D> {
 public:
  /// (out); zeros when none was given.
  auto bias() const { return detail::tensor_map(TensorView<const float, 1>(bias_.data(), {bias_.size()})); }

  /// The number of outputs. Throws Error unless `features` is the number of inputs.
  Index output_size(Index features) const {
    detail::check(features == self().in_features(), D::kName, ": x has ", features, " features, expected ",
                  self().in_features());
    return self().out_features();
  }
  std::string name() const { return D::kName; }  ///< in tables, messages and files
  /// What the layer holds: its weights as they are stored, and the bias.
  Index packed_bytes() const { return self().weight_bytes() + static_cast<Index>(bias_.bytes()); }
  /// The shape (out, in) and format of the weight, the granularity of its scales, and all numbers, biases too.
  LayerInfo info() const {
    const Index out = self().out_features(), in = self().in_features();
    return {detail::text(Shape<2>{out, in}), std::string(self().weight_format()), self().weight_granularity(),
            out * in + out};
  }

 protected:
  /// Without a bias: zeros.
  explicit LinearBase(Index outputs) : bias_(outputs, 0.0f) {}
  /// Throws Error unless there is a bias for each of so many outputs, and all are finite. Linear takes any, as it takes
  /// any weight.
  template <class B>
  LinearBase(Index outputs, const B& bias) : bias_(detail::copy_bias(D::kName, bias, outputs)) {
    for (Index n = 0; !std::is_same_v<D, Linear> && n < outputs; ++n) {
      detail::check(fp::is_finite(bias_[n]), D::kName, ": bias ", n, " is ", detail::NotFinite{bias_[n]},
                    ", expected a finite value");
    }
  }

  /// The tensor "bias" (out).
  void save_bias(TensorList& to) const { to.add("bias", TensorView<const float, 1>(bias_.data(), {bias_.size()})); }

  Buffer<float> bias_;  ///< (out)

 private:
  const D& self() const { return static_cast<const D&>(*this); }
};

/// The float linear layer: y (batch, out) of x (batch, in), weight (out, in) and bias (out), y in units of weight times
/// x. Throws Error when x has another number of features. y[b, n] = (sum over k ascending of fma(x[b, k], weight[n, k],
/// sum), from 0) + bias[n]. The same bits on every CPU and for every batch; NaN results are the one quiet NaN.
class Linear : public LinearBase<Linear> {
 public:
  static constexpr const char* kName = "Linear";  ///< what name() says

  /// weight (out, in), bias (out) of float or double. Throws Error when their sizes differ.
  template <class W, class B>
  Linear(const W& weight, const B& bias) : Linear(detail::read_weight(weight), bias) {}
  /// Without a bias.
  template <RealObject W>
  explicit Linear(const W& weight) : Linear(detail::read_weight(weight)) {}

  Index in_features() const { return panels_.k(); }   ///< columns of the weight
  Index out_features() const { return panels_.n(); }  ///< rows of the weight
  /// (out, in).
  QUANTA_LAZY Tensor<float, 2> weight() const {
    Tensor<float, 2> result = detail::make_tensor<float, 2>({out_features(), in_features()});
    for (Index n = 0; n < out_features(); ++n) {
      for (Index k = 0; k < in_features(); ++k) result(n, k) = panels_.weight(n, k);
    }
    return result;
  }
  /// Of the packed weights.
  Index weight_bytes() const { return panels_.bytes(); }
  std::string_view weight_format() const { return "float32"; }  ///< what the weight is stored in
  std::string weight_granularity() const { return {}; }         ///< empty: there are no scales

  /// What a file takes: tensors "weight" (out, in) and "bias" (out).
  QUANTA_LAZY void save(TensorList& to) const {
    to.add("weight", "F32", {out_features(), in_features()}, [this](std::byte* bytes) {
      const Tensor<float, 2> all = weight();
      if (all.size() > 0) std::memcpy(bytes, all.data(), usize(all.size()) * sizeof(float));
    });
    save_bias(to);
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static Linear load(const Reader& from) {
    return Linear{from.template read<2>("weight"), from.template read<1>("bias")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  QUANTA_LAZY void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    panels_.multiply(context, x, [&](Index row, Index column, Index count, const float* sums) {
      detail::store_with_bias(y, row, column, count, sums, bias_);
    });
  }

 private:
  explicit Linear(const detail::Input<float, 2>& weight)
      : LinearBase(weight.view().extent(0)), panels_(weight.view()) {}
  template <class B>
  Linear(const detail::Input<float, 2>& weight, const B& bias)
      : LinearBase(weight.view().extent(0), bias), panels_(weight.view()) {}

  detail::FloatPanels panels_;
};

QUANTA_NAMESPACE_END
