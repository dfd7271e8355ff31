// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One tag per instruction set that has code of its own, and `arch::Native`, the best one this translation unit is
// compiled for. The choice is made by the compiler's flags, never at run time: a program that must pick by the CPU
// compiles one file several times with different flags (README, "One binary for several CPUs").
#pragma once

#include <type_traits>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
namespace arch {

/// Every tag has `name`, as printed by programs; `compiled`: do this unit's flags allow its instructions? and `flags`,
/// which would, for g++ and clang.
struct Avx512Vnni {
  static constexpr const char* name = "Avx512Vnni";
  static constexpr bool compiled = QUANTA_HAS_AVX512VNNI != 0;
  static constexpr const char* flags = "-march=x86-64-v4 -mavx512vnni";
};
struct AvxVnni {
  static constexpr const char* name = "AvxVnni";
  static constexpr bool compiled = QUANTA_HAS_AVXVNNI != 0;
  static constexpr const char* flags = "-mavx2 -mfma -mavxvnni";
};
struct AvxVnniInt8 {
  static constexpr const char* name = "AvxVnniInt8";
  static constexpr bool compiled = QUANTA_HAS_AVXVNNIINT8 != 0;
  static constexpr const char* flags = "-mavx2 -mfma -mavxvnniint8";
};
struct Avx2 {
  static constexpr const char* name = "Avx2";
  static constexpr bool compiled = QUANTA_HAS_AVX2 != 0;
  static constexpr const char* flags = "-mavx2 -mfma";
};
struct NeonI8mm {
  static constexpr const char* name = "NeonI8mm";
  static constexpr bool compiled = QUANTA_HAS_NEONI8MM != 0;
  static constexpr const char* flags = "-march=armv8.6-a";
};
struct NeonDot {
  static constexpr const char* name = "NeonDot";
  static constexpr bool compiled = QUANTA_HAS_NEONDOT != 0;
  static constexpr const char* flags = "-march=armv8.2-a+dotprod";
};
struct Neon {
  static constexpr const char* name = "Neon";
  static constexpr bool compiled = QUANTA_HAS_NEON != 0;
  static constexpr const char* flags = "-march=armv8-a";
};
/// Portable C++, always there.
struct Scalar {
  static constexpr const char* name = "Scalar";
  static constexpr bool compiled = true;
  static constexpr const char* flags = "";
};

template <class... Archs>
struct List {};

/// All of them, best first. AvxVnniInt8 stands behind AvxVnni, which is as fast, because it has not been run yet.
using All = List<Avx512Vnni, AvxVnni, AvxVnniInt8, Avx2, NeonI8mm, NeonDot, Neon, Scalar>;

/// The first tag of a list for which `Usable<Tag>::value` holds.
template <template <class> class Usable, class List>
struct First;
template <template <class> class Usable, class Head, class... Tail>
struct First<Usable, List<Head, Tail...>>
    : std::conditional_t<Usable<Head>::value, std::type_identity<Head>, First<Usable, List<Tail...>>> {};

template <class Arch>
using IsCompiled = std::bool_constant<Arch::compiled>;

/// The best instruction set this unit is compiled for.
using Native = First<IsCompiled, All>::type;

}  // namespace arch
QUANTA_NAMESPACE_END
