// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The float linear layer: the model before quantization, and what calibration runs.
#pragma once

#include <limits>

#include <quanta/core/layer.hpp>
#include <quanta/gemm/float_product.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// The bias of a layer with n outputs, copied; zeros where none is given. Throws Error when the size is not n.
template <RealObject B>
Buffer<float> copy_bias(const char* layer, const B& bias, Index n) {
  static_assert(rank_of<B> == 1, "quanta: a bias is a vector or a rank-1 tensor");
  const Input<float, 1> input(bias);
  check(input.view().size() == n, layer, ": bias has ", input.view().size(), " elements, expected one per output, ", n);
  Buffer<float> copy(n);
  for (Index i = 0; i < n; ++i) copy[i] = input.view().data()[i * input.view().stride(0)];
  return copy;
}

/// y[row, column + i] = sums[i] + bias[column + i], where NaN is the one quiet NaN. Rows of y are dense.
inline void store_with_bias(const TensorView<float, 2>& y, Index row, Index column, Index count, const float* sums,
                            const Buffer<float>& bias) {
  float* to = y.data() + row * y.stride(0) + column;
  for (Index i = 0; i < count; ++i) {
    const float value = fp::opaque(sums[i]) + bias[column + i];
    to[i] = value == value ? value : std::numeric_limits<float>::quiet_NaN();
  }
}

}  // namespace detail

/// y[b, n] = (sum over k ascending of fma(x[b, k], weight[n, k], sum), from 0) + bias[n]. The same bits on every CPU
/// and for every batch; NaN results are the one quiet NaN.
class Linear : public CallableLayer<Linear> {
 public:
  /// weight (out, in), bias (out) of float or double. Throws Error when their sizes differ.
  template <RealObject W, RealObject B>
  Linear(const W& weight, const B& bias) : Linear(detail::Input<float, rank_of<W>>(weight)) {
    bias_ = detail::copy_bias("Linear", bias, out_features());
  }
  /// Without a bias.
  template <RealObject W>
  explicit Linear(const W& weight) : Linear(detail::Input<float, rank_of<W>>(weight)) {}

  Index in_features() const { return panels_.k(); }
  Index out_features() const { return panels_.n(); }
  /// (out, in).
  Tensor<float, 2> weight() const {
    Tensor<float, 2> result = detail::make_tensor<float, 2>({out_features(), in_features()});
    for (Index n = 0; n < out_features(); ++n) {
      for (Index k = 0; k < in_features(); ++k) result(n, k) = panels_.weight(n, k);
    }
    return result;
  }
  /// (out); zeros when none was given.
  Eigen::TensorMap<const Tensor<float, 1>> bias() const {
    return Eigen::TensorMap<const Tensor<float, 1>>(bias_.data(), bias_.size());
  }

  Index output_size(Index features) const {
    detail::check_features("Linear", features, in_features());
    return out_features();
  }
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    panels_.multiply(context, x, [&](Index row, Index column, Index count, const float* sums) {
      detail::store_with_bias(y, row, column, count, sums, bias_);
    });
  }
  std::string name() const { return "Linear"; }
  Index packed_bytes() const { return panels_.bytes() + static_cast<Index>(bias_.bytes()); }

 private:
  explicit Linear(const detail::Input<float, 2>& weight) : panels_(weight.view()), bias_(panels_.n(), 0.0f) {}

  detail::FloatPanels panels_;
  Buffer<float> bias_;
};

QUANTA_NAMESPACE_END
