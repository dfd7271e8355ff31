// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The linear layer of LLM.int8() (Dettmers, Lewis, Belkada & Zettlemoyer, "LLM.int8(): 8-bit matrix multiplication for
// transformers at scale", 2022): activations far larger than the others stay float, so that they do not cost the others
// their precision. There a column is an outlier for the whole batch when one of its values is; here each row has its
// own, so that a sample's result does not depend on its batch.
#pragma once

#include <cmath>

#include <quanta/layers/dynamic_linear.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {
/// Anything in place of a bias; a number there is the threshold.
template <class B>
concept NoNumber = !std::is_arithmetic_v<B>;
}  // namespace detail

/// The linear layer of LLM.int8() (Dettmers et al., 2022; layers/int8_outlier_linear.hpp says what differs): y (batch,
/// out) of x (batch, in), int8 weights, a scale per output. Throws Error when x has another number of features. In each
/// row of x the outliers are the values with |x| >= threshold; the others are Int<8>, symmetric, with the row's own
/// scale, the outliers' codes being 0. Then
///
///   y[b, n] = fma(float(acc), scale_x[b] * scale_w[n], bias[n])
///
/// and in rows with outliers, with f = (sum over their k ascending of fma(x[b, k], float(code_w[n, k]), f), from 0),
///
///   y[b, n] = fma(f, scale_w[n], y[b, n])
///
/// A row that holds a value that is not finite gives a row of NaN.
template <MicroKernel Kernel = NativeKernel>
class Int8OutlierLinear : public LinearBase<Int8OutlierLinear<Kernel>> {
  using Weight = QuantizedTensor<Int<8>, 2, PerChannel<0>>;
  using WeightView = QuantizedView<Int<8>, 2, PerChannel<0>>;

 public:
  static constexpr const char* kName = "Int8OutlierLinear";  ///< what name() says
  /// The paper's.
  static constexpr float kThreshold = 6.0f;

  /// Quantizes weight (out, in), symmetrically, from its own range; bias (out). With a threshold of infinity there are
  /// no outliers. Throws Error when sizes differ, weight or bias is not finite, the sums can leave int32, or the
  /// threshold is not above 0.
  template <class W, detail::NoNumber B>
  Int8OutlierLinear(const W& weight, const B& bias, float threshold = kThreshold)
      : Int8OutlierLinear(detail::quantize_weight<Int<8>>("Int8OutlierLinear: weight", weight, PerChannel<0>{}), bias,
                          threshold) {}
  /// Without a bias.
  template <RealObject W>
  explicit Int8OutlierLinear(const W& weight, float threshold = kThreshold)
      : Int8OutlierLinear(detail::quantize_weight<Int<8>>("Int8OutlierLinear: weight", weight, PerChannel<0>{}),
                          threshold) {}
  /// From weights already quantized.
  template <detail::NoNumber B>
  Int8OutlierLinear(const Weight& weight, const B& bias, float threshold = kThreshold)
      : Int8OutlierLinear(weight.view(), bias, threshold) {}
  /// From a view of them, which is not needed any more then.
  template <detail::NoNumber B>
  Int8OutlierLinear(const WeightView& weight, const B& bias, float threshold = kThreshold)
      : LinearBase<Int8OutlierLinear>(weight.extent(0), bias), weights_(weight), threshold_(threshold) {
    check();
  }
  /// From weights already quantized, without a bias.
  explicit Int8OutlierLinear(const Weight& weight, float threshold = kThreshold)
      : LinearBase<Int8OutlierLinear>(weight.extent(0)), weights_(weight.view()), threshold_(threshold) {
    check();
  }

  Index in_features() const { return weights_.k(); }   ///< columns of the weight
  Index out_features() const { return weights_.n(); }  ///< rows of the weight
  float threshold() const { return threshold_; }       ///< activations of this magnitude and more stay float
  const PackedRhs<Int<8>, PerChannel<0>, Kernel>& weights() const { return weights_; }  ///< packed for the kernel
  /// Of the packed weights.
  Index weight_bytes() const { return weights_.packed_bytes(); }
  std::string_view weight_format() const { return Int<8>::name; }  ///< what the weight is stored in
  std::string weight_granularity() const { return description(weights_.granularity().info(), 2); }  ///< of its scales

  /// What a file takes: the quantized tensor "weight" (out, in), "bias" (out), and the number "threshold".
  void save(TensorList& to) const {
    detail::save_weights(to, weights_);
    this->save_bias(to);
    to.add("threshold", threshold_);
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static Int8OutlierLinear load(const Reader& from) {
    const auto weight = from.template quantized_view<Int<8>, 2, PerChannel<0>>("weight");
    return {weight.template view<Int<8>, 2, PerChannel<0>>(), from.template read<1>("bias"), from.number("threshold")};
  }

  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;

 private:
  void check() const {
    detail::check(threshold_ > 0.0f, "Int8OutlierLinear: the threshold is ", threshold_, ", expected a number above 0");
    detail::check_sums_by_row<Symmetric, Int<8>>(weights_.operands());
  }

  PackedRhs<Int<8>, PerChannel<0>, Kernel> weights_;
  float threshold_;
};

// ---- bodies ----

namespace detail {

/// Quantizes rows of k values, each by the range of what is below the threshold; notes the scale, and whether there are
/// outliers.
template <class Scheme>
struct QuantizeBelow {
  Index k;
  float threshold;
  float* scales;
  std::uint8_t* has_outliers;

  void operator()(const RowsToQuantize<std::int8_t>& part) const {
    for (Index i = 0; i < part.count; ++i) {
      const float* x = part.row(i);
      std::int8_t* codes = part.codes_of(i);
      const simd::MinMax seen = simd::min_max(x, k);
      Range range{k > 0 ? seen.min : 0.0f, k > 0 ? seen.max : 0.0f};
      const bool outliers = seen.finite && (range.max >= threshold || -range.min >= threshold);
      if (outliers) range = range_below(x);
      const float scale = seen.finite ? Scheme::template from_range<Int<8>>(range, {}).scale : 1.0f;
      simd::quantize(x, k, {scale, 0, Scheme::template low<Int<8>>({}), Int<8>::max}, codes);
      for (Index j = 0; outliers && j < k; ++j) codes[j] = std::fabs(x[j]) >= threshold ? std::int8_t{0} : codes[j];
      // With a scale of NaN all results of the row are NaN.
      scales[part.first + i] = seen.finite ? scale : std::numeric_limits<float>::quiet_NaN();
      has_outliers[part.first + i] = outliers ? 1 : 0;
    }
  }

 private:
  Range range_below(const float* x) const {
    float most = 0.0f;
    for (Index j = 0; j < k; ++j) {
      const float magnitude = std::fabs(x[j]);
      most = std::max(most, magnitude < threshold ? magnitude : 0.0f);
    }
    return {-most, most};
  }
};

/// A value that stays float, and where it is in its row.
struct Outlier {
  Index step;
  float value;
};

/// Adds what the outliers of one row give to its dense results y (n).
template <class Operands>
void add_outliers(Context& context, const Outlier* outliers, Index count, const Operands& weights, float* y) {
  using Kernel = typename Operands::KernelType;
  constexpr int nr = Kernel::kNr;
  using L = LanesFor<nr>;
  const RhsLayout& layout = weights.layout();
  const double cycles = 2.0 * static_cast<double>(count) * static_cast<double>(weights.n());
  const Index panels = layout.panels();
  const Index tasks = cycles < 100000.0 ? 1 : std::min<Index>(panels, context.threads());
  context.parallel(tasks, cycles / static_cast<double>(tasks), [&](Index task) {
    for (Index p = panels * task / tasks; p < panels * (task + 1) / tasks; ++p) {
      alignas(kCacheLine) float sums[nr] = {}, codes[nr];
      for (Index i = 0; i < count; ++i) {
        const auto* column = weights.panel(0) + layout.position(p * nr, outliers[i].step);
        for (int c = 0; c < nr; ++c) codes[c] = static_cast<float>(column[c * Kernel::kKr]);
        for (int c = 0; c < nr; c += L::width) {
          L::store(sums + c, L::fma(L::set(outliers[i].value), L::load(codes + c), L::load(sums + c)));
        }
      }
      const Index column = p * nr, lanes = std::min<Index>(nr, weights.n() - column);
      for (int c = 0; c < lanes; c += L::width) {
        const Index some = std::min<Index>(L::width, lanes - c);
        const typename L::F before = L::load_first(y + column + c, some);
        L::store_first(y + column + c,
                       L::one_nan(L::fma(L::load(sums + c), L::load(weights.scales(0) + column + c), before)), some);
      }
    }
  });
}

}  // namespace detail

template <MicroKernel Kernel>
void Int8OutlierLinear<Kernel>::forward(Context& context, const TensorView<const float, 2>& x,
                                        const TensorView<float, 2>& y) const {
  static_assert(std::is_signed_v<typename Kernel::Rhs>, "quanta: Int8OutlierLinear reads codes as the kernel has them");
  using Maker = detail::QuantizedRows<std::int8_t, detail::QuantizeBelow<Symmetric>>;
  const Index rows = x.extent(0), k = x.extent(1);
  float* scales = context.reserve_local<float>(0, rows);
  std::uint8_t* has_outliers = context.reserve_local<std::uint8_t>(1, rows);
  const Maker maker(context, 2, x, {k, threshold_, scales, has_outliers});
  const detail::LhsOperand<std::int8_t> lhs{
      maker.codes(), {scales, nullptr}, 1, Symmetric::low<Int<8>>({}), Int<8>::max, &maker};
  detail::multiply_linear(context, lhs, weights_.operands(), this->bias_, y);

  detail::Outlier* const outliers = context.reserve_local<detail::Outlier>(3, k);
  for (Index r = 0; r < rows; ++r) {
    if (has_outliers[r] == 0) continue;
    Index count = 0;
    for (Index j = 0; j < k; ++j) {
      const float value = x.data()[r * x.stride(0) + j * x.stride(1)];
      if (std::fabs(value) >= threshold_) outliers[count++] = {j, value};
    }
    detail::add_outliers(context, outliers, count, weights_.operands(), y.data() + r * y.stride(0));
  }
}

QUANTA_NAMESPACE_END
