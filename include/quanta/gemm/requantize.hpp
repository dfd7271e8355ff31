// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From int32 sums to codes of the next layer without floats per element:
//
//   code = clamp(multiply(acc + bias, scale_x * scale_w[n] / scale_out) + zero_out, low, high)
//
// The multiplier is computed in double and held in fixed point (gemm/fixed_point.hpp); the bias is rounded half to even
// to int32 at scale_x * scale_w[n].
#pragma once

#include <quanta/gemm/fixed_point.hpp>
#include <quanta/gemm/outputs.hpp>

QUANTA_NAMESPACE_BEGIN

/// As an argument of gemm_requantized: the two roundings of gemmlowp and the older TFLite instead of one.
struct DoubleRounding {};

namespace detail {

/// One multiplier per output, the int32 bias (empty when there is none), and the codes allowed.
struct Requantization {
  Buffer<FixedPoint> multipliers;
  Buffer<std::int32_t> bias;
  std::int32_t zero_point, low, high;
  bool double_rounding;
};

/// Throws Error when the bias does not fit int32 at its scale, naming the output.
template <class Rhs>
Requantization make_requantization(float scale_x, const Rhs& rhs, float scale_out,
                                   const TensorView<const float, 1>* bias) {
  Requantization r{};
  r.multipliers = Buffer<FixedPoint>(rhs.n());
  if (bias != nullptr) {
    check(bias->size() == rhs.n(), "gemm_requantized: bias has ", bias->size(), " elements, expected one per output, ",
          rhs.n());
    r.bias = Buffer<std::int32_t>(rhs.n());
  }
  for (Index c = 0; c < rhs.n(); ++c) {
    const double scale = static_cast<double>(scale_x) * static_cast<double>(rhs.scale(c));  // exact
    r.multipliers[c] = FixedPoint::from_real(scale / static_cast<double>(scale_out));
    if (bias == nullptr) continue;
    const double units = static_cast<double>(bias->data()[c * bias->stride(0)]) / scale;
    check(units >= -2147483648.5 && units < 2147483647.5, "gemm_requantized: bias ", c, " is ",
          bias->data()[c * bias->stride(0)], ", which is ", units, " at scale ", scale, ", outside int32");
    r.bias[c] = static_cast<std::int32_t>(fp::round_half_even(units));
  }
  return r;
}

template <class Code>
struct RequantizeOutput {
  TensorView<Code, 2> dst;
  const Requantization& to;

  template <class Rhs, int nr>
  struct Panel {
    static constexpr bool by_group = false;
    using L = LanesFor<nr>;
    const Requantization& by;
    PanelColumns<Code, nr> to;
    alignas(kCacheLine) std::int32_t multipliers[nr] = {}, right[nr], bias[nr] = {};

    Panel(const RequantizeOutput& output, const Rhs&, const PanelColumns<Code, nr>& columns)
        : by(output.to), to(columns) {
      std::fill_n(right, nr, 31);
      for (Index i = 0; i < to.count; ++i) {
        const FixedPoint& factor = by.multipliers[to.column + i];
        multipliers[i] = factor.multiplier;
        right[i] = 31 - factor.shift;
        if (!by.bias.empty()) bias[i] = by.bias[to.column + i];
      }
    }

    void finish(Index row, const std::int32_t* sums) const {
      if (by.double_rounding) return finish_double_rounding(row, sums);
      Code codes[nr];
      Code* out = to.count == nr && to.adjacent() ? to.row(row) : codes;
      const typename L::I zero_point = L::set_int(by.zero_point);
      const typename L::I low = L::set_int(by.low - by.zero_point), high = L::set_int(by.high - by.zero_point);
      for (int c = 0; c < nr; c += L::width) {
        const typename L::I sum = L::add(L::load_int(sums + c), L::load_int(bias + c));  // fits: checked before
        const typename L::I scaled = L::multiply_shift(sum, L::load_int(multipliers + c), L::load_int(right + c));
        L::store_narrow(out + c, L::add(L::min_int(L::max_int(scaled, low), high), zero_point));
      }
      if (out == codes) to.store(row, codes);
    }

   private:
    void finish_double_rounding(Index row, const std::int32_t* sums) const {
      Code codes[nr];
      for (Index i = 0; i < to.count; ++i) {
        const std::int64_t scaled = multiply_double_rounding(sums[i] + bias[i], by.multipliers[to.column + i]);
        codes[i] = static_cast<Code>(std::clamp<std::int64_t>(scaled + by.zero_point, by.low, by.high));
      }
      to.store(row, codes);
    }
  };
};

}  // namespace detail
QUANTA_NAMESPACE_END
