// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One tag per instruction set that has code of its own, and `arch::Native`, the best one this translation unit is
// compiled for. The choice is made by the compiler's flags, never at run time: a program that must pick by the CPU
// compiles one file several times with different flags (README, "One binary for several CPUs").
#pragma once

#include <type_traits>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
/// Instruction sets, as tags.
namespace arch {

/// AVX-512 F, BW, DQ, VL and VNNI: 512-bit dot products (Intel servers since Cascade Lake, AMD since Zen 4).
struct Avx512Vnni {
  static constexpr const char* name = "Avx512Vnni";                      ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_AVX512VNNI != 0;           ///< do this unit's flags allow it?
  static constexpr const char* flags = "-march=x86-64-v4 -mavx512vnni";  ///< of g++ and clang, which would
};
/// AVX-VNNI: 256-bit dot products (Intel desktops and laptops since Alder Lake).
struct AvxVnni {
  static constexpr const char* name = "AvxVnni";                  ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_AVXVNNI != 0;       ///< do this unit's flags allow it?
  static constexpr const char* flags = "-mavx2 -mfma -mavxvnni";  ///< of g++ and clang, which would
};
/// AVX-VNNI-INT8: 256-bit dot products of two signed operands (Intel since Arrow Lake).
struct AvxVnniInt8 {
  static constexpr const char* name = "AvxVnniInt8";                  ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_AVXVNNIINT8 != 0;       ///< do this unit's flags allow it?
  static constexpr const char* flags = "-mavx2 -mfma -mavxvnniint8";  ///< of g++ and clang, which would
};
/// AVX2: 16-bit multipliers, no dot product of bytes (Intel since Haswell, AMD since Zen).
struct Avx2 {
  static constexpr const char* name = "Avx2";             ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_AVX2 != 0;  ///< do this unit's flags allow it?
  static constexpr const char* flags = "-mavx2 -mfma";    ///< of g++ and clang, which would
};
/// SSE2: 16-bit multipliers (every x86-64).
struct Sse2 {
  static constexpr const char* name = "Sse2";             ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_SSE2 != 0;  ///< do this unit's flags allow it?
  static constexpr const char* flags = "-msse2";          ///< of g++ and clang, which would
};
/// arm64 with I8MM: products of 2 x 8 and 8 x 2 bytes (Neoverse V1, Cortex-A710, Apple M2 and their successors).
struct NeonI8mm {
  static constexpr const char* name = "NeonI8mm";             ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_NEONI8MM != 0;  ///< do this unit's flags allow it?
  static constexpr const char* flags = "-march=armv8.6-a";    ///< of g++ and clang, which would
};
/// arm64 with SDOT (Cortex-A76, Neoverse N1, Apple M1 and their successors).
struct NeonDot {
  static constexpr const char* name = "NeonDot";                    ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_NEONDOT != 0;         ///< do this unit's flags allow it?
  static constexpr const char* flags = "-march=armv8.2-a+dotprod";  ///< of g++ and clang, which would
};
/// Every arm64: NEON's multipliers of bytes.
struct Neon {
  static constexpr const char* name = "Neon";             ///< as programs print it
  static constexpr bool compiled = QUANTA_HAS_NEON != 0;  ///< do this unit's flags allow it?
  static constexpr const char* flags = "-march=armv8-a";  ///< of g++ and clang, which would
};
/// Portable C++, always there.
struct Scalar {
  static constexpr const char* name = "Scalar";  ///< as programs print it
  static constexpr bool compiled = true;         ///< do this unit's flags allow it?
  static constexpr const char* flags = "";       ///< of g++ and clang, which would
};

/// Tags in an order.
template <class... Archs>
struct List {};

/// All of them, best first. AvxVnniInt8 stands behind AvxVnni, which is as fast, because it has not been run yet.
using All = List<Avx512Vnni, AvxVnni, AvxVnniInt8, Avx2, Sse2, NeonI8mm, NeonDot, Neon, Scalar>;

/// The first tag of a list for which `Usable<Tag>::value` holds.
template <template <class> class Usable, class List>
struct First;
/// The head of the list, or the first of its tail. It has a member `type`.
template <template <class> class Usable, class Head, class... Tail>
struct First<Usable, List<Head, Tail...>>
    : std::conditional_t<Usable<Head>::value, std::type_identity<Head>, First<Usable, List<Tail...>>> {};

/// Is this unit compiled for it?
template <class Arch>
using IsCompiled = std::bool_constant<Arch::compiled>;

/// The best instruction set this unit is compiled for.
using Native = First<IsCompiled, All>::type;

}  // namespace arch
QUANTA_NAMESPACE_END
