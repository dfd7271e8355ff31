// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From the operands of gemm (gemm/gemm.hpp) to the loop nest: lhs and dst as matrices, then every check that a product
// needs, before dst is touched.
#pragma once

#include <quanta/gemm/capacity.hpp>
#include <quanta/gemm/loop_nest.hpp>
#include <quanta/gemm/requantize.hpp>
#include <quanta/gemm/wide_product.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The rows of a tensor of rank 1 to 3 as a matrix: a vector is one row; matrices of rank 3 lie one below the other.
/// Rank 3 must have_even_rows.
template <class T, std::size_t rank>
Shape<2> rows_of(const std::array<T, rank>& shape) {
  static_assert(rank >= 1 && rank <= 3, "quanta: gemm takes vectors, matrices and tensors of rank 3");
  Index rows = 1;
  for (std::size_t d = 0; d + 1 < rank; ++d) rows *= shape[d];
  return {rows, shape[rank - 1]};
}
template <class T, int rank>
bool have_even_rows(const TensorView<T, rank>& x) {
  if constexpr (rank == 3) {
    return x.extent(0) <= 1 || x.extent(1) <= 1 || x.stride(0) == x.extent(1) * x.stride(1);
  }
  return true;
}
template <class T, int rank>
TensorView<T, 2> as_matrix(const TensorView<T, rank>& x) {
  Index row_stride = x.size();
  if constexpr (rank == 2) row_stride = x.stride(0);
  if constexpr (rank == 3) row_stride = x.extent(1) <= 1 ? x.stride(0) : x.stride(1);
  return {x.data(), rows_of(x.shape()), {row_stride, x.stride(rank - 1)}};
}

/// Scales that are held as codes, as floats in the context's memory.
template <class Params>
QUANTA_COLD const float* read_scales(Context& context, const Params& params) {
  float* const scales = context.reserve_local<float>(1, params.size);
  params.read_scales(0, params.size, scales);
  return scales;
}

/// The codes of a quantized lhs of rank 1 to 3: in place for formats of 8 and 16 bits, else unpacked into the context's
/// memory.
template <class View>
QUANTA_ALWAYS_INLINE auto lhs_operand(Context& context, const View& lhs) {
  using F = typename View::FormatType;
  using G = typename View::GranularityType;
  using Code = typename F::Code;
  constexpr bool is_matrix = std::is_same_v<decltype(lhs.shape()), const Shape<2>&>;
  constexpr bool per_row = is_matrix && (std::is_same_v<G, PerChannel<0>> || std::is_same_v<G, PerChannel<-2>>);
  static_assert(std::is_same_v<G, PerTensor> || per_row,
                "quanta: the lhs of gemm is PerTensor, or a matrix PerChannel<0>");
  const Code* codes = reinterpret_cast<const Code*>(lhs.data());
  if constexpr (F::bits < 8) {
    Code* unpacked = context.reserve_local<Code>(0, lhs.size());
    unpack_bits<F>(lhs.data(), lhs.size(), 0, lhs.size(), unpacked);
    codes = unpacked;
  }
  const ParamsData& params = lhs.params();
  const float* const scales = params.scales != nullptr ? params.scales : read_scales(context, params);
  return LhsOperand<Code>{{codes, rows_of(lhs.shape())}, {scales, params.zero_points}, per_row ? 1 : 0, F::min, F::max};
}

/// Calls f with dst as a matrix: in place, or in the context's memory `slot` where its rows lie unevenly.
template <class T, int rank, class F>
QUANTA_ALWAYS_INLINE void with_matrix(Context& context, Index slot, const TensorView<T, rank>& dst, F f) {
  if constexpr (rank < 3) return f(as_matrix(dst));
  if (have_even_rows(dst)) return f(as_matrix(dst));
  T* copy = context.reserve_local<T>(slot, dst.size());
  const T* const held = dst.read(0, dst.size(), copy);  // for Accumulate
  if (held != copy) std::copy_n(held, dst.size(), copy);
  f(TensorView<T, 2>(copy, rows_of(dst.shape())));
  dst.write(0, dst.size(), copy);
}

/// Throws Error unless lhs has as many columns as rhs has inputs.
template <class Code, class Rhs>
QUANTA_ALWAYS_INLINE void check_inner(const LhsOperand<Code>& lhs, const Rhs& rhs) {
  check(lhs.codes.extent(1) == rhs.k(), "gemm: lhs has shape ", lhs.codes.shape(), ", rhs (", rhs.n(), ", ", rhs.k(),
        "): expected as many columns as rhs has inputs");
}

/// Throws Error where results would be written over what is yet to be read.
template <class Code, class T>
QUANTA_ALWAYS_INLINE void check_apart(const TensorView<const Code, 2>& lhs, const TensorView<T, 2>& dst) {
  check(!may_overlap(lhs, dst), "gemm: dst overlaps the lhs, expected memory of its own");
}

/// Throws Error unless the operands fit each other and the results fit int32.
template <class Code, class Rhs>
QUANTA_ALWAYS_INLINE void check_product(const LhsOperand<Code>& lhs, const Rhs& rhs, bool by_group,
                                        const AddedToColumns& added = {}) {
  check_inner(lhs, rhs);
  std::int32_t min_zero = lhs.max_code, max_zero = lhs.min_code;
  for (Index i = 0; i < (lhs.step == 0 ? 1 : lhs.codes.extent(0)); ++i) {
    min_zero = std::min(min_zero, lhs.zero_point(i));
    max_zero = std::max(max_zero, lhs.zero_point(i));
  }
  if (min_zero <= max_zero)
    check_capacity("gemm", rhs, lhs.min_code, lhs.max_code, min_zero, max_zero, by_group, added);
}

template <class Stage>
void check_stage(const Stage& stage, Index m, Index n) {
  static_assert(EpilogueStage<Stage>, "quanta: a stage has apply(float* values, Index count, Index row, Index column)");
  if constexpr (requires { stage.check(m, n); }) stage.check(m, n);
}

/// Codes of the lhs's product, through a prepared Requantize.
template <class Code, class Rhs, IntegerFormat O>
QUANTA_ALWAYS_INLINE void multiply_requantized(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                                               const TensorView<typename O::Code, 2>& dst, const Requantize<O>& to) {
  static_assert(sizeof(Code) == 1, "quanta: Requantize takes a lhs of at most 8 bits");
  static_assert(!Rhs::per_group, "quanta: Requantize takes a rhs per tensor or per channel");
  const RequantizeOutput<O> output{dst, to};
  output.check_operands(lhs.scale(0), rhs);
  check_apart(lhs.codes, dst);
  check_product(lhs, rhs, false, output.bias());
  run_product(context, lhs, rhs, output);
}

/// Readable reasons for stages that do not go together with this lhs and dst.
template <class Code, class T, class... Stages>
constexpr void assert_stages_fit() {
  if constexpr ((is_requantize<Stages> || ...)) {
    static_assert(sizeof...(Stages) == 1, "quanta: Requantize is the only stage of its product");
    static_assert((std::is_same_v<T, typename Stages::Code> && ...), "quanta: dst holds codes of Requantize's format");
  } else if constexpr (std::is_same_v<T, float>) {
    static_assert(sizeof...(Stages) > 0, "quanta: for float results give Dequantize{} first");
  } else if constexpr (sizeof(Code) > 1) {
    static_assert(std::is_same_v<T, std::int64_t> && sizeof...(Stages) == 0,
                  "quanta: a 16-bit lhs gives int64 without stages, or float with Dequantize{} first");
  } else {
    static_assert(std::is_same_v<T, std::int32_t>,
                  "quanta: dst is int32 without stages, float with Dequantize{} first, codes with Requantize");
    static_assert(sizeof...(Stages) == 0 || (std::is_same_v<Stages, Accumulate> && ...),
                  "quanta: the only stage of int32 results is Accumulate; for float results dst is float");
  }
}

/// The ranges of what the columns of dst hold, in the context's memory.
inline AddedToColumns previous_values(Context& context, const TensorView<std::int32_t, 2>& dst) {
  const Index n = dst.extent(1);
  std::int32_t* const least = context.reserve_local<std::int32_t>(3, 2 * n);
  std::int32_t* const most = least + n;
  std::fill_n(least, 2 * n, 0);
  for (Index i = 0; i < dst.extent(0); ++i) {
    for (Index j = 0; j < n; ++j) {
      const std::int32_t value = dst.data()[i * dst.stride(0) + j * dst.stride(1)];
      least[j] = std::min(least[j], value);
      most[j] = std::max(most[j], value);
    }
  }
  return AddedToColumns::between(least, most, n, " on top of what dst holds");
}

/// Throws Error where the operands do not fit each other, or results can leave int32. Stages of float results check
/// themselves later.
template <class Code, class Rhs, class T, class... Stages>
QUANTA_ALWAYS_INLINE void check_multiply(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                                         const TensorView<T, 2>& dst, const Stages&... stages) {
  check_apart(lhs.codes, dst);
  if constexpr (std::is_same_v<T, std::int32_t> && sizeof...(Stages) == 1) {
    check(((stages.beta == 1.0f) && ...), "gemm: Accumulate to int32 has beta ", stages.beta..., ", expected 1");
    check_product(lhs, rhs, false, previous_values(context, dst));
  } else if constexpr (sizeof(Code) == 1) {
    check_product(lhs, rhs, std::is_same_v<T, float> && Rhs::per_group);
  } else {
    check_inner(lhs, rhs);
    check_wide_capacity(rhs);
  }
}

/// Float results. The overload below picks out a bias that follows Dequantize directly.
template <class Code, class Rhs, class... Stages>
QUANTA_ALWAYS_INLINE void multiply_real(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                                        const TensorView<float, 2>& dst, const AddBias* bias, const Stages&... stages) {
  if (bias != nullptr) bias->check(dst.extent(0), dst.extent(1));
  (check_stage(stages, dst.extent(0), dst.extent(1)), ...);
  check_multiply(context, lhs, rhs, dst);
  const RealOutput<LhsOperand<Code>, Stages...> output{dst, lhs, bias, {stages...}};
  if constexpr (sizeof(Code) == 1) {
    run_product(context, lhs, rhs, output);
  } else {
    run_wide_product(context, lhs, rhs, output);
  }
}

template <class Code, class Rhs, class First, class... Stages>
void multiply_staged(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<float, 2>& dst,
                     const First&, const Stages&... stages) {
  static_assert(std::is_same_v<First, Dequantize>, "quanta: the first stage of gemm is Dequantize");
  multiply_real(context, lhs, rhs, dst, nullptr, stage_for(dst, stages)...);
}
template <class Code, class Rhs, class... Stages>
void multiply_staged(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const TensorView<float, 2>& dst,
                     const Dequantize&, const AddBias& bias, const Stages&... stages) {
  multiply_real(context, lhs, rhs, dst, &bias, stage_for(dst, stages)...);
}

/// The product that the type of dst and the stages ask for. dst has its shape.
template <class Code, class Rhs, class T, class... Stages>
QUANTA_ALWAYS_INLINE void multiply(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                                   const TensorView<T, 2>& dst, const Stages&... stages) {
  assert_stages_fit<Code, T, Stages...>();
  if constexpr ((is_requantize<Stages> || ...)) {
    multiply_requantized(context, lhs, rhs, dst, stages...);
  } else if constexpr (std::is_same_v<T, float>) {
    if constexpr (sizeof...(Stages) > 0) multiply_staged(context, lhs, rhs, dst, stages...);
  } else {
    check_multiply(context, lhs, rhs, dst, stages...);
    if constexpr (sizeof(Code) > 1) {
      run_wide_product(context, lhs, rhs, WideOutput{dst});
    } else {
      run_product(context, lhs, rhs, RawOutput{dst, sizeof...(Stages) > 0});
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
