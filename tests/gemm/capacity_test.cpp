// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where int32 ends: the longest product that fits is accepted and exact, the next one throws before dst is touched.
#include <limits>

#include <quanta/gemm/capacity.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

constexpr std::int64_t kMostSum = std::numeric_limits<std::int32_t>::max();
constexpr std::int64_t kLeastSum = std::numeric_limits<std::int32_t>::min();

// One row of equal codes times one column of equal weights, k long.
template <class Kernel, class LhsFormat, class RhsFormat>
std::int64_t product_of_constants(Index k, int x, int zero_x, int w, int zero_w) {
  using LhsCode = typename LhsFormat::Code;
  using RhsCode = typename RhsFormat::Code;
  RowTensor<LhsCode, 2> lhs(1, k);
  lhs.setConstant(static_cast<LhsCode>(x));
  RowTensor<RhsCode, 2> rhs(1, k);
  rhs.setConstant(static_cast<RhsCode>(w));
  RowTensor<std::int32_t, 2> dst(1, 1);
  dst(0, 0) = 77;
  const auto weights = QuantizedTensor<RhsFormat, 2>(rhs, QuantParams<PerTensor>(1.0f, zero_w));
  try {
    gemm(QuantizedTensor<LhsFormat, 2>(lhs, QuantParams<PerTensor>(1.0f, zero_x)), pack<Kernel>(weights), dst);
  } catch (const Error&) {
    EXPECT_EQ(dst(0, 0), 77);
    throw;
  }
  return dst(0, 0);
}

// The longest k at which codes of LhsFormat, at their worst against w - zero_w, still fit; and one more.
template <class Kernel, class LhsFormat, class RhsFormat>
void check_boundary(int zero_x, int w, int zero_w) {
  const std::int64_t weight = w - zero_w;
  const std::int64_t up = LhsFormat::max - zero_x, down = LhsFormat::min - zero_x;
  const std::int64_t most = std::max(up * weight, down * weight), least = std::min(up * weight, down * weight);
  Index k = std::numeric_limits<Index>::max();
  if (most > 0) k = std::min<Index>(k, kMostSum / most);
  if (least < 0) k = std::min<Index>(k, kLeastSum / least);
  SCOPED_TRACE("k = " + std::to_string(k));
  for (const int x : {LhsFormat::min, LhsFormat::max}) {
    EXPECT_EQ((product_of_constants<Kernel, LhsFormat, RhsFormat>(k, x, zero_x, w, zero_w)), k * (x - zero_x) * weight);
    EXPECT_ERROR((product_of_constants<Kernel, LhsFormat, RhsFormat>(k + 1, x, zero_x, w, zero_w)),
                 "k = " + std::to_string(k + 1), "output 0", "int32");
  }
}

template <class Kernel>
class Capacity : public testing::Test {};
using CapacityKernels = CompiledKernels::Plus<PortableKernel<3, 7, 2, S8, S8>>::Types;
TYPED_TEST_SUITE(Capacity, CapacityKernels);

TYPED_TEST(Capacity, OfUnsignedTimesSigned) {
  check_boundary<TypeParam, UInt<8>, Int<8>>(0, 127, 0);     // k = 66311
  check_boundary<TypeParam, UInt<8>, Int<8>>(0, -128, 0);    // 65793
  check_boundary<TypeParam, UInt<8>, Int<8>>(128, 127, 0);   // 132104: the zero point halves the reach
  check_boundary<TypeParam, UInt<8>, Int<8>>(255, -128, 0);  // all of one sign again
}
TYPED_TEST(Capacity, OfSignedTimesSigned) {
  check_boundary<TypeParam, Int<8>, Int<8>>(0, -128, 0);  // 131071, by -128 * -128
  check_boundary<TypeParam, Int<8>, Int<8>>(0, 127, 0);
  check_boundary<TypeParam, Int<8>, Int<8>>(-128, 127, -128);  // 255 * 255: 33025
}
TYPED_TEST(Capacity, OfUnsignedTimesUnsigned) { check_boundary<TypeParam, UInt<8>, UInt<8>>(0, 255, 0); }  // 33025

// 128 * P + 127 * N for zero point 127 reaches 2^31 - 1, and -128 * 128 * 2^17 reaches -2^31.
TEST(CapacityLimits, TheLastInt32OfEitherEndIsReached) {
  constexpr Index whole = 132104, k = whole + 2;  // 127 * whole + 7 = 2^24 - 1
  RowTensor<std::int8_t, 2> weights(1, k);
  weights.setConstant(127);
  weights(0, whole) = 7;
  weights(0, whole + 1) = -1;
  RowTensor<std::uint8_t, 2> x(1, k);
  x.setConstant(255);
  x(0, whole + 1) = 0;
  const QuantParams<PerTensor> unit(1.0f);
  RowTensor<std::int32_t, 2> dst(1, 1);
  gemm(x, ZeroPoint{127}, pack(QuantizedTensor<Int<8>, 2>(weights, unit)), dst);
  EXPECT_EQ(dst(0, 0), kMostSum);
  weights(0, whole + 1) = -2;
  EXPECT_ERROR(gemm(x, ZeroPoint{127}, pack(QuantizedTensor<Int<8>, 2>(weights, unit)), dst), "int32");

  RowTensor<std::int8_t, 2> low(1, 1 << 17);
  low.setConstant(-128);
  RowTensor<std::uint8_t, 2> high(1, 1 << 17);
  high.setConstant(255);
  gemm(high, ZeroPoint{127}, pack(QuantizedTensor<Int<8>, 2>(low, unit)), dst);
  EXPECT_EQ(dst(0, 0), kLeastSum);
}

TEST(CapacityLimits, ColumnsThatFitOneByOneAreNotRefusedTogether) {
  // One column only positive, one only negative: their extremes together would not fit.
  constexpr Index k = 100000;
  RowTensor<std::int8_t, 2> weights(2, k);
  weights.chip(0, 0).setConstant(127);
  weights.chip(1, 0).setConstant(-127);
  RowTensor<std::uint8_t, 2> x(2, k);
  x.chip(0, 0).setConstant(255);
  x.chip(1, 0).setConstant(0);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  RowTensor<std::int32_t, 2> dst(2, 2);
  gemm(x, ZeroPoint{127}, packed, dst);
  EXPECT_EQ(dst(0, 0), 128 * 127 * k);
  EXPECT_EQ(dst(0, 1), -128 * 127 * k);
  EXPECT_EQ(dst(1, 0), -127 * 127 * k);
  EXPECT_EQ(dst(1, 1), 127 * 127 * k);
}

TEST(CapacityLimits, TheMessageNamesTheOutputThatDoesNotFit) {
  constexpr Index k = 66312;
  RowTensor<std::int8_t, 2> weights(40, k);
  weights.setConstant(1);
  weights.chip(33, 0).setConstant(127);
  RowTensor<std::uint8_t, 2> x(1, k);
  x.setConstant(0);  // the data fit; the rule does not look at them
  RowTensor<std::int32_t, 2> dst(1, 40);
  dst.setConstant(77);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  EXPECT_ERROR(gemm(x, ZeroPoint{0}, packed, dst), "output 33", "k = 66312", "int32");
  EXPECT_TRUE(equals(dst, 1, 40, [](Index, Index) { return 77; }));
}

TEST(CapacityLimits, EveryRowsZeroPointCounts) {
  constexpr Index k = 100000;
  RowTensor<std::int8_t, 2> weights(1, k);
  weights.setConstant(127);
  RowTensor<std::uint8_t, 2> x(3, k);
  x.setConstant(255);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  const auto lhs = [&](std::vector<int> zeros) {
    return QuantizedTensor<UInt<8>, 2, PerChannel<0>>(x,
                                                      QuantParams<PerChannel<0>>(std::vector<float>(3, 1.0f), zeros));
  };
  RowTensor<std::int32_t, 2> dst(3, 1);
  gemm(lhs({127, 100, 127}), packed, dst);
  EXPECT_EQ(dst(1, 0), 155 * 127 * k);
  EXPECT_ERROR(gemm(lhs({127, 0, 127}), packed, dst), "zero points 0 to 127");
  EXPECT_ERROR(gemm(lhs({127, 255, 127}), packed, dst), "zero points 127 to 255");
}

TEST(CapacityLimits, DequantizePerGroupNeedsEachGroupToFitAndNotTheirSum) {
  constexpr Index k = 70000, group = 35000;
  const IntMatrix rhs{1, k, group, std::vector<std::int32_t>(k, 127), {0, 0}, {0.5f, 0.25f}};
  const IntMatrix lhs{1, k, kOne, std::vector<std::int32_t>(k, 255), {0}, {2.0f}};
  const auto x = quantized<UInt<8>, PerTensor>(lhs);
  const auto packed = pack(quantized<Int<8>, PerGroup<group>>(rhs));
  RowTensor<float, 2> y(1, 1);
  gemm(x, packed, y, Dequantize{});
  EXPECT_EQ(y(0, 0), real_dot(lhs, 0, rhs, 0));
  RowTensor<std::int32_t, 2> sum(1, 1);
  sum.setConstant(77);
  EXPECT_ERROR(gemm(x, packed, sum), "output 0", "k = 70000");
  EXPECT_EQ(sum(0, 0), 77);
  IntMatrix whole = rhs;
  whole.params = k;
  whole.zeros = {0};
  whole.scales = {0.5f};
  EXPECT_ERROR(gemm(x, pack(quantized<Int<8>, PerGroup<k>>(whole)), y, Dequantize{}), "output 0", "k = 70000");
}

TEST(CapacityLimits, AnEmptyLhsIsNeverTooLong) {
  RowTensor<std::int8_t, 2> weights(1, 200000);
  weights.setConstant(127);
  const RowTensor<std::uint8_t, 2> x(0, 200000);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  RowTensor<std::int32_t, 2> dst(0, 1);
  const QuantizedTensor<UInt<8>, 2, PerChannel<0>> rows(
      x, QuantParams<PerChannel<0>>(std::vector<float>(), std::vector<int>()));
  EXPECT_NO_THROW(gemm(rows, packed, dst));
}

}  // namespace
}  // namespace quanta::test
