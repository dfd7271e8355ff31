// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Fake quantization with gradients, for quantization-aware training. The scales stay as they are, as those of a
// calibrated quantizer (the straight-through estimator), or learn with the network: learned step size quantization,
// LSQ (Esser, McKinstry, Bablani, Appuswamy, Modha, "Learned step size quantization", ICLR 2020).
//
//   y = scale * (code - zero_point), the code that of Quantizer, u = x / scale
//
//            inside, low <= u <= high        below        above          low, high: codes less the zero point
//   dx       dy                              0            0
//   slope    round_half_even(u) - u          low          high           of y by the scale
//
//   dscale = sum of dy * slope over the elements that have the scale / sqrt(N * qmax)
//   N is how many have it, of activations those of one sample; qmax is the format's largest code
//
// The paper counts the ends themselves, u = low and u = high, as outside. Here they are inside: clipping does not
// change them.
//
// There is no tape and no optimizer: forward and backward are functions of Eigen objects, to be called in a training
// loop of any kind. The same input gives the same bits on every CPU: each sum is in double, in the order of
// train/param_sums.hpp, and dx is exact.
#pragma once

#include <cmath>

#include <quanta/quant/quantizer.hpp>
#include <quanta/simd/straight_through.hpp>
#include <quanta/train/param_sums.hpp>

QUANTA_NAMESPACE_BEGIN

/// What a FakeQuantize quantizes. The first dimension of an activation counts samples; a vector is one sample.
enum class Role : std::uint8_t {
  weight,     ///< N counts all elements that have the scale
  activation  ///< N counts those of one sample
};

/// What FakeQuantize::backward gives.
template <int rank>
struct FakeQuantizeGradients {
  Tensor<float, rank> x;    ///< of the input
  Tensor<float, 1> scales;  ///< of each scale, in the order of QuantParams, with LSQ's factor 1 / sqrt(N * qmax)
};

/// Fake quantization with gradients, straight through for x and of LSQ for the scales (Esser et al., "Learned step size
/// quantization", ICLR 2020); train/fake_quantize.hpp has the formulas. Any shape; y and gradients have that of x.
/// Scheme is symmetric for signed formats,
/// for unsigned ones asymmetric. Scales are floats.
template <IntegerFormat F, Granularity G = PerTensor, class Scheme = detail::WeightScheme<F>>
class FakeQuantize {
  static_assert(!detail::has_narrow_scales<G> && !std::is_same_v<G, Unscaled>,
                "quanta: FakeQuantize has scales of float");

 public:
  using FitOptions = typename Scheme::FitOptions;  ///< what `learned` can be told of the scheme

  /// The parameters of a quantizer, fitted, calibrated or given.
  explicit FakeQuantize(Quantizer<Scheme, F, G> quantizer, Role role = Role::weight)
      : quantizer_(std::move(quantizer)), role_(role) {}

  /// LSQ's start: scale = 2 mean|x| / sqrt(qmax), x a weight or the first batch of an activation, and zero point 0. All
  /// codes of signed formats are used, -2^(b-1) too, as in the paper. Of zeros alone the scale is 1; it is 2^-126 at
  /// least. Throws Error naming the first element that is not finite.
  template <RealObject X>
  static FakeQuantize learned(const X& x, Role role = Role::weight, G granularity = G{},
                              FitOptions options = all_codes());

  /// y, bit for bit quantizer().fake_quantize(x). Throws Error when the scales do not fit the shape of x, or naming the
  /// first element that is not finite.
  template <RealObject X>
  Tensor<float, rank_of<X>> forward(const X& x) const;

  /// The gradients at x, what forward was given, for a gradient dy of y, of the same shape; summed over the batch, as
  /// those of weights are. Throws Error when shapes differ or an element is not finite.
  template <RealObject X, RealObject D>
  FakeQuantizeGradients<rank_of<X>> backward(const X& x, const D& dy) const;

  /// One for each parameter, in the order of QuantParams; what an optimizer steps.
  Tensor<float, 1> scales() const;

  /// A vector of as many. A scale below 2^-126, 0 and negative included, becomes 2^-126: all elements but 0 are then
  /// beyond the ends of the codes, and their gradients tell whether the scale should grow again. Throws Error, and
  /// changes nothing, when the number of scales differs or one is not finite.
  template <RealObject S>
  void set_scales(const S& scales);

  /// The quantizer with the scales as they are: what makes codes of a trained weight, and what a StaticLinear takes for
  /// its activation.
  const Quantizer<Scheme, F, G>& quantizer() const { return quantizer_; }
  Role role() const { return role_; }  ///< whether LSQ's factor counts samples

 private:
  static FitOptions all_codes() {
    FitOptions options{};
    if constexpr (std::is_same_v<Scheme, Symmetric>) options.full_range = true;
    return options;
  }

  Quantizer<Scheme, F, G> quantizer_;
  Role role_;
};

// ---- bodies ----

namespace detail {

template <int rank>
void check_finite(const char* where, const TensorView<const float, rank>& x) {
  Range all;
  observe_ranges(where, x, GranularityInfo{}, &all);
}

/// LSQ's first scales.
template <int rank>
Buffer<float> learned_scales(const TensorView<const float, rank>& x, const ParamMap& map, std::int32_t qmax) {
  constexpr Index kChunk = 4096;
  ParamSums sums(map);
  LineReader<float, rank> reader(x);
  for (Index first = 0; first < x.size(); first += kChunk) {
    const Index count = std::min(kChunk, x.size() - first);
    const float* values = reader.read(first, count);
    sums.add(count, [values](Index i) { return static_cast<double>(std::fabs(values[i])); });
  }
  Buffer<float> scales(map.count, 1.0f);
  for (Index p = 0; p < map.count; ++p) {
    if (sums.sum(p) == 0.0) continue;
    const double mean = sums.sum(p) / static_cast<double>(sums.count(p));
    const double scale = 2.0 * mean / std::sqrt(static_cast<double>(qmax));
    scales[p] = static_cast<float>(std::clamp<double>(scale, fp::kMinScale, fp::kMaxFloat));
  }
  return scales;
}

/// Writes dx, dense, and adds dy * slope to the sum of each parameter.
template <int rank>
void straight_through(const TensorView<const float, rank>& x, const TensorView<const float, rank>& dy,
                      const ParamMap& map, const ParamsData& params, std::int32_t low, std::int32_t high, float* dx,
                      ParamSums& sums) {
  constexpr Index kChunk = 2048;
  LineReader<float, rank> x_reader(x), dy_reader(dy);
  float slopes[kChunk];
  for (Index first = 0; first < x.size(); first += kChunk) {
    const Index size = std::min(kChunk, x.size() - first);
    const float* const values = x_reader.read(first, size);
    const float* const gradients = dy_reader.read(first, size);
    for_each_run(map, first, first + size, [&](const ParamRun& run) {
      const Index at = run.offset;
      float* const to = dx + first + at;
      if (run.follows) {
        const simd::QuantizeColumns steps{params.scales + run.param, params.zero_points_from(run.param), low, high};
        simd::straight_through_columns(values + at, gradients + at, run.rows, run.count, steps, to, slopes + at);
      } else {
        const simd::QuantizeStep step{params.scale(run.param), params.zero_point(run.param), low, high};
        simd::straight_through(values + at, gradients + at, run.count, step, to, slopes + at);
      }
    });
    sums.add(size, [&](Index i) { return static_cast<double>(gradients[i]) * static_cast<double>(slopes[i]); });
  }
}

}  // namespace detail

template <IntegerFormat F, Granularity G, class Scheme>
template <RealObject X>
FakeQuantize<F, G, Scheme> FakeQuantize<F, G, Scheme>::learned(const X& x, Role role, G granularity,
                                                               FitOptions options) {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank_of<X>> input(x);
  detail::check_finite("FakeQuantize::learned: x", input.view());
  const ParamMap map = param_map(granularity.info(), input.view().shape());
  const Buffer<float> scales = detail::learned_scales(input.view(), map, F::max);
  return FakeQuantize(Quantizer<Scheme, F, G>(QuantParams<G>(scales, granularity), options), role);
}

template <IntegerFormat F, Granularity G, class Scheme>
template <RealObject X>
Tensor<float, rank_of<X>> FakeQuantize<F, G, Scheme>::forward(const X& x) const {
  const detail::Input<float, rank_of<X>> input(x);
  detail::check_finite("FakeQuantize::forward: x", input.view());
  return quantizer_.fake_quantize(input.view());
}

template <IntegerFormat F, Granularity G, class Scheme>
template <RealObject X, RealObject D>
FakeQuantizeGradients<rank_of<X>> FakeQuantize<F, G, Scheme>::backward(const X& x, const D& dy) const {
  constexpr int rank = rank_of<X>;
  constexpr const char* kWhere = "FakeQuantize::backward";
  static_assert(rank_of<D> == rank, "quanta: dy has the rank of x");
  static_assert(G::template fits_rank<rank>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank> values(x), gradients(dy);
  const Shape<rank>& shape = values.view().shape();
  const ParamsData params = quantizer_.params().data();
  const ParamMap map = param_map(quantizer_.params().granularity().info(), shape);
  detail::check_shape(kWhere, "dy", gradients.view().shape(), shape);
  detail::check_params(kWhere, params, map, shape, F::min, F::max);
  detail::check_finite("FakeQuantize::backward: x", values.view());
  detail::check_finite("FakeQuantize::backward: dy", gradients.view());

  FakeQuantizeGradients<rank> result{detail::make_tensor<float, rank>(shape),
                                     detail::make_tensor<float, 1>({map.count})};
  detail::ParamSums sums(map);
  detail::straight_through(values.view(), gradients.view(), map, params, quantizer_.min_code(), quantizer_.max_code(),
                           result.x.data(), sums);
  const double samples = role_ == Role::activation && rank > 1 ? static_cast<double>(shape[0]) : 1.0;
  for (Index p = 0; p < map.count; ++p) {
    const double elements = static_cast<double>(sums.count(p)) / samples;  // N
    const double factor = std::sqrt(elements * static_cast<double>(F::max));
    result.scales(p) = sums.count(p) == 0 ? 0.0f : static_cast<float>(sums.sum(p) / factor);
  }
  return result;
}

template <IntegerFormat F, Granularity G, class Scheme>
Tensor<float, 1> FakeQuantize<F, G, Scheme>::scales() const {
  const QuantParams<G>& params = quantizer_.params();
  Tensor<float, 1> result = detail::make_tensor<float, 1>({params.size()});
  for (Index p = 0; p < params.size(); ++p) result(p) = params.scale(p);
  return result;
}

template <IntegerFormat F, Granularity G, class Scheme>
template <RealObject S>
void FakeQuantize<F, G, Scheme>::set_scales(const S& scales) {
  static_assert(rank_of<S> == 1, "quanta: scales are a vector or a rank-1 tensor");
  constexpr const char* kWhere = "FakeQuantize::set_scales";
  const QuantParams<G>& params = quantizer_.params();
  const detail::Input<float, 1> input(scales);
  detail::check(input.view().size() == params.size(), kWhere, ": ", input.view().size(), " scales, expected ",
                params.size());
  detail::check_finite(kWhere, input.view());
  Buffer<float> steps(params.size());
  Buffer<std::int32_t> zero_points(params.size());
  for (Index p = 0; p < params.size(); ++p) {
    steps[p] = std::max(input.view().data()[p * input.view().stride(0)], fp::kMinScale);
    zero_points[p] = params.zero_point(p);
  }
  quantizer_ = Quantizer<Scheme, F, G>(QuantParams<G>(steps, zero_points, params.granularity()), quantizer_.options());
}

QUANTA_NAMESPACE_END
