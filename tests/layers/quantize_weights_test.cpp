// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/quantize_model.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

TEST(QuantizeWeights, ReplacesEveryLinearAndComputesWhatTheLayersCompute) {
  const Matrix x = random_tensor<2>({9, 50}, 12);
  const Sequential eight = quantize_weights(float_model());
  EXPECT_NE(eight[1].target<WeightOnlyLinear<>>(), nullptr);
  EXPECT_NE((*eight[0].target<Sequential>())[0].target<WeightOnlyLinear<>>(), nullptr);
  EXPECT_NE((*eight[0].target<Sequential>())[1].target<Relu>(), nullptr);
  const WeightOnlyLinear<> first(kWeight1, kBias1), second(kWeight2, kBias2);
  EXPECT_TRUE(same_bits(eight(x), Relu{}(second(Relu{}(first(x))))));
  using Layer = WeightOnlyLinear<Int<4>, PerGroup<16>>;
  const Matrix y = Relu{}(Layer(kWeight2, kBias2)(Relu{}(Layer(kWeight1, kBias1)(x))));
  EXPECT_TRUE(same_bits(quantize_weights<Int<4>, PerGroup<16>>(float_model())(x), y));
  EXPECT_TRUE(same_bits(quantize_weights<Int<4>>(float_model(), PerGroup<Dynamic>(16))(x), y));
  EXPECT_EQ(quantize_weights(Sequential{}).size(), 0);
}

TEST(QuantizedLayers, NameTheWeightThatIsNotFinite) {
  RowTensor<float, 2> weight = random_tensor<2>({3, 4}, 1);
  weight(2, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(DynamicLinear<>(weight), "weight", "element 9", "nan");
  EXPECT_ERROR(WeightOnlyLinear<>(weight), "weight", "element 9", "nan");
}

}  // namespace
}  // namespace quanta::test
