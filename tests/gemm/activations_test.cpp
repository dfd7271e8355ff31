// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Sigmoid, Tanh, Gelu and GeluTanh as stages and as layers. What they compute is tested in core/lane_math_test.cpp.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/quanta.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"
#include "tests/support/thread_pool.hpp"

namespace quanta::test {
namespace {

template <class Stage>
class Activations : public testing::Test {};
using ActivationTypes = testing::Types<Sigmoid, Tanh, Gelu, GeluTanh>;
TYPED_TEST_SUITE(Activations, ActivationTypes);

template <class Stage>
float alone(float x) {
  return Stage{}.template lanes<simd::ScalarLanes>(x);
}

TYPED_TEST(Activations, ApplyToEveryLengthAndNoFurther) {
  for (Index n = 0; n <= 40; ++n) {
    const std::vector<float> x = mixed_floats(usize(n) + 1, static_cast<std::uint64_t>(n));
    std::vector<float> y = x;
    TypeParam{}.apply(y.data(), n);
    for (Index i = 0; i < n; ++i)
      ASSERT_EQ(bits_of(y[usize(i)]), bits_of(alone<TypeParam>(x[usize(i)]))) << x[usize(i)];
    ASSERT_EQ(bits_of(y[usize(n)]), bits_of(x[usize(n)]));
  }
}

TYPED_TEST(Activations, AreLayersOfAnyStorageOrderAndNumberOfThreads) {
  const RowTensor<float, 2> x = random_tensor<2>({1500, 77}, 1, 4.0f);  // enough for several threads
  RowTensor<float, 2> expected(1500, 77);
  for (Index i = 0; i < x.size(); ++i) expected.data()[i] = alone<TypeParam>(x.data()[i]);
  const Sequential model{TypeParam{}};
  EXPECT_TRUE(same_bits(model(x), expected));
  EXPECT_TRUE(same_bits(model(col_major(x)), expected));
  PlainThreads pool(3);
  Context context(pool);
  EXPECT_TRUE(same_bits(model(context, x), expected));
}

TYPED_TEST(Activations, AreStagesThatEqualTheLayer) {
  const RowTensor<float, 2> w = random_tensor<2>({45, 30}, 1), x = random_tensor<2>({17, 30}, 2);
  const RowTensor<float, 1> bias = random_tensor<1>({45}, 3);
  const auto rhs = pack(SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(w).quantize(w));
  const auto lhs = AsymmetricQuantizer<UInt<8>>::fit(x).quantize(x);
  RowTensor<float, 2> plain(17, 45), fused(17, 45);
  gemm(lhs, rhs, plain, Dequantize{}, AddBias{bias});
  gemm(lhs, rhs, fused, Dequantize{}, AddBias{bias}, TypeParam{});
  EXPECT_TRUE(same_bits(fused, TypeParam{}(plain)));
}

TEST(ActivationNames, TellTheFormsOfGeluApart) {
  EXPECT_EQ(Sigmoid{}.name(), "Sigmoid");
  EXPECT_EQ(Tanh{}.name(), "Tanh");
  EXPECT_EQ(Gelu{}.name(), "Gelu");
  EXPECT_EQ(GeluTanh{}.name(), "GeluTanh");
  // The forms differ most at 2.7, by less than 0.0005 (figure of the paper's formula, in double).
  EXPECT_NE(alone<Gelu>(2.7f), alone<GeluTanh>(2.7f));
  EXPECT_NEAR(alone<Gelu>(2.7f), alone<GeluTanh>(2.7f), 5e-4f);
}

}  // namespace
}  // namespace quanta::test
