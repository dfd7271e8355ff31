// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales per group, with every kernel: every number of rows of a tile and one more, groups that blocks of k divide and
// those they do not, and a last group that is cut off; weights of 4 bits and fewer, which kernels may hold as such.
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

/// The tile of Avx512Vnni with operands of 4 and 2 bits, on any CPU.
template <int bits>
struct PortableSmall : PortableSmallKernel<bits, 14, 32, 4, S8> {
  using OtherSign = PortableSmallKernel<bits, 14, 32, 4, U8>;
};
struct PortableWithSmall : PortableKernel<14, 32, 4, U8, S8> {
  using Nibbles = PortableSmall<4>;
  using Crumbs = PortableSmall<2>;
};

template <class K>
class GroupedForm : public testing::Test {};
TYPED_TEST_SUITE(GroupedForm, CompiledKernels::Plus<PortableWithSmall>::Types);

template <class Kernel, class LhsFormat, class RhsFormat, class G = PerGroup<Dynamic>>
void check_rows(Fill lhs_zeros, Fill rhs_zeros) {
  Random random(7);
  for (Index m = 1; m <= Kernel::kMr + 1; m += scaled(10, 1) >= 10 ? 1 : Kernel::kMr) {
    const Index n = (m == 1 ? 5 : 1) * Kernel::kNr + 3;  // panels enough to be multiplied by one row side by side
    for (const auto& [group, k] : {std::array<Index, 2>{32, 96}, {48, 100}, {7, 20}, {100, 64}}) {
      const IntMatrix lhs = int_matrix<LhsFormat>(m, k, kPerRow, Fill::random, lhs_zeros, random);
      IntMatrix rhs = int_matrix<RhsFormat>(n, k, group, Fill::random, rhs_zeros, random);
      const auto weight = quantized<RhsFormat, G>(rhs);
      for (std::size_t i = 0; i < rhs.scales.size(); ++i) rhs.scales[i] = weight.params().scale(Index(i));  // as held
      const auto weights = pack<Kernel>(weight);
      RowTensor<float, 2> reals(m, n);
      gemm(quantized<LhsFormat, PerChannel<0>>(lhs), weights, reals, Dequantize{});
      ASSERT_TRUE(equals(reals, m, n, [&](Index i, Index j) { return real_dot(lhs, i, rhs, j); }))
          << "m = " << m << ", group " << group << ", k = " << k;
      const auto unpacked = weights.unpack();
      for (std::size_t i = 0; i < rhs.scales.size(); ++i) {
        ASSERT_EQ(unpacked.params().scale(Index(i)), rhs.scales[i]);
        ASSERT_EQ(unpacked.params().zero_point(Index(i)), rhs.zeros[i]);
      }
      ASSERT_EQ(unpacked.bytes(), weight.bytes());
      const auto codes = unpacked.codes();
      for (Index j = 0; j < n; ++j) {
        for (Index i = 0; i < k; ++i) ASSERT_EQ(codes(j, i), weights.code(j, i));
      }
    }
  }
}

TYPED_TEST(GroupedForm, IsExactForNibbles) {
  check_rows<TypeParam, Int<8>, Int<4>>(Fill::zero, Fill::zero);
  check_rows<TypeParam, Int<8>, UInt<4>>(Fill::zero, Fill::random);
  check_rows<TypeParam, UInt<8>, Int<3>>(Fill::random, Fill::zero);
}
TYPED_TEST(GroupedForm, IsExactForCrumbs) {
  check_rows<TypeParam, UInt<8>, Int<2>>(Fill::random, Fill::zero);
  check_rows<TypeParam, Int<8>, UInt<2>>(Fill::zero, Fill::random);
}
TYPED_TEST(GroupedForm, IsExactForBytes) {
  check_rows<TypeParam, Int<8>, Int<8>>(Fill::zero, Fill::zero);
  check_rows<TypeParam, UInt<8>, UInt<8>>(Fill::random, Fill::random);
}

template <class S>
using ScalesOf = WithScales<PerGroup<Dynamic>, S>;
TYPED_TEST(GroupedForm, IsExactWithScalesThatAreCodes) {
  check_rows<TypeParam, Int<8>, Int<4>, ScalesOf<Fp16>>(Fill::zero, Fill::zero);
  check_rows<TypeParam, UInt<8>, UInt<4>, ScalesOf<E8M0>>(Fill::random, Fill::random);
  check_rows<TypeParam, Int<8>, Int<2>, ScalesOf<E4M3>>(Fill::zero, Fill::zero);
  check_rows<TypeParam, Int<8>, Int<8>, ScalesOf<Bf16>>(Fill::random, Fill::zero);
}

/// What is held for 64 outputs of 256 inputs in groups of 128 beside their 128 scales.
template <class F, class G = PerGroup<128>>
Index bytes_beside_scales(int zero_point, Index bytes_of_scale = 4) {
  const RowTensor<typename F::Code, 2> codes = RowTensor<typename F::Code, 2>(64, 256).setConstant(1);
  const QuantParams<G> params(std::vector<float>(128, 0.5f), std::vector<int>(128, zero_point));
  return pack(QuantizedTensor<F, 2, G>(codes, params)).packed_bytes() - 128 * bytes_of_scale;
}

TEST(GroupedWeights, HoldFewBitsAsFewAndZeroPointsInAByte) {
  if (HasNibbles<NativeKernel>) {
    EXPECT_EQ(bytes_beside_scales<Int<4>>(0), 64 * 256 / 2);
    EXPECT_EQ(bytes_beside_scales<Int<3>>(0), 64 * 256 / 2);
    EXPECT_EQ(bytes_beside_scales<UInt<4>>(7), 64 * 256 / 2 + 128);
    EXPECT_EQ((bytes_beside_scales<Int<4>, WithScales<PerGroup<128>, Fp16>>(0, 2)), 64 * 256 / 2);
    EXPECT_EQ((bytes_beside_scales<Int<4>, WithScales<PerGroup<128>, E8M0>>(0, 1)), 64 * 256 / 2);
  }
  if (HasCrumbs<NativeKernel>) {
    EXPECT_EQ(bytes_beside_scales<Int<2>>(0), 64 * 256 / 4);
    EXPECT_EQ(bytes_beside_scales<UInt<2>>(3), 64 * 256 / 4 + 128);
  }
}

}  // namespace
}  // namespace quanta::test
