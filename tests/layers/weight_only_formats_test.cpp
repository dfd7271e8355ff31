// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Weight-only layers of formats that are not plain integers, against their definition.
#include <quanta/layers/quantize_model.hpp>
#include <quanta/quant/block_formats.hpp>

#include "tests/layers/float_model.hpp"
#include "tests/layers/weight_only_oracle.hpp"
#include "tests/support/allocations.hpp"

namespace quanta::test {
namespace {

/// A layer and the way its weights share scales.
template <class F, class G, long group>
struct FormatCase {
  using Format = F;
  using Granularity = G;
  static constexpr reference::Sharing sharing{group == 0 ? reference::Sharing::channel : reference::Sharing::group,
                                              group == 0 ? 0 : 1, group};
};

template <class C>
class WeightOnlyFormats : public testing::Test {};
using FormatCases =
    testing::Types<FormatCase<NF4, DoubleQuantized<PerGroup<64>>, 64>, FormatCase<E4M3, PerChannel<0>, 0>,
                   FormatCase<MXINT8, MxBlocks, 32>, FormatCase<NVFP4, DefaultGranularity<NVFP4>, 16>,
                   FormatCase<Int<3>, WithScales<PerGroup<7>, Fp16>, 7>, FormatCase<Bf16, Unscaled, 0>,
                   FormatCase<E5M2, PerGroup<100>, 100>, FormatCase<Dynamic8, PerGroup<48>, 48>,
                   FormatCase<UInt<4>, WithScales<PerGroup<32>, Fp16>, 32>,
                   FormatCase<E2M1, WithScales<PerGroup<8>, E4M3, 7>, 8>,
                   FormatCase<NF4, WithScales<PerGroup<24>, E2M3, kAllScales>, 24>,
                   FormatCase<UInt<8>, WithScales<PerChannel<0>, Bf16>, 0>>;
TYPED_TEST_SUITE(WeightOnlyFormats, FormatCases);

TYPED_TEST(WeightOnlyFormats, AreTheDefinitionToTheBit) {
  using Layer = WeightOnlyLinear<typename TypeParam::Format, typename TypeParam::Granularity>;
  for (const auto& [n, k] : {std::array<Index, 2>{5, 3}, {33, 32}, {70, 77}, {3, 300}, {20, 1100}, {230, 9}}) {
    const RowTensor<float, 2> x = random_tensor<2>({13, k}, 1), weight = random_tensor<2>({n, k}, 2, 0.1f);
    const RowTensor<float, 1> bias = random_tensor<1>({n}, 3);
    const Layer layer(weight, bias);
    const RowTensor<float, 2> y = layer(x);
    const PlainWeights plain = plain_weights(layer.weights(), TypeParam::sharing);
    ASSERT_TRUE(same_bits(y, weight_only(x, plain, bias.data()))) << n << 'x' << k;
    const RowTensor<float, 1> first = layer(Eigen::TensorMap<const RowTensor<float, 1>>(x.data(), k));
    ASSERT_TRUE(same_bits(first.data(), y.data(), n)) << n << 'x' << k;
    for (Index m = 2; m < 8; ++m) {  // a few rows take another way than many
      using Rows = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
      const Eigen::Map<const Rows> rows(x.data(), m, k);
      const RowTensor<float, 2> few = layer(rows), strided = layer(Eigen::MatrixXf(rows));
      ASSERT_TRUE(same_bits(few.data(), y.data(), m * n)) << m << 'x' << n << 'x' << k;
      ASSERT_TRUE(same_bits(strided.data(), y.data(), m * n)) << m << 'x' << n << 'x' << k;
    }
  }
}

TEST(WeightOnlyFormat, WithoutScalesIsLinearOfTheWeight) {
  const RowTensor<float, 2> x = random_tensor<2>({9, 200}, 6), weight = random_tensor<2>({35, 200}, 7);
  const RowTensor<float, 1> bias = random_tensor<1>({35}, 8);
  const WeightOnlyLinear<Fp16> half(weight, bias);
  EXPECT_TRUE(same_bits(half(x), Linear(half.weights().dequantize(), bias)(x)));
  const WeightOnlyLinear<Bf16> brief(weight, bias);
  EXPECT_TRUE(same_bits(brief(x), Linear(brief.weights().dequantize(), bias)(x)));
}

TYPED_TEST(WeightOnlyFormats, ComeFromModelsAndTakeWhatIsAllocated) {
  using F = typename TypeParam::Format;
  using G = typename TypeParam::Granularity;
  const RowTensor<float, 2> x = random_tensor<2>({9, 50}, 12);
  const Sequential small = quantize_weights<F, G>(float_model());
  const WeightOnlyLinear<F, G> first(kWeight1, kBias1), second(kWeight2, kBias2);
  EXPECT_TRUE(same_bits(small(x), Relu{}(second(Relu{}(first(x))))));
  const std::int64_t before = allocations().live_bytes;
  const WeightOnlyLinear<F, G> layer(kWeight1, kBias1);
  EXPECT_EQ(layer.packed_bytes(), allocations().live_bytes - before);
  Context context;
  RowTensor<float, 2> y(9, layer.out_features());
  const TensorView<float, 2> out(y.data(), {9, layer.out_features()});
  layer.forward(context, TensorView<const float, 2>(x.data(), {9, 50}), out);
  const std::int64_t count = allocations().count;
  layer.forward(context, TensorView<const float, 2>(x.data(), {9, 50}), out);
  EXPECT_EQ(allocations().count, count);
}

// Codes of infinity and NaN, by which formats are told what no quantizer writes.
TEST(WeightOnlyFormat, TakesCodesThatAreNoNumbers) {
  Eigen::Matrix<std::uint8_t, 3, 2> codes;
  codes << 0x7c, 0x00, 0xfc, 0x00, 0x7d, 0x00;
  const WeightOnlyLinear<E5M2, PerTensor> layer(
      QuantizedTensor<E5M2, 2, PerTensor>(codes, QuantParams<PerTensor>(2.0f)));
  const Eigen::Matrix<float, 2, 2, Eigen::RowMajor> x = Eigen::Matrix<float, 2, 2, Eigen::RowMajor>::Constant(0.5f);
  const RowTensor<float, 2> y = layer(x);
  const RowTensor<float, 1> one = layer(Eigen::Vector2f(0.5f, 0.5f));
  EXPECT_EQ(y(0, 0), std::numeric_limits<float>::infinity());
  EXPECT_EQ(y(1, 1), -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(y(1, 2)));
  EXPECT_TRUE(same_bits(one.data(), y.data(), 3));
  Eigen::Matrix<std::uint16_t, 2, 2> halves;
  halves << 0x7c00, 0, 0, 0;
  const WeightOnlyLinear<Fp16> unscaled(QuantizedTensor<Fp16, 2, Unscaled>(halves, QuantParams<Unscaled>()));
  EXPECT_EQ(unscaled(Eigen::Vector2f(0.5f, 0.5f))(0), std::numeric_limits<float>::infinity());
  EXPECT_EQ(unscaled(x)(1, 0), std::numeric_limits<float>::infinity());
}

// One code that is NaN, wherever it is, takes the quick way from a layer.
TEST(WeightOnlyFormat, TakesNaNAnywhere) {
  const Index n = 37, k = 130;
  const RowTensor<float, 2> x = random_tensor<2>({9, k}, 21), weight = random_tensor<2>({n, k}, 22);
  const auto quantized = WeightOnlyLinear<E4M3, PerChannel<0>>(weight).weights();
  const RowTensor<float, 2> y = WeightOnlyLinear<E4M3, PerChannel<0>>(quantized)(x);
  for (const Index at : {Index{0}, Index{63}, n * k / 2, n * k - 1}) {
    for (const std::uint8_t nan : {std::uint8_t{0x7f}, std::uint8_t{0xff}}) {
      RowTensor<std::uint8_t, 2> codes = quantized.codes();
      codes.data()[at] = nan;
      const WeightOnlyLinear<E4M3, PerChannel<0>> layer(
          QuantizedTensor<E4M3, 2, PerChannel<0>>(codes, quantized.params()));
      const RowTensor<float, 2> z = layer(x);
      for (Index row = 0; row < 9; ++row) {
        const RowTensor<float, 1> one = layer(Eigen::TensorMap<const RowTensor<float, 1>>(x.data() + row * k, k));
        for (Index column = 0; column < n; ++column) {
          if (column == at / k) {
            ASSERT_TRUE(std::isnan(z(row, column)) && std::isnan(one(column))) << at;
          } else {
            ASSERT_EQ(z(row, column), y(row, column)) << at;
            ASSERT_EQ(one(column), y(row, column)) << at;
          }
        }
      }
    }
  }
}

// Columns that share scales, which are codes: along the outputs.
TEST(WeightOnlyFormat, TakesNarrowScalesAlongOutputs) {
  const RowTensor<float, 2> x = random_tensor<2>({5, 300}, 4), weight = random_tensor<2>({40, 300}, 5);
  const WeightOnlyLinear<E2M1, WithScales<PerGroup<16, 0>, E4M3>> grouped(weight);
  const reference::Sharing by_sixteen{reference::Sharing::group, 0, 16}, by_input{reference::Sharing::channel, 1, 0};
  EXPECT_TRUE(same_bits(grouped(x), weight_only(x, plain_weights(grouped.weights(), by_sixteen), nullptr)));
  const WeightOnlyLinear<UInt<4>, WithScales<PerChannel<1>, Fp16>> channels(weight);
  EXPECT_TRUE(same_bits(channels(x), weight_only(x, plain_weights(channels.weights(), by_input), nullptr)));
}

TEST(QuantizeWeights, TakesTheGranularityOfTheFormat) {
  static_assert(std::is_same_v<WeightOnlyLinear<NF4>, WeightOnlyLinear<NF4, PerGroup<64>>>);
  static_assert(std::is_same_v<WeightOnlyLinear<Fp16>, WeightOnlyLinear<Fp16, Unscaled>>);
  static_assert(std::is_same_v<WeightOnlyLinear<E4M3>, WeightOnlyLinear<E4M3, PerChannel<0>>>);
  static_assert(std::is_same_v<WeightOnlyLinear<MXFP8>, WeightOnlyLinear<MXFP8, MxBlocks>>);
  const Sequential small = quantize_weights<NF4>(float_model());
  EXPECT_NE(small[1].target<WeightOnlyLinear<NF4>>(), nullptr);
}

}  // namespace
}  // namespace quanta::test
