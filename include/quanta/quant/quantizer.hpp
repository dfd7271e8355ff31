// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantizer is a scheme, a format and a granularity with the scales and zero points it was fitted to or given.
#pragma once

#include <initializer_list>

#include <quanta/core/eigen.hpp>
#include <quanta/core/line_reader.hpp>
#include <quanta/quant/observed_ranges.hpp>
#include <quanta/quant/quantized_tensor.hpp>
#include <quanta/quant/scheme.hpp>

QUANTA_NAMESPACE_BEGIN

/// code = saturate(round(x / scale) + zero_point), x / scale correctly rounded in float32 (ONNX QuantizeLinear).
/// Infinities saturate; NaN becomes zero_point. Use it by its names SymmetricQuantizer and AsymmetricQuantizer.
template <class Scheme, IntegerFormat F, Granularity G = PerTensor>
class Quantizer {
 public:
  using SchemeType = Scheme;
  using FormatType = F;
  using GranularityType = G;
  using FitOptions = typename Scheme::FitOptions;

  /// Parameters from the data's own range. x is any Eigen object of float or double. Throws Error naming the first
  /// element that is not finite. An empty tensor gives scale 1.
  template <RealObject X>
  static Quantizer fit(const X& x, FitOptions options = {}) {
    return fit(x, G{}, options);
  }
  /// The same at a granularity known at run time, PerGroup<Dynamic>{size}.
  template <RealObject X>
  static Quantizer fit(const X& x, G granularity, FitOptions options = {});

  /// fit(x, granularity, options).quantize(x, rounding), the same bits; where every channel or group lies in one piece,
  /// it is quantized while it is still in cache.
  template <RealObject X>
  static QuantizedTensor<F, rank_of<X>, G> fit_quantize(const X& x, G granularity, FitOptions options = {},
                                                        QuantizeOptions rounding = {});
  template <RealObject X>
  static QuantizedTensor<F, rank_of<X>, G> fit_quantize(const X& x, FitOptions options = {},
                                                        QuantizeOptions rounding = {}) {
    return fit_quantize(x, G{}, options, rounding);
  }

  /// Parameters for a known range. Throws Error unless it is finite and min <= max.
  static Quantizer fit(Range range, FitOptions options = {}) requires std::same_as<G, PerTensor> {
    const Range ranges[] = {range};
    return fit_ranges(ranges, 1, G{}, options);
  }
  /// One range per channel or group, in the order of QuantParams.
  static Quantizer fit(std::initializer_list<Range> ranges, G granularity = G{}, FitOptions options = {}) {
    return fit_ranges(ranges.begin(), static_cast<Index>(ranges.size()), granularity, options);
  }
  template <class Ranges>
  requires requires(const Ranges& r) {
    { *r.data() } -> std::same_as<const Range&>;
    r.size();
  }
  static Quantizer fit(const Ranges& ranges, G granularity = G{}, FitOptions options = {}) {
    return fit_ranges(ranges.data(), static_cast<Index>(ranges.size()), granularity, options);
  }

  /// The ranges a calibrator (calib/) chose for this scheme and format, per tensor or per channel. Throws Error when it
  /// has seen nothing.
  template <class Calibrator>
  requires requires(const Calibrator& c) {
    { c.template range<Quantizer>(Index{}, FitOptions{}) } -> std::same_as<Range>;
    { c.channels() } -> std::same_as<Index>;
  }
  static Quantizer fit(const Calibrator& calibrator, FitOptions options = {}) {
    static_assert(std::same_as<typename Calibrator::GranularityType, G>,
                  "quanta: a quantizer is fitted to a calibrator of its own granularity");
    detail::check(calibrator.channels() > 0, "fit: the calibrator has seen no data");
    Buffer<Range> ranges(calibrator.channels());
    for (Index c = 0; c < ranges.size(); ++c) ranges[c] = calibrator.template range<Quantizer>(c, options);
    return fit_ranges(ranges.data(), ranges.size(), G{}, options);
  }

  /// From given parameters. Throws Error when a zero point is not a code, or not 0 for a symmetric quantizer.
  explicit Quantizer(QuantParams<G> params, FitOptions options = {});
  /// From one scale and zero point.
  explicit Quantizer(float scale, std::int32_t zero_point = 0,
                     FitOptions options = {}) requires std::same_as<G, PerTensor>
      : Quantizer(QuantParams<G>(scale, zero_point), options) {}

  const QuantParams<G>& params() const { return params_; }
  const FitOptions& options() const { return options_; }
  /// The smallest and largest code this quantizer produces.
  std::int32_t min_code() const { return Scheme::template low<F>(options_); }
  std::int32_t max_code() const { return F::max; }

  /// The codes of x. Throws Error when the parameters do not fit the shape of x.
  template <RealObject X>
  QuantizedTensor<F, rank_of<X>, G> quantize(const X& x, QuantizeOptions options = {}) const;

  /// quantize, then dequantize, in one pass and in float.
  template <RealObject X>
  Tensor<float, rank_of<X>> fake_quantize(const X& x, QuantizeOptions options = {}) const;

 private:
  static Quantizer fit_ranges(const Range* ranges, Index count, G granularity, FitOptions options);

  template <int rank>
  QuantizedTensor<F, rank, G> quantize_view(const TensorView<const float, rank>& view, QuantizeOptions options) const;

  /// The codes of adjacent elements, of which the first has logical index `first`.
  void quantize_piece(const float* values, Index first, Index count, const detail::SlotParams& slots,
                      QuantizeOptions options, typename F::Code* codes) const;

  /// Calls sink(first, count, codes) with the codes of x, chunk by chunk in logical order; chunks start at multiples
  /// of 8.
  template <int rank, class Sink>
  void quantize_chunks(const TensorView<const float, rank>& x, const detail::SlotParams& slots, QuantizeOptions options,
                       Sink sink) const;

  QuantParams<G> params_;
  [[no_unique_address]] FitOptions options_;
};

/// Codes in [-qmax, qmax], zero point 0. Int formats only.
template <IntegerFormat F, Granularity G = PerTensor>
using SymmetricQuantizer = Quantizer<Symmetric, F, G>;

/// The whole range of codes, and a zero point.
template <IntegerFormat F, Granularity G = PerTensor>
using AsymmetricQuantizer = Quantizer<Asymmetric, F, G>;

// ---- bodies ----

template <class Scheme, IntegerFormat F, Granularity G>
template <RealObject X>
Quantizer<Scheme, F, G> Quantizer<Scheme, F, G>::fit(const X& x, G granularity, FitOptions options) {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank_of<X>> input(x);
  const Buffer<Range> ranges = detail::observed_ranges("fit", input.view(), granularity.info());
  return fit_ranges(ranges.data(), ranges.size(), granularity, options);
}

template <class Scheme, IntegerFormat F, Granularity G>
template <RealObject X>
auto Quantizer<Scheme, F, G>::fit_quantize(const X& x, G granularity, FitOptions options, QuantizeOptions rounding)
    -> QuantizedTensor<F, rank_of<X>, G> {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  using Code = typename F::Code;
  const detail::Input<float, rank_of<X>> input(x);
  const TensorView<const float, rank_of<X>>& view = input.view();
  const Index n = view.size();
  const ParamMap map = param_map(granularity.info(), view.shape());
  const bool whole_codes = F::bits == 8 * int(sizeof(Code));
  if (!whole_codes || !view.is_dense() || !map.has_one_run_each() || n == 0) {
    const Buffer<Range> ranges = detail::observed_ranges("fit", view, granularity.info());
    return fit_ranges(ranges.data(), ranges.size(), granularity, options).quantize_view(view, rounding);
  }
  Buffer<float> scales(map.count);
  Buffer<std::int32_t> zero_points(map.count);
  Buffer<std::byte> stream(detail::packed_size(n, F::bits));
  Code* const codes = reinterpret_cast<Code*>(stream.data());
  for_each_run(map, 0, n, [&](const ParamRun& run) {
    const float* values = view.data() + run.offset;
    const simd::MinMax seen = simd::min_max(values, run.count);
    if (!seen.finite) detail::fail_not_finite("fit", view);
    const ScaleZeroPoint p = Scheme::template from_range<F>(Range{seen.min + 0.0f, seen.max + 0.0f}, options);
    scales[run.param] = p.scale;
    zero_points[run.param] = p.zero_point;
    const simd::QuantizeStep step{p.scale, p.zero_point, Scheme::template low<F>(options), F::max};
    detail::quantize_run(values, run.count, step, rounding, run.offset, codes + run.offset);
  });
  return QuantizedTensor<F, rank_of<X>, G>::from_packed(view.shape(), std::move(stream),
                                                        QuantParams<G>(scales, zero_points, granularity));
}

template <class Scheme, IntegerFormat F, Granularity G>
Quantizer<Scheme, F, G> Quantizer<Scheme, F, G>::fit_ranges(const Range* ranges, Index count, G granularity,
                                                            FitOptions options) {
  Buffer<float> scales(count);
  Buffer<std::int32_t> zero_points(count);
  for (Index i = 0; i < count; ++i) {
    const ScaleZeroPoint p = Scheme::template from_range<F>(ranges[i], options);
    scales[i] = p.scale;
    zero_points[i] = p.zero_point;
  }
  return Quantizer(QuantParams<G>(scales, zero_points, granularity), options);
}

template <class Scheme, IntegerFormat F, Granularity G>
Quantizer<Scheme, F, G>::Quantizer(QuantParams<G> params, FitOptions options)
    : params_(std::move(params)), options_(options) {
  static_assert(!std::is_same_v<Scheme, Symmetric> || F::min < 0,
                "quanta: symmetric quantization needs a signed format; use AsymmetricQuantizer for UInt");
  constexpr bool symmetric = std::is_same_v<Scheme, Symmetric>;
  for (Index i = 0; i < params_.size(); ++i) {
    const std::int32_t zero_point = params_.zero_point(i);
    detail::check(!symmetric || zero_point == 0, "Quantizer: zero point ", i, " is ", zero_point,
                  ", expected 0 (symmetric)");
    detail::check(zero_point >= F::min && zero_point <= F::max, "Quantizer: zero point ", i, " is ", zero_point,
                  ", expected a code of the format, ", F::min, " to ", F::max);
  }
}

template <class Scheme, IntegerFormat F, Granularity G>
void Quantizer<Scheme, F, G>::quantize_piece(const float* values, Index first, Index count,
                                             const detail::SlotParams& slots, QuantizeOptions options,
                                             typename F::Code* codes) const {
  const ParamsData& params = slots.data();
  const std::int32_t low = min_code(), high = max_code();
  for_each_run(slots.map(), first, first + count, [&](const ParamRun& run) {
    const float* from = values + run.offset;
    typename F::Code* to = codes + run.offset;
    const Index index = first + run.offset;
    if (run.follows) {
      const ParamsData columns = params.from(run.param);
      const simd::QuantizeColumns steps{columns.scales, columns.zero_points, low, high};
      detail::quantize_rows(from, run.rows, run.count, steps, options, index, to);
    } else {
      const simd::QuantizeStep step{params.scale(run.param), params.zero_point(run.param), low, high};
      detail::quantize_run(from, run.count, step, options, index, to);
    }
  });
}

template <class Scheme, IntegerFormat F, Granularity G>
template <int rank, class Sink>
void Quantizer<Scheme, F, G>::quantize_chunks(const TensorView<const float, rank>& x, const detail::SlotParams& slots,
                                              QuantizeOptions options, Sink sink) const {
  constexpr Index kChunk = 2048;
  detail::LineReader<float, rank> reader(x);
  typename F::Code codes[kChunk];
  const Index n = x.size();
  for (Index first = 0; first < n; first += kChunk) {
    const Index count = std::min(kChunk, n - first);
    quantize_piece(reader.read(first, count), first, count, slots, options, codes);
    sink(first, count, static_cast<const typename F::Code*>(codes));
  }
}

template <class Scheme, IntegerFormat F, Granularity G>
template <RealObject X>
auto Quantizer<Scheme, F, G>::quantize(const X& x, QuantizeOptions options) const -> QuantizedTensor<F, rank_of<X>, G> {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  return quantize_view(detail::Input<float, rank_of<X>>(x).view(), options);
}

template <class Scheme, IntegerFormat F, Granularity G>
template <int rank>
QuantizedTensor<F, rank, G> Quantizer<Scheme, F, G>::quantize_view(const TensorView<const float, rank>& view,
                                                                   QuantizeOptions options) const {
  using Code = typename F::Code;
  const ParamMap map = param_map(params_.granularity().info(), view.shape());
  detail::check_params("quantize", params_.data(), map, view.shape(), F::min, F::max);
  const detail::SlotParams slots(map, params_.data());
  Buffer<std::byte> stream(detail::packed_size(view.size(), F::bits));
  if (F::bits == 8 * int(sizeof(Code)) && view.is_dense()) {  // no bits to pack, no elements to gather
    quantize_piece(view.data(), 0, view.size(), slots, options, reinterpret_cast<Code*>(stream.data()));
  } else {
    quantize_chunks(view, slots, options, [&](Index first, Index count, const Code* codes) {
      detail::pack_bits<F>(codes, first, count, stream.data());
    });
  }
  return QuantizedTensor<F, rank, G>::from_packed(view.shape(), std::move(stream), params_);
}

template <class Scheme, IntegerFormat F, Granularity G>
template <RealObject X>
auto Quantizer<Scheme, F, G>::fake_quantize(const X& x, QuantizeOptions options) const -> Tensor<float, rank_of<X>> {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank_of<X>> input(x);
  const auto& shape = input.view().shape();
  const ParamMap map = param_map(params_.granularity().info(), shape);
  detail::check_params("fake_quantize", params_.data(), map, shape, F::min, F::max);
  const detail::SlotParams slots(map, params_.data());
  Tensor<float, rank_of<X>> result = detail::make_tensor<float, rank_of<X>>(shape);
  quantize_chunks(input.view(), slots, options, [&](Index first, Index count, const typename F::Code* codes) {
    float* values = result.data() + first;
    detail::codes_to_levels(codes, count, values);
    detail::scale_elements(values, first, count, slots.map(), slots.data());
  });
  return result;
}

QUANTA_NAMESPACE_END
