// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One program for every CPU: it holds several builds of one function (net.cpp) and picks the best that the CPU can run
// when it starts. This file is compiled for any CPU.
#include <cstdio>
#include <cstring>
#include <vector>

#include <quanta/core/cpu.hpp>

#include "../support/expect.hpp"

namespace arch = quanta::arch;
using quanta::cpu_runs;

using Net = const char*(const float* weight, const float* x, float* y, int m, int n, int k);
extern "C" {
Net net_baseline;
#if defined(__x86_64__)
Net net_avx2, net_avx_vnni, net_avx512_vnni;
#elif defined(__aarch64__)
Net net_dotprod, net_i8mm;
#endif
}

struct Build {
  const char* name;
  Net* net;
  bool runs_here;
};

int main() {
  const std::vector<Build> builds = {
#if defined(__x86_64__)
    {"AVX512-VNNI", net_avx512_vnni, cpu_runs<arch::Avx512Vnni>()},
    {"AVX-VNNI", net_avx_vnni, cpu_runs<arch::AvxVnni>()},
    {"AVX2", net_avx2, cpu_runs<arch::Avx2>()},
#elif defined(__aarch64__)
    {"i8mm", net_i8mm, cpu_runs<arch::NeonI8mm>()},
    {"dotprod", net_dotprod, cpu_runs<arch::NeonDot>()},
#endif
    {"baseline", net_baseline, true},
  };
  const Build* best = &builds.front();
  while (!best->runs_here) ++best;

  constexpr int m = 5, n = 64, k = 300;
  std::vector<float> weight(n * k), x(m * k), y(m * n), again(m * n);
  for (int i = 0; i < n * k; ++i) weight[static_cast<std::size_t>(i)] = static_cast<float>(i * 37 % 101) / 50.0f - 1.0f;
  for (int i = 0; i < m * k; ++i) x[static_cast<std::size_t>(i)] = static_cast<float>(i * 29 % 97) / 48.0f - 1.0f;
  std::printf("picked: %s, with the kernel %s\n", best->name, best->net(weight.data(), x.data(), y.data(), m, n, k));

  // Whichever is picked, the result is the same.
  for (const Build& build : builds) {
    if (!build.runs_here) {
      std::printf("  %-12s this CPU lacks it\n", build.name);
      continue;
    }
    const char* kernel = build.net(weight.data(), x.data(), again.data(), m, n, k);
    const bool same = std::memcmp(y.data(), again.data(), y.size() * sizeof(float)) == 0;
    std::printf("  %-12s %-12s %s\n", build.name, kernel, same ? "the same bits" : "OTHER BITS");
    examples::expect(same, "every build gives the same bits");
  }
}
