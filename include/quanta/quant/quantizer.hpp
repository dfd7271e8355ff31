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

/// code = saturate(round(x / scale) + zero_point), x / scale correctly rounded in float32 (ONNX QuantizeLinear). Of
/// formats that are not integers, the code of the level nearest to x / scale (format/format.hpp). Infinities saturate;
/// NaN becomes zero_point, or NaN where the format has one. Unscaled quantizers need no fit. Use it by its names
/// SymmetricQuantizer and AsymmetricQuantizer.
template <class Scheme, ValueFormat F, Granularity G = DefaultGranularity<F>>
class Quantizer {
 public:
  using SchemeType = Scheme;                       ///< Symmetric or Asymmetric
  using FormatType = F;                            ///< of the codes
  using GranularityType = G;                       ///< of the parameters
  using FitOptions = typename Scheme::FitOptions;  ///< what the scheme can be told

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
  /// The same with the granularity that the type says.
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
  /// The same of a std::vector, or whatever else has data() and size().
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
  /// Without parameters.
  Quantizer() requires std::same_as<G, Unscaled> : Quantizer(QuantParams<G>()) {}
  /// From one scale and zero point.
  explicit Quantizer(float scale, std::int32_t zero_point = 0,
                     FitOptions options = {}) requires std::same_as<G, PerTensor>
      : Quantizer(QuantParams<G>(scale, zero_point), options) {}

  const QuantParams<G>& params() const { return params_; }  ///< scales and zero points
  const FitOptions& options() const { return options_; }    ///< as they were given to fit, or the constructor
  /// The smallest code this quantizer produces.
  std::int32_t min_code() const requires IntegerFormat<F> { return Scheme::template low<F>(options_); }
  /// The largest code this quantizer produces.
  std::int32_t max_code() const requires IntegerFormat<F> { return F::max; }

  /// The codes of x. Throws Error when the parameters do not fit the shape of x, and on a rounding other than half_even
  /// where the format's codes are not integers.
  template <RealObject X>
  QuantizedTensor<F, rank_of<X>, G> quantize(const X& x, QuantizeOptions options = {}) const {
    static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
    return quantize(detail::Input<float, rank_of<X>>(x).view(), options);
  }
  /// The same of a view.
  template <int rank>
  QuantizedTensor<F, rank, G> quantize(const TensorView<const float, rank>& x, QuantizeOptions options = {}) const {
    return quantize(x, options, false);
  }

  /// quantize, then dequantize, in one pass and in float.
  template <RealObject X>
  Tensor<float, rank_of<X>> fake_quantize(const X& x, QuantizeOptions options = {}) const {
    return fake_quantize(detail::Input<float, rank_of<X>>(x).view(), options);
  }
  /// The same of a view.
  template <int rank>
  Tensor<float, rank> fake_quantize(const TensorView<const float, rank>& x, QuantizeOptions options = {}) const;

 private:
  /// Do codes fill their bytes? Then there are no bits to pack.
  static constexpr bool kWholeCodes = F::bits == 8 * int(sizeof(typename F::Code));

  static Quantizer fit_ranges(const Range* ranges, Index count, G granularity, FitOptions options);

  /// fit_quantize of dense data, each of whose parameters has its elements in one run.
  template <int rank>
  static QuantizedTensor<F, rank, G> fit_quantize_runs(const TensorView<const float, rank>& view, const ParamMap& map,
                                                       G granularity, FitOptions options, QuantizeOptions rounding);

  void check_before_quantizing(const char* where, const ParamMap& map, Extents extents, QuantizeOptions options) const {
    detail::check_params(where, params_.data(), map, extents, detail::zero_point_min<F>, detail::zero_point_max<F>);
    detail::check(IntegerFormat<F> || options.rounding == Rounding::half_even, where, ": rounding of ",
                  std::string(F::name), ", expected half_even: its codes are not integers");
  }

  /// The codes of x, as quantize. just_read: x was read from beginning to end, so that its end is still in cache.
  template <int rank>
  QuantizedTensor<F, rank, G> quantize(const TensorView<const float, rank>& x, QuantizeOptions options,
                                       bool just_read) const;

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

/// Zero point 0. Codes in [-qmax, qmax], of signed formats, or of levels.
template <ValueFormat F, Granularity G = DefaultGranularity<F>>
using SymmetricQuantizer = Quantizer<Symmetric, F, G>;

/// The whole range of codes, and a zero point.
template <IntegerFormat F, Granularity G = DefaultGranularity<F>>
using AsymmetricQuantizer = Quantizer<Asymmetric, F, G>;

// ---- bodies ----

template <class Scheme, ValueFormat F, Granularity G>
template <RealObject X>
Quantizer<Scheme, F, G> Quantizer<Scheme, F, G>::fit(const X& x, G granularity, FitOptions options) {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank_of<X>> input(x);
  const Buffer<Range> ranges = detail::observed_ranges("fit", input.view(), granularity.info());
  return fit_ranges(ranges.data(), ranges.size(), granularity, options);
}

template <class Scheme, ValueFormat F, Granularity G>
template <RealObject X>
auto Quantizer<Scheme, F, G>::fit_quantize(const X& x, G granularity, FitOptions options, QuantizeOptions rounding)
    -> QuantizedTensor<F, rank_of<X>, G> {
  static_assert(G::template fits_rank<rank_of<X>>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank_of<X>> input(x);
  const TensorView<const float, rank_of<X>>& view = input.view();
  if constexpr (IntegerFormat<F> && kWholeCodes && !detail::has_narrow_scales<G>) {
    const ParamMap map = param_map(granularity.info(), view.shape());
    if (view.is_dense() && map.has_one_run_each() && map.count > 0 && view.size() > 0) {
      return fit_quantize_runs(view, map, granularity, options, rounding);
    }
  }
  const Buffer<Range> ranges = detail::observed_ranges("fit", view, granularity.info());
  return fit_ranges(ranges.data(), ranges.size(), granularity, options).quantize(view, rounding, true);
}

template <class Scheme, ValueFormat F, Granularity G>
template <int rank>
QuantizedTensor<F, rank, G> Quantizer<Scheme, F, G>::fit_quantize_runs(const TensorView<const float, rank>& view,
                                                                       const ParamMap& map, G granularity,
                                                                       FitOptions options, QuantizeOptions rounding) {
  using Code = typename F::Code;
  const Index n = view.size();
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
    constexpr Index kPiece = 512, kLongest = 4096;
    const bool is_last = run.offset + run.count == n;
    if (is_last || run.count < kPiece || run.count > kLongest) {
      return detail::quantize_run(values, run.count, step, rounding, run.offset, codes + run.offset);
    }
    // While it is quantized the next one, as long, comes from memory: first-level caches hold both.
    for (Index first = 0; first < run.count; first += kPiece) {
      const Index some = std::min(kPiece, run.count - first), index = run.offset + first;
      constexpr Index kLine = kCacheLine / sizeof(float);
      for (Index i = first; i < first + some; i += kLine) QUANTA_PREFETCH(values + run.count + i);
      detail::quantize_run(values + first, some, step, rounding, index, codes + index);
    }
  });
  return QuantizedTensor<F, rank, G>::from_packed(view.shape(), std::move(stream),
                                                  QuantParams<G>(scales, zero_points, granularity));
}

template <class Scheme, ValueFormat F, Granularity G>
Quantizer<Scheme, F, G> Quantizer<Scheme, F, G>::fit_ranges(const Range* ranges, Index count, G granularity,
                                                            FitOptions options) {
  Buffer<float> scales(count);
  Buffer<std::int32_t> zero_points(count);
  for (Index i = 0; i < count; ++i) {
    detail::check(count == 1 || detail::is_range(ranges[i]), "fit: range ", i, " is [", ranges[i].min, ", ",
                  ranges[i].max, "], expected finite and min <= max");
    const ScaleZeroPoint p = Scheme::template from_range<F>(ranges[i], options);
    scales[i] = p.scale;
    zero_points[i] = p.zero_point;
  }
  if constexpr (detail::has_outer_scales<G>) {
    // A group of zeros may have any scale: here one that does not stretch the range of the others.
    float smallest = std::numeric_limits<float>::infinity();
    const auto is_zero = [&](Index i) { return ranges[i].min == 0.0f && ranges[i].max == 0.0f; };
    for (Index i = 0; i < count; ++i) smallest = is_zero(i) ? smallest : std::min(smallest, scales[i]);
    for (Index i = 0; i < count; ++i) scales[i] = is_zero(i) && fp::is_finite(smallest) ? smallest : scales[i];
  }
  return Quantizer(QuantParams<G>(scales, zero_points, granularity), options);
}

template <class Scheme, ValueFormat F, Granularity G>
Quantizer<Scheme, F, G>::Quantizer(QuantParams<G> params, FitOptions options)
    : params_(std::move(params)), options_(options) {
  static_assert(!std::is_same_v<Scheme, Symmetric> || !IntegerFormat<F> || detail::lowest_level<F> < 0.0f,
                "quanta: symmetric quantization needs a signed format; use AsymmetricQuantizer for UInt");
  constexpr bool symmetric = std::is_same_v<Scheme, Symmetric>;
  for (Index i = 0; i < params_.size(); ++i) {
    const std::int32_t zero_point = params_.zero_point(i);
    detail::check(!symmetric || zero_point == 0, "Quantizer: zero point ", i, " is ", zero_point,
                  ", expected 0 (symmetric)");
    detail::check(zero_point >= detail::zero_point_min<F> && zero_point <= detail::zero_point_max<F>,
                  "Quantizer: zero point ", i, " is ", zero_point, ", expected a code of the format, ",
                  detail::zero_point_min<F>, " to ", detail::zero_point_max<F>);
  }
}

template <class Scheme, ValueFormat F, Granularity G>
void Quantizer<Scheme, F, G>::quantize_piece(const float* values, Index first, Index count,
                                             const detail::SlotParams& slots, QuantizeOptions options,
                                             typename F::Code* codes) const {
  constexpr bool has_scales = !std::is_same_v<G, Unscaled>;
  const ParamsData& params = slots.data();
  for_each_run(slots.map(), first, first + count, [&](const ParamRun& run) {
    const float* from = values + run.offset;
    typename F::Code* to = codes + run.offset;
    if constexpr (IntegerFormat<F>) {
      const std::int32_t low = min_code(), high = max_code();
      const Index index = first + run.offset;
      if (run.follows) {
        const simd::QuantizeColumns steps{params.scales + run.param, params.zero_points_from(run.param), low, high};
        detail::quantize_rows(from, run.rows, run.count, steps, options, index, to);
      } else {
        const float scale = has_scales ? params.scale(run.param) : 1.0f;
        const simd::QuantizeStep step{scale, params.zero_point(run.param), low, high};
        detail::quantize_run(from, run.count, step, options, index, to);
      }
    } else if (run.follows) {
      detail::encode_columns<F>(from, run.rows, run.count, params.scales + run.param, to);
    } else {
      detail::encode<F>(from, run.count, has_scales ? params.scale(run.param) : 1.0f, to);
    }
  });
}

template <class Scheme, ValueFormat F, Granularity G>
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

template <class Scheme, ValueFormat F, Granularity G>
template <int rank>
QuantizedTensor<F, rank, G> Quantizer<Scheme, F, G>::quantize(const TensorView<const float, rank>& view,
                                                              QuantizeOptions options, bool just_read) const {
  static_assert(G::template fits_rank<rank>, "quanta: the granularity's axis is not one of the tensor's");
  using Code = typename F::Code;
  const ParamMap map = param_map(params_.granularity().info(), view.shape());
  check_before_quantizing("quantize", map, view.shape(), options);
  const detail::SlotParams slots(map, params_.data());
  Buffer<std::byte> stream(detail::packed_size(view.size(), F::bits));
  if (kWholeCodes && view.is_dense()) {  // no bits to pack, no elements to gather
    // Pieces of whole rows, the last one first where that is the one in cache.
    constexpr Index kPiece = 1 << 18;
    const Index n = view.size(), row = std::max<Index>(slots.map().inner, 1);
    const Index piece = just_read ? ceil_div(kPiece, row) * row : n;
    for (Index last = n, count = 0; last > 0; last -= count) {
      count = last % piece != 0 ? last % piece : piece;
      quantize_piece(view.data() + (last - count), last - count, count, slots, options,
                     reinterpret_cast<Code*>(stream.data()) + (last - count));
    }
  } else {
    quantize_chunks(view, slots, options, [&](Index first, Index count, const Code* codes) {
      detail::pack_bits<F>(codes, first, count, stream.data());
    });
  }
  return QuantizedTensor<F, rank, G>::from_packed(view.shape(), std::move(stream), params_);
}

template <class Scheme, ValueFormat F, Granularity G>
template <int rank>
Tensor<float, rank> Quantizer<Scheme, F, G>::fake_quantize(const TensorView<const float, rank>& x,
                                                           QuantizeOptions options) const {
  static_assert(G::template fits_rank<rank>, "quanta: the granularity's axis is not one of the tensor's");
  const ParamMap map = param_map(params_.granularity().info(), x.shape());
  check_before_quantizing("fake_quantize", map, x.shape(), options);
  const detail::SlotParams slots(map, params_.data());
  Tensor<float, rank> result = detail::make_tensor<float, rank>(x.shape());
  quantize_chunks(x, slots, options, [&](Index first, Index count, const typename F::Code* codes) {
    float* values = result.data() + first;
    detail::codes_to_levels<F>(codes, count, values);
    detail::scale_elements(values, first, count, slots.map(), slots.data());
  });
  return result;
}

QUANTA_NAMESPACE_END
