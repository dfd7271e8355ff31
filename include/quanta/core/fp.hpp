// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Floats are multiplied and added through this file alone. A compiler may contract `a * b + c` into one rounding on one
// CPU and two on another (-ffp-contract=fast is GCC's default), even when written as intrinsics. So where a sum of
// products is wanted, either `fma` says one rounding, on every CPU, or `mul` hides the product from contraction. A
// product that is exact (two floats multiplied in double) needs neither.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
/// Arithmetic that rounds the same way everywhere.
namespace fp {

/// v itself, as a value the compiler knows nothing about: an operation on either side cannot be fused with the other.
/// T is float, double or a vector register of them.
template <class T>
QUANTA_ALWAYS_INLINE constexpr T opaque(T v);

/// a * b, rounded; never part of a fused multiply-add.
template <class T>
QUANTA_ALWAYS_INLINE constexpr T mul(T a, T b) {
  return opaque(a * b);
}

/// a * b + c with one rounding (IEEE 754 fusedMultiplyAdd), in hardware or by `fma_emulated`.
QUANTA_ALWAYS_INLINE float fma(float a, float b, float c);

/// The same result without FMA hardware. The product of two floats is exact in double; the sum is rounded to odd
/// (Boldo & Melquiond, "Emulation of FMA and correctly rounded sums", IEEE TC 2008), so that the final rounding to
/// float is the only one that counts. Holds for subnormals, infinities and NaN too.
inline float fma_emulated(float a, float b, float c);

/// Round half to even for |v| <= 2^22, without a call to libm. The result is an integer, and +0 or -0 for a zero.
QUANTA_ALWAYS_INLINE constexpr float round_half_even(float v);
/// For |v| <= 2^51.
QUANTA_ALWAYS_INLINE constexpr double round_half_even(double v);

/// Is v neither infinite nor NaN? By its bits, so that no compiler flag can answer otherwise.
constexpr bool is_finite(float v) { return (std::bit_cast<std::uint32_t>(v) & 0x7f800000u) != 0x7f800000u; }

/// Smallest scale: below it, x / scale of a subnormal scale would lose precision or overflow (2^-126, FLT_MIN).
inline constexpr float kMinScale = std::numeric_limits<float>::min();
/// The largest float, at which dequantized values saturate (FLT_MAX).
inline constexpr float kMaxFloat = std::numeric_limits<float>::max();

// ---- bodies ----

template <class T>
QUANTA_ALWAYS_INLINE constexpr T opaque(T v) {
  if (!std::is_constant_evaluated()) {
#if defined(QUANTA_FLOAT_REGISTER)
    asm("" : QUANTA_FLOAT_REGISTER(v));
#else
    volatile T hidden = v;
    v = hidden;
#endif
  }
  return v;
}

QUANTA_ALWAYS_INLINE constexpr float round_half_even(float v) {
  constexpr float magic = 12582912.0f;  // 1.5 * 2^23: adding it leaves no bits below 1
  return opaque(v + magic) - magic;
}

QUANTA_ALWAYS_INLINE constexpr double round_half_even(double v) {
  constexpr double magic = 6755399441055744.0;  // 1.5 * 2^52
  return opaque(v + magic) - magic;
}

inline float fma_emulated(float a, float b, float c) {
  const double product = static_cast<double>(a) * static_cast<double>(b);  // exact: 48 bits
  const double addend = static_cast<double>(c);
  double sum = product + addend;
  const double part = sum - product;
  const double error = (product - (sum - part)) + (addend - part);  // sum + error is the exact value (Knuth's TwoSum)
  std::uint64_t bits = std::bit_cast<std::uint64_t>(sum);
  const bool finite = (bits & 0x7ff0000000000000u) != 0x7ff0000000000000u;
  if (finite && error != 0.0 && (bits & 1u) == 0) {
    bits += (error > 0.0) == (sum > 0.0) ? 1u : ~std::uint64_t{0};  // the neighbour on the exact value's side is odd
    sum = std::bit_cast<double>(bits);
  }
  return static_cast<float>(sum);
}

QUANTA_ALWAYS_INLINE float fma(float a, float b, float c) {
#if QUANTA_HAS_FMA
  return std::fma(a, b, c);
#else
  return fma_emulated(a, b, c);
#endif
}

}  // namespace fp
QUANTA_NAMESPACE_END
