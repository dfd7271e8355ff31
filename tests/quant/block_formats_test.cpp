// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The block formats against their specifications.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/quant/format_cases.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class F>
class MxFormats : public testing::Test {};
using AllMxFormats = testing::Types<MXFP8, MXFP8E5M2, MXFP6, MXFP6E3M2, MXFP4, MXINT8>;
TYPED_TEST_SUITE(MxFormats, AllMxFormats);

// Blocks of all magnitudes; the last of a line is shorter.
RowTensor<float, 2> mx_data() {
  RowTensor<float, 2> x = random_tensor<2>({37, 77}, 1);
  for (Index r = 0; r < 37; ++r) {
    for (Index c = 0; c < 77; ++c) x(r, c) = std::ldexp(x(r, c), static_cast<int>(r * 3 + c / 32 - 50));
  }
  return x;
}

float largest_of_block(const RowTensor<float, 2>& x, Index row, Index block) {
  float amax = 0.0f;
  for (Index i = block * 32; i < std::min<Index>(77, block * 32 + 32); ++i) amax = std::max(amax, std::fabs(x(row, i)));
  return amax;
}

// The smallest power of two at which nothing is clipped.
TYPED_TEST(MxFormats, HaveScalesThatClipNothing) {
  const RowTensor<float, 2> x = mx_data();
  const auto params = SymmetricQuantizer<TypeParam>::fit(x).params();
  const double most = largest(levels_of<TypeParam>());
  ASSERT_EQ(params.size(), 37 * 3);
  for (Index p = 0; p < params.size(); ++p) {
    const double amax = static_cast<double>(largest_of_block(x, p / 3, p % 3)),
                 scale = static_cast<double>(params.scale(p));
    int exponent = 0;
    EXPECT_EQ(std::frexp(scale, &exponent), 0.5);
    EXPECT_LE(amax, scale * most) << p;
    EXPECT_GT(amax, scale / 2.0 * most) << p;
  }
}

// OCP Microscaling Formats v1.0, section 6.3, and Microsoft's microxcaling: 2^(floor(log2 amax) - emax), elements
// saturated.
TYPED_TEST(MxFormats, HaveTheScalesOfTheSpecificationOnRequest) {
  const int emax = std::is_same_v<TypeParam, MXFP8>       ? 8
                   : std::is_same_v<TypeParam, MXFP8E5M2> ? 15
                   : std::is_same_v<TypeParam, MXFP6E3M2> ? 4
                   : std::is_same_v<TypeParam, MXINT8>    ? 6  // of integers; 0 of their 64ths
                                                          : 2;
  const RowTensor<float, 2> x = mx_data();
  const auto quantizer = SymmetricQuantizer<TypeParam>::fit(x, {.floor_scale = true});
  for (Index p = 0; p < quantizer.params().size(); ++p) {
    const double amax = static_cast<double>(largest_of_block(x, p / 3, p % 3));
    const double expected = std::ldexp(1.0, static_cast<int>(std::floor(std::log2(amax))) - emax);
    EXPECT_EQ(static_cast<double>(quantizer.params().scale(p)), expected) << amax;
  }
  // P30: what lies beyond the largest element is that element.
  Eigen::VectorXf beyond(2);
  beyond << 7.9f, 0.0f;
  const auto y = SymmetricQuantizer<MXFP4>::fit(beyond, {.floor_scale = true}).fake_quantize(beyond);
  EXPECT_EQ(y(0), 6.0f);
  EXPECT_EQ(SymmetricQuantizer<MXFP4>::fit(beyond).fake_quantize(beyond)(0), 8.0f);
}

template <class F, class G = DefaultGranularity<F>>
double bits_per_weight() {
  const RowTensor<float, 2> x = random_tensor<2>({64, 256}, 2);
  return 8.0 * static_cast<double>(SymmetricQuantizer<F, G>::fit_quantize(x).bytes()) / (64.0 * 256.0);
}

TEST(BlockFormats, TakeTheBitsTheyAreKnownFor) {
  EXPECT_EQ(bits_per_weight<MXFP8>(), 8.25);
  EXPECT_EQ(bits_per_weight<MXFP8E5M2>(), 8.25);
  EXPECT_EQ(bits_per_weight<MXFP6>(), 6.25);
  EXPECT_EQ(bits_per_weight<MXFP6E3M2>(), 6.25);
  EXPECT_EQ(bits_per_weight<MXFP4>(), 4.25);
  EXPECT_EQ(bits_per_weight<MXINT8>(), 8.25);
  EXPECT_EQ(bits_per_weight<NVFP4>(), 4.5 + 32.0 / (64 * 256));
  EXPECT_EQ(bits_per_weight<NF4>(), 4.5);
  EXPECT_EQ((bits_per_weight<NF4, WithScales<PerGroup<64>, Fp16>>()), 4.25);
  EXPECT_EQ((bits_per_weight<Int<4>, WithScales<PerGroup<32>, E4M3>>()), 4.25);
  EXPECT_EQ(bits_per_weight<Fp16>(), 16.0);
  EXPECT_EQ(bits_per_weight<Bf16>(), 16.0);
}

}  // namespace
}  // namespace quanta::test
