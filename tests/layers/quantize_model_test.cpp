// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/quantize_model.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/support/counting_kernel.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

TEST(QuantizeDynamic, ReplacesEveryLinearAndNothingElse) {
  const Sequential model = float_model();
  const Sequential dynamic = quantize_dynamic(model);
  ASSERT_EQ(dynamic.size(), 3);
  const Sequential* inner = dynamic[0].target<Sequential>();
  ASSERT_NE(inner, nullptr);
  EXPECT_NE((*inner)[0].target<DynamicLinear<>>(), nullptr);
  EXPECT_NE((*inner)[1].target<Relu>(), nullptr);
  EXPECT_NE(dynamic[1].target<DynamicLinear<>>(), nullptr);
  EXPECT_NE(dynamic[2].target<Relu>(), nullptr);
  EXPECT_NE(model[1].target<Linear>(), nullptr);  // the model is as it was
}

TEST(QuantizeDynamic, ComputesWhatTheLayersByHandCompute) {
  const Matrix x = random_tensor<2>({9, 50}, 5);
  const Matrix y = Relu{}(DynamicLinear<>(kWeight2, kBias2)(Relu{}(DynamicLinear<>(kWeight1, kBias1)(x))));
  EXPECT_TRUE(same_bits(quantize_dynamic(float_model())(x), y));
  using Layer = DynamicLinear<Int<4>, PerGroup<16>>;
  const Matrix small = Relu{}(Layer(kWeight2, kBias2)(Relu{}(Layer(kWeight1, kBias1)(x))));
  EXPECT_TRUE(same_bits(quantize_dynamic<Int<4>, PerGroup<16>>(float_model())(x), small));
  using Dyn = PerGroup<Dynamic>;
  EXPECT_TRUE(same_bits(quantize_dynamic<Int<4>, Dyn>(float_model(), Dyn(16))(x), small));
}

TEST(QuantizeDynamic, LeavesLayersThatAreQuantizedAlready) {
  const Sequential twice = quantize_dynamic(quantize_dynamic<Int<8>, PerTensor>(float_model()));
  EXPECT_NE((twice[1].target<DynamicLinear<Int<8>, PerTensor>>()), nullptr);
}

TEST(QuantizeDynamic, OfAnEmptyModelIsEmpty) { EXPECT_EQ(quantize_dynamic(Sequential{}).size(), 0); }

TEST(QuantizeDynamic, TakesAboutAQuarterOfTheBytes) {
  const Sequential model{Linear(random_tensor<2>({256, 512}, 6))};
  const double ratio =
      static_cast<double>(quantize_dynamic(model).packed_bytes()) / static_cast<double>(model.packed_bytes());
  EXPECT_LT(ratio, 0.27);  // 1/4, and a scale, a sum and a bias per output
}

// ---- quantized layers multiply integers: every multiply-add of theirs goes through the kernel ----

template <class Base, class F, class G>
void expect_integer_multiply_adds(G granularity, Index group) {
  using Kernel = CountingKernel<Base>;
  for (const Index batch : {1, 3, 17, 130}) {
    const Matrix x = random_tensor<2>({batch, 50}, 7);
    const DynamicLinear<F, G, Kernel> layer(kWeight1, kBias1, granularity);
    integer_multiply_adds = 0;
    const Matrix y = layer(x);
    EXPECT_EQ(integer_multiply_adds.load(), expected_multiply_adds<Kernel>(batch, 40, 50, group));
    EXPECT_TRUE(same_bits(y, DynamicLinear<F, G>(kWeight1, kBias1, granularity)(x)));

    const Sequential model = quantize_dynamic<F, G, Kernel>(float_model(), granularity);
    integer_multiply_adds = 0;
    model(x);
    EXPECT_EQ(integer_multiply_adds.load(),
              expected_multiply_adds<Kernel>(batch, 40, 50, group) +
                  expected_multiply_adds<Kernel>(batch, 10, 40, std::min<Index>(group, 40)));
  }
}

TEST(IntegerArithmetic, IsWhatEveryMultiplyAddOfAQuantizedLayerUses) {
  expect_integer_multiply_adds<PortableKernel<4, 8, 4, std::uint8_t, std::int8_t>, Int<8>>(PerChannel<0>{}, 50);
  expect_integer_multiply_adds<PortableKernel<14, 32, 4, std::uint8_t, std::int8_t>, Int<8>>(PerTensor{}, 50);
  expect_integer_multiply_adds<PortableKernel<5, 12, 3, std::int8_t, std::uint8_t>, Int<4>>(PerGroup<16>{}, 16);
}

TEST(IntegerArithmetic, IsNotWhatAFloatLayerUses) {
  integer_multiply_adds = 0;
  float_model()(random_tensor<2>({3, 50}, 8));
  EXPECT_EQ(integer_multiply_adds.load(), 0);
}

}  // namespace
}  // namespace quanta::test
