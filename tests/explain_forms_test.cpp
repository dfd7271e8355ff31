// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The forms that explain names are those that gemm runs. The leg "explain" does this with other flags.
#include <gtest/gtest.h>

#include "tests/support/recorded_forms.hpp"

namespace quanta::test {
namespace {

Index panels_of(const Explanation& e, const std::string& form) {
  for (const FormOfPanels& f : e.forms) {
    if (f.form == form) return f.panels;
  }
  return 0;
}

TEST(ExplainForms, AreThoseThatRun) {
  constexpr int nr = NativeKernel::kNr;
  // Whole panels, a thin one, a narrow one, one that is filled but for a column, and weights that prove nothing in the
  // last.
  for (const Index n : {3 * nr, 3 * nr + 1, 3 * nr + 3, 4 * nr - 1}) {
    const auto weights = weights_of<Int<8>>(n, 70, 3, -128);
    EXPECT_EQ(difference_to_explained<UInt<8>>(3, weights), "") << n;
    EXPECT_EQ(difference_to_explained<UInt<8>>(std::min(NativeKernel::kMr, 4), weights), "") << n;
    EXPECT_EQ(difference_to_explained<Int<8>>(3, weights), "") << n;
    EXPECT_EQ(difference_to_explained<UInt<8>>(1, weights_of<Int<4>>(n, 70, 3, -8)), "") << n;
    const auto grouped = weights_of<Int<4>>(n, 70, 3, -8, PerGroup<32>{});
    EXPECT_EQ(difference_to_explained<Int<8>>(3, grouped), "") << n;
    EXPECT_EQ(difference_to_explained<UInt<8>>(1, grouped), "") << n;
    EXPECT_EQ(difference_to_explained<Int<8>>(2, weights_of<Int<8>>(n, 70, 3, -128, PerGroup<32>{})), "") << n;
  }
}

// A kernel of which weights decide, on every CPU: its proof is that no code of the panel is below -100.
struct ProvingKernel : PortableKernel<3, 4, 4, std::uint8_t, std::int8_t> {
  static bool proves(const Rhs* panel, Index blocks) {
    return std::all_of(panel, panel + blocks * kNr * kKr, [](Rhs code) { return code >= -100; });
  }
  template <int rows>
  static void run_proven(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    run<rows>(lhs, panel, blocks, tile, accumulate);
  }
};

TEST(ExplainForms, CountPanelsThatAreProven) {
  const auto weights = weights_of<Int<8>>(10, 70, 3, -128);
  EXPECT_EQ((difference_to_explained<UInt<8>, ProvingKernel>(3, weights)), "");
  const Explanation e = explain(3, pack<ProvingKernel>(weights));
  EXPECT_EQ(panels_of(e, "proven"), 2);
  EXPECT_EQ(panels_of(e, "general"), 1);
  EXPECT_FALSE(e.proof_is_open);
  EXPECT_NE(e.text().find("proven for 2 panels, general for 1 panel"), std::string::npos) << e.text();
}

TEST(ExplainForms, LeaveProofOpenWhereTheWeightsDecide) {
  const Explanation any = explain<UInt<8>, Int<8>, ProvingKernel>(3, 10, 70);
  EXPECT_EQ(panels_of(any, "general"), 3);
  EXPECT_TRUE(any.proof_is_open);
  const Explanation few = explain<UInt<8>, Int<7>, ProvingKernel>(3, 10, 70);
  EXPECT_EQ(panels_of(few, "proven"), 3);
  EXPECT_FALSE(few.proof_is_open);
}

TEST(ExplainForms, OfWeightsPerGroupKeepThemInFewBits) {
  const Explanation e = explain(1, 4 * NativeKernel::kNr, 100, Int<8>{}, Int<4>{}, PerGroup<32>{}, {.measure = true});
  EXPECT_EQ(e.weight_bits, HasNibbles<NativeKernel> ? 4 : 8);
  EXPECT_EQ(e.scales, "per_group(32, axis 1)");
  ASSERT_TRUE(e.seconds.has_value());
  const auto packed = pack(weights_of<Int<4>>(45, 100, 1, 1, PerGroup<32>{}));
  EXPECT_EQ(explain(1, packed).weight_bytes, packed.next_panel() * packed.layout().panels());
  EXPECT_EQ(explain(1, 10, 100, Int<8>{}, Int<2>{}, PerGroup<32>{}).weight_bits, HasCrumbs<NativeKernel> ? 2 : 8);
}

}  // namespace
}  // namespace quanta::test
