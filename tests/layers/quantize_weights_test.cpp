// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/embedding.hpp>
#include <quanta/layers/int8_outlier_linear.hpp>
#include <quanta/layers/quantize_model.hpp>
#include <quanta/layers/quantized_matrix.hpp>
#include <quanta/quant/bit_width_table.hpp>

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
  Eigen::MatrixXf weight = Eigen::MatrixXf::Ones(3, 4);
  const Eigen::Vector3f bias = Eigen::Vector3f::Ones();
  const auto activation = AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 1.0f});
  weight(2, 1) = std::numeric_limits<float>::quiet_NaN();
  const std::string says = "weight: element 9 (row-major) is nan at (2, 1), expected finite values";
  EXPECT_ERROR(DynamicLinear<>(weight), "DynamicLinear: " + says);
  EXPECT_ERROR(DynamicLinear<>(weight, bias), "DynamicLinear: " + says);
  EXPECT_ERROR(StaticLinear<>(weight, activation), "StaticLinear: " + says);
  EXPECT_ERROR(StaticLinear<>(weight, bias, activation), "StaticLinear: " + says);
  EXPECT_ERROR(WeightOnlyLinear<>(weight), "WeightOnlyLinear: " + says);
  EXPECT_ERROR(WeightOnlyLinear<NF4>(weight, bias), "WeightOnlyLinear: " + says);
  EXPECT_ERROR(Int8OutlierLinear<>(weight), "Int8OutlierLinear: " + says);
  EXPECT_ERROR(Int8OutlierLinear<>(weight, bias), "Int8OutlierLinear: " + says);
  EXPECT_ERROR(QuantizedMatrix<>(weight), "QuantizedMatrix: " + says);
  EXPECT_ERROR(Embedding<>(weight), "Embedding: table: element 9 (row-major) is nan");
  EXPECT_ERROR(quantize_dynamic(Sequential{Relu{}, Linear(weight)}), "layer 1 (Linear): DynamicLinear: " + says);
  weight(2, 1) = -std::numeric_limits<float>::infinity();
  EXPECT_ERROR(DynamicLinear<>(weight), "DynamicLinear: weight: element 9 (row-major) is -inf as a float");
}

// An expression may give other numbers each time, as Eigen's Random() does: its range is that of the very numbers that
// become codes.
TEST(QuantizedLayers, ReadAWeightOnce) {
  const auto activation = AsymmetricQuantizer<UInt<8>>::fit(Range{-1.0f, 1.0f});
  int calls = 0;
  const auto counted =
      Eigen::MatrixXf::NullaryExpr(3, 5, [&calls](Index, Index) { return static_cast<float>(++calls); });
  const auto reads = [&](auto make) {
    calls = 0;
    make();
    return calls;
  };
  EXPECT_EQ(reads([&] { return DynamicLinear<>(counted); }), 15);
  EXPECT_EQ(reads([&] { return StaticLinear<>(counted, activation); }), 15);
  EXPECT_EQ(reads([&] { return WeightOnlyLinear<NF4>(counted); }), 15);
  EXPECT_EQ(reads([&] { return Int8OutlierLinear<>(counted); }), 15);
  EXPECT_EQ(reads([&] { return QuantizedMatrix<>(counted); }), 15);
  EXPECT_EQ(reads([&] { return Embedding<>(counted); }), 15);
  EXPECT_EQ(reads([&] { return Linear(counted); }), 15);
  EXPECT_EQ(reads([&] { return SymmetricQuantizer<Int<8>>::fit_quantize(counted); }), 15);
  EXPECT_EQ(reads([&] { return bit_width_table(counted, {choice<Int<8>>(), choice<NF4>()}); }), 15);
}

}  // namespace
}  // namespace quanta::test
