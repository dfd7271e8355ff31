// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized tensor whose format, granularity and shape are known only at run time: what files, tables and models
// hold. It can be looked at and dequantized as it is; products need the typed tensor, which `view` and `get` give back.
#pragma once

#include <quanta/quant/format_info.hpp>
#include <quanta/quant/quantized_tensor.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Throws Error, which begins with `where`, unless these are parts of one tensor, with so many zero points or none.
QUANTA_LAZY
void check_parts(const char* where, const FormatInfo& format, const std::vector<Index>& shape,
                 const GranularityInfo& granularity, std::span<const std::byte> codes, const ParamsData& params,
                 Index zero_points);

}  // namespace detail

/// A quantized tensor whose format, rank and granularity are known at run time. Owns; copies deeply.
class AnyQuantizedTensor {
 public:
  /// From a tensor whose type is known at compile time; its buffers are taken over.
  template <Format F, int R, Granularity G>
  AnyQuantizedTensor(QuantizedTensor<F, R, G> tensor);  // NOLINT: every quantized tensor is one

  /// From parts: codes packed as in format/bits.hpp, parameters in the order of quant/granularity.hpp; zero points
  /// that are all 0 may be left out, and are not kept. `format` must outlive the tensor: it is a format_info<F>. Throws
  /// Error when the parts do not fit each other, or hold what is no code, scale or zero point.
  QUANTA_LAZY
  AnyQuantizedTensor(const FormatInfo& format, std::vector<Index> shape, const GranularityInfo& granularity,
                     Buffer<std::byte> codes, Buffer<float> scales, Buffer<std::int32_t> zero_points)
      : AnyQuantizedTensor(format, std::move(shape), granularity, std::move(codes),
                           detail::HeldScales(std::move(scales)), std::move(zero_points)) {}
  /// The same with scales that may be codes.
  QUANTA_LAZY
  AnyQuantizedTensor(const FormatInfo& format, std::vector<Index> shape, const GranularityInfo& granularity,
                     Buffer<std::byte> codes, detail::HeldScales scales, Buffer<std::int32_t> zero_points);

  /// "int8", "nf4", ...
  std::string_view format() const { return format_->name; }
  const FormatInfo& format_info() const { return *format_; }  ///< all that is known of the format
  /// What a code takes in memory.
  int bits() const { return format_->bits; }
  int rank() const { return static_cast<int>(shape_.size()); }         ///< 1 to 5
  const std::vector<Index>& shape() const { return shape_; }           ///< extents, outermost first
  Index size() const { return extents().product(0, rank()); }          ///< elements: the product of the extents
  const GranularityInfo& granularity() const { return granularity_; }  ///< its axis counts from 0
  /// Scales and zero points, borrowed, in the order of quant/granularity.hpp.
  ParamsData params() const {
    return {scales_.floats(), zero_points_.empty() ? nullptr : zero_points_.data(), scales_.size(), scales_.codes()};
  }
  /// As they are held.
  const detail::HeldScales& scales() const { return scales_; }
  /// The packed codes (format/bits.hpp).
  const std::byte* data() const { return codes_.data(); }
  /// Codes, scales and zero points.
  Index bytes() const { return static_cast<Index>(codes_.bytes() + zero_points_.bytes()) + scales_.bytes(); }

  /// Does it hold a tensor of this format, rank and granularity? PerGroup<Dynamic> holds for groups of any size.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  bool holds() const {
    return format() == F::name && rank() == R && detail::matching<G>(granularity_, R).has_value();
  }

  /// The same tensor with its type; the view must not outlive this object. Throws Error naming what is held instead.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedView<F, R, G> view() const;
  /// A copy with its type; of std::move(any) its codes, without a copy.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedTensor<F, R, G> get() const& {
    return AnyQuantizedTensor(*this).template get<F, R, G>();
  }
  /// The same without a copy.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedTensor<F, R, G> get() &&;

  /// As QuantizedTensor's; throws Error when the rank is another.
  template <int R, int layout = Eigen::RowMajor>
  Tensor<float, R, layout> dequantize() const;
  /// The same into a writable Eigen object of this shape, in its storage order.
  template <EigenObject Dst>
  void dequantize_into(Dst&& dst) const;

  /// "int4 (256, 784) per_group(64, axis 1)", "e2m1 (3, 64) per_group(32, axis 1), e8m0 scales", for messages and
  /// tables.
  QUANTA_LAZY std::string description() const;

 private:
  Extents extents() const { return {shape_.data(), rank()}; }
  /// The granularity held. Throws Error unless the type is right.
  template <Format F, int R, Granularity G>
  G checked_granularity() const {
    const std::optional<G> granularity = detail::matching<G>(granularity_, rank());
    if (!holds<F, R, G>()) {
      detail::fail("AnyQuantizedTensor: holds ", description(), ", asked for ", detail::type_text<F, R, G>());
    }
    return *granularity;
  }
  template <int R>
  Shape<R> typed_shape() const;

  const FormatInfo* format_;
  std::vector<Index> shape_;
  GranularityInfo granularity_;
  Buffer<std::byte> codes_;
  detail::HeldScales scales_;
  Buffer<std::int32_t> zero_points_;
};

// ---- bodies ----

namespace detail {

QUANTA_LAZY_BODY
void check_parts(const char* where, const FormatInfo& format, const std::vector<Index>& shape,
                 const GranularityInfo& granularity, std::span<const std::byte> codes, const ParamsData& params,
                 Index zero_points) {
  check(zero_points == 0 || zero_points == params.size, where, ": ", zero_points, " zero points for ", params.size,
        " scales");
  check_codes(where, format, shape, codes);
  const Extents extents(shape.data(), static_cast<int>(shape.size()));
  check_params(where, params, param_map(granularity, extents), extents, format.zero_point_min, format.zero_point_max);
}

}  // namespace detail

template <Format F, int R, Granularity G>
AnyQuantizedTensor::AnyQuantizedTensor(QuantizedTensor<F, R, G> tensor)
    : format_(&quanta::format_info<F>),
      shape_(tensor.shape().begin(), tensor.shape().end()),
      granularity_(detail::with_counted_axis(tensor.params().granularity().info(), R)),
      scales_(tensor.params().scales()) {
  const ParamsData params = tensor.params().data();
  if (params.zero_points != nullptr) {
    zero_points_ = Buffer<std::int32_t>(params.size);
    std::copy_n(params.zero_points, params.size, zero_points_.data());
  }
  codes_ = std::move(tensor).release_codes();
}

QUANTA_LAZY_BODY
AnyQuantizedTensor::AnyQuantizedTensor(const FormatInfo& format, std::vector<Index> shape,
                                       const GranularityInfo& granularity, Buffer<std::byte> codes,
                                       detail::HeldScales scales, Buffer<std::int32_t> zero_points)
    : format_(&format),
      shape_(std::move(shape)),
      granularity_(detail::with_counted_axis(granularity, rank())),
      codes_(std::move(codes)),
      scales_(std::move(scales)),
      zero_points_(std::move(zero_points)) {
  detail::check_parts("AnyQuantizedTensor", format, shape_, granularity_, {codes_.data(), codes_.bytes()}, params(),
                      zero_points_.size());
  if (!params().has_zero_points()) zero_points_ = {};
}

template <int R>
Shape<R> AnyQuantizedTensor::typed_shape() const {
  Shape<R> shape{};
  std::copy(shape_.begin(), shape_.end(), shape.begin());
  return shape;
}

template <Format F, int R, Granularity G>
QuantizedView<F, R, G> AnyQuantizedTensor::view() const {
  const G granularity = checked_granularity<F, R, G>();
  return QuantizedView<F, R, G>(codes_.data(), typed_shape<R>(), params(), granularity);
}

template <Format F, int R, Granularity G>
QuantizedTensor<F, R, G> AnyQuantizedTensor::get() && {
  const G granularity = checked_granularity<F, R, G>();
  QuantParams<G> params(std::move(scales_), std::move(zero_points_), granularity);
  return QuantizedTensor<F, R, G>::from_packed(typed_shape<R>(), std::move(codes_), std::move(params));
}

template <int R, int layout>
Tensor<float, R, layout> AnyQuantizedTensor::dequantize() const {
  detail::check(rank() == R, "AnyQuantizedTensor: holds ", description(), ", asked for rank ", R);
  Tensor<float, R, layout> result = detail::make_tensor<float, R, layout>(typed_shape<R>());
  dequantize_into(result);
  return result;
}

template <EigenObject Dst>
void AnyQuantizedTensor::dequantize_into(Dst&& dst) const {
  constexpr int R = rank_of<Dst>;
  static_assert(std::is_same_v<ScalarOf<Dst>, float>, "quanta: dequantize writes float");
  const TensorView<float, R> out = detail::output_view(dst);
  detail::check(rank() == R && out.shape() == typed_shape<R>(), "dequantize_into: the destination has shape ",
                out.shape(), ", the tensor is ", description());
  const auto decode = [this](Index first, Index count, float* levels) {
    format_->decode(codes_.data(), first, count, levels);
  };
  detail::dequantize(decode, param_map(granularity_, extents()), params(), out);
}

QUANTA_LAZY_BODY std::string AnyQuantizedTensor::description() const {
  return detail::description(format(), shape_, granularity_);
}

QUANTA_NAMESPACE_END
