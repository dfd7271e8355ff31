// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From int32 sums to codes of the next layer without floats per element:
//
//   code = clamp(multiply(acc + bias, scale_x * scale_w[n] / scale_out) + zero_out, low, high)
//
// The multiplier is computed in double and held in fixed point (gemm/fixed_point.hpp); the bias is rounded half to even
// to int32 at scale_x * scale_w[n] (Jacob et al., as there).
#pragma once

#include <algorithm>
#include <vector>

#include <quanta/gemm/capacity.hpp>
#include <quanta/gemm/fixed_point.hpp>
#include <quanta/gemm/outputs.hpp>
#include <quanta/integer/network.hpp>
#include <quanta/quant/quantizer.hpp>
#include <quanta/simd/quantize.hpp>

QUANTA_NAMESPACE_BEGIN

/// As an argument of Requantize and gemm_requantized: the two roundings of gemmlowp (SaturatingRoundingDoublingHighMul,
/// then RoundingDivideByPOT) and the older TFLite instead of one.
struct DoubleRounding {};

namespace detail {
template <IntegerFormat O>
struct RequantizeOutput;

/// Of the stages that are bounds of codes too.
inline Range bounds_of(const Relu&) { return {0.0f, std::numeric_limits<float>::infinity()}; }
inline Range bounds_of(const Relu6&) { return {0.0f, 6.0f}; }
inline Range bounds_of(const Clamp& clamp) { return {clamp.low, clamp.high}; }
template <class S>
concept ClampStage = std::same_as<S, Relu> || std::same_as<S, Relu6> || std::same_as<S, Clamp>;
}  // namespace detail

/// The last stage of a product (m, k) by (n, k) that gives codes (m, n) of format O, in integers alone (Jacob et al.,
/// "Quantization and training of neural networks for efficient integer-arithmetic-only inference", 2018, sections 2.2
/// and 2.4): clamp(multiply(acc + bias, scale_x * scale_w[n] / scale_out) + zero_out, low, high). Prepared once for a
/// scale of the lhs, a packed rhs and the quantizer of the results; used by any number of products and threads.
template <IntegerFormat O>
class Requantize {
 public:
  using Code = typename O::Code;  ///< a code as it is handed out

  /// scale_x is the scale of the lhs's codes, rhs is per tensor or per channel. `options`, in any order, are a bias of
  /// n reals, DoubleRounding{}, and Relu, Relu6 or Clamp, whose bounds are rounded to codes of the output. Throws Error
  /// when scale_x is not finite and at least 2^-126, or the bias has another size or does not fit int32 at its scale. A
  /// product throws Error when its lhs has another scale or its rhs another size; that the rhs has the same scales is
  /// the caller's matter.
  template <class Rhs, class Scheme, class... Options>
  Requantize(float scale_x, const Rhs& rhs, const Quantizer<Scheme, O, PerTensor>& output, const Options&... options);

  /// From integers alone, for codes of the lhs with zero point 0 and scale 1: what a linear layer of a network
  /// (integer/network.hpp) does with its sums. The layer is sound, and rhs has as many outputs.
  template <class Rhs>
  Requantize(const integer::Layer& layer, const Rhs& rhs);

  /// Of the results.
  const QuantParams<PerTensor>& params() const { return output_; }
  /// The smallest code it gives.
  std::int32_t min_code() const { return low_; }
  /// The largest code it gives.
  std::int32_t max_code() const { return high_; }
  bool rounds_twice() const { return double_rounding_; }  ///< was it made with DoubleRounding?
  /// Of output c: code = zero_point + (acc + bias) * multiplier, before it is clamped.
  FixedPoint multiplier(Index c) const { return {multipliers_[c], 31 - right_[c]}; }
  /// Of output c, in units of scale_x * scale_w; 0 without a bias.
  std::int32_t bias(Index c) const { return bias_[c]; }
  /// What it holds, padding included.
  Index bytes() const {
    return static_cast<Index>(multipliers_.bytes() + right_.bytes() + bias_.bytes() + factors_.bytes() +
                              others_.size() * sizeof(Index));
  }

 private:
  friend struct detail::RequantizeOutput<O>;

  /// The codes of rows [row, row + rows) of some columns, from their sums, nr for each row; all arrays are readable up
  /// to whole panels of nr.
  template <int nr>
  void apply(const std::int32_t* sums, Index row, Index rows, const detail::PanelColumns<Code>& to) const;

  template <class Rhs>
  void set_bias(const TensorView<const float, 1>& bias, const Rhs& rhs);
  void set_bias(Index c, std::int32_t bias);
  template <int nr>
  void apply_vectors(const std::int32_t* sums, Index row, Index rows, const detail::PanelColumns<Code>& to) const;
  /// The same of a whole panel of two vectors by factors, two rows at a time: true where that gave the codes that
  /// multipliers give, and none lies so near to the middle between two that one cannot tell.
  template <class L>
  bool apply_factors(const std::int32_t* sums, Index row, Index rows, const detail::PanelColumns<Code>& to) const;
  /// Of output c, from its sum, for any multiplier.
  Code code(std::int32_t sum, Index c) const;
  /// When multipliers are there: finds the outputs that vectors do not take, and the factors of the others.
  void prepare();
  /// Floats are twice as fast as fixed point, but too coarse for codes of 16 bits.
  static constexpr bool kHasFactors = QUANTA_HAS_FMA && sizeof(Code) == 1;
  /// How far from a factor the two are between which the real number lies, whatever it is multiplied by: more than the
  /// three roundings of 2^-24 on the way, of the factor, the sum and these two themselves.
  static constexpr float kSpread = 0x1p-22f;

  Index n_;
  float scale_x_;
  QuantParams<PerTensor> output_;
  // One per output, filled up to whole panels: result = (sum + bias) * multiplier >> right, rounded.
  Buffer<std::int32_t> multipliers_, right_, bias_;
  Buffer<float> factors_;      // multiplier / 2^right
  std::vector<Index> others_;  // outputs whose multiplier is 0 or so large that results may not fit int32
  std::int32_t zero_point_, low_, high_;
  std::int32_t least_bias_ = 0, most_bias_ = 0;
  bool has_bias_ = false, double_rounding_ = false;
};

/// O is the format of the quantizer.
template <class Rhs, class Scheme, IntegerFormat O, class... Options>
Requantize(float, const Rhs&, const Quantizer<Scheme, O, PerTensor>&, const Options&...) -> Requantize<O>;

namespace detail {

template <class S>
inline constexpr bool is_requantize = false;
template <IntegerFormat O>
inline constexpr bool is_requantize<Requantize<O>> = true;

template <IntegerFormat O>
struct RequantizeOutput {
  using Code = typename O::Code;
  const TensorView<Code, 2>& dst;
  const Requantize<O>& by;

  template <class Rhs>
  void check_operands(float scale_x, const Rhs& rhs) const {
    check(scale_x == by.scale_x_, "gemm: Requantize was prepared for a lhs of scale ", by.scale_x_,
          ", got one of scale ", scale_x);
    check(rhs.n() == by.n_ && rhs.layout().padded_n() == by.multipliers_.size(),
          "gemm: Requantize was prepared for another rhs, of ", by.n_, " outputs, got one of ", rhs.n());
  }
  /// What is added to the sums.
  AddedToColumns bias() const {
    if (!by.has_bias_) return {};
    return {by.bias_.data(), by.bias_.data(), by.least_bias_, by.most_bias_, " with the bias"};
  }

  template <class Rhs, int nr>
  struct Panel {
    static constexpr bool by_group = false;
    const Requantize<O>& by;
    PanelColumns<Code> to;

    Panel(const RequantizeOutput& output, const Rhs&, const PanelColumns<Code>& columns) : by(output.by), to(columns) {}

    void finish(Index row, Index rows, const std::int32_t* sums) const { by.template apply<nr>(sums, row, rows, to); }
  };
};

}  // namespace detail

// ---- bodies ----

template <IntegerFormat O>
template <class Rhs, class Scheme, class... Options>
Requantize<O>::Requantize(float scale_x, const Rhs& rhs, const Quantizer<Scheme, O, PerTensor>& output,
                          const Options&... options)
    : n_(rhs.n()),
      scale_x_(scale_x),
      output_(output.params()),
      multipliers_(rhs.layout().padded_n(), 0),
      right_(rhs.layout().padded_n(), 31),
      bias_(rhs.layout().padded_n(), 0),
      zero_point_(output.params().zero_point(0)),
      low_(output.min_code()),
      high_(output.max_code()) {
  static_assert(!Rhs::per_group, "quanta: Requantize takes a rhs per tensor or per channel");
  static_assert((std::is_same_v<Options, DoubleRounding> + ... + 0) <= 1 && (RealObject<Options> + ... + 0) <= 1 &&
                    (detail::ClampStage<Options> + ... + 0) <= 1,
                "quanta: Requantize takes one bias, one DoubleRounding{}, and one of Relu, Relu6 and Clamp");
  detail::check(scale_x >= 0x1p-126f && fp::is_finite(scale_x), "Requantize: scale_x is ", scale_x,
                ", expected a finite scale of at least 2^-126");
  for (Index c = 0; c < n_; ++c) {
    const double scale = static_cast<double>(scale_x) * static_cast<double>(rhs.scale(c));  // exact
    const FixedPoint factor = FixedPoint::from_real(scale / static_cast<double>(output_.scale(0)));
    multipliers_[c] = factor.multiplier;
    right_[c] = 31 - factor.shift;
  }
  [[maybe_unused]] const auto take = [&](const auto& option) {
    using Option = std::remove_cvref_t<decltype(option)>;
    if constexpr (std::is_same_v<Option, DoubleRounding>) {
      double_rounding_ = true;
    } else if constexpr (detail::ClampStage<Option>) {
      const simd::QuantizeStep step{output_.scale(0), zero_point_, low_, high_};
      const Range bounds = detail::bounds_of(option);
      low_ = detail::code_by(bounds.min, step, {}, 0);
      high_ = detail::code_by(bounds.max, step, {}, 0);
    } else {
      static_assert(RealObject<Option>,
                    "quanta: the options of Requantize are a bias, DoubleRounding{} and Relu, Relu6 "
                    "or Clamp");
      set_bias(detail::Input<float, 1>(option).view(), rhs);
    }
  };
  (take(options), ...);
  prepare();
}

template <IntegerFormat O>
template <class Rhs>
void Requantize<O>::set_bias(const TensorView<const float, 1>& bias, const Rhs& rhs) {
  detail::check(bias.size() == n_, "Requantize: bias has ", bias.size(), " elements, expected one per output, ", n_);
  for (Index c = 0; c < n_; ++c) {
    const double scale = static_cast<double>(scale_x_) * static_cast<double>(rhs.scale(c));
    const float real = bias.data()[c * bias.stride(0)];
    const double units = static_cast<double>(real) / scale;
    detail::check(units >= -2147483648.5 && units < 2147483647.5, "Requantize: bias ", c, " is ", real, ", which is ",
                  units, " at scale ", scale, ", outside int32");
    set_bias(c, static_cast<std::int32_t>(fp::round_half_even(units)));
  }
}

template <IntegerFormat O>
void Requantize<O>::set_bias(Index c, std::int32_t bias) {
  bias_[c] = bias;
  least_bias_ = std::min(least_bias_, bias);
  most_bias_ = std::max(most_bias_, bias);
  has_bias_ = true;
}

template <IntegerFormat O>
template <class Rhs>
Requantize<O>::Requantize(const integer::Layer& layer, const Rhs& rhs)
    : Requantize(1.0f, rhs, Quantizer<Asymmetric, O, PerTensor>(1.0f, layer.zero_point)) {
  static_assert(std::is_same_v<O, Int<8>>, "quanta: networks of integers have codes of Int<8>");
  for (Index c = 0; c < n_; ++c) {
    multipliers_[c] = layer.multiplier[c];
    right_[c] = 31 - layer.shift[c];
    set_bias(c, layer.bias[c]);
  }
  low_ = layer.low;
  high_ = layer.high;
  double_rounding_ = layer.double_rounding != 0;
  prepare();
}

template <IntegerFormat O>
void Requantize<O>::prepare() {
  if (kHasFactors) factors_ = Buffer<float>(multipliers_.size());
  for (Index c = 0; c < factors_.size(); ++c) {
    factors_[c] = static_cast<float>(static_cast<double>(multipliers_[c]) /
                                     static_cast<double>(std::int64_t{1} << right_[c]));  // rounded once
  }
  others_.clear();
  for (Index c = 0; c < n_; ++c) {
    if (double_rounding_ || right_[c] < 32) others_.push_back(c);
  }
}

template <IntegerFormat O>
template <int nr>
void Requantize<O>::apply(const std::int32_t* sums, Index row, Index rows, const detail::PanelColumns<Code>& to) const {
  if (!double_rounding_) apply_vectors<nr>(sums, row, rows, to);
  if (others_.empty()) return;
  const Index end = to.column + to.count;
  for (auto c = std::lower_bound(others_.begin(), others_.end(), to.column); c != others_.end() && *c < end; ++c) {
    const Index i = *c - to.column;
    for (Index r = 0; r < rows; ++r) to.row(row + r)[i * to.dst.stride(1)] = code(sums[r * nr + i], *c);
  }
}

template <IntegerFormat O>
template <int nr>
QUANTA_ALWAYS_INLINE void Requantize<O>::apply_vectors(const std::int32_t* sums, Index row, Index rows,
                                                       const detail::PanelColumns<Code>& to) const {
  using L = detail::LanesFor<nr>;
  if constexpr (kHasFactors && L::width > 1 && nr == 2 * L::width) {
    if (to.count == nr && to.adjacent() && apply_factors<L>(sums, row, rows, to)) return;
  }
  const typename L::I zero_point = L::set_int(zero_point_);
  const typename L::I low = L::set_int(low_ - zero_point_), high = L::set_int(high_ - zero_point_);
  to.template for_each_vector<L::width>([&](Index c, auto lanes) QUANTA_INLINE_LAMBDA {
    const Index at = to.column + c, stride = to.dst.stride(1);
    const typename L::I bias = L::load_int(bias_.data() + at);
    const auto by = L::fixed_points(L::load_int(multipliers_.data() + at), L::load_int(right_.data() + at));
    for (Index r = 0; r < rows; ++r) {
      const typename L::I sum = L::add(L::load_int(sums + r * nr + c), bias);  // fits: checked before
      const typename L::I bounded = L::min_int(L::max_int(L::multiply(sum, by), low), high);
      const typename L::I codes = L::add(bounded, zero_point);
      Code* const values = to.row(row + r) + c * stride;
      if (to.adjacent()) {
        detail::SomeLanes<L>::store_narrow(values, codes, lanes);
      } else {
        Code apart[L::width];
        L::store_narrow(apart, codes);
        for (Index i = 0; i < lanes; ++i) values[i * stride] = apart[i];
      }
    }
  });
}

template <IntegerFormat O>
template <class L>
bool Requantize<O>::apply_factors(const std::int32_t* sums, Index row, Index rows,
                                  const detail::PanelColumns<Code>& to) const {
  const simd::detail::CodeBits<L, Code> bits(low_, high_,
                                             L::set(simd::detail::kRounder + static_cast<float>(zero_point_)));
  typename L::I bias[2];
  typename L::F less[2], more[2];
  for (int v = 0; v < 2; ++v) {
    const Index at = to.column + v * L::width;
    bias[v] = L::load_int(bias_.data() + at);
    const typename L::F factor = L::load(factors_.data() + at);
    less[v] = L::mul(factor, L::set(1.0f - kSpread));
    more[v] = L::mul(factor, L::set(1.0f + kSpread));
  }
  bool certain = true;
  for (Index r = 0; r < rows; r += 2) {
    const Index next = std::min(r + 1, rows - 1);  // of an odd number the last is its own pair
    typename L::I code[4];
    typename L::Equal equal = L::equal();
    QUANTA_UNROLL for (int v = 0; v < 4; ++v) {
      const std::int32_t* const from = sums + 2 * L::width * (v < 2 ? r : next) + v % 2 * L::width;
      const typename L::F sum = L::to_float(L::add(L::load_int(from), bias[v % 2]));
      const typename L::F one = L::fma(sum, less[v % 2], bits.rounder);
      equal = L::equal(equal, one, L::fma(sum, more[v % 2], bits.rounder));
      code[v] = L::sub(L::float_bits(one), bits.zero);
    }
    L::store_clamped(to.row(row + r), to.row(row + next), code[0], code[1], code[2], code[3], bits.low, bits.high);
    certain = certain & L::are_equal(equal);
  }
  return certain;
}

template <IntegerFormat O>
typename Requantize<O>::Code Requantize<O>::code(std::int32_t sum, Index c) const {
  const std::int32_t biased = simd::ScalarLanes::add(sum, bias_[c]);
  const std::int64_t scaled =
      double_rounding_ ? multiply_double_rounding(biased, multiplier(c)) : multiply(biased, multiplier(c));
  return static_cast<Code>(std::clamp<std::int64_t>(scaled + zero_point_, low_, high_));
}

QUANTA_NAMESPACE_END
