// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Elementary functions of floats, on all lanes of a vector at once, with the same bits everywhere: as core/math.hpp, no
// call of the C library's, only operations IEEE 754 rounds correctly, in a fixed order.
//
// L is any lane type of simd/; exp<simd::ScalarLanes>(x) is the definition of one number. An ulp is the distance of the
// floats around the exact result. NaN gives the one quiet NaN.
#pragma once

#include <cstdint>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
namespace math {

/// e^x, within 1 ulp, subnormal results too. exp(-inf) is 0, exp(inf) is inf.
/// Method: x = n ln 2 + r with |r| <= ln(2) / 2, e^r by a polynomial, times 2^n.
template <class L>
QUANTA_ALWAYS_INLINE typename L::F exp(typename L::F x);

/// 1 / (1 + e^-x), within 2.5 ulp, subnormal results too.
/// Method: with e = e^-|x|, 1 / (1 + e) or, for x < 0, e / (1 + e).
template <class L>
QUANTA_ALWAYS_INLINE typename L::F sigmoid(typename L::F x);

/// Hyperbolic tangent, within 2.5 ulp. Odd: tanh(-0) is -0.
/// Method: with m = e^2|x| - 1, made without cancellation, m / (m + 2).
template <class L>
QUANTA_ALWAYS_INLINE typename L::F tanh(typename L::F x);

/// The error function, 2 / sqrt(pi) times the integral of e^-t^2 from 0 to x, within 1.1 ulp. Odd: erf(-0) is -0.
/// Method: for |x| < 0.875 x plus x times a polynomial in x^2, elsewhere 1 - e^-w with w a polynomial in |x|.
template <class L>
QUANTA_ALWAYS_INLINE typename L::F erf(typename L::F x);

/// x times the normal distribution function of x, x / 2 * (1 + erf(x / sqrt(2))), within 5 ulp, also in the negative
/// tail, where that formula would cancel. gelu(-inf) is 0, gelu(inf) is inf.
/// Method: max(x, 0) - |x| Q(|x|), where the tail Q(t) is e^(-t^2 / 2) / (t + 4) times a polynomial in (t - 4) / (t +
/// 4).
template <class L>
QUANTA_ALWAYS_INLINE typename L::F gelu(typename L::F x);

/// The tanh form of it, x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))), within 4 ulp, in the tail too.
/// Method: max(x, 0) - |x| e / (1 + e), where e is e to the power of minus twice tanh's argument of |x|.
template <class L>
QUANTA_ALWAYS_INLINE typename L::F gelu_tanh(typename L::F x);

// ---- bodies ----

namespace detail {

/// c[0] + c[1] x + ... + c[n - 1] x^(n - 1), by Horner's rule.
template <class L, int n>
QUANTA_ALWAYS_INLINE typename L::F polynomial(typename L::F x, const float (&c)[n]) {
  typename L::F sum = L::set(c[n - 1]);
  QUANTA_UNROLL for (int i = n - 2; i >= 0; --i) sum = L::fma(sum, x, L::set(c[i]));
  return sum;
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F magnitude(typename L::F x) {
  return L::from_bits(L::magnitude_bits(x));
}

/// The magnitude of one and the sign of another; v is not negative.
template <class L>
QUANTA_ALWAYS_INLINE typename L::F with_sign_of(typename L::F sign, typename L::F v) {
  return L::from_bits(L::or_int(L::float_bits(v), L::and_int(L::float_bits(sign), L::set_int(INT32_MIN))));
}

/// a where all bits of the mask are set, b where none is.
template <class L>
QUANTA_ALWAYS_INLINE typename L::F select(typename L::I mask, typename L::F a, typename L::F b) {
  const typename L::I bits = L::float_bits(b);
  return L::from_bits(L::add(bits, L::and_int(mask, L::sub(L::float_bits(a), bits))));
}

/// e^x, or e^(x - less), as 2^n * (1 + fraction), for |x| <= 150 and a `less` below an ulp of x.
template <class L>
class Exponential {
  using F = typename L::F;
  using I = typename L::I;

 public:
  QUANTA_ALWAYS_INLINE explicit Exponential(F x) { raise(reduce(x)); }
  QUANTA_ALWAYS_INLINE Exponential(F x, F less) { raise(L::fma(less, L::set(-1.0f), reduce(x))); }

  /// e^r - 1, in [-0.3, 0.42].
  F fraction() const { return fraction_; }
  /// 2^n, for |n| <= 126.
  QUANTA_ALWAYS_INLINE F power() const { return power_of(bits_); }
  /// v * 2^n, rounded once at most. In two factors, since 2^n may be no float.
  QUANTA_ALWAYS_INLINE F scale(F v) const {
    const I half = L::template shift_right<1>(bits_);
    return L::mul(L::mul(v, power_of(half)), power_of(L::sub(bits_, half)));
  }

 private:
  /// r = x - n ln 2; n is kept.
  QUANTA_ALWAYS_INLINE F reduce(F x) {
    const F rounder = L::set(12582912.0f);  // 1.5 * 2^23: the sum's low bits are n
    const F sum = L::fma(x, L::set(0x1.715476p+0f), rounder);
    const F n = L::add_real(sum, L::set(-12582912.0f));
    bits_ = L::float_bits(sum);
    // ln 2 in two parts. The first fma is exact: its result is a multiple of 2^-24, or of an ulp of x, below 1/2.
    return L::fma(n, L::set(0x1.05c61p-29f), L::fma(n, L::set(-0x1.62e43p-1f), x));
  }
  QUANTA_ALWAYS_INLINE void raise(F r) {
    constexpr float c[] = {0x1p-1f, 0x1.55552cp-3f, 0x1.555502p-5f, 0x1.1155aap-7f, 0x1.6d2e48p-10f, 0x1.3b8392p-13f};
    fraction_ = L::fma(L::mul(r, r), polynomial<L>(r, c), r);
  }
  /// Of the integer in the low 9 bits.
  QUANTA_ALWAYS_INLINE static F power_of(I bits) {
    return L::from_bits(L::template shift_left<23>(L::add(bits, L::set_int(127))));
  }

  F fraction_;
  I bits_;
};

/// e^x for x in [-150, 89].
template <class L>
QUANTA_ALWAYS_INLINE typename L::F exp_within(typename L::F x) {
  const Exponential<L> e(x);
  return e.scale(L::add_real(e.fraction(), L::set(1.0f)));
}

}  // namespace detail

template <class L>
QUANTA_ALWAYS_INLINE typename L::F exp(typename L::F x) {
  // Beyond are 0 and infinity. min and max give their second where it is NaN.
  const typename L::F within = L::min(L::set(89.0f), L::max(L::set(-104.0f), x));
  return L::one_nan(detail::exp_within<L>(within));
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F sigmoid(typename L::F x) {
  const typename L::F one = L::set(1.0f);
  const typename L::F minus = L::mul(L::min(L::set(104.0f), detail::magnitude<L>(x)), L::set(-1.0f));
  const typename L::F e = detail::exp_within<L>(minus);
  return L::one_nan(L::div(detail::select<L>(L::sign_mask(x), e, one), L::add_real(e, one)));
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F tanh(typename L::F x) {
  const typename L::F t = L::min(L::set(10.0f), detail::magnitude<L>(x));  // tanh(10) is 1 in float
  const detail::Exponential<L> e(L::add_real(t, t));
  const typename L::F power = e.power();
  const typename L::F m = L::fma(power, e.fraction(), L::add_real(power, L::set(-1.0f)));
  return L::one_nan(detail::with_sign_of<L>(x, L::div(m, L::add_real(m, L::set(2.0f)))));
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F erf(typename L::F x) {
  constexpr float kSeam = 0.875f;
  constexpr float near[] = {0x1.06eba6p-3f,  -0x1.8126ecp-2f, 0x1.ce1b86p-4f,
                            -0x1.b69b8ep-6f, 0x1.479c18p-8f,  -0x1.3ba5a8p-11f};
  constexpr float far[] = {0x1.2bccb6p-13f, 0x1.20bdb4p+0f, 0x1.460c2ep-1f,  0x1.ab0aaap-4f,
                           -0x1.6ec15ap-6f, 0x1.941852p-9f, -0x1.a3710ap-13f};
  const typename L::F t = L::min(L::set(4.0f), detail::magnitude<L>(x));  // erf(4) is 1 in float
  const typename L::F small = L::fma(t, detail::polynomial<L>(L::mul(t, t), near), t);
  const typename L::F w = detail::polynomial<L>(t, far);
  const detail::Exponential<L> e(L::mul(w, L::set(-1.0f)));
  const typename L::F minus_power = L::mul(e.power(), L::set(-1.0f));
  const typename L::F large = L::fma(minus_power, e.fraction(), L::add_real(minus_power, L::set(1.0f)));
  const typename L::I is_small = L::sign_mask(L::add_real(t, L::set(-kSeam)));
  return L::one_nan(detail::with_sign_of<L>(x, detail::select<L>(is_small, small, large)));
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F gelu(typename L::F x) {
  // Of 2 (t + 4) Q(t) e^(t^2 / 2) in (t - 4) / (t + 4).
  constexpr float c[] = {0x1.82b4bcp+0f,  -0x1.373e38p+0f, 0x1.8c6d72p-1f, -0x1.7e002cp-2f, 0x1.eee374p-4f,
                         -0x1.ecfbe4p-7f, -0x1.cfe1bp-8f,  0x1.97b78cp-9f, 0x1.b807a4p-12f, -0x1.cad9cap-13f};
  const typename L::F t = L::min(L::set(14.5f), detail::magnitude<L>(x));  // t Q(t) is 0 from there on
  // -1 / (t + 4) by division and one step of Newton's method, in which what t + 4 lost is made good; from it
  // (t - 4) / (t + 4).
  const typename L::F one = L::set(1.0f), sum = L::add_real(t, L::set(4.0f));
  const typename L::F lost = L::add_real(L::fma(sum, L::set(-1.0f), L::set(4.0f)), t);
  const typename L::F quotient = L::div(L::set(-1.0f), sum);
  const typename L::F rest = L::fma(lost, quotient, L::fma(sum, quotient, one));
  const typename L::F minus_inverse = L::fma(quotient, rest, quotient);
  const typename L::F p = detail::polynomial<L>(L::fma(minus_inverse, L::set(8.0f), one), c);
  // -t^2 / 2 with twice a float's precision: it is `square` - `less`.
  const typename L::F half = L::mul(t, L::set(0.5f));
  const typename L::F square = L::mul(L::mul(t, L::set(-0.5f)), t);
  const typename L::F less = L::fma(t, half, square);
  const detail::Exponential<L> e(square, less);
  const typename L::F factor = L::mul(half, L::mul(p, minus_inverse));
  const typename L::F minus_tail = e.scale(L::fma(factor, e.fraction(), factor));
  return L::one_nan(L::add_real(L::max(L::set(0.0f), x), minus_tail));
}

template <class L>
QUANTA_ALWAYS_INLINE typename L::F gelu_tanh(typename L::F x) {
  const typename L::F t = L::min(L::set(11.0f), detail::magnitude<L>(x));  // t e is 0 from there on
  const typename L::F minus = L::mul(t, L::set(-1.0f));
  // -2 sqrt(2 / pi) (t + 0.044715 t^3) with twice a float's precision. The slope is what t is multiplied by; `lack` is
  // what its rounding, that of t^2 and those of the two constants took from it.
  constexpr float kLinear = 0x1.988454p+0f, kLinearRest = -0x1.857936p-25f;
  constexpr float kCubic = 0x1.2444f2p-4f, kCubicRest = 0x1.49b16ap-29f;
  const typename L::F linear = L::set(kLinear), one = L::set(1.0f), minus_one = L::set(-1.0f);
  const typename L::F square = L::mul(t, t);
  const typename L::F slope = L::fma(square, L::set(kCubic), linear);
  const typename L::F difference = L::fma(slope, minus_one, linear);  // and what it lost: slope is the larger
  const typename L::F lost = L::fma(L::add_real(slope, difference), minus_one, linear);
  typename L::F lack = L::add_real(L::fma(square, L::set(kCubic), difference), lost);
  lack = L::fma(L::fma(t, minus, square), L::set(-kCubic), lack);
  lack = L::add_real(L::fma(square, L::set(kCubicRest), lack), L::set(kLinearRest));
  const typename L::F power = L::mul(minus, slope);
  const detail::Exponential<L> e(power, L::fma(t, lack, L::fma(t, slope, power)));
  const typename L::F fraction = L::add_real(e.fraction(), one);
  const typename L::F minus_tail = e.scale(L::mul(minus, L::div(fraction, L::add_real(e.scale(fraction), one))));
  return L::one_nan(L::add_real(L::max(L::set(0.0f), x), minus_tail));
}

}  // namespace math
QUANTA_NAMESPACE_END
