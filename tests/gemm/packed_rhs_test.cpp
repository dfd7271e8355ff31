// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/gemm/packed_rhs.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

template <class Kernel>
class PackedWeights : public testing::Test {};
using PackedKernels = testing::Types<NativeKernel, PortableKernel<8, 8, 4, S8, S8>, PortableKernel<5, 12, 3, S8, U8>>;
TYPED_TEST_SUITE(PackedWeights, PackedKernels);

constexpr Index kShapes[][2] = {{1, 1}, {3, 5}, {12, 12}, {33, 31}, {2, 1023}, {5, 1024}, {3, 1025}, {2, 2500}};

template <class Kernel, class F, class G>
void check_codes(Index params) {
  Random random(1);
  for (const auto& [n, k] : kShapes) {
    const IntMatrix rhs = int_matrix<F>(n, k, params, Fill::random, Fill::random, random);
    const auto packed = pack<Kernel>(quantized<F, G>(rhs));
    ASSERT_EQ(packed.n(), n);
    ASSERT_EQ(packed.k(), k);
    for (Index j = 0; j < n; ++j) {
      for (Index i = 0; i < k; ++i)
        ASSERT_EQ(packed.code(j, i), rhs.code(j, i)) << n << 'x' << k << " at " << j << ',' << i;
    }
  }
}

TYPED_TEST(PackedWeights, GiveBackEveryCode) {
  check_codes<TypeParam, Int<8>, PerTensor>(kOne);
  check_codes<TypeParam, UInt<8>, PerChannel<0>>(kPerRow);
  check_codes<TypeParam, Int<3>, PerGroup<Dynamic>>(7);
  check_codes<TypeParam, UInt<4>, PerGroup<Dynamic>>(1500);  // a group longer than what is unpacked at once
}

template <class Kernel, class F, class G>
void check_unpack(Index params, Fill zero_points) {
  Random random(3);
  for (const auto& [n, k] : kShapes) {
    const auto weights = quantized<F, G>(int_matrix<F>(n, k, params, Fill::random, zero_points, random));
    const auto back = pack<Kernel>(weights).unpack();
    ASSERT_TRUE(same_bits(back.codes(), weights.codes()));
    ASSERT_EQ(back.bytes(), weights.bytes());
    ASSERT_EQ(back.params().size(), weights.params().size());
    for (Index i = 0; i < back.params().size(); ++i) {
      ASSERT_EQ(back.params().scale(i), weights.params().scale(i));
      ASSERT_EQ(back.params().zero_point(i), weights.params().zero_point(i));
    }
    ASSERT_EQ(back.params().granularity().info(), weights.params().granularity().info());
  }
}

TYPED_TEST(PackedWeights, UnpackToWhatTheyWerePackedFrom) {
  check_unpack<TypeParam, Int<8>, PerTensor>(kOne, Fill::random);
  check_unpack<TypeParam, UInt<8>, PerChannel<0>>(kPerRow, Fill::random);
  check_unpack<TypeParam, UInt<8>, PerTensor>(kOne, Fill::zero);
  check_unpack<TypeParam, Int<3>, PerGroup<Dynamic>>(7, Fill::zero);
  check_unpack<TypeParam, UInt<5>, PerGroup<Dynamic>>(1500, Fill::random);
}

TYPED_TEST(PackedWeights, GiveBackEveryScale) {
  Random random(2);
  const IntMatrix channels = int_matrix<Int<8>>(35, 9, kPerRow, Fill::random, Fill::zero, random);
  const auto by_channel = pack<TypeParam>(quantized<Int<8>, PerChannel<0>>(channels));
  for (Index j = 0; j < 35; ++j) ASSERT_EQ(by_channel.scale(j), channels.scale(j));
  const IntMatrix groups = int_matrix<Int<8>>(35, 9, 4, Fill::random, Fill::zero, random);
  const auto by_group = pack<TypeParam>(quantized<Int<8>, PerGroup<4>>(groups));
  for (Index j = 0; j < 35; ++j) {
    for (Index g = 0; g < 3; ++g) ASSERT_EQ(by_group.scale(j, g), groups.scale(j, g * 4));
  }
}

TYPED_TEST(PackedWeights, PaddingIsZero) {
  Random random(3);
  const IntMatrix rhs = int_matrix<UInt<8>>(35, 23, 5, Fill::highest, Fill::random, random);
  const auto packed = pack<TypeParam>(quantized<UInt<8>, PerGroup<5>>(rhs));
  const RhsLayout& layout = packed.layout();
  std::vector<char> holds_code(usize(layout.size()), 0);
  for (Index j = 0; j < 35; ++j) {
    for (Index i = 0; i < 23; ++i) holds_code[usize(layout.position(j, i))] = 1;
  }
  Index padding = 0;
  for (Index at = 0; at < layout.size(); ++at) {
    if (holds_code[usize(at)] != 0) continue;
    ASSERT_EQ(packed.panel(0)[at], 0) << at;
    ++padding;
  }
  EXPECT_EQ(padding, layout.size() - 35 * 23);
  EXPECT_GT(padding, 0);
}

TYPED_TEST(PackedWeights, PackedBytesAreWhatIsAllocated) {
  Random random(4);
  const auto check = [&]<class F, class G>(F, G, Index params, Fill zeros) {
    const IntMatrix rhs = int_matrix<F>(35, 23, params, Fill::random, zeros, random);
    const auto weights = quantized<F, G>(rhs);
    const std::int64_t before = allocations().live_bytes;
    const auto packed = pack<TypeParam>(weights);
    EXPECT_EQ(packed.packed_bytes(), allocations().live_bytes - before);
    EXPECT_GE(packed.packed_bytes(), 35 * 23);
  };
  check(Int<8>{}, PerTensor{}, kOne, Fill::zero);
  check(Int<8>{}, PerChannel<0>{}, kPerRow, Fill::random);
  check(UInt<4>{}, PerGroup<8>{}, 8, Fill::random);
  check(Int<8>{}, WithScales<PerGroup<8>, Fp16>{}, 8, Fill::random);
}

TYPED_TEST(PackedWeights, OfNothingHoldNothing) {
  for (const auto& [n, k] : {std::array<Index, 2>{0, 4}, {4, 0}, {0, 0}}) {
    const RowTensor<S8, 2> codes(n, k);
    const auto packed = pack<TypeParam>(QuantizedTensor<Int<8>, 2>(codes, QuantParams<PerTensor>(1.0f)));
    EXPECT_EQ(packed.n(), n);
    EXPECT_EQ(packed.k(), k);
    EXPECT_EQ(packed.layout().size(), 0);
  }
}

TEST(PackedRhs, IsMadeFromAViewToo) {
  const S8 codes[] = {1, -2, 3, -4, 5, -128};
  const float scale = 0.5f;
  const QuantizedView<Int<8>, 2> view(reinterpret_cast<const std::byte*>(codes), {2, 3}, {&scale, nullptr, 1});
  const PackedRhs<Int<8>, PerTensor> packed = pack(view);
  for (Index i = 0; i < 6; ++i) EXPECT_EQ(packed.code(i / 3, i % 3), codes[i]);
}

TEST(PackedRhs, KeepsNoZeroPointsForSymmetricWeightsThatTheKernelTakesAsTheyAre) {
  Random random(5);
  const IntMatrix rhs = int_matrix<Int<8>>(8, 8, kPerRow, Fill::random, Fill::zero, random);
  const auto packed = pack<PortableKernel<4, 8, 4, U8, S8>>(quantized<Int<8>, PerChannel<0>>(rhs));
  EXPECT_EQ(packed.zero_points(0), nullptr);
  EXPECT_EQ(packed.packed_bytes(), 64 + 4 * 8 + 4 * 8);  // operands, sums, scales
}

}  // namespace
}  // namespace quanta::test
