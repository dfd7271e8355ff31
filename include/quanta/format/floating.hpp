// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Small floating formats. Reals are rounded to the nearest number, half to even, with subnormal numbers; beyond the
// largest, and of infinity, that is the largest (saturation). NaN becomes NaN where the format has one, else 0. -0
// stays -0.
//
//             bits  exponent  fraction  bias  largest  smallest  special codes
//   E2M1         4         2         1     1        6       0.5  none           OCP MX v1.0: FP4
//   E2M3         6         2         3     1      7.5     0.125  none           OCP MX v1.0: FP6
//   E3M2         6         3         2     3       28    0.0625  none           OCP MX v1.0: FP6
//   E4M3         8         4         3     7      448      2^-9  NaN            OCP FP8 v1.0
//   E5M2         8         5         2    15    57344     2^-16  infinity, NaN  OCP FP8 v1.0, IEEE 754 rules
//   Fp16        16         5        10    15    65504     2^-24  infinity, NaN  IEEE 754 binary16
//   Bf16        16         8         7   127  3.4e38     2^-133  infinity, NaN  the upper half of a float
#pragma once

#include <quanta/format/format.hpp>

QUANTA_NAMESPACE_BEGIN

/// What a floating format has: derive from it and add a name. e bits of exponent, m of fraction.
template <int e, int m, Specials s>
struct Floating {
  using Code = std::conditional_t<(e + m < 8), std::uint8_t, std::uint16_t>;  ///< a code as it is handed out
  static constexpr int bits = 1 + e + m;   ///< of a code in memory: the sign, the exponent, the fraction
  static constexpr int exponent_bits = e;  ///< from the second highest bit down
  static constexpr int fraction_bits = m;  ///< the lowest bits
  static constexpr Specials specials = s;  ///< which codes are infinities and NaNs
};

/// 4 bits, FP4 of OCP's Microscaling Formats v1.0: 0, 0.5, 1, 1.5, 2, 3, 4, 6 and their negatives.
struct E2M1 : Floating<2, 1, Specials::none> {
  static constexpr std::string_view name = "e2m1";  ///< in files and tables
};
/// 6 bits, FP6 of OCP's Microscaling Formats v1.0 with the finer steps, up to 7.5.
struct E2M3 : Floating<2, 3, Specials::none> {
  static constexpr std::string_view name = "e2m3";  ///< in files and tables
};
/// 6 bits, FP6 of OCP's Microscaling Formats v1.0 with the wider range, up to 28.
struct E3M2 : Floating<3, 2, Specials::none> {
  static constexpr std::string_view name = "e3m2";  ///< in files and tables
};
/// 8 bits, FP8 of OCP's 8-bit Floating Point Specification v1.0 with the finer steps, up to 448.
struct E4M3 : Floating<4, 3, Specials::nan> {
  static constexpr std::string_view name = "e4m3";  ///< in files and tables
};
/// 8 bits, FP8 of OCP's 8-bit Floating Point Specification v1.0 with the wider range, up to 57344.
struct E5M2 : Floating<5, 2, Specials::ieee> {
  static constexpr std::string_view name = "e5m2";  ///< in files and tables
};
/// 16 bits, IEEE 754's binary16, up to 65504.
struct Fp16 : Floating<5, 10, Specials::ieee> {
  static constexpr std::string_view name = "fp16";  ///< in files and tables
};
/// 16 bits, the upper half of a float: its range, and 8 bits of precision.
struct Bf16 : Floating<8, 7, Specials::ieee> {
  static constexpr std::string_view name = "bf16";  ///< in files and tables
};

namespace detail {
template <FloatingFormat F>
using FloatCodesOf = simd::FloatCodes<F::exponent_bits, F::fraction_bits, F::specials>;
}  // namespace detail

QUANTA_NAMESPACE_END
