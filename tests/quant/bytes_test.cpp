// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What is said to take b bits takes b bits: bytes() against what was allocated.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// 7 x 45, so that neither the bits nor the groups come out even.
RowTensor<float, 2> data() {
  RowTensor<float, 2> x = random_tensor<2>({7, 45}, 1);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += 1.0f;  // so that zero points are not 0
  return x;
}

template <class Q>
void check_bytes(Index params, typename Q::GranularityType granularity = {}) {
  using F = typename Q::FormatType;
  constexpr bool symmetric = std::is_same_v<typename Q::SchemeType, Symmetric>;
  SCOPED_TRACE(testing::Message() << F::name << (symmetric ? " symmetric" : " asymmetric"));
  const RowTensor<float, 2> x = data();
  const Q quantizer = Q::fit(x, granularity);
  const std::int64_t before = allocations().live_bytes;
  const auto quantized = quantizer.quantize(x);
  EXPECT_EQ(allocations().live_bytes - before, quantized.bytes());
  const Index codes = (7 * 45 * F::bits + 7) / 8;
  ASSERT_EQ(quantized.params().size(), params);
  EXPECT_EQ(quantized.bytes(), codes + params * (symmetric ? 4 : 8));
  EXPECT_EQ(quantized.params().bytes(), params * (symmetric ? 4 : 8));
  // A tensor from codes takes the same.
  const auto unpacked = quantized.codes();
  const std::int64_t again = allocations().live_bytes;
  const QuantizedTensor<F, 2, typename Q::GranularityType> copy(unpacked, quantized.params());
  EXPECT_EQ(allocations().live_bytes - again, copy.bytes());
  EXPECT_EQ(copy.bytes(), quantized.bytes());
}

template <int b>
void check_width() {
  check_bytes<SymmetricQuantizer<Int<b>>>(1);
  check_bytes<AsymmetricQuantizer<UInt<b>>>(1);
}

TEST(Bytes, AreThoseOfDenseBitsInEveryFormat) {
  check_width<2>();
  check_width<3>();
  check_width<4>();
  check_width<5>();
  check_width<6>();
  check_width<7>();
  check_width<8>();
  check_width<16>();
}

TEST(Bytes, CountAScalePerChannelOrGroupAndZeroPointsOnlyWhereThereAreAny) {
  check_bytes<SymmetricQuantizer<Int<8>, PerChannel<0>>>(7);
  check_bytes<AsymmetricQuantizer<UInt<8>, PerChannel<1>>>(45);
  check_bytes<SymmetricQuantizer<Int<4>, PerGroup<16>>>(21);
  check_bytes<AsymmetricQuantizer<UInt<4>, PerGroup<16>>>(21);
  check_bytes<SymmetricQuantizer<Int<3>, PerGroup<4, 0>>>(90);
  check_bytes<AsymmetricQuantizer<UInt<2>, PerGroup<Dynamic>>>(35, PerGroup<Dynamic>{10});
}

TEST(Bytes, OfAnAsymmetricTensorWhoseZeroPointsAreZeroIncludeNone) {
  RowTensor<float, 2> x = data();
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = std::fabs(x.data()[i]);
  const std::int64_t before = allocations().live_bytes;
  const auto quantized = AsymmetricQuantizer<UInt<8>>::fit(x).quantize(x);
  EXPECT_EQ(quantized.bytes(), 7 * 45 + 4);
  EXPECT_EQ(allocations().live_bytes - before, quantized.bytes());
}

TEST(Bytes, AreGivenBack) {
  const RowTensor<float, 2> x = data();
  const std::int64_t before = allocations().live_bytes;
  {
    auto a = AsymmetricQuantizer<UInt<8>, PerChannel<0>>::fit(x).quantize(x);
    const auto b = a;
    const auto c = std::move(a);
    EXPECT_EQ(allocations().live_bytes - before, b.bytes() + c.bytes());
  }
  EXPECT_EQ(allocations().live_bytes, before);
}

}  // namespace
}  // namespace quanta::test
