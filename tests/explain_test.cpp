// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What is told is held against what gemm does: the kernel that packed weights are for, and their size. That other flags
// make it tell something else, explain_scalar_test.cpp shows.
#include <algorithm>

#include <gtest/gtest.h>

#include <quanta/explain.hpp>

#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

TEST(Explain, NamesTheKernelThatPackedWeightsAreFor) {
  const auto packed = pack(QuantizedTensor<Int<8>, 2, PerChannel<0>>(
      Tensor<std::int8_t, 2>(45, 123).setZero(), QuantParams<PerChannel<0>>(std::vector<float>(45, 1.0f))));
  using Kernel = typename std::remove_cvref_t<decltype(packed)>::KernelType;
  const Explanation e = explain(17, 45, 123);
  EXPECT_EQ(e.kernel, Kernel::name);
  EXPECT_EQ(e.kernel, arch::Native::name);
  EXPECT_EQ(e.tile_rows, Kernel::kMr);
  EXPECT_EQ(e.tile_columns, Kernel::kNr);
  EXPECT_EQ(e.tile_steps, Kernel::kKr);
  EXPECT_EQ(e.weight_bytes, packed.operands().layout().size());
  EXPECT_NEAR(e.padding, 1.0 - 45.0 * 123.0 / static_cast<double>(e.weight_bytes), 1e-12);
  EXPECT_EQ(e.lhs, "uint8");
  EXPECT_EQ(e.rhs, "int8");
  EXPECT_EQ(e.rows_together, 17);
}

TEST(Explain, TellsOfInstructionSetsWhatFlagsAndCpuSay) {
  const Explanation e = explain(1, 1, 1);
  const auto find = [&](const char* name) {
    return std::find_if(e.instruction_sets.begin(), e.instruction_sets.end(),
                        [&](const InstructionSet& set) { return set.name == name; });
  };
  const auto native = find(arch::Native::name);
  ASSERT_NE(native, e.instruction_sets.end());
  EXPECT_TRUE(native->compiled && native->on_cpu);
  ASSERT_NE(find("Scalar"), e.instruction_sets.end());
  const auto avx2 = find("Avx2");
  EXPECT_EQ(avx2 != e.instruction_sets.end() && avx2->compiled, QUANTA_HAS_AVX2 != 0);
  // Better than the first that is compiled in is what stands before it.
  const auto best = std::find_if(e.instruction_sets.begin(), e.instruction_sets.end(),
                                 [](const InstructionSet& set) { return set.compiled; });
  EXPECT_EQ(e.better, best == e.instruction_sets.begin() ? "" : e.instruction_sets.front().name);
  EXPECT_EQ(e.text().find("was not compiled for") != std::string::npos, !e.better.empty());
}

TEST(Explain, ExpectsFewRowsToWaitForTheWeights) {
  const bool scalar = NativeKernel::name == std::string("Scalar");  // slower than any memory
  EXPECT_EQ(explain(1, 4096, 4096).bound, scalar ? Bound::arithmetic : Bound::reading_weights);
  EXPECT_EQ(explain(1024, 4096, 4096).bound, Bound::arithmetic);
}

TEST(Explain, SaysThatNothingIsOptimized) {
#if defined(__OPTIMIZE__)
  EXPECT_EQ(explain(1, 2, 3).text().find("without optimization"), std::string::npos);
#else
  EXPECT_NE(explain(1, 2, 3).text().find("without optimization"), std::string::npos);
#endif
}

TEST(Explain, CountsRowsInWords) {
  EXPECT_NE(explain(1, 2, 3).text().find("; 1 row for each reading"), std::string::npos);
  EXPECT_NE(explain(2, 2, 3).text().find("; 2 rows for each reading"), std::string::npos);
}

TEST(Explain, RefusesSizesBeyondAnyMemory) {
  constexpr Index huge = Index{1} << 40;
  EXPECT_ERROR(explain(huge, 1, huge), "explain", "beyond any memory");
  EXPECT_ERROR(explain(1, huge, huge), "explain", "beyond any memory");
  EXPECT_ERROR(explain(huge, huge, 1), "explain", "beyond any memory");
}

TEST(Explain, SaysHowTheLhsIsRead) {
  using Lhs = typename NativeKernel::Lhs;
  using Same = std::conditional_t<std::is_signed_v<Lhs>, Int<8>, UInt<8>>;
  using Other = std::conditional_t<std::is_signed_v<Lhs>, UInt<8>, Int<8>>;
  EXPECT_EQ(explain(1, 1, 1, Same{}).lhs_is, "read as it is");
  const char* expected = "copied with the signs turned";
  if constexpr (ReadsBothSigns<NativeKernel>) {
    expected = NativeKernel::OtherSign::kLhsShift != 0 ? "read as it is, the signs turned in registers"
                                                       : "read as it is, by a kernel for its sign";
  }
  EXPECT_EQ(explain(1, 1, 1, Other{}).lhs_is, expected);
}

TEST(Explain, MeasuresWhenAsked) {
  EXPECT_FALSE(explain(3, 5, 7).seconds.has_value());
  const Explanation e = explain(3, 5, 7, Int<8>{}, Int<4>{}, {.measure = true});
  ASSERT_TRUE(e.seconds && e.eigen_seconds);
  EXPECT_GT(*e.seconds, 0.0);
  EXPECT_NE(e.text().find("GOPS"), std::string::npos);
}

TEST(Explain, RefusesSizesThatAreNone) {
  EXPECT_ERROR(explain(0, 5, 7), "expected m and n above 0");
  EXPECT_ERROR(explain(3, 5, -1), "3, 5, -1");
}

}  // namespace
}  // namespace quanta::test
