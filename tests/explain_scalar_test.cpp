// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A unit with other flags than the rest of the tests: explain follows them.
#if !defined(QUANTA_FORCE_SCALAR)
#define QUANTA_FORCE_SCALAR
#endif
#include <string>

#include <gtest/gtest.h>

#include <quanta/explain.hpp>

namespace quanta::test {
namespace {

TEST(ExplainScalar, SaysWhatTheUnitWasNotCompiledFor) {
  const Explanation e = explain(128, 768, 3072);
  EXPECT_EQ(e.kernel, "Scalar");
  EXPECT_TRUE(e.scalar_forced);
  const bool has_better = cpu_runs<arch::Avx2>() || cpu_runs<arch::Neon>();
  EXPECT_EQ(!e.better.empty(), has_better);
  EXPECT_EQ(e.text().find("QUANTA_FORCE_SCALAR is defined") != std::string::npos, has_better);
  for (const InstructionSet& set : e.instruction_sets) EXPECT_EQ(set.compiled, set.name == "Scalar");
}

}  // namespace
}  // namespace quanta::test
