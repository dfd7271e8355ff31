// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantized tensors: codes at their true size in logical row-major order, with their scales and zero points.
// QuantizedTensor owns, QuantizedView borrows. They do no arithmetic on codes; products are in gemm/.
#pragma once

#include <quanta/core/eigen.hpp>
#include <quanta/core/line_reader.hpp>
#include <quanta/quant/default_granularity.hpp>
#include <quanta/quant/dequantize.hpp>
#include <quanta/quant/params.hpp>

QUANTA_NAMESPACE_BEGIN

template <Format F, int rank, Granularity G>
class QuantizedTensor;

/// Borrowed codes and parameters: a mapped file, a user's buffer, or a QuantizedTensor. They must outlive the view.
template <Format F, int rank, Granularity G = DefaultGranularity<F>>
class QuantizedView {
  static_assert(rank >= 1 && rank <= kMaxRank, "quanta: tensors have rank 1 to 5");
  static_assert(G::template fits_rank<rank>, "quanta: the granularity's axis is not one of the tensor's");

 public:
  using FormatType = F;           ///< of the codes
  using GranularityType = G;      ///< of the parameters
  using Code = typename F::Code;  ///< a code as it is handed out

  /// `codes` points to packed_size(elements of shape, bits) bytes as in format/bits.hpp; of 16-bit codes it need not be
  /// aligned. Throws Error unless there is a parameter for every channel or group, scales are finite and at least
  /// 2^-126, and zero points are codes.
  QuantizedView(const std::byte* codes, const Shape<rank>& shape, ParamsData params, G granularity = G{})
      : QuantizedView(Trusted{}, codes, shape, params, granularity) {
    check("QuantizedView");
  }

  const Shape<rank>& shape() const { return shape_; }     ///< extents, outermost first
  Index extent(int d) const { return shape_[usize(d)]; }  ///< of dimension d, 0 <= d < rank
  Index size() const { return element_count(shape_); }    ///< elements: the product of the extents
  /// The packed codes.
  const std::byte* data() const { return codes_; }
  const ParamsData& params() const { return params_; }                     ///< scales and zero points, borrowed
  const G& granularity() const { return granularity_; }                    ///< with its axis and group size
  ParamMap map() const { return param_map(granularity_.info(), shape_); }  ///< which parameter an element has
  /// Itself, so that a view can stand wherever a tensor can.
  const QuantizedView& view() const { return *this; }

  /// The codes one by one, unpacked.
  Tensor<Code, rank> codes() const;

  /// scale * (code - zero_point), saturated to +-FLT_MAX, as a new tensor.
  template <int layout = Eigen::RowMajor>
  Tensor<float, rank, layout> dequantize() const;

  /// The same into any writable Eigen object of this shape; throws Error when the shape differs.
  template <EigenObject Dst>
  void dequantize_into(Dst&& dst) const;

 private:
  friend class QuantizedTensor<F, rank, G>;
  struct Trusted {};  // what the owner checked once need not be checked at every use
  QuantizedView(Trusted, const std::byte* codes, const Shape<rank>& shape, ParamsData params, G granularity)
      : codes_(codes), shape_(shape), params_(params), granularity_(granularity) {}

  /// Throws Error, with a message that begins with `where`, unless shape and parameters fit.
  void check(const char* where) const {
    detail::check(is_valid_shape(shape_), where, ": shape ", shape_, " has a negative extent or is too large");
    detail::check_params(where, params_, map(), shape_, detail::zero_point_min<F>, detail::zero_point_max<F>);
  }

  const std::byte* codes_;
  Shape<rank> shape_;
  ParamsData params_;
  [[no_unique_address]] G granularity_;
};

/// A tensor of codes, packed to their true size, with scales and zero points: of the shape of the reals it stands for,
/// in logical row-major order; real = scale * (code - zero_point), or scale * level[code]. Owns its codes and
/// parameters; copies deeply.
template <Format F, int rank, Granularity G = DefaultGranularity<F>>
class QuantizedTensor {
 public:
  using FormatType = F;                    ///< of the codes
  using GranularityType = G;               ///< of the parameters
  using Code = typename F::Code;           ///< a code as it is handed out
  using View = QuantizedView<F, rank, G>;  ///< what borrows from it

  /// From codes in any Eigen object and their parameters. Every code of the format is taken, the most negative
  /// included; throws Error on one outside it, naming its index, and when the parameters do not fit the shape.
  template <EigenObject Codes>
  QuantizedTensor(const Codes& codes, QuantParams<G> params);

  /// From codes already packed as in format/bits.hpp. Throws Error when the number of bytes does not fit the shape.
  static QuantizedTensor from_packed(const Shape<rank>& shape, Buffer<std::byte> codes, QuantParams<G> params);

  const Shape<rank>& shape() const { return shape_; }       ///< extents, outermost first
  Index extent(int d) const { return shape_[usize(d)]; }    ///< of dimension d, 0 <= d < rank
  Index size() const { return element_count(shape_); }      ///< elements: the product of the extents
  const std::byte* data() const { return codes_.data(); }   ///< the packed codes, as in format/bits.hpp
  const QuantParams<G>& params() const { return params_; }  ///< scales and zero points
  /// Borrows the tensor: valid as long as it is, and does not move.
  View view() const {
    return View(typename View::Trusted{}, codes_.data(), shape_, params_.data(), params_.granularity());
  }
  /// The same.
  operator View() const { return view(); }  // NOLINT: a tensor can stand wherever a view can

  /// Gives up the packed codes: std::move(tensor).release_codes(). Nothing but destruction is left for the tensor then.
  Buffer<std::byte> release_codes() && { return std::move(codes_); }

  /// Codes, scales and zero points, in bytes: the sum of the buffers held.
  Index bytes() const { return static_cast<Index>(codes_.bytes()) + params_.bytes(); }

  /// As QuantizedView's.
  Tensor<Code, rank> codes() const { return view().codes(); }

  /// As QuantizedView's.
  template <int layout = Eigen::RowMajor>
  Tensor<float, rank, layout> dequantize() const {
    return view().template dequantize<layout>();
  }

  /// As QuantizedView's.
  template <EigenObject Dst>
  void dequantize_into(Dst&& dst) const {
    view().dequantize_into(dst);
  }

 private:
  QuantizedTensor(const Shape<rank>& shape, Buffer<std::byte> codes, QuantParams<G> params)
      : shape_(shape), codes_(std::move(codes)), params_(std::move(params)) {
    view().check("QuantizedTensor");
  }

  template <EigenObject Codes>
  static Buffer<std::byte> packed(const Codes& codes);

  static void check_level_codes(const Code* codes, Index first, Index count) {
    for (Index i = 0; i < count; ++i) {
      const std::int32_t code = codes[i];
      detail::check(code <= detail::last_code<F>, "QuantizedTensor: code ", first + i, " is ", code, ", expected 0 to ",
                    detail::last_code<F>);
    }
  }

  Shape<rank> shape_;
  Buffer<std::byte> codes_;
  QuantParams<G> params_;
};

// ---- bodies ----

template <Format F, int rank, Granularity G>
auto QuantizedView<F, rank, G>::codes() const -> Tensor<Code, rank> {
  Tensor<Code, rank> result = detail::make_tensor<Code, rank>(shape_);
  detail::unpack_bits<F>(codes_, size(), 0, size(), result.data());
  return result;
}

template <Format F, int rank, Granularity G>
template <int layout>
auto QuantizedView<F, rank, G>::dequantize() const -> Tensor<float, rank, layout> {
  Tensor<float, rank, layout> result = detail::make_tensor<float, rank, layout>(shape_);
  dequantize_into(result);
  return result;
}

template <Format F, int rank, Granularity G>
template <EigenObject Dst>
void QuantizedView<F, rank, G>::dequantize_into(Dst&& dst) const {
  static_assert(rank_of<Dst> == rank, "quanta: the destination's rank is not the tensor's");
  static_assert(std::is_same_v<ScalarOf<Dst>, float>, "quanta: dequantize writes float");
  const TensorView<float, rank> out = detail::output_view(dst);
  detail::check_shape("dequantize_into", "the destination", out.shape(), shape_);
  detail::dequantize(detail::FormatDecoder<F>{codes_}, map(), params_, out);
}

template <Format F, int rank, Granularity G>
template <EigenObject Codes>
QuantizedTensor<F, rank, G>::QuantizedTensor(const Codes& codes, QuantParams<G> params)
    : QuantizedTensor(detail::Input<Code, rank>(codes).view().shape(), packed(codes), std::move(params)) {}

template <Format F, int rank, Granularity G>
auto QuantizedTensor<F, rank, G>::from_packed(const Shape<rank>& shape, Buffer<std::byte> codes, QuantParams<G> params)
    -> QuantizedTensor {
  detail::check(is_valid_shape(shape), "QuantizedTensor: shape ", shape, " has a negative extent or is too large");
  const Index expected = detail::packed_size(element_count(shape), F::bits);
  detail::check(codes.size() == expected, "QuantizedTensor: ", codes.size(), " bytes of codes for shape ", shape,
                ", expected ", expected);
  return QuantizedTensor(shape, std::move(codes), std::move(params));
}

template <Format F, int rank, Granularity G>
template <EigenObject Codes>
Buffer<std::byte> QuantizedTensor<F, rank, G>::packed(const Codes& codes) {
  const detail::Input<Code, rank> input(codes);
  const Index n = input.view().size();
  Buffer<std::byte> stream(detail::packed_size(n, F::bits));
  constexpr Index kChunk = 1024;
  detail::LineReader<Code, rank> reader(input.view());
  for (Index first = 0; first < n; first += kChunk) {
    const Index count = std::min(kChunk, n - first);
    const Code* chunk = reader.read(first, count);
    if constexpr (IntegerFormat<F>) {
      for (Index i = 0; i < count; ++i) {
        detail::check(chunk[i] >= F::min && chunk[i] <= F::max, "QuantizedTensor: code ", first + i, " is ", chunk[i],
                      ", expected ", F::min, " to ", F::max);
      }
    } else if constexpr (RealFormat<F>) {
      check_level_codes(chunk, first, count);
    }
    detail::pack_bits<F>(chunk, first, count, stream.data());
  }
  return stream;
}

QUANTA_NAMESPACE_END
