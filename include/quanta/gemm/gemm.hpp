// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The matrix products of the public interface. lhs is (m, k), rhs (n, k) as weights are stored, dst (m, n):
//
//   dst[i, j] = sum over k of (lhs[i, k] - zero_lhs[i]) * (rhs[j, k] - zero_rhs[j])
//
// exactly, in int32, then through the stages given. Every product checks shapes, stages and capacity
// (gemm/capacity.hpp) first and throws Error before dst is touched. dst must not overlap the operands.
#pragma once

#include <quanta/gemm/capacity.hpp>
#include <quanta/gemm/loop_nest.hpp>
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

namespace detail {

/// The codes of a quantized lhs as bytes: in place for 8-bit formats, else unpacked into the context's memory.
template <class View>
auto lhs_operand(Context& context, const View& lhs) {
  using F = typename View::FormatType;
  using G = typename View::GranularityType;
  using Code = typename F::Code;
  static_assert(std::is_same_v<decltype(lhs.shape()), const Shape<2>&>, "quanta: the lhs of gemm has rank 2");
  static_assert(F::bits <= 8, "quanta: gemm multiplies formats of at most 8 bits");
  constexpr bool per_row = std::is_same_v<G, PerChannel<0>> || std::is_same_v<G, PerChannel<-2>>;
  static_assert(std::is_same_v<G, PerTensor> || per_row, "quanta: the lhs of gemm is PerTensor or PerChannel<0>");
  const Code* codes = reinterpret_cast<const Code*>(lhs.data());
  if constexpr (F::bits < 8) {
    Code* unpacked = context.reserve_local<Code>(0, lhs.size());
    unpack_bits<F>(lhs.data(), 0, lhs.size(), unpacked);
    codes = unpacked;
  }
  return LhsOperand<Code>{TensorView<const Code, 2>(codes, lhs.shape()), lhs.params(), per_row ? 1 : 0, F::min, F::max};
}

/// Throws Error unless the operands fit each other and the results fit int32.
template <class Code, class Rhs>
void check_product(const LhsOperand<Code>& lhs, const Rhs& rhs, bool by_group, const std::int32_t* bias = nullptr) {
  check(lhs.codes.extent(1) == rhs.k(), "gemm: lhs has shape ", lhs.codes.shape(), ", rhs (", rhs.n(), ", ", rhs.k(),
        "): expected as many columns as rhs has inputs");
  std::int32_t min_zero = lhs.max_code, max_zero = lhs.min_code;
  for (Index i = 0; i < (lhs.step == 0 ? 1 : lhs.codes.extent(0)); ++i) {
    min_zero = std::min(min_zero, lhs.zero_point(i));
    max_zero = std::max(max_zero, lhs.zero_point(i));
  }
  if (min_zero <= max_zero) check_capacity(rhs, lhs.min_code, lhs.max_code, min_zero, max_zero, by_group, bias);
}

template <class Code, class Rhs, class T>
void check_destination(const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<T, 2>& dst) {
  check_shape("gemm", "dst", dst.shape(), Shape<2>{lhs.codes.extent(0), rhs.n()});
}

template <class Stage>
void check_stage(const Stage& stage, Index m, Index n) {
  static_assert(EpilogueStage<Stage>, "quanta: a stage has apply(float* values, Index count, Index row, Index column)");
  if constexpr (requires { stage.check(m, n); }) stage.check(m, n);
}

/// Int32 results of a lhs whose shape is not yet checked.
template <class Code, class Rhs>
void multiply_raw(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                  const TensorView<std::int32_t, 2>& dst) {
  check_destination(lhs, rhs, dst);
  check_product(lhs, rhs, false);
  run_product(context, lhs, rhs, RawOutput{dst});
}

/// Float results. The overload below picks out a bias that follows Dequantize directly.
template <class Code, class Rhs, class... Stages>
void multiply_real(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<float, 2>& dst,
                   const AddBias* bias, const Stages&... stages) {
  check_destination(lhs, rhs, dst);
  if (bias != nullptr) bias->check(dst.extent(0), dst.extent(1));
  (check_stage(stages, dst.extent(0), dst.extent(1)), ...);
  check_product(lhs, rhs, Rhs::per_group);
  const RealOutput<Rhs, LhsOperand<Code>, Stages...> output{dst, lhs, bias, {stages...}};
  run_product(context, lhs, rhs, output);
}

template <class Code, class Rhs, class First, class... Stages>
void multiply_staged(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<float, 2>& dst,
                     const First&, const Stages&... stages) {
  static_assert(std::is_same_v<First, Dequantize>, "quanta: the first stage of gemm is Dequantize");
  multiply_real(context, lhs, rhs, dst, nullptr, stages...);
}
template <class Code, class Rhs, class... Stages>
void multiply_staged(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<float, 2>& dst,
                     const Dequantize&, const AddBias& bias, const Stages&... stages) {
  multiply_real(context, lhs, rhs, dst, &bias, stages...);
}

}  // namespace detail

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
