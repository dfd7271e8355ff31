// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>

#include <gtest/gtest.h>

#include <quanta/core/cpu.hpp>

namespace quanta::test {
namespace {

/// What Linux says of the CPU: the words of the line "flags" (x86) or "Features" (arm64) of /proc/cpuinfo.
std::set<std::string> words_of_linux() {
  std::ifstream file("/proc/cpuinfo");
  const std::string wanted = QUANTA_HAS_NEON != 0 ? "Features" : "flags";
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(wanted, 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), std::istream_iterator<std::string>()};
  }
  return {};
}

TEST(Cpu, HasWhatTheOperatingSystemSays) {
  const std::set<std::string> words = words_of_linux();
  if (words.empty()) GTEST_SKIP() << "there is no /proc/cpuinfo of this kind of CPU here";
  const auto has = [&](const char* word) { return words.count(word) != 0; };
#if QUANTA_CPU_ASK == 1
  const bool avx512 = has("avx512f") && has("avx512bw") && has("avx512dq") && has("avx512vl");
  const detail::CpuFeatures& cpu = detail::cpu_features();
  EXPECT_EQ(cpu.sse2, has("sse2"));
  EXPECT_EQ(cpu.avx2, has("avx2") && has("fma"));
  EXPECT_EQ(cpu.avx512_vnni, avx512 && has("avx512_vnni"));
  EXPECT_EQ(cpu.avx_vnni, has("avx_vnni"));
#elif QUANTA_CPU_ASK == 3
  EXPECT_EQ(cpu_runs<arch::NeonDot>(), has("asimddp"));
  EXPECT_EQ(cpu_runs<arch::NeonI8mm>(), has("i8mm"));
#else
  GTEST_SKIP() << "not asked here";
#endif
}

// This very program is compiled for it, and runs.
TEST(Cpu, RunsWhatThisTestIsCompiledFor) {
  EXPECT_TRUE(cpu_runs<arch::Native>());
  EXPECT_TRUE(cpu_runs<arch::Scalar>());
}

TEST(Cpu, IsOfOneKind) {
  EXPECT_FALSE((cpu_runs<arch::Sse2>() && cpu_runs<arch::Neon>()));
  EXPECT_TRUE(cpu_runs<arch::Neon>() || !(cpu_runs<arch::NeonI8mm>() || cpu_runs<arch::NeonDot>()));
  EXPECT_TRUE(cpu_runs<arch::Sse2>() || !cpu_runs<arch::Avx2>());
  EXPECT_TRUE(cpu_runs<arch::Avx2>() || !cpu_runs<arch::Avx512Vnni>());
}

}  // namespace
}  // namespace quanta::test
