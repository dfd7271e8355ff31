// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Version, what the compiler was told to target, and the name of the ABI namespace. The one file of the library that
// reads compiler macros; it holds no code.
//
// Switches a user may define before the first include (each the same in every file of one target):
//
//   QUANTA_FORCE_SCALAR       use no vector instructions, whatever the flags allow
//   QUANTA_ALLOW_FAST_MATH    compile under -ffast-math although results are then no longer the same everywhere
//   QUANTA_ENABLE_<ISA>       MSVC only: it compiles every instruction with any flags and has no macros for AVXVNNI,
//                             AVX512VNNI, AVXVNNIINT8, NEONDOT and NEONI8MM, so say that the CPU has them. clang-cl has
//                             the macros of clang, and MSVC's own __AVX2__, __AVX512F__ and so on follow /arch
//   QUANTA_L2_KILOBYTES       the second-level cache of one core, a plain number, 1024 unless defined: products are
//                             walked in blocks that fit it (gemm/loop_nest.hpp); results do not depend on it
#pragma once

#if !(__cplusplus >= 202002L || (defined(_MSVC_LANG) && _MSVC_LANG >= 202002L))
#error "Quanta needs C++20: compile with -std=c++20 (MSVC: /std:c++20)"
#endif

#include <cfloat>
// For EIGEN_MAX_ALIGN_BYTES alone, which is part of the ABI token; everything else of Eigen comes by core/eigen.hpp.
#include <Eigen/Core>

#define QUANTA_VERSION_MAJOR 0  ///< Of 0.1.0, the 0. Part of the ABI: units of different versions do not mix.
#define QUANTA_VERSION_MINOR 1  ///< Of 0.1.0, the 1. While the first number is 0, this one changes with the API.
#define QUANTA_VERSION_PATCH 0  ///< Of 0.1.0, the last 0.

// ---- What the numbers need -------------------------------------------------------------------------------------------

#if !defined(QUANTA_ALLOW_FAST_MATH) &&                                                        \
    (defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0) || \
     defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(_M_FP_FAST))
#error "Quanta's results are the same bits everywhere only without -ffast-math; QUANTA_ALLOW_FAST_MATH gives that up"
#endif

#if defined(FLT_EVAL_METHOD) && FLT_EVAL_METHOD != 0
#error "Quanta needs float arithmetic in float (FLT_EVAL_METHOD 0): on 32-bit x86 compile with -msse2 -mfpmath=sse"
#endif

#if !EIGEN_VERSION_AT_LEAST(3, 4, 0)
#error "Quanta needs Eigen 3.4 or newer"
#endif

// ---- Optimization ----------------------------------------------------------------------------------------------------

/// \def QUANTA_IS_OPTIMIZED
/// 1: the compiler optimizes; 0: it does not, as with -O0, and no time says anything. Assumed where it does not tell.
#if defined(__GNUC__) && !defined(__OPTIMIZE__)
#define QUANTA_IS_OPTIMIZED 0
#else
#define QUANTA_IS_OPTIMIZED 1
#endif

// ---- Exceptions ------------------------------------------------------------------------------------------------------

/// \def QUANTA_HAS_EXCEPTIONS
/// 1: bad input throws; 0, with -fno-exceptions: it calls the handler of set_error_handler (core/error.hpp).
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define QUANTA_HAS_EXCEPTIONS 1
#else
#define QUANTA_HAS_EXCEPTIONS 0
#endif

// ---- Files that can be mapped and flushed (io/) ----------------------------------------------------------------------

/// \def QUANTA_HAS_POSIX_FILES
/// 1: files are mapped when they are read, and on the disk when they are written; 0: both is left to the C++ library.
#if defined(__unix__) || defined(__APPLE__)
#define QUANTA_HAS_POSIX_FILES 1
#else
#define QUANTA_HAS_POSIX_FILES 0
#endif

// ---- Instruction sets: QUANTA_HAS_<ISA> is 0 or 1 -------------------------------------------------------------------

/// \def QUANTA_HAS_FMA
/// 1: the fused multiply-add is an instruction; 0: it is computed exactly without (core/fp.hpp).
/// \def QUANTA_HAS_SSE2
/// May this unit use SSE2, which every x86-64 has? As all below it is 0 with QUANTA_FORCE_SCALAR.
/// \def QUANTA_HAS_AVX2
/// May this unit use AVX2?
/// \def QUANTA_HAS_F16C
/// AVX2, and conversions from half?
/// \def QUANTA_HAS_AVX512
/// AVX-512 F, BW, DQ and VL?
/// \def QUANTA_HAS_AVX512VBMI
/// AVX-512 as above and AVX512-VBMI?
/// \def QUANTA_HAS_AVX512VNNI
/// AVX-512 as above and AVX512-VNNI: arch::Avx512Vnni.
/// \def QUANTA_HAS_AVXVNNI
/// The 256-bit dot product in either encoding: arch::AvxVnni.
/// \def QUANTA_HAS_AVXVNNIINT8
/// AVX-VNNI-INT8: arch::AvxVnniInt8.
/// \def QUANTA_HAS_NEON
/// NEON of arm64: arch::Neon.
/// \def QUANTA_HAS_NEONDOT
/// NEON's SDOT and UDOT: arch::NeonDot.
/// \def QUANTA_HAS_NEONI8MM
/// NEON's SMMLA and USMMLA: arch::NeonI8mm.
#if defined(__FMA__) || defined(__aarch64__) || defined(_M_ARM64) || (defined(_MSC_VER) && defined(__AVX2__))
#define QUANTA_HAS_FMA 1
#else
#define QUANTA_HAS_FMA 0
#endif

#if defined(QUANTA_FORCE_SCALAR)
#define QUANTA_SCALAR_ONLY 1
#else
#define QUANTA_SCALAR_ONLY 0
#endif

#if !QUANTA_SCALAR_ONLY && (defined(__SSE2__) || defined(_M_X64) || (defined(_M_IX86_FP) && _M_IX86_FP >= 2))
#define QUANTA_HAS_SSE2 1
#else
#define QUANTA_HAS_SSE2 0
#endif

#if !QUANTA_SCALAR_ONLY && defined(__AVX2__)
#define QUANTA_HAS_AVX2 1
#else
#define QUANTA_HAS_AVX2 0
#endif

#if QUANTA_HAS_AVX2 && (defined(__F16C__) || defined(_MSC_VER))
#define QUANTA_HAS_F16C 1
#else
#define QUANTA_HAS_F16C 0
#endif

#if !QUANTA_SCALAR_ONLY && defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && \
    defined(__AVX512VL__)
#define QUANTA_HAS_AVX512 1
#else
#define QUANTA_HAS_AVX512 0
#endif

#if QUANTA_HAS_AVX512 && defined(__AVX512VBMI__)
#define QUANTA_HAS_AVX512VBMI 1
#else
#define QUANTA_HAS_AVX512VBMI 0
#endif

#if QUANTA_HAS_AVX512 && (defined(__AVX512VNNI__) || defined(QUANTA_ENABLE_AVX512VNNI))
#define QUANTA_HAS_AVX512VNNI 1
#else
#define QUANTA_HAS_AVX512VNNI 0
#endif

// The 256-bit dot product has two encodings: VEX (AVX-VNNI) and EVEX (AVX512-VNNI with VL). Either makes the kernel
// run.
#if !QUANTA_SCALAR_ONLY && (defined(__AVXVNNI__) || (QUANTA_HAS_AVX2 && defined(QUANTA_ENABLE_AVXVNNI)))
#define QUANTA_HAS_AVXVNNI_VEX 1
#else
#define QUANTA_HAS_AVXVNNI_VEX 0
#endif
#if QUANTA_HAS_AVXVNNI_VEX || QUANTA_HAS_AVX512VNNI
#define QUANTA_HAS_AVXVNNI 1
#else
#define QUANTA_HAS_AVXVNNI 0
#endif

// The dot product of two signed operands (Intel Arrow Lake, Lunar Lake and Sierra Forest). No CPU has it without
// AVX-VNNI.
#if !QUANTA_SCALAR_ONLY && (defined(__AVXVNNIINT8__) || (QUANTA_HAS_AVX2 && defined(QUANTA_ENABLE_AVXVNNIINT8)))
#define QUANTA_HAS_AVXVNNIINT8 1
#else
#define QUANTA_HAS_AVXVNNIINT8 0
#endif

// 32-bit Arm has neither a round-to-nearest convert nor a divide on vectors; it uses the portable code.
#if !QUANTA_SCALAR_ONLY && ((defined(__aarch64__) && defined(__ARM_NEON)) || defined(_M_ARM64))
#define QUANTA_HAS_NEON 1
#else
#define QUANTA_HAS_NEON 0
#endif

#if QUANTA_HAS_NEON && (defined(__ARM_FEATURE_DOTPROD) || defined(QUANTA_ENABLE_NEONDOT))
#define QUANTA_HAS_NEONDOT 1
#else
#define QUANTA_HAS_NEONDOT 0
#endif

#if QUANTA_HAS_NEON && (defined(__ARM_FEATURE_MATMUL_INT8) || defined(QUANTA_ENABLE_NEONI8MM))
#define QUANTA_HAS_NEONI8MM 1
#else
#define QUANTA_HAS_NEONI8MM 0
#endif

// Whom core/cpu.hpp asks what the CPU has: nobody (0), cpuid by <cpuid.h> (1) or <intrin.h> (2), arm64's Linux (3) or
// macOS (4).
#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#define QUANTA_CPU_ASK 1
#elif (defined(_M_X64) || defined(_M_IX86)) && defined(_MSC_VER)
#define QUANTA_CPU_ASK 2
#elif defined(__aarch64__) && defined(__linux__)
#define QUANTA_CPU_ASK 3
#elif defined(__aarch64__) && defined(__APPLE__)
#define QUANTA_CPU_ASK 4
#else
#define QUANTA_CPU_ASK 0
#endif

/// \def QUANTA_L2_KILOBYTES
/// The second-level cache of one core in units of 1024 bytes; a switch of the user's, see config.hpp.
#if !defined(QUANTA_L2_KILOBYTES)
#define QUANTA_L2_KILOBYTES 1024
#endif

// ---- How to keep a float value out of the optimizer's sight (core/fp.hpp) ----------------------------------------------

// clang-cl defines no __GNUC__, but knows what this file asks of GCC.
#if defined(__GNUC__) || defined(__clang__)
#define QUANTA_GNU_SYNTAX 1
#else
#define QUANTA_GNU_SYNTAX 0
#endif

#if QUANTA_GNU_SYNTAX && defined(__AVX512F__)
#define QUANTA_FLOAT_REGISTER "+v"
#elif QUANTA_GNU_SYNTAX && (defined(__x86_64__) || defined(__SSE2__))
#define QUANTA_FLOAT_REGISTER "+x"
#elif QUANTA_GNU_SYNTAX && defined(__aarch64__)
#define QUANTA_FLOAT_REGISTER "+w"
#endif

// ---- Spelling --------------------------------------------------------------------------------------------------------

#if QUANTA_GNU_SYNTAX
#define QUANTA_ALWAYS_INLINE inline __attribute__((always_inline))
#define QUANTA_INLINE_LAMBDA __attribute__((always_inline))
#define QUANTA_NOINLINE __attribute__((noinline))
#define QUANTA_COLD __attribute__((noinline, cold))
#define QUANTA_RESTRICT __restrict__
#elif defined(_MSC_VER)
#define QUANTA_ALWAYS_INLINE __forceinline
#define QUANTA_INLINE_LAMBDA
#define QUANTA_NOINLINE __declspec(noinline)
#define QUANTA_COLD __declspec(noinline)
#define QUANTA_RESTRICT __restrict
#else
#define QUANTA_ALWAYS_INLINE inline
#define QUANTA_INLINE_LAMBDA
#define QUANTA_NOINLINE
#define QUANTA_COLD
#define QUANTA_RESTRICT
#endif

// Asks for the cache line at p, to read it at once, to read it soon, for which the second-level cache is near enough,
// or to write it.
#if defined(__GNUC__)
#define QUANTA_PREFETCH(p) __builtin_prefetch(p)
#define QUANTA_PREFETCH_SOON(p) __builtin_prefetch(p, 0, 2)
#define QUANTA_PREFETCH_TO_WRITE(p) __builtin_prefetch(p, 1)
#else
#define QUANTA_PREFETCH(p) static_cast<void>(p)
#define QUANTA_PREFETCH_SOON(p) static_cast<void>(p)
#define QUANTA_PREFETCH_TO_WRITE(p) static_cast<void>(p)
#endif

// Before a loop of a few turns, a constant number: written out, also with -O2. What it indexes can stay in registers;
// the accumulators of a micro-kernel do.
#if defined(__GNUC__)
#define QUANTA_UNROLL _Pragma("GCC unroll 32")
#else
#define QUANTA_UNROLL
#endif

// Before a function, or a member function of a class, that is no template: makes it one, which is compiled by those who
// call it and only read by all who include the header. Its definition, where that stands apart, begins with
// QUANTA_LAZY_BODY.
#define QUANTA_LAZY template <int = 0>
#define QUANTA_LAZY_BODY template <int>

// Before a loop that is worth vectorizing and that clang would unroll instead; GCC vectorizes it as it is, but for one
// of a few turns, a constant number, which it too unrolls with -O3.
#if defined(__clang__)
#define QUANTA_VECTORIZE_LOOP _Pragma("clang loop vectorize(enable) unroll(disable)")
#define QUANTA_VECTORIZE_SHORT_LOOP QUANTA_VECTORIZE_LOOP
#elif defined(__GNUC__)
#define QUANTA_VECTORIZE_LOOP
#define QUANTA_VECTORIZE_SHORT_LOOP _Pragma("GCC unroll 1")
#else
#define QUANTA_VECTORIZE_LOOP
#define QUANTA_VECTORIZE_SHORT_LOOP
#endif

// ---- The ABI namespace -----------------------------------------------------------------------------------------------
//
// Two translation units compiled with different flags may be linked into one program: an inline function compiled for
// AVX-512 must then never replace the one compiled for baseline. So everything that changes the generated code is part
// of an inline namespace's name. QUANTA_ABI_BIT(m) is 1 for a macro defined as 1, else 0.

#define QUANTA_ABI_IS_1 ~, 1
#define QUANTA_ABI_SECOND(a, b, ...) b
#define QUANTA_ABI_PICK(...) QUANTA_ABI_SECOND(__VA_ARGS__)
#define QUANTA_ABI_BIT_OF(v) QUANTA_ABI_PICK(QUANTA_ABI_IS_##v, 0, 0)
#define QUANTA_ABI_BIT(m) QUANTA_ABI_BIT_OF(m)
#define QUANTA_ABI_GLUE_RAW(a, b, c, d, e, f, g, h) a##b##c##d##e##f##g##h
#define QUANTA_ABI_GLUE(a, b, c, d, e, f, g, h) QUANTA_ABI_GLUE_RAW(a, b, c, d, e, f, g, h)
#define QUANTA_ABI_BITS(a, b, c, d, e, f, g, h)                                                                  \
  QUANTA_ABI_GLUE(QUANTA_ABI_BIT(a), QUANTA_ABI_BIT(b), QUANTA_ABI_BIT(c), QUANTA_ABI_BIT(d), QUANTA_ABI_BIT(e), \
                  QUANTA_ABI_BIT(f), QUANTA_ABI_BIT(g), QUANTA_ABI_BIT(h))

#if defined(__x86_64__) || defined(__i386__) || defined(_M_X64) || defined(_M_IX86)
#define QUANTA_ABI_ISA                                                                                                 \
  QUANTA_ABI_GLUE(                                                                                                     \
      x86_, QUANTA_ABI_BITS(__SSE3__, __SSSE3__, __SSE4_1__, __SSE4_2__, __AVX__, __AVX2__, __FMA__, __F16C__), _,     \
      QUANTA_ABI_BITS(__BMI__, __BMI2__, __LZCNT__, __POPCNT__, __MOVBE__, __AVXVNNI__, __AVXVNNIINT8__, __GFNI__), _, \
      QUANTA_ABI_BITS(__AVX512F__, __AVX512CD__, __AVX512BW__, __AVX512DQ__, __AVX512VL__, __AVX512VNNI__,             \
                      __AVX512VBMI__, __AVX512VBMI2__),                                                                \
      _,                                                                                                               \
      QUANTA_ABI_BITS(__AVX512IFMA__, __AVX512BITALG__, __AVX512VPOPCNTDQ__, __AVX512BF16__, __AVX512FP16__, __VAES__, \
                      __AVXIFMA__, __AVX10_1__))
#elif defined(__aarch64__) || defined(__arm__) || defined(_M_ARM64) || defined(_M_ARM)
#define QUANTA_ABI_ISA                                                                                             \
  QUANTA_ABI_GLUE(arm_,                                                                                            \
                  QUANTA_ABI_BITS(__ARM_NEON, __ARM_FEATURE_FMA, __ARM_FEATURE_DOTPROD, __ARM_FEATURE_MATMUL_INT8, \
                                  __ARM_FEATURE_FP16_VECTOR_ARITHMETIC, __ARM_FEATURE_BF16_VECTOR_ARITHMETIC,      \
                                  __ARM_FEATURE_SVE, __ARM_FEATURE_SVE2),                                          \
                  _, QUANTA_ABI_BIT(__ARM_FEATURE_ATOMICS), QUANTA_ABI_BIT(__ARM_FEATURE_QRDMX),                   \
                  QUANTA_ABI_BIT(__ARM_FEATURE_CRC32), QUANTA_ABI_BIT(__ARM_FEATURE_SME), )
#else
#define QUANTA_ABI_ISA generic
#endif

#if EIGEN_MAX_ALIGN_BYTES == 0
#define QUANTA_ABI_ALIGN 0
#elif EIGEN_MAX_ALIGN_BYTES == 16
#define QUANTA_ABI_ALIGN 16
#elif EIGEN_MAX_ALIGN_BYTES == 32
#define QUANTA_ABI_ALIGN 32
#elif EIGEN_MAX_ALIGN_BYTES == 64
#define QUANTA_ABI_ALIGN 64
#else
#define QUANTA_ABI_ALIGN other
#endif

#if defined(QUANTA_ALLOW_FAST_MATH)
#define QUANTA_FAST_MATH 1
#else
#define QUANTA_FAST_MATH 0
#endif
#define QUANTA_ABI_VERSION \
  QUANTA_ABI_GLUE(v, QUANTA_VERSION_MAJOR, _, QUANTA_VERSION_MINOR, _, QUANTA_VERSION_PATCH, _, )
#define QUANTA_ABI_ENABLED                                                                                       \
  QUANTA_ABI_GLUE(_e, QUANTA_HAS_AVXVNNI_VEX, QUANTA_HAS_AVX512VNNI, QUANTA_HAS_AVXVNNIINT8, QUANTA_HAS_NEONDOT, \
                  QUANTA_HAS_NEONI8MM, , )
#define QUANTA_ABI_SWITCHES \
  QUANTA_ABI_GLUE(_s, QUANTA_SCALAR_ONLY, QUANTA_FAST_MATH, QUANTA_HAS_EXCEPTIONS, _align, QUANTA_ABI_ALIGN, , )
#define QUANTA_ABI                                                                                   \
  QUANTA_ABI_GLUE(QUANTA_ABI_VERSION, QUANTA_ABI_ISA, QUANTA_ABI_ENABLED, QUANTA_ABI_SWITCHES, _l2_, \
                  QUANTA_L2_KILOBYTES, , )

#define QUANTA_NAMESPACE_BEGIN \
  namespace quanta {           \
  inline namespace QUANTA_ABI {
#define QUANTA_NAMESPACE_END \
  }                          \
  }
