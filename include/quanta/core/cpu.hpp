// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the CPU has that the program runs on; arch.hpp says what this unit was compiled for. A program that holds
// several builds of one function picks by `cpu_runs` (README, "One binary for several CPUs").
#pragma once

#include <quanta/arch.hpp>

#if QUANTA_CPU_ASK == 1
#include <cpuid.h>
#elif QUANTA_CPU_ASK == 2
#include <intrin.h>
#elif QUANTA_CPU_ASK == 3
#include <sys/auxv.h>
#elif QUANTA_CPU_ASK == 4
#include <sys/sysctl.h>
#endif

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// By the names of arch.hpp; false too where the operating system does not keep the registers.
struct CpuFeatures {
  bool sse2 = false, avx2 = false, avx512_vnni = false, avx_vnni = false, avx_vnni_int8 = false;
  bool neon = false, neon_dot = false, neon_i8mm = false;
};

#if QUANTA_CPU_ASK == 1 || QUANTA_CPU_ASK == 2
struct CpuId {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
};
/// Zeros for a leaf that there is not.
inline CpuId cpuid(unsigned leaf, unsigned subleaf) {
  CpuId id;
#if QUANTA_CPU_ASK == 1
  __get_cpuid_count(leaf, subleaf, &id.eax, &id.ebx, &id.ecx, &id.edx);
#else
  int words[4] = {};
  __cpuid(words, 0);
  if (static_cast<unsigned>(words[0]) < leaf) return id;
  __cpuidex(words, static_cast<int>(leaf), static_cast<int>(subleaf));
  id = {unsigned(words[0]), unsigned(words[1]), unsigned(words[2]), unsigned(words[3])};
#endif
  return id;
}
/// Which registers the operating system keeps: XCR0.
inline unsigned kept_registers() {
#if QUANTA_CPU_ASK == 1
  unsigned low = 0, high = 0;
  __asm__("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return low;
#else
  return static_cast<unsigned>(_xgetbv(0));
#endif
}

// Bits as in Intel's Software Developer's Manual, volume 2, CPUID.
inline CpuFeatures read_cpu_features() {
  const auto has = [](unsigned word, int bit) { return (word >> bit & 1u) != 0; };
  CpuFeatures cpu;
  const CpuId basic = cpuid(1, 0);
  cpu.sse2 = has(basic.edx, 26);
  if (!has(basic.ecx, 27)) return cpu;  // OSXSAVE
  const unsigned kept = kept_registers();
  const CpuId seven = cpuid(7, 0), more = cpuid(7, 1);
  const bool ymm = (kept & 0x06) == 0x06, zmm = (kept & 0xe6) == 0xe6;
  cpu.avx2 = ymm && has(seven.ebx, 5) && has(basic.ecx, 12);  // and FMA
  const bool avx512 =
      zmm && has(seven.ebx, 16) && has(seven.ebx, 17) && has(seven.ebx, 30) && has(seven.ebx, 31);  // F, DQ, BW, VL
  cpu.avx512_vnni = avx512 && has(seven.ecx, 11);
  cpu.avx_vnni = cpu.avx2 && has(more.eax, 4);
  cpu.avx_vnni_int8 = cpu.avx2 && has(more.edx, 4);
  return cpu;
}
#elif QUANTA_CPU_ASK == 3
// Bits as in Linux's arch/arm64/include/uapi/asm/hwcap.h.
inline CpuFeatures read_cpu_features() {
  CpuFeatures cpu;
  cpu.neon = true;
  cpu.neon_dot = (getauxval(AT_HWCAP) >> 20 & 1) != 0;    // ASIMDDP
  cpu.neon_i8mm = (getauxval(AT_HWCAP2) >> 13 & 1) != 0;  // I8MM
  return cpu;
}
#elif QUANTA_CPU_ASK == 4
inline CpuFeatures read_cpu_features() {
  const auto has = [](const char* name) {
    int value = 0;
    std::size_t size = sizeof value;
    return sysctlbyname(name, &value, &size, nullptr, 0) == 0 && value != 0;
  };
  CpuFeatures cpu;
  cpu.neon = true;
  cpu.neon_dot = has("hw.optional.arm.FEAT_DotProd");
  cpu.neon_i8mm = has("hw.optional.arm.FEAT_I8MM");
  return cpu;
}
#else
// Nobody to ask: what the unit was compiled for must be there, or it would not run.
inline CpuFeatures read_cpu_features() {
  CpuFeatures cpu;
  cpu.sse2 = arch::Sse2::compiled;
  cpu.neon = arch::Neon::compiled;
  cpu.neon_dot = arch::NeonDot::compiled;
  cpu.neon_i8mm = arch::NeonI8mm::compiled;
  return cpu;
}
#endif

inline const CpuFeatures& cpu_features() {
  static const CpuFeatures features = read_cpu_features();
  return features;
}

}  // namespace detail

/// Can this CPU, under its operating system, run code that was compiled for a tag of arch.hpp? Avx2 stands for AVX2
/// with FMA. Safe to ask from any thread.
template <class Arch>
bool cpu_runs() {
  const detail::CpuFeatures& cpu = detail::cpu_features();
  const auto is = []<class Other>(Other) { return std::is_same_v<Arch, Other>; };
  if (is(arch::Avx512Vnni{})) return cpu.avx512_vnni;
  // Compiled without AVX-VNNI itself, the kernel has AVX512-VNNI's encoding.
  constexpr bool evex = QUANTA_HAS_AVXVNNI != 0 && QUANTA_HAS_AVXVNNI_VEX == 0;
  if (is(arch::AvxVnni{})) return evex ? cpu.avx512_vnni : cpu.avx_vnni;
  if (is(arch::AvxVnniInt8{})) return cpu.avx_vnni_int8;
  if (is(arch::Avx2{})) return cpu.avx2;
  if (is(arch::Sse2{})) return cpu.sse2;
  if (is(arch::NeonI8mm{})) return cpu.neon_i8mm;
  if (is(arch::NeonDot{})) return cpu.neon_dot;
  if (is(arch::Neon{})) return cpu.neon;
  return true;  // Scalar
}

QUANTA_NAMESPACE_END
