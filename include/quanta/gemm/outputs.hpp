// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The last step of a tile: from the kernel's raw int32 to what is stored. An output is built once per product and used
// by all its threads; micro-kernels know nothing of it.
//
//   RawOutput        int32 as it is
//   RealOutput       Dequantize, the bias, then the stages, to float
//   RequantizeOutput fixed point to codes (gemm/requantize.hpp)
#pragma once

#include <tuple>

#include <quanta/gemm/packed_rhs.hpp>
#include <quanta/gemm/stages.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The vector type for rows of nr values.
template <int nr>
using LanesFor = std::conditional_t<nr % simd::NativeLanes::width == 0, simd::NativeLanes, simd::ScalarLanes>;

/// acc[c] becomes sum (x - zero_x) (w - zero_w) for the columns of one panel, given the sum of operand products:
/// sum x w - zero_x sum w - zero_w (sum x - length zero_x), all in operand terms and modulo 2^32.
template <class Kernel, class Rhs>
void correct_zero_points(const Rhs& rhs, Index panel, Index group, std::int32_t zero_x, std::int32_t row_sum,
                         std::int32_t* acc) {
  constexpr int nr = Kernel::kNr;
  using L = LanesFor<nr>;
  if (zero_x != 0) {
    const std::int32_t* sums = rhs.sums(group) + panel * nr;
    for (int c = 0; c < nr; c += L::width) {
      L::store_int(acc + c, L::sub(L::load_int(acc + c), L::mul_low(L::set_int(zero_x), L::load_int(sums + c))));
    }
  }
  const std::int32_t* zero_points = rhs.zero_points(Rhs::per_group ? group : 0);
  if (zero_points != nullptr) {
    const auto length = static_cast<std::uint32_t>(rhs.layout().group_length(group));
    const auto rest =
        static_cast<std::int32_t>(static_cast<std::uint32_t>(row_sum) - length * static_cast<std::uint32_t>(zero_x));
    for (int c = 0; c < nr; c += L::width) {
      const typename L::I zero_w = L::load_int(zero_points + panel * nr + c);
      L::store_int(acc + c, L::sub(L::load_int(acc + c), L::mul_low(L::set_int(rest), zero_w)));
    }
  }
}

/// Writes `count` values to row `row` from column `column` on.
template <class T>
void store_row(const TensorView<T, 2>& dst, Index row, Index column, Index count, const T* values) {
  T* to = dst.data() + row * dst.stride(0) + column * dst.stride(1);
  const Index stride = dst.stride(1);
  if (stride == 1) {
    std::copy_n(values, count, to);
  } else {
    for (Index i = 0; i < count; ++i) to[i * stride] = values[i];
  }
}

/// Every output has: `by_group`, does it take the groups' sums one by one as floats; and
/// finish(rhs, row, column, count, sums), which stores one row of a panel from int32 sums (or from floats, by_group).
struct RawOutput {
  static constexpr bool by_group = false;
  TensorView<std::int32_t, 2> dst;

  template <class Rhs>
  void finish(const Rhs&, Index row, Index column, Index count, const std::int32_t* sums) const {
    store_row(dst, row, column, count, sums);
  }
};

/// scale_x(row) is the lhs's; bias may be null. Stages are kept by reference.
template <class Rhs, class Lhs, class... Stages>
struct RealOutput {
  static constexpr bool by_group = Rhs::per_group;
  static constexpr int nr = Rhs::KernelType::kNr;
  using L = LanesFor<nr>;
  TensorView<float, 2> dst;
  const Lhs& lhs;
  const AddBias* bias;
  std::tuple<const Stages&...> stages;

  template <class Sum>
  void finish(const Rhs& rhs, Index row, Index column, Index count, const Sum* sums) const {
    alignas(kCacheLine) float values[nr];
    float padded_bias[nr] = {};
    if (bias != nullptr) {
      for (Index i = 0; i < count; ++i) padded_bias[i] = bias->data()[(column + i) * bias->stride()];
    }
    const typename L::F scale_x = L::set(lhs.scale(row));
    for (int c = 0; c < nr; c += L::width) {
      const typename L::F add = L::load(padded_bias + c);
      if constexpr (by_group) {
        L::store(values + c, L::fma(L::load(sums + c), scale_x, add));
      } else if constexpr (std::is_same_v<typename Rhs::GranularityType, PerTensor>) {
        L::store(values + c, L::fma(L::to_float(L::load_int(sums + c)), L::mul(scale_x, L::set(rhs.scale(0))), add));
      } else {
        const typename L::F scale = L::mul(scale_x, L::load(rhs.scales(0) + column + c));
        L::store(values + c, L::fma(L::to_float(L::load_int(sums + c)), scale, add));
      }
    }
    for (int c = 0; c < nr; c += L::width) L::store(values + c, L::one_nan(L::load(values + c)));
    std::apply([&](const Stages&... stage) { (stage.apply(values, count, row, column), ...); }, stages);
    store_row(dst, row, column, count, static_cast<const float*>(values));
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
