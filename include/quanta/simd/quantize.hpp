// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Between reals and codes, with one scale and zero point for all elements or one for each column of adjacent rows.
//
// x / scale is the correctly rounded quotient, but hardly ever divided. Between a little less and a little more than
// 1 / scale lies every factor that could stand for it; where x times either end rounds to the same integer, so does the
// quotient, for all of this is monotone. A tie, or a NaN, makes the two differ. Only such vectors are divided.
#pragma once

#include <quanta/core/types.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// How reals become codes: code = clamp(round_half_even(x / scale) + zero_point, low, high), NaN -> zero_point.
/// low <= zero_point <= high, all within 17 bits.
struct QuantizeStep {
  float scale;
  std::int32_t zero_point;
  std::int32_t low;
  std::int32_t high;
};

/// One for each column. zero_points is null where all are 0.
struct QuantizeColumns {
  const float* scales;
  const std::int32_t* zero_points;
  std::int32_t low;
  std::int32_t high;

  QuantizeStep step(Index column) const {
    return {scales[column], zero_points != nullptr ? zero_points[column] : 0, low, high};
  }
};

/// codes[i] = the code of x[i]. `Code` holds every integer of [low, high]. The two do not overlap.
template <class L = NativeLanes, class Code>
void quantize(const float* x, Index n, const QuantizeStep& step, Code* codes);

/// The same of `rows` adjacent rows, each column with its own step.
template <class L = NativeLanes, class Code>
void quantize_columns(const float* x, Index rows, Index columns, const QuantizeColumns& steps, Code* codes);

/// values[i] becomes scale * (values[i] - zero), saturated to +-FLT_MAX: from levels to reals. NaN stays NaN.
template <class L = NativeLanes>
void scale_levels(float* values, Index n, float scale, float zero);

/// The same of `rows` adjacent rows, each column with its own scale and zero point (null: all 0).
template <class L = NativeLanes>
void scale_columns(float* values, Index rows, Index columns, const float* scales, const std::int32_t* zero_points);

// ---- bodies ----

namespace detail {

/// 1.5 * 2^23: added to a real of at most 2^22 it leaves no bits below 1, and the integer in the low bits.
inline constexpr float kRounder = 12582912.0f;
/// How far from 1 / scale the two factors are. Their own rounding, that of 1 / scale (all up to 2^-22, where they are
/// subnormal) and that of the quotient (2^-24) stay below it.
inline constexpr float kSpread = 0x1p-20f;

/// The step of the elements from i on, as vectors: the same for all, or from arrays. `rounded(i, v)` makes the code of
/// bits made with `rounder`.
template <class L>
struct SameStep {
  typename L::F scale_, less_, more_, low_, high_, rounder_;
  typename L::I zero_point_;

  explicit SameStep(const QuantizeStep& step)
      : scale_(L::set(step.scale)),
        less_(L::set(1.0f / step.scale * (1.0f - kSpread))),
        more_(L::set(1.0f / step.scale * (1.0f + kSpread))),
        low_(L::set(static_cast<float>(step.low - step.zero_point))),
        high_(L::set(static_cast<float>(step.high - step.zero_point))),
        rounder_(L::set(kRounder + static_cast<float>(step.zero_point))),
        zero_point_(L::set_int(step.zero_point)) {}

  typename L::F scale(Index) const { return scale_; }
  typename L::F less(Index) const { return less_; }
  typename L::F more(Index) const { return more_; }
  typename L::F low(Index) const { return low_; }
  typename L::F high(Index) const { return high_; }
  typename L::I zero_point(Index) const { return zero_point_; }
  typename L::F rounder() const { return rounder_; }
  typename L::I rounded(Index, typename L::I bits) const { return bits; }
};

/// What is prepared for a block of columns that many rows share.
struct ColumnFactors {
  static constexpr Index kColumns = 4096;
  alignas(64) float less[kColumns], more[kColumns];
};

template <class L, bool has_zero_points>
struct ColumnSteps {
  QuantizeColumns steps_;
  const ColumnFactors& factors_;

  typename L::F scale(Index i) const { return L::load(steps_.scales + i); }
  typename L::F less(Index i) const { return L::load(factors_.less + i); }
  typename L::F more(Index i) const { return L::load(factors_.more + i); }
  typename L::F low(Index i) const { return L::to_float(L::sub(L::set_int(steps_.low), zero_point(i))); }
  typename L::F high(Index i) const { return L::to_float(L::sub(L::set_int(steps_.high), zero_point(i))); }
  typename L::I zero_point(Index i) const {
    if constexpr (has_zero_points) return L::load_int(steps_.zero_points + i);
    return L::set_int(0);
  }
  typename L::F rounder() const { return L::set(kRounder); }
  typename L::I rounded(Index i, typename L::I bits) const {
    if constexpr (has_zero_points) return L::add(bits, zero_point(i));
    return bits;
  }
};

/// Codes while they are the bits of reals around kRounder, which are ordered as the reals: of those the integers are
/// the low ones.
template <class L, class Code>
struct CodeBits {
  typename L::I zero, least, most;
  typename L::F rounder;
  Code low, high;

  CodeBits(std::int32_t lowest, std::int32_t highest, typename L::F with_zero_point)
      : zero(L::set_int(std::bit_cast<std::int32_t>(kRounder))),
        least(L::set_int(std::bit_cast<std::int32_t>(kRounder) + lowest)),
        most(L::set_int(std::bit_cast<std::int32_t>(kRounder) + highest)),
        rounder(with_zero_point),
        low(static_cast<Code>(lowest)),
        high(static_cast<Code>(highest)) {}
};

/// By division: the definition.
template <class L, class Step, class Code>
QUANTA_ALWAYS_INLINE void quantize_divided(const float* x, Index first, Index last, const Step& step, Code* codes) {
  for (Index i = first; i < last; i += L::width) {
    const typename L::F real = L::nan_to_zero(L::div(L::load(x + i), step.scale(i)));
    // Clamped before the conversion, so that no float outside int32 is ever converted. The bounds are integers: to
    // clamp and then round is to round and then clamp.
    const typename L::I code = L::round(L::min(L::max(real, step.low(i)), step.high(i)));
    L::store_narrow(codes + i, L::add(code, step.zero_point(i)));
  }
}

/// By multiplication, a few vectors at a time, which share one test: `vectors` of them `apart` from each other, whose
/// steps are as far apart, or (rows) the same. Codes have at most 16 bits.
template <class L, int vectors, bool rows, class Step, class Code>
QUANTA_ALWAYS_INLINE void multiply_vectors(const float* x, Index i, Index apart, const Step& step,
                                           const CodeBits<L, Code>& bits, Code* codes) {
  // Four vectors of bytes are clamped when they are packed. A sum with the rounder that falls below 0, whose bits do
  // not rise with it, is one of two that differ, unless both are -inf.
  constexpr bool packed = vectors == 4 && !rows && sizeof(Code) == 1;
  typename L::I code[vectors];
  typename L::Equal equal = L::equal();
  QUANTA_UNROLL for (int v = 0; v < vectors; ++v) {
    const Index at = i + (rows ? 0 : v * apart);
    const typename L::F value = L::load(x + i + v * apart);
    const typename L::F less = L::fma(value, step.less(at), bits.rounder);
    const typename L::F more = L::fma(value, step.more(at), bits.rounder);
    equal = L::equal(equal, less, more);
    const typename L::I rounded = step.rounded(at, L::float_bits(less));
    code[v] = packed ? L::sub(rounded, bits.zero) : L::min_int(L::max_int(rounded, bits.least), bits.most);
  }
  if (!L::are_equal(equal)) [[unlikely]] {
    for (int v = 0; v < vectors; ++v) {
      const Index moved = rows ? v * apart : 0, at = i + (rows ? 0 : v * apart);
      quantize_divided<L>(x + moved, at, at + L::width, step, codes + moved);
    }
  } else if constexpr (vectors == 4 && !rows) {
    if constexpr (packed) {
      L::store_clamped(codes + i, codes + i + 2 * L::width, code[0], code[1], code[2], code[3], bits.low, bits.high);
    } else {
      L::store_narrow(codes + i, code[0], code[1], code[2], code[3]);
    }
  } else {
    QUANTA_UNROLL for (int v = 0; v < vectors; ++v) L::store_narrow(codes + i + v * apart, code[v]);
  }
}

/// Is it worth while to multiply? Not with so many codes that most vectors would be divided as well.
template <class L, class Code>
constexpr bool multiplies(std::int32_t low, std::int32_t high) {
  return L::width > 1 && QUANTA_HAS_FMA && sizeof(Code) <= 2 && high - low <= 1024;
}

template <class L, class Step, class Code>
QUANTA_ALWAYS_INLINE void quantize_from(const float* x, Index first, Index last, const Step& step, std::int32_t low,
                                        std::int32_t high, Code* codes) {
  if (multiplies<L, Code>(low, high)) {
    const CodeBits<L, Code> bits(low, high, step.rounder());
    constexpr Index w = L::width;
    for (; first + 4 * w <= last; first += 4 * w) multiply_vectors<L, 4, false>(x, first, w, step, bits, codes);
    for (; first + w <= last; first += w) multiply_vectors<L, 1, false>(x, first, w, step, bits, codes);
  }
  quantize_divided<L>(x, first, last, step, codes);
}

template <class L, bool has_zero_points, class Code>
QUANTA_ALWAYS_INLINE void quantize_columns(const float* x, Index rows, Index stride, Index columns,
                                           const QuantizeColumns& steps, Code* codes) {
  ColumnFactors factors;
  for (Index first = 0; first < columns; first += ColumnFactors::kColumns) {
    const Index n = columns - first < ColumnFactors::kColumns ? columns - first : ColumnFactors::kColumns;
    QuantizeColumns block = steps;
    block.scales += first;
    if (has_zero_points) block.zero_points += first;
    const ColumnSteps<L, has_zero_points> step{block, factors};
    if (rows == 1 || !multiplies<L, Code>(steps.low, steps.high)) {
      for (Index r = 0; r < rows; ++r) {
        quantize_divided<L>(x + r * stride + first, 0, n, step, codes + r * stride + first);
      }
      continue;
    }
    for (Index i = 0; i < n; i += L::width) {
      const typename L::F inverse = L::div(L::set(1.0f), step.scale(i));
      L::store(factors.less + i, L::mul(inverse, L::set(1.0f - kSpread)));
      L::store(factors.more + i, L::mul(inverse, L::set(1.0f + kSpread)));
    }
    // Of many columns the factors leave the first-level cache; then some rows at a time share what is read of them.
    constexpr Index kMany = 1024;
    constexpr int kTogether = L::width < 16 ? 4 : 8;  // as many as their codes have registers
    const CodeBits<L, Code> bits(steps.low, steps.high, step.rounder());
    Index r = 0;
    for (; n > kMany && r + kTogether <= rows; r += kTogether) {
      const Index start = r * stride + first;
      for (Index i = 0; i < n; i += L::width) {
        multiply_vectors<L, kTogether, true>(x + start, i, stride, step, bits, codes + start);
      }
    }
    for (; r < rows; ++r) {
      quantize_from<L>(x + r * stride + first, 0, n, step, steps.low, steps.high, codes + r * stride + first);
    }
  }
}

template <class L, class Code>
void quantize_columns(const float* x, Index rows, Index stride, Index columns, const QuantizeColumns& steps,
                      Code* codes) {
  if (steps.zero_points != nullptr) {
    quantize_columns<L, true>(x, rows, stride, columns, steps, codes);
  } else {
    quantize_columns<L, false>(x, rows, stride, columns, steps, codes);
  }
}

}  // namespace detail

template <class L, class Code>
void quantize(const float* x, Index n, const QuantizeStep& step, Code* codes) {
  const Index whole = n - n % L::width;
  const detail::SameStep<L> steps(step);
  detail::quantize_from<L>(x, 0, whole, steps, step.low, step.high, codes);
  if (whole == n) return;
  if (n >= L::width) {  // the last vector there is: some codes once more
    detail::quantize_divided<L>(x + (n - L::width), 0, L::width, steps, codes + (n - L::width));
  } else if constexpr (L::width > 1) {
    detail::quantize_divided<ScalarLanes>(x, 0, n, detail::SameStep<ScalarLanes>(step), codes);
  }
}

template <class L, class Code>
void quantize_columns(const float* x, Index rows, Index columns, const QuantizeColumns& steps, Code* codes) {
  const Index whole = columns - columns % L::width;
  detail::quantize_columns<L>(x, rows, columns, whole, steps, codes);
  if constexpr (L::width > 1) {
    QuantizeColumns rest = steps;
    rest.scales += whole;
    if (rest.zero_points != nullptr) rest.zero_points += whole;
    if (whole < columns) {
      detail::quantize_columns<ScalarLanes>(x + whole, rows, columns, columns - whole, rest, codes + whole);
    }
  }
}

namespace detail {

/// (level + minus_zero) * scale, saturated.
template <class L>
QUANTA_ALWAYS_INLINE void scale_vector(float* value, typename L::F minus_zero, typename L::F scale) {
  const typename L::F real = L::mul(L::add_real(L::load(value), minus_zero), scale);
  L::store(value, L::min(L::set(fp::kMaxFloat), L::max(L::set(-fp::kMaxFloat), real)));  // in this order NaN stays
}

template <class L>
QUANTA_ALWAYS_INLINE void scale_levels_from(float* values, Index first, Index last, float scale, float zero) {
  for (Index i = first; i < last; i += L::width) scale_vector<L>(values + i, L::set(-zero), L::set(scale));
}

template <class L>
QUANTA_ALWAYS_INLINE void scale_columns_from(float* values, Index first, Index last, const float* scales,
                                             const std::int32_t* zero_points) {
  if (zero_points == nullptr) {
    for (Index j = first; j < last; j += L::width) scale_vector<L>(values + j, L::set(-0.0f), L::load(scales + j));
    return;
  }
  for (Index j = first; j < last; j += L::width) {
    const typename L::F minus_zero = L::mul(L::to_float(L::load_int(zero_points + j)), L::set(-1.0f));
    scale_vector<L>(values + j, minus_zero, L::load(scales + j));
  }
}

}  // namespace detail

template <class L>
void scale_levels(float* values, Index n, float scale, float zero) {
  const Index whole = n - n % L::width;
  detail::scale_levels_from<L>(values, 0, whole, scale, zero);
  if constexpr (L::width > 1) detail::scale_levels_from<ScalarLanes>(values, whole, n, scale, zero);
}

template <class L>
void scale_columns(float* values, Index rows, Index columns, const float* scales, const std::int32_t* zero_points) {
  const Index whole = columns - columns % L::width;
  for (Index r = 0; r < rows; ++r) {
    detail::scale_columns_from<L>(values + r * columns, 0, whole, scales, zero_points);
    if constexpr (L::width > 1) {
      detail::scale_columns_from<ScalarLanes>(values + r * columns, whole, columns, scales, zero_points);
    }
  }
}

}  // namespace simd
QUANTA_NAMESPACE_END
