// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the CPU can do that the program was started on. Each asks for all instructions that the flags of one build in
// CMakeLists.txt allow the compiler.
#pragma once

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#endif

namespace cpu {

#if defined(__x86_64__)

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

/// The compilers of 2022 do not all know it by name: leaf 7, subleaf 1, bit 4 of eax.
inline bool has_avx_vnni() {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return has_avx2() && __get_cpuid_count(7, 1, &a, &b, &c, &d) != 0 && (a >> 4 & 1u) != 0;
}

inline bool has_avx512_vnni() {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
         __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
         __builtin_cpu_supports("avx512vnni");
}

#elif defined(__aarch64__)

/// Linux says what there is in two words, whose bits the kernel's <asm/hwcap.h> names. Elsewhere: no.
inline bool has_dotprod() {
#if defined(__linux__)
  return (getauxval(AT_HWCAP) >> 20 & 1u) != 0;  // HWCAP_ASIMDDP
#else
  return false;
#endif
}

inline bool has_i8mm() {
#if defined(__linux__)
  return has_dotprod() && (getauxval(AT_HWCAP2) >> 13 & 1u) != 0;  // HWCAP2_I8MM
#else
  return false;
#endif
}

#endif

}  // namespace cpu
