// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Kernels with a second form that is exact for some weights only: what proves it, the flags that packing keeps, and
// that products through either form are exact. The rule of vpmaddubsw is stated here once more, by trying every lhs
// that matters; a kernel of the tests' own that saturates on purpose runs it on CPUs without that instruction.
#include <algorithm>

#include "tests/gemm/kernel_checks.hpp"

namespace quanta::test {
namespace {

// ---- a kernel that saturates as vpmaddubsw does ----

struct SaturatingKernel : PortableKernel<3, 4, 4, U8, S8> {
  static constexpr const char* name = "Saturating";
  inline static std::int64_t proven_runs = 0;

  static std::int32_t pair(int a0, int b0, int a1, int b1) { return std::clamp(a0 * b0 + a1 * b1, -32768, 32767); }

  // By trial: a sum of two products is largest and smallest where each lhs is 0 or 255.
  static bool proves(const Rhs* panel, Index blocks) {
    for (Index i = 0; i < blocks * kNr * kKr; i += 2) {
      for (const int a0 : {0, 255}) {
        for (const int a1 : {0, 255}) {
          if (pair(a0, panel[i], a1, panel[i + 1]) != a0 * panel[i] + a1 * panel[i + 1]) return false;
        }
      }
    }
    return true;
  }

  template <int rows>
  static void run_proven(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    ++proven_runs;
    const Index all = blocks + (lhs.tail != nullptr ? 1 : 0);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < kNr; ++c) {
        std::int32_t sum = accumulate ? tile.data[r * tile.stride + c] : 0;
        for (Index b = 0; b < all; ++b) {
          const Lhs* x = b < blocks ? lhs.data + r * lhs.stride + b * kKr : lhs.tail + r * kKr;
          const Rhs* w = panel + (b * kNr + c) * kKr;
          sum += pair(x[0], w[0], x[1], w[1]) + pair(x[2], w[2], x[3], w[3]);
        }
        tile.data[r * tile.stride + c] = sum;
      }
    }
  }
};

template <class Kernel>
class ProvenForm : public testing::Test {};
#if QUANTA_HAS_AVX2
using ProvenKernels = testing::Types<SaturatingKernel, Int8Kernel<arch::Avx2>>;
#else
using ProvenKernels = testing::Types<SaturatingKernel>;
#endif
TYPED_TEST_SUITE(ProvenForm, ProvenKernels);

// Every pair of weights there is, at the first and at the last place of a block: the kernel's rule is the trial's.
TYPED_TEST(ProvenForm, ProvesExactlyThePairsThatCannotSaturate) {
  using K = TypeParam;
  constexpr Index size = Index{K::kNr} * K::kKr;
  std::vector<S8> panel(usize(2 * size), 0);
  const int step = scaled(256, 32) == 256 ? 1 : 5;
  for (const Index at : {Index{0}, size, 2 * size - 2}) {
    for (int a = -128; a < 128; a += step) {
      for (int b = -128; b < 128; ++b) {
        bool fits = true;
        for (const int x : {0, 255}) {
          for (const int y : {0, 255}) fits = fits && x * a + y * b >= -32768 && x * a + y * b <= 32767;
        }
        panel[usize(at)] = static_cast<S8>(a);
        panel[usize(at + 1)] = static_cast<S8>(b);
        ASSERT_EQ(K::proves(panel.data(), 2), fits) << a << ' ' << b << " at " << at;
      }
    }
    panel[usize(at)] = panel[usize(at + 1)] = 0;
  }
  EXPECT_TRUE(K::proves(panel.data(), 0));
}

TYPED_TEST(ProvenForm, LooksAtTheBlocksItIsGivenAlone) {
  using K = TypeParam;
  constexpr Index size = Index{K::kNr} * K::kKr;
  std::vector<S8> panel(usize(2 * size), 127);
  std::fill_n(panel.begin(), size, S8{64});
  EXPECT_TRUE(K::proves(panel.data(), 1));
  EXPECT_FALSE(K::proves(panel.data(), 2));
}

// Weights of two panels and a bit; `hard` panels hold one pair at the given place that may saturate.
template <class K>
IntMatrix weights(Index k, const std::vector<bool>& hard, int a, int b, Random& random) {
  const Index n = Index{K::kNr} * static_cast<Index>(hard.size()) - 1;
  IntMatrix rhs = int_matrix<Int<7>>(n, k, kPerRow, Fill::random, Fill::zero, random);
  for (std::size_t p = 0; p < hard.size(); ++p) {
    if (!hard[p]) continue;
    const Index row = static_cast<Index>(p) * K::kNr + random.between(0, K::kNr - 2);
    const Index block = random.between(0, static_cast<int>(k / K::kKr - 1));
    const Index at = row * k + block * K::kKr + 2 * random.between(0, K::kKr / 2 - 1);
    rhs.codes[usize(at)] = a;
    rhs.codes[usize(at + 1)] = b;
  }
  return rhs;
}

TYPED_TEST(ProvenForm, PanelsAreFlaggedOneByOneAndProductsAreExactEitherWay) {
  using K = TypeParam;
  Random random(1);
  constexpr int pairs[][2] = {{127, 127}, {127, 2},   {2, 127}, {-128, -128}, {-127, -127},
                              {-128, -1}, {-1, -128}, {65, 64}, {-64, -65}};
  for (const Index k : {Index{K::kKr}, Index{K::kKr} * 7 + 3, Index{300}}) {
    for (const auto& [a, b] : pairs) {
      for (int set = 0; set < 8; ++set) {
        const std::vector<bool> hard = {(set & 1) != 0, (set & 2) != 0, (set & 4) != 0};
        const IntMatrix rhs = weights<K>(k, hard, a, b, random);
        const auto packed = pack<K>(quantized<Int<8>, PerChannel<0>>(rhs));
        for (std::size_t p = 0; p < hard.size(); ++p) {
          ASSERT_EQ(packed.proven(static_cast<Index>(p)), !hard[p]) << a << ' ' << b << " panel " << p << " of " << set;
        }
        for (const Fill fill : {Fill::highest, Fill::random, Fill::alternating}) {
          const IntMatrix lhs = int_matrix<UInt<8>>(K::kMr + 1, k, kPerRow, fill, Fill::random, random);
          ASSERT_TRUE((int32_product_is_exact<K, UInt<8>, PerChannel<0>, Int<8>, PerChannel<0>>(lhs, rhs)));
        }
      }
    }
  }
}

// Pairs that just do not saturate, against the lhs that would make them.
TYPED_TEST(ProvenForm, ProvenPanelsAreExactAtTheBound) {
  using K = TypeParam;
  Random random(2);
  constexpr int pairs[][2] = {{127, 1}, {1, 127}, {64, 64}, {-128, 0}, {0, -128}, {-64, -64}, {-128, 127}, {127, -128}};
  for (const Index k : {Index{1}, Index{K::kKr} * 5, Index{K::kKr} * 40 + 1}) {
    for (const auto& [a, b] : pairs) {
      IntMatrix rhs = int_matrix<Int<8>>(K::kNr + 1, k, kOne, Fill::zero, Fill::zero, random);
      for (Index i = 0; i < rhs.rows * k; ++i) rhs.codes[usize(i)] = i % k % 2 == 0 ? a : b;
      const auto packed = pack<K>(quantized<Int<8>, PerTensor>(rhs));
      ASSERT_TRUE(packed.proven(0) && packed.proven(1)) << a << ' ' << b;
      for (const Fill fill : kCodeFills) {
        const IntMatrix lhs = int_matrix<UInt<8>>(K::kMr + 1, k, kOne, fill, Fill::zero, random);
        ASSERT_TRUE((int32_product_is_exact<K, UInt<8>, PerTensor, Int<8>, PerTensor>(lhs, rhs))) << a << ' ' << b;
      }
    }
  }
}

TYPED_TEST(ProvenForm, FormatsOfAtMostSevenBitsAreAlwaysProven) {
  Random random(3);
  for (const Fill fill : kCodeFills) {
    const IntMatrix seven = int_matrix<Int<7>>(40, 33, kPerRow, fill, Fill::random, random);
    const auto packed = pack<TypeParam>(quantized<Int<7>, PerChannel<0>>(seven));
    for (Index p = 0; p < packed.layout().panels(); ++p) EXPECT_TRUE(packed.proven(p));
  }
}

TYPED_TEST(ProvenForm, OfSevenBitsWithoutASignWeightsDecide) {
  Random random(3);
  const auto proven = [&](Fill fill) {
    const IntMatrix rhs = int_matrix<UInt<7>>(TypeParam::kNr, 33, kPerRow, fill, Fill::zero, random);
    return pack<TypeParam>(quantized<UInt<7>, PerChannel<0>>(rhs)).proven(0);
  };
  EXPECT_TRUE(proven(Fill::lowest));
  EXPECT_TRUE(proven(Fill::zero));
  EXPECT_FALSE(proven(Fill::highest));
  EXPECT_FALSE(proven(Fill::random));
}

TYPED_TEST(ProvenForm, IsExactForAllTails) { check_tails<TypeParam, UInt<8>, Int<7>>(); }
TYPED_TEST(ProvenForm, IsExactForAllTailsWithSignedLhs) { check_tails<TypeParam, Int<8>, Int<4>>(); }
TYPED_TEST(ProvenForm, IsExactForAllExtremes) { check_extremes<TypeParam, UInt<8>, Int<7>>(); }
TYPED_TEST(ProvenForm, IsExactForEveryGroupSize) { check_groups<TypeParam, UInt<8>, UInt<6>>(); }

TEST(ProvenFormOfAKernel, IsUsedWhereThereIsOne) {
  static_assert(HasProvenForm<SaturatingKernel> && !HasProvenForm<Int8Kernel<arch::Scalar>>);
  Random random(4);
  const IntMatrix lhs = int_matrix<UInt<8>>(5, 9, kOne, Fill::random, Fill::zero, random);
  const IntMatrix easy = int_matrix<Int<4>>(4, 9, kOne, Fill::random, Fill::zero, random);
  const IntMatrix hard = int_matrix<Int<8>>(4, 9, kOne, Fill::highest, Fill::zero, random);
  SaturatingKernel::proven_runs = 0;
  EXPECT_TRUE((int32_product_is_exact<SaturatingKernel, UInt<8>, PerTensor, Int<4>, PerTensor>(lhs, easy)));
  EXPECT_EQ(SaturatingKernel::proven_runs, 2);
  EXPECT_TRUE((int32_product_is_exact<SaturatingKernel, UInt<8>, PerTensor, Int<8>, PerTensor>(lhs, hard)));
  EXPECT_EQ(SaturatingKernel::proven_runs, 2);
}

TEST(ProvenFormOfAKernel, IsNotAskedForOfAKernelWithoutOne) {
  Random random(5);
  const IntMatrix rhs = int_matrix<Int<4>>(9, 9, kOne, Fill::random, Fill::zero, random);
  EXPECT_FALSE((pack<Int8Kernel<arch::Scalar>>(quantized<Int<4>, PerTensor>(rhs)).proven(0)));
}

}  // namespace
}  // namespace quanta::test
