// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The matrix products of the public interface. lhs is (m, k), rhs (n, k) as weights are stored, dst (m, n):
//
//   dst[i, j] = sum over k of (lhs[i, k] - zero_lhs[i]) * (rhs[j, k] - zero_rhs[j])
//
// exactly, in int32, then through the stages given. Every product checks shapes, stages and capacity
// (gemm/capacity.hpp) first and throws Error before dst is touched. dst must not overlap the operands.
#pragma once

#include <quanta/gemm/checked_product.hpp>
#include <quanta/gemm/requantize.hpp>
#include <quanta/quant/quantizer.hpp>

QUANTA_NAMESPACE_BEGIN

/// A quantized matrix as lhs: one scale and zero point, or one per row.
template <class L>
concept QuantizedLhs = requires(const L& lhs) {
  { lhs.view().data() } -> std::same_as<const std::byte*>;
  typename L::FormatType;
  typename L::GranularityType;
  lhs.view().extent(0);
};

/// The zero point of plain integers given as lhs.
struct ZeroPoint {
  std::int32_t value = 0;
};

/// Without stages dst is int32. With stages it is float, and the first stage is Dequantize. dst is any writable Eigen
/// matrix, tensor, Map or block of shape (m, n). `rhs` is a PackedRhs.
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages);

/// Plain int8 or uint8 as lhs, of any Eigen type and storage order; dst is int32. Throws Error when the zero point is
/// not a value of the type.
template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst>
void gemm(Context& context, const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst);

/// Straight to codes of `output`, in fixed point (gemm/requantize.hpp). lhs is per tensor, rhs per tensor or channel.
/// `options` are a bias of n reals, DoubleRounding{}, or both. Throws Error also when acc + bias can leave int32.
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Scheme, IntegerFormat O,
          class... Options>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Quantizer<Scheme, O, PerTensor>& output, const Options&... options);

// The same without a Context: the calling thread alone, with scratch of its own.

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(const L& lhs, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages) {
  Context context;
  gemm(context, lhs, rhs, dst, stages...);
}
template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst>
void gemm(const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst) {
  Context context;
  gemm(context, lhs, zero_point, rhs, dst);
}
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Scheme, IntegerFormat O,
          class... Options>
QuantizedTensor<O, 2> gemm_requantized(const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Quantizer<Scheme, O, PerTensor>& output, const Options&... options) {
  Context context;
  return gemm_requantized(context, lhs, rhs, output, options...);
}

// ---- bodies ----

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages) {
  static_assert(rank_of<Dst> == 2, "quanta: dst is a matrix or a rank-2 tensor");
  const auto out = detail::output_view(dst);
  const auto view = lhs.view();
  if constexpr (sizeof...(Stages) == 0) {
    static_assert(std::is_same_v<ScalarOf<Dst>, std::int32_t>,
                  "quanta: without stages dst is int32; for float results give Dequantize{} first");
    detail::multiply_raw(context, detail::lhs_operand(context, view), rhs, out);
  } else {
    static_assert(std::is_same_v<ScalarOf<Dst>, float>, "quanta: with stages dst is float");
    detail::multiply_staged(context, detail::lhs_operand(context, view), rhs, out, stages...);
  }
}

template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst>
void gemm(Context& context, const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst) {
  static_assert(rank_of<L> == 2 && rank_of<Dst> == 2, "quanta: lhs and dst are matrices or rank-2 tensors");
  static_assert(std::is_same_v<ScalarOf<Dst>, std::int32_t>, "quanta: plain integers have no scale, so dst is int32");
  using Code = ScalarOf<L>;
  constexpr std::int32_t low = std::numeric_limits<Code>::min(), high = std::numeric_limits<Code>::max();
  detail::check(zero_point.value >= low && zero_point.value <= high, "gemm: zero point ", zero_point.value,
                ", expected ", low, " to ", high);
  const detail::Input<Code, 2> input(lhs);
  const float scale = 1.0f;
  const detail::LhsOperand<Code> operand{input.view(), {&scale, &zero_point.value, 1}, 0, low, high};
  detail::multiply_raw(context, operand, rhs, detail::output_view(dst));
}

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Scheme, IntegerFormat O,
          class... Options>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Quantizer<Scheme, O, PerTensor>& output, const Options&... options) {
  static_assert(std::is_same_v<typename L::GranularityType, PerTensor>,
                "quanta: gemm_requantized takes a per-tensor lhs: one multiplier per output serves all rows");
  static_assert(!PackedRhs<F, G, K>::per_group, "quanta: gemm_requantized takes a rhs per tensor or per channel");
  const auto view = lhs.view();
  const auto operand = detail::lhs_operand(context, view);

  detail::Requantization to{};
  bool double_rounding = false, has_bias = false;
  [[maybe_unused]] const auto take = [&](const auto& option) {
    using Option = std::remove_cvref_t<decltype(option)>;
    if constexpr (std::is_same_v<Option, DoubleRounding>) {
      double_rounding = true;
    } else {
      static_assert(RealObject<Option>, "quanta: the options of gemm_requantized are a bias and DoubleRounding{}");
      const detail::Input<float, 1> bias(option);
      to = detail::make_requantization(operand.scale(0), rhs, output.params().scale(0), &bias.view());
      has_bias = true;
    }
  };
  (take(options), ...);
  if (!has_bias) to = detail::make_requantization(operand.scale(0), rhs, output.params().scale(0), nullptr);
  to.zero_point = output.params().zero_point(0);
  to.low = output.min_code();
  to.high = output.max_code();
  to.double_rounding = double_rounding;
  detail::check_product(operand, rhs, false, to.bias.empty() ? nullptr : to.bias.data());

  using Code = typename O::Code;
  const Shape<2> shape{view.extent(0), rhs.n()};
  Buffer<std::byte> codes(element_count(shape) * Index{sizeof(Code)});
  const TensorView<Code, 2> dst(reinterpret_cast<Code*>(codes.data()), shape);
  detail::run_product(context, operand, rhs, detail::RequantizeOutput<Code>{dst, to});
  if constexpr (O::bits == 8 * int(sizeof(Code))) {
    return QuantizedTensor<O, 2>::from_packed(shape, std::move(codes), output.params());
  } else {
    Buffer<std::byte> packed(detail::packed_size(element_count(shape), O::bits));
    detail::pack_bits<O>(dst.data(), 0, element_count(shape), packed.data());
    return QuantizedTensor<O, 2>::from_packed(shape, std::move(packed), output.params());
  }
}

QUANTA_NAMESPACE_END
