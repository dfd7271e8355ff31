// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From the operands of gemm (gemm/gemm.hpp) to the loop nest: the lhs as bytes, then every check that a product needs,
// before dst is touched.
#pragma once

#include <quanta/gemm/capacity.hpp>
#include <quanta/gemm/loop_nest.hpp>

QUANTA_NAMESPACE_BEGIN
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
  if (min_zero <= max_zero) check_capacity("gemm", rhs, lhs.min_code, lhs.max_code, min_zero, max_zero, by_group, bias);
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
  const RealOutput<LhsOperand<Code>, Stages...> output{dst, lhs, bias, {stages...}};
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
QUANTA_NAMESPACE_END
