// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized tensor whose format, granularity and shape are known only at run time and whose codes lie in a file: what
// layers are packed from when a model is loaded. The codes, which are most of it, are never copied.
#pragma once

#include <span>

#include <quanta/quant/any_quantized_tensor.hpp>

QUANTA_NAMESPACE_BEGIN

/// As AnyQuantizedTensor (quant/any_quantized_tensor.hpp), with borrowed codes: they must outlive it. Its scales and
/// zero points are its own.
class AnyQuantizedView {
 public:
  /// From parts, as AnyQuantizedTensor. Throws Error when the parts do not fit each other, or hold what is no code,
  /// scale or zero point.
  AnyQuantizedView(const FormatInfo& format, std::vector<Index> shape, const GranularityInfo& granularity,
                   std::span<const std::byte> codes, detail::HeldScales scales, Buffer<std::int32_t> zero_points);

  std::string_view format() const { return format_->name; }            ///< "int8", "nf4", ...
  const FormatInfo& format_info() const { return *format_; }           ///< all that is known of the format
  int bits() const { return format_->bits; }                           ///< what a code takes
  int rank() const { return static_cast<int>(shape_.size()); }         ///< 1 to 5
  const std::vector<Index>& shape() const { return shape_; }           ///< extents, outermost first
  const GranularityInfo& granularity() const { return granularity_; }  ///< its axis counts from 0
  /// Scales and zero points, borrowed, in the order of quant/granularity.hpp.
  ParamsData params() const {
    return {scales_.floats(), zero_points_.empty() ? nullptr : zero_points_.data(), scales_.size(), scales_.codes()};
  }
  const detail::HeldScales& scales() const { return scales_; }  ///< as they are held
  const std::byte* data() const { return codes_; }              ///< the packed codes (format/bits.hpp)

  /// The same with its type; must not outlive this object. Throws Error naming what is held instead.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedView<F, R, G> view() const;

  /// "int4 (256, 784) per_group(64, axis 1)", for messages.
  std::string description() const { return detail::description(format(), shape_, granularity_); }

 private:
  const FormatInfo* format_;
  std::vector<Index> shape_;
  GranularityInfo granularity_;
  const std::byte* codes_;
  detail::HeldScales scales_;
  Buffer<std::int32_t> zero_points_;
};

// ---- bodies ----

inline AnyQuantizedView::AnyQuantizedView(const FormatInfo& format, std::vector<Index> shape,
                                          const GranularityInfo& granularity, std::span<const std::byte> codes,
                                          detail::HeldScales scales, Buffer<std::int32_t> zero_points)
    : format_(&format),
      shape_(std::move(shape)),
      granularity_(detail::with_counted_axis(granularity, rank())),
      codes_(codes.data()),
      scales_(std::move(scales)),
      zero_points_(std::move(zero_points)) {
  detail::check_parts("AnyQuantizedView", format, shape_, granularity_, codes, params(), zero_points_.size());
  if (!params().has_zero_points()) zero_points_ = {};
}

template <Format F, int R, Granularity G>
QuantizedView<F, R, G> AnyQuantizedView::view() const {
  const std::optional<G> g = detail::matching<G>(granularity_, rank());
  if (F::name != format() || rank() != R || !g) {
    detail::fail("AnyQuantizedView: holds ", description(), ", asked for ", detail::type_text<F, R, G>());
  }
  Shape<R> shape{};
  std::copy(shape_.begin(), shape_.end(), shape.begin());
  return QuantizedView<F, R, G>(codes_, shape, params(), *g);
}

QUANTA_NAMESPACE_END
