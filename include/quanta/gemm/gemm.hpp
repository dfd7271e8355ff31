// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The matrix products of the public interface. lhs is (m, k), rhs (n, k) as weights are stored, dst (m, n):
//
//   dst[i, j] = sum over k of (lhs[i, k] - zero_lhs[i]) * (rhs[j, k] - zero_rhs[j])
//
// exactly, then through the stages given. Every product checks shapes, stages and capacity (gemm/capacity.hpp) first
// and throws Error before dst is touched. dst must not overlap the operands.
//
//   lhs                  dst                                     stages
//   8 bits or fewer      int32                                   none, or Accumulate
//                        float                                   Dequantize, then any
//                        codes                                   a Requantize
//   16 bits              int64                                   none
//                        float                                   Dequantize, then any
//
// A lhs (batch, m, k) gives dst (batch, m, n); with one rhs, stages see row i of matrix b as row b * m + i. A vector is
// one row.
#pragma once

#include <quanta/gemm/checked_product.hpp>

QUANTA_NAMESPACE_BEGIN

/// A quantized matrix as lhs, with one scale and zero point, or one per row; or a vector or tensor of rank 3 with one.
template <class L>
concept QuantizedLhs = requires(const L& lhs) {
  { lhs.view().data() } -> std::same_as<const std::byte*>;
  typename L::FormatType;
  typename L::GranularityType;
  lhs.view().extent(0);
};

/// The zero point of plain integers given as lhs.
struct ZeroPoint {
  std::int32_t value = 0;  ///< a value of the type of the lhs
};

/// Several packed rhs in memory: a std::vector, std::array or std::span of PackedRhs.
template <class R>
concept PackedRhsRange = requires(const R& range) {
  range.data()->layout();
  { range.size() } -> std::convertible_to<std::size_t>;
};

/// dst (m, n) from lhs (m, k) and rhs (n, k): dst[i, j] = sum over k of (lhs[i, k] - zero_lhs[i]) * (rhs[j, k] -
/// zero_rhs[j]), exactly, then through the stages given. dst is any writable Eigen object of the lhs's rank, which does
/// not overlap the operands; the page of this header says which element types and stages go together. lhs (batch, m, k)
/// gives (batch, m, n), with one rhs for all. Throws Error, before dst is touched, when shapes do not fit, dst overlaps
/// the lhs, or a result could leave int32 (gemm/capacity.hpp).
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages);

/// dst (batch, m, n) from a lhs (batch, m, k) and one rhs (n, k) for each of its matrices, a PackedRhsRange. Not for
/// Requantize, which is prepared for one rhs. Throws Error also when there are not as many rhs.
template <QuantizedLhs L, class R, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const R& rhs, Dst&& dst, const Stages&... stages);

/// Plain int8 or uint8 as lhs (m, k), of any Eigen type and storage order, with one rhs (n, k); dst (m, n) is int32.
/// Throws Error also when the zero point is not a value of the type.
template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst,
          const Stages&... stages);

/// Straight to codes (m, n) of `output`, in fixed point (Jacob et al., 2018; gemm/requantize.hpp). lhs is a matrix (m,
/// k) per tensor, rhs (n, k) per tensor or channel. `options` are a bias of n reals, DoubleRounding{}, and Relu, Relu6
/// or Clamp. Throws Error when shapes do not fit, or acc or acc + bias can leave int32. Where one rhs is used again and
/// again, a Requantize prepared once spares the work of preparing it every time.
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Scheme, IntegerFormat O,
          class... Options>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Quantizer<Scheme, O, PerTensor>& output, const Options&... options);
/// The same with what was prepared. Throws Error when the scale of the lhs or the size of the rhs is another.
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, IntegerFormat O>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Requantize<O>& requantize);

/// The same without a Context: the calling thread alone, with scratch of its own.
template <QuantizedLhs L, class Rhs, EigenObject Dst, class... Stages>
requires(!std::same_as<Rhs, ZeroPoint>) void gemm(const L& lhs, const Rhs& rhs, Dst&& dst, const Stages&... stages) {
  Context context;
  gemm(context, lhs, rhs, dst, stages...);
}
/// Plain int8 or uint8 without a Context.
template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages) {
  Context context;
  gemm(context, lhs, zero_point, rhs, dst, stages...);
}
/// Of plain numbers alone as lhs this says what a lhs is, and does not compile.
template <EigenObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(const L&, const PackedRhs<F, G, K>&, Dst&&, const Stages&...) {
  static_assert(
      sizeof(L) == 0,
      "quanta: the lhs of gemm is quantized: quantizer.quantize(x); or int8 or uint8, with a ZeroPoint behind it");
}
/// The same of a lhs that is no int8 or uint8, or a rhs that is not packed.
template <class L, class R, EigenObject Dst, class... Stages>
void gemm(const L&, ZeroPoint, const R&, Dst&&, const Stages&...) {
  static_assert(
      ByteObject<L>,
      "quanta: with a ZeroPoint the lhs of gemm is int8 or uint8; of 16 bits it is a QuantizedTensor, without");
  static_assert(!ByteObject<L>, "quanta: the rhs of gemm is packed: quanta::pack(weight) of a quantized weight");
}
/// Codes without a Context. `output` is the quantizer of the results, or a Requantize, without options then.
template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Output, class... Options>
auto gemm_requantized(const L& lhs, const PackedRhs<F, G, K>& rhs, const Output& output, const Options&... options) {
  Context context;
  return gemm_requantized(context, lhs, rhs, output, options...);
}

namespace detail {
template <class X>
concept NoMatrix = !EigenObject<X> || rank_of<X> == 1;
}  // namespace detail

/// A vector (k) times a rhs, to a vector (n): gemm of one row, with the arguments of any of its forms.
template <class... Arguments>
void gemv(Arguments&&... arguments) {
  static_assert((detail::NoMatrix<Arguments> && ...), "quanta: lhs and dst of gemv are vectors");
  gemm(std::forward<Arguments>(arguments)...);
}

// ---- bodies ----

namespace detail {

template <class L, class Rhs, class Dst, class... Stages>
void gemm_quantized(Context& context, const L& lhs, const Rhs& rhs, Dst& dst, const Stages&... stages) {
  const auto view = lhs.view();
  const auto out = output_view(dst);
  static_assert(std::is_same_v<decltype(view.shape()), decltype(out.shape())>,
                "quanta: dst of gemm has the rank of the lhs");
  static_assert(!(is_requantize<Stages> || ...) || std::is_same_v<typename L::GranularityType, PerTensor>,
                "quanta: Requantize takes a per-tensor lhs: one multiplier per output serves all rows");
  auto expected = view.shape();
  expected.back() = rhs.n();
  check_shape("gemm", "dst", out.shape(), expected);
  const auto operand = lhs_operand(context, view);
  with_matrix(context, 2, out,
              [&](const auto& matrix) QUANTA_INLINE_LAMBDA { multiply(context, operand, rhs, matrix, stages...); });
}

}  // namespace detail

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs, Dst&& dst, const Stages&... stages) {
  detail::gemm_quantized(context, lhs, rhs, dst, stages...);
}

template <QuantizedLhs L, class R, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, const R& rhs, Dst&& dst, const Stages&... stages) {
  static_assert(
      PackedRhsRange<R>,
      "quanta: the rhs of gemm is packed: quanta::pack(weight) of a quantized weight; or several, as a vector");
  using ViewShape = std::remove_cvref_t<decltype(lhs.view().shape())>;
  static_assert(rank_of<Dst> == 3 && std::is_same_v<ViewShape, Shape<3>>,
                "quanta: with several rhs, lhs is (batch, m, k) and dst (batch, m, n)");
  static_assert(!(detail::is_requantize<Stages> || ...), "quanta: a Requantize is for one rhs");
  detail::assert_stages_fit<typename L::FormatType::Code, ScalarOf<Dst>, Stages...>();
  const auto view = lhs.view();
  const auto out = detail::output_view(dst);
  const auto operand = detail::lhs_operand(context, view);
  const Index batch = view.extent(0), m = view.extent(1), n = out.extent(2);
  detail::check(static_cast<Index>(rhs.size()) == batch, "gemm: ", rhs.size(),
                " rhs given, expected one for each matrix of the lhs, ", batch);
  detail::check_shape("gemm", "dst", out.shape(), Shape<3>{batch, m, n});
  const auto lhs_of = [&](Index b) {
    auto one = operand;
    const auto& all = operand.codes;
    one.codes = {all.data() + b * m * all.stride(0), {m, all.extent(1)}, all.strides()};
    return one;
  };
  const auto dst_of = [&](Index b) {
    return TensorView<ScalarOf<Dst>, 2>(out.data() + b * out.stride(0), {m, n}, {out.stride(1), out.stride(2)});
  };
  for (Index b = 0; b < batch; ++b) {  // before any work
    const auto& one = rhs.data()[b];
    detail::check(one.n() == n, "gemm: rhs ", b, " has ", one.n(), " outputs, expected ", n);
    detail::check_apart(operand.codes, dst_of(b));
    detail::check_multiply(context, lhs_of(b), one, dst_of(b), stages...);
  }
  for (Index b = 0; b < batch; ++b) detail::multiply(context, lhs_of(b), rhs.data()[b], dst_of(b), stages...);
}

template <ByteObject L, IntegerFormat F, Granularity G, MicroKernel K, EigenObject Dst, class... Stages>
void gemm(Context& context, const L& lhs, ZeroPoint zero_point, const PackedRhs<F, G, K>& rhs, Dst&& dst,
          const Stages&... stages) {
  static_assert(rank_of<L> == rank_of<Dst>, "quanta: dst of gemm has the rank of the lhs");
  static_assert(std::is_same_v<ScalarOf<Dst>, std::int32_t>, "quanta: plain integers have no scale, so dst is int32");
  using Code = ScalarOf<L>;
  constexpr std::int32_t low = std::numeric_limits<Code>::min(), high = std::numeric_limits<Code>::max();
  detail::check(zero_point.value >= low && zero_point.value <= high, "gemm: zero point ", zero_point.value,
                ", expected ", low, " to ", high);
  detail::Input<Code, rank_of<L>> input(lhs);
  if (!detail::have_even_rows(input.view())) input.own();
  const auto out = detail::output_view(dst);
  auto expected = input.view().shape();
  expected.back() = rhs.n();
  detail::check_shape("gemm", "dst", out.shape(), expected);
  const float scale = 1.0f;
  const detail::LhsOperand<Code> operand{detail::as_matrix(input.view()), {&scale, &zero_point.value}, 0, low, high};
  detail::with_matrix(context, 2, out,
                      [&](const auto& matrix) { detail::multiply(context, operand, rhs, matrix, stages...); });
}

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, class Scheme, IntegerFormat O,
          class... Options>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Quantizer<Scheme, O, PerTensor>& output, const Options&... options) {
  static_assert(!PackedRhs<F, G, K>::per_group, "quanta: gemm_requantized takes a rhs per tensor or per channel");
  return gemm_requantized(context, lhs, rhs, Requantize<O>(lhs.view().params().scale(0), rhs, output, options...));
}

template <QuantizedLhs L, IntegerFormat F, Granularity G, MicroKernel K, IntegerFormat O>
QuantizedTensor<O, 2> gemm_requantized(Context& context, const L& lhs, const PackedRhs<F, G, K>& rhs,
                                       const Requantize<O>& requantize) {
  const auto view = lhs.view();
  static_assert(std::is_same_v<std::remove_cvref_t<decltype(view.shape())>, Shape<2>>,
                "quanta: the lhs of gemm_requantized is a matrix; for others give gemm a dst and a Requantize");
  static_assert(std::is_same_v<typename L::GranularityType, PerTensor>,
                "quanta: gemm_requantized takes a per-tensor lhs: one multiplier per output serves all rows");
  using Code = typename O::Code;
  const Shape<2> shape{view.extent(0), rhs.n()};
  Buffer<std::byte> codes(element_count(shape) * Index{sizeof(Code)});
  const TensorView<Code, 2> dst(reinterpret_cast<Code*>(codes.data()), shape);
  detail::multiply_requantized(context, detail::lhs_operand(context, view), rhs, dst, requantize);
  if constexpr (O::bits == 8 * int(sizeof(Code))) {
    return QuantizedTensor<O, 2>::from_packed(shape, std::move(codes), requantize.params());
  } else {
    Buffer<std::byte> packed(detail::packed_size(element_count(shape), O::bits));
    detail::pack_bits<O>(dst.data(), 0, element_count(shape), packed.data());
    return QuantizedTensor<O, 2>::from_packed(shape, std::move(packed), requantize.params());
  }
}

QUANTA_NAMESPACE_END
