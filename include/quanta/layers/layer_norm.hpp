// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Layer normalization of every row (Ba, Kiros & Hinton, "Layer Normalization", 2016): over the features of (batch,
// features), so over the last axis. It is computed in float, in quantized models too, and has no integer counterpart.
#pragma once

#include <cmath>

#include <quanta/core/reduce.hpp>
#include <quanta/layers/linear.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN

/// Normalises each row of (batch, features) (Ba, Kiros & Hinton, 2016). y[b, i] = (x[b, i] - mean) / sqrt(variance +
/// epsilon) * weight[i] + bias[i], with the row's own mean and variance (the sum of squares divided by their number).
/// The sums are of doubles (core/reduce.hpp) and of differences from the mean, so a mean far from 0 costs no precision.
/// Step by step, in float unless said otherwise:
///
///   c = mean, rounded; e[i] = x[b, i] - c; d = mean of e, rounded from double: what c lost
///   r = 1 / sqrt(mean of e^2 - d^2 + epsilon), in double, rounded
///   y[b, i] = fma((e[i] - d) * r, weight[i], bias[i])
///
/// A row that holds a value that is not finite, or values more than FLT_MAX apart, gives a row of NaN.
class LayerNorm : public CallableLayer<LayerNorm> {
 public:
  static constexpr const char* kName = "LayerNorm";  ///< what name() says

  /// weight and bias (features), of float or double. Throws Error when their sizes differ, or epsilon is not
  /// finite or not above 0.
  template <RealObject W, RealObject B>
  LayerNorm(const W& weight, const B& bias, float epsilon = 1e-5f)
      : weight_(detail::copy_vector(weight)),
        bias_(detail::copy_bias("LayerNorm", bias, weight_.size())),
        epsilon_(epsilon) {
    detail::check(fp::is_finite(epsilon) && epsilon > 0.0f, "LayerNorm: epsilon is ", epsilon,
                  ", expected a finite value above 0");
  }

  Index features() const { return weight_.size(); }      ///< of a row
  Index out_features() const { return weight_.size(); }  ///< the same
  /// (features), as an Eigen map.
  auto weight() const { return detail::tensor_map(TensorView<const float, 1>(weight_.data(), {features()})); }
  /// (features), as an Eigen map.
  auto bias() const { return detail::tensor_map(TensorView<const float, 1>(bias_.data(), {features()})); }
  float epsilon() const { return epsilon_; }  ///< added to the variance

  /// Throws Error unless x has as many features as the weight.
  Index output_size(Index features_of_x) const {
    detail::check(features_of_x == features(), "LayerNorm: x has ", features_of_x, " features, expected ", features());
    return features_of_x;
  }
  /// What a file takes: tensors "weight" and "bias" (features), the number "epsilon".
  QUANTA_LAZY void save(TensorList& to) const {
    to.add("weight", weight());
    to.add("bias", bias());
    to.add("epsilon", epsilon_);
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static LayerNorm load(const Reader& from) {
    return LayerNorm{from.template read<1>("weight"), from.template read<1>("bias"), from.number("epsilon")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  QUANTA_LAZY void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    detail::for_each_row(context, x, y, 2.0 * static_cast<double>(features()),
                         [&](const float* from, float* to) { apply(from, to); });
  }
  std::string name() const { return kName; }  ///< in tables, messages and files
  /// The weight and the bias.
  Index packed_bytes() const { return static_cast<Index>(weight_.bytes() + bias_.bytes()); }
  /// The shape (features), and the numbers of the weight and the bias.
  LayerInfo info() const { return {detail::text(Shape<1>{features()}), "float32", {}, 2 * features()}; }

 private:
  QUANTA_LAZY void apply(const float* x, float* y) const;

  Buffer<float> weight_, bias_;
  float epsilon_;
};

// ---- bodies ----

QUANTA_LAZY_BODY void LayerNorm::apply(const float* x, float* y) const {
  const Index n = features();
  const double count = static_cast<double>(n);
  const float* from = nullptr;
  const auto begin = [&](Index first, Index) { from = x + first; };
  const auto sum = detail::blocked_sums<1>(n, begin, [&](Index i, auto width, detail::ReduceLanes<1>& lanes) {
    QUANTA_VECTORIZE_LOOP
    for (int l = 0; l < width; ++l) lanes[0][l] += from[i + l];
  });
  const float center = static_cast<float>(sum[0] / count);
  const auto sums = detail::blocked_sums<2>(n, begin, [&](Index i, auto width, detail::ReduceLanes<2>& lanes) {
    QUANTA_VECTORIZE_LOOP
    for (int l = 0; l < width; ++l) {
      const float difference = from[i + l] - center;
      const double e = difference;
      lanes[0][l] += e;
      lanes[1][l] += e * e;  // exact
    }
  });
  const double rest = sums[0] / count;
  const double variance = std::max(sums[1] / count - fp::mul(rest, rest), 0.0);  // NaN stays NaN
  const auto scale = static_cast<float>(1.0 / std::sqrt(variance + static_cast<double>(epsilon_)));

  using L = simd::NativeLanes;
  const typename L::F minus_center = L::set(-center), minus_rest = L::set(-static_cast<float>(rest));
  const typename L::F factor = L::set(scale);
  const auto normalize = [&](typename L::F v, typename L::F weight, typename L::F bias) QUANTA_INLINE_LAMBDA {
    const typename L::F centered = L::add_real(L::add_real(v, minus_center), minus_rest);
    return L::one_nan(L::fma(L::mul(centered, factor), weight, bias));
  };
  Index i = 0;
  for (; i + L::width <= n; i += L::width) {
    L::store(y + i, normalize(L::load(x + i), L::load(weight_.data() + i), L::load(bias_.data() + i)));
  }
  if (i < n) {
    const Index some = n - i;
    L::store_first(y + i,
                   normalize(L::load_first(x + i, some), L::load_first(weight_.data() + i, some),
                             L::load_first(bias_.data() + i, some)),
                   some);
  }
}

QUANTA_NAMESPACE_END
