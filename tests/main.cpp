// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// main() of the tests. Refuses to start on a CPU that lacks what the tests were compiled for, and says at the end
// which instruction sets were covered. Holds no test.

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string>

#include <gtest/gtest.h>

#if __has_include(<quanta/arch.hpp>)
#include <quanta/arch.hpp>
#define TESTS_HAVE_ARCH 1
#else
#define TESTS_HAVE_ARCH 0
#endif

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif

namespace {

// What this CPU can run. Nothing here depends on the flags of the build.
struct Cpu {
  bool sse2 = false, avx2 = false, fma = false, avx512 = false, avx512_vnni = false, avx_vnni = false,
       avx_vnni_int8 = false;
  bool neon = false, neon_dot = false, neon_i8mm = false;

  Cpu() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    sse2 = __builtin_cpu_supports("sse2") != 0;
    avx2 = __builtin_cpu_supports("avx2") != 0;
    fma = __builtin_cpu_supports("fma") != 0;
    avx512 = __builtin_cpu_supports("avx512f") != 0 && __builtin_cpu_supports("avx512bw") != 0 &&
             __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0;
    avx512_vnni = avx512 && __builtin_cpu_supports("avx512vnni") != 0;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;  // leaf 7, subleaf 1: no compiler of 2022 has names for these bits
    if (avx2 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0) {
      avx_vnni = (eax >> 4 & 1u) != 0;
      avx_vnni_int8 = (edx >> 4 & 1u) != 0;
    }
#elif defined(__aarch64__)
    neon = true;
#if defined(__linux__) && defined(HWCAP_ASIMDDP)
    neon_dot = (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) != 0;
#endif
#if defined(__linux__) && defined(HWCAP2_I8MM)
    neon_i8mm = (getauxval(AT_HWCAP2) & HWCAP2_I8MM) != 0;
#endif
#endif
  }
};

// What the flags of this build let the compiler use anywhere in the program, and this CPU lacks; null if nothing.
const char* lacking(const Cpu& cpu) {
#if defined(__AVX2__)
  if (!cpu.avx2) return "AVX2";
#endif
#if defined(__FMA__)
  if (!cpu.fma) return "FMA";
#endif
#if defined(__AVX512F__)
  if (!cpu.avx512) return "AVX-512 (F, BW, VL, DQ)";
#endif
#if defined(__AVX512VNNI__)
  if (!cpu.avx512_vnni) return "AVX512-VNNI";
#endif
#if defined(__AVXVNNI__)
  if (!cpu.avx_vnni) return "AVX-VNNI";
#endif
#if defined(__AVXVNNIINT8__)
  if (!cpu.avx_vnni_int8) return "AVX-VNNI-INT8";
#endif
#if defined(__ARM_FEATURE_DOTPROD) && defined(__linux__)
  if (!cpu.neon_dot) return "DotProd";
#endif
#if defined(__ARM_FEATURE_MATMUL_INT8) && defined(__linux__)
  if (!cpu.neon_i8mm) return "I8MM";
#endif
  static_cast<void>(cpu);
  return nullptr;
}

// Runs before main() and before the constructors of static objects, which may already use those instructions.
[[gnu::constructor(101)]] void stop_on_unfit_cpu() {
  if (const char* what = lacking(Cpu{})) {
    std::printf("skipped: this CPU lacks %s\n", what);
    std::fflush(stdout);
    std::_Exit(77);
  }
}

#if TESTS_HAVE_ARCH
void print_isas() {
  namespace arch = quanta::arch;
  const Cpu cpu;
  std::string compiled, runs;
  const auto add = [&]<class Isa>(Isa, bool can_run) {
    if (Isa::compiled) compiled += std::string(" ") + Isa::name;
    if (can_run) runs += std::string(" ") + Isa::name;
  };
  add(arch::Scalar{}, true);
  add(arch::Sse2{}, cpu.sse2);
  add(arch::Avx2{}, cpu.avx2 && cpu.fma);
  add(arch::AvxVnniInt8{}, cpu.avx_vnni_int8);
  add(arch::AvxVnni{}, cpu.avx_vnni || cpu.avx512_vnni);  // two encodings of one instruction
  add(arch::Avx512Vnni{}, cpu.avx512_vnni);
  add(arch::Neon{}, cpu.neon);
  add(arch::NeonDot{}, cpu.neon_dot);
  add(arch::NeonI8mm{}, cpu.neon_i8mm);
  std::cout << "ISAs compiled in:" << compiled << "; this CPU runs:" << runs << "; in use: " << arch::Native::name
            << std::endl;
}
#else
void print_isas() {}
#endif

}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  const int status = RUN_ALL_TESTS();
  print_isas();
  // A misspelt filter or an empty directory must not pass for success.
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  if (all.test_to_run_count() == 0 && std::getenv("GTEST_TOTAL_SHARDS") == nullptr) {
    std::cout << "no test ran" << std::endl;
    return 1;
  }
  return status;
}
