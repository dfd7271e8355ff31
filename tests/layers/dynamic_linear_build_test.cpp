// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How a DynamicLinear is made: from floats, from codes, with group sizes known at run time; and what is refused.
#include "tests/layers/dynamic_linear_oracle.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/kernels.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

TEST(DynamicLinear, FromQuantizedWeightsIsTheSameLayer) {
  const Matrix weight = random_tensor<2>({19, 33}, 1), x = random_tensor<2>({7, 33}, 2);
  const Vector bias = random_tensor<1>({19}, 3);
  const auto codes = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight);
  EXPECT_TRUE(same_bits(DynamicLinear<>(codes, bias)(x), DynamicLinear<>(weight, bias)(x)));
  EXPECT_TRUE(same_bits(DynamicLinear<>(codes)(x), DynamicLinear<>(weight)(x)));
}

TEST(DynamicLinear, TakesAGroupSizeAtRunTime) {
  const Matrix weight = random_tensor<2>({19, 33}, 4), x = random_tensor<2>({7, 33}, 5);
  const Vector bias = random_tensor<1>({19}, 6);
  using Grouped = DynamicLinear<Int<4>, PerGroup<Dynamic>>;
  const Matrix y = DynamicLinear<Int<4>, PerGroup<16>>(weight, bias)(x);
  EXPECT_TRUE(same_bits(Grouped(weight, bias, PerGroup<Dynamic>(16))(x), y));
  const Matrix without = DynamicLinear<Int<4>, PerGroup<16>>(weight)(x);
  EXPECT_TRUE(same_bits(Grouped(weight, PerGroup<Dynamic>(16))(x), without));
}

TEST(DynamicLinear, GivesTheSameBitsWithEveryKernel) {
  const Matrix weight = random_tensor<2>({45, 70}, 7), x = random_tensor<2>({33, 70}, 8);
  const Vector bias = random_tensor<1>({45}, 9);
  const Matrix y = DynamicLinear<>(weight, bias)(x), grouped = DynamicLinear<Int<4>, PerGroup<16>>(weight, bias)(x);
  const auto check = [&]<class Kernel>(Kernel) {
    EXPECT_TRUE(same_bits(DynamicLinear<Int<8>, PerChannel<0>, Kernel>(weight, bias)(x), y));
    EXPECT_TRUE(same_bits(DynamicLinear<Int<4>, PerGroup<16>, Kernel>(weight, bias)(x), grouped));
  };
  check(Int8Kernel<arch::Scalar>{});
  check(PortableKernel<14, 32, 4, U8, S8>{});
  check(PortableKernel<8, 8, 4, S8, S8>{});
  check(PortableKernel<5, 12, 3, S8, U8>{});
}

TEST(DynamicLinear, RejectsOtherSizes) {
  const Matrix weight = random_tensor<2>({19, 33}, 10);
  const Vector bias = random_tensor<1>({20}, 11);
  EXPECT_ERROR(DynamicLinear<>(weight, bias), "DynamicLinear", "bias has 20", "19");
  const DynamicLinear<> layer(weight);
  EXPECT_EQ(layer.in_features(), 33);
  EXPECT_EQ(layer.out_features(), 19);
  EXPECT_ERROR(layer(random_tensor<2>({7, 32}, 12)), "DynamicLinear", "32 features", "33");
  EXPECT_ERROR(layer(random_tensor<1>({34}, 13)), "DynamicLinear", "34 features", "33");
}

// Linear, which computes with whatever floats it is given, does not.
TEST(DynamicLinear, RejectsABiasThatIsNotFiniteAsAllQuantizedLayersDo) {
  const RowTensor<float, 2> weight = random_tensor<2>({3, 5}, 1);
  const auto activation = AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 1.0f});
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity()}) {
    RowTensor<float, 1> bias = random_tensor<1>({3}, 2);
    bias(2) = bad;
    EXPECT_ERROR(DynamicLinear<>(weight, bias), "DynamicLinear: bias 2 is ", detail::text(bad), "expected a finite");
    EXPECT_ERROR(StaticLinear<>(weight, bias, activation), "StaticLinear: bias 2 is ");
    EXPECT_ERROR(WeightOnlyLinear<>(weight, bias), "WeightOnlyLinear: bias 2 is ");
    EXPECT_ERROR(Int8OutlierLinear<>(weight, bias), "Int8OutlierLinear: bias 2 is ");
    EXPECT_ERROR(DynamicLinear<>(weight, Eigen::VectorXd::Constant(3, 1e300)), "bias 0 is inf as a float");
    EXPECT_ERROR(quantize_dynamic(Sequential{Relu{}, Linear(weight, bias)}), "layer 1 (Linear): DynamicLinear: bias 2");
    EXPECT_EQ(Linear(weight, bias).bias()(1), bias(1));
  }
}

// Whatever x will be: its zero point may be any, so the reach of x - zero_point is 255 both ways.
TEST(DynamicLinear, RejectsAWeightWhoseSumsCanLeaveInt32) {
  constexpr Index last = 66311;  // 255 * 127 * last <= 2^31 - 1
  Matrix fits(1, last), passes(1, last + 1);
  fits.setConstant(1.0f);
  passes.setConstant(1.0f);
  const DynamicLinear<> layer(fits);
  Matrix x(1, last);
  x.setConstant(2.0f);  // codes 255, zero point 0: the largest sum there is
  EXPECT_EQ(layer(x)(0, 0), std::fma(static_cast<float>(255 * 127 * last), 2.0f / 255.0f * (1.0f / 127.0f), 0.0f));
  EXPECT_ERROR(DynamicLinear<>(passes), "output 0", "k = 66312", "int32");
  const DynamicLinear<Int<8>, PerGroup<1024>> grouped(passes);  // each group fits
  EXPECT_EQ(grouped.in_features(), last + 1);
}

}  // namespace
}  // namespace quanta::test
