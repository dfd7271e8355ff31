// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized tensor whose format, granularity and shape are known only at run time: what files, tables and models
// hold. It can be looked at and dequantized as it is; products need the typed tensor, which `view` and `get` give back.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <quanta/quant/quantized_tensor.hpp>

QUANTA_NAMESPACE_BEGIN

/// Owns; copies deeply.
class AnyQuantizedTensor {
 public:
  template <Format F, int R, Granularity G>
  AnyQuantizedTensor(QuantizedTensor<F, R, G> tensor);  // NOLINT: every quantized tensor is one

  /// "int8", "nf4", ...
  std::string_view format() const { return format_; }
  /// What a code takes in memory.
  int bits() const { return bits_; }
  int rank() const { return static_cast<int>(shape_.size()); }
  const std::vector<Index>& shape() const { return shape_; }
  Index size() const { return extents().product(0, rank()); }
  const GranularityInfo& granularity() const { return granularity_; }
  ParamsData params() const {
    return {scales_.floats(), zero_points_.empty() ? nullptr : zero_points_.data(), scales_.size(), scales_.codes()};
  }
  /// The packed codes (format/bits.hpp).
  const std::byte* data() const { return codes_.data(); }
  /// Codes, scales and zero points.
  Index bytes() const { return static_cast<Index>(codes_.bytes() + zero_points_.bytes()) + scales_.bytes(); }

  /// Does it hold a tensor of this format, rank and granularity? PerGroup<Dynamic> holds for groups of any size.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  bool holds() const {
    return format_ == F::name && rank() == R && matching<G>().has_value();
  }

  /// The same tensor with its type; the view must not outlive this object. Throws Error naming what is held instead.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedView<F, R, G> view() const;
  /// A copy with its type.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedTensor<F, R, G> get() const;

  /// As QuantizedTensor's; throws Error when the rank is another.
  template <int R, int layout = Eigen::RowMajor>
  Tensor<float, R, layout> dequantize() const;
  template <EigenObject Dst>
  void dequantize_into(Dst&& dst) const;

  /// "int4 (256, 784) per_group(64, axis 1)", "e2m1 (3, 64) per_group(32, axis 1), e8m0 scales", for messages and
  /// tables.
  std::string description() const;

 private:
  Extents extents() const { return {shape_.data(), rank()}; }
  template <int R>
  Shape<R> typed_shape() const;
  /// The granularity held as a G, if it is one.
  template <Granularity G>
  std::optional<G> matching() const;

  std::string_view format_;
  int bits_;
  std::vector<Index> shape_;
  GranularityInfo granularity_;
  Buffer<std::byte> codes_;
  detail::HeldScales scales_;
  Buffer<std::int32_t> zero_points_;
  void (*decode_)(const std::byte* stream, Index first, Index count, float* levels);
};

// ---- bodies ----

template <Format F, int R, Granularity G>
AnyQuantizedTensor::AnyQuantizedTensor(QuantizedTensor<F, R, G> tensor)
    : format_(F::name),
      bits_(F::bits),
      shape_(tensor.shape().begin(), tensor.shape().end()),
      granularity_(tensor.params().granularity().info()),
      scales_(tensor.params().scales()),
      decode_(&detail::decode_levels<F>) {
  const ParamsData params = tensor.params().data();
  if (params.zero_points != nullptr) {
    zero_points_ = Buffer<std::int32_t>(params.size);
    std::copy_n(params.zero_points, params.size, zero_points_.data());
  }
  if (granularity_.axis < 0) granularity_.axis += R;
  codes_ = std::move(tensor).release_codes();
}

template <Granularity G>
std::optional<G> AnyQuantizedTensor::matching() const {
  const auto same = [&](const G& g) {
    GranularityInfo info = g.info();
    if (info.axis < 0) info.axis += rank();
    return info == granularity_;
  };
  if constexpr (std::is_constructible_v<G, Index> && !std::is_default_constructible_v<G>) {
    if (granularity_.group_size < 1) return std::nullopt;
    const G g(granularity_.group_size);
    return same(g) ? std::optional<G>(g) : std::nullopt;
  } else {
    return same(G{}) ? std::optional<G>(G{}) : std::nullopt;
  }
}

template <int R>
Shape<R> AnyQuantizedTensor::typed_shape() const {
  Shape<R> shape{};
  std::copy(shape_.begin(), shape_.end(), shape.begin());
  return shape;
}

template <Format F, int R, Granularity G>
QuantizedView<F, R, G> AnyQuantizedTensor::view() const {
  const std::optional<G> granularity = format_ == F::name && rank() == R ? matching<G>() : std::nullopt;
  detail::check(granularity.has_value(), "AnyQuantizedTensor: holds ", description(), ", asked for ",
                std::string(F::name), " of rank ", R, " at another granularity, format or rank");
  return QuantizedView<F, R, G>(codes_.data(), typed_shape<R>(), params(), *granularity);
}

template <Format F, int R, Granularity G>
QuantizedTensor<F, R, G> AnyQuantizedTensor::get() const {
  const QuantizedView<F, R, G> typed = view<F, R, G>();
  return QuantizedTensor<F, R, G>::from_packed(typed.shape(), codes_,
                                               QuantParams<G>(scales_, zero_points_, typed.granularity()));
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
  const auto decode = [this](Index first, Index count, float* levels) { decode_(codes_.data(), first, count, levels); };
  detail::dequantize(decode, param_map(granularity_, extents()), params(), out);
}

inline std::string AnyQuantizedTensor::description() const {
  std::string shape;
  for (std::size_t d = 0; d < shape_.size(); ++d) shape += (d == 0 ? "" : ", ") + std::to_string(shape_[d]);
  return std::string(format_) + " (" + shape + ") " + quanta::description(granularity_, rank());
}

QUANTA_NAMESPACE_END
