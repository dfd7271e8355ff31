// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/dynamic_linear.hpp>

#include "tests/layers/dynamic_linear_oracle.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/kernels.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

/// A format and granularity of weights, with the number of parameters as the oracle counts it.
template <class Format_, class Granularity_, Index params_, bool symmetric_activations>
struct Weights {
  using Format = Format_;
  using Granularity = Granularity_;
  using Layer = DynamicLinear<Format_, Granularity_>;
  static constexpr Index params = params_;
  static constexpr bool symmetric = symmetric_activations;
  using Quantizer = std::conditional_t<(Format_::min < 0), SymmetricQuantizer<Format_, Granularity_>,
                                       AsymmetricQuantizer<Format_, Granularity_>>;

  static IntMatrix quantize(const Matrix& weight) { return plain(Quantizer::fit(weight).quantize(weight), params); }
};

template <class W>
class DynamicLayer : public testing::Test {};
using AllWeights =
    testing::Types<Weights<Int<8>, PerChannel<0>, kPerRow, false>,  // DynamicLinear<>
                   Weights<Int<8>, PerTensor, kOne, false>, Weights<UInt<8>, PerChannel<0>, kPerRow, false>,
                   Weights<Int<8>, PerGroup<32>, 32, true>, Weights<Int<4>, PerGroup<16>, 16, true>,
                   Weights<Int<4>, PerChannel<0>, kPerRow, true>>;
TYPED_TEST_SUITE(DynamicLayer, AllWeights);

TYPED_TEST(DynamicLayer, IsItsDefinitionToTheBit) {
  for (const Index batch : {1, 2, 7, 15, 130}) {
    for (const auto& [n, k] : {std::array<Index, 2>{1, 1}, {5, 3}, {33, 32}, {40, 77}}) {
      Matrix x = random_tensor<2>({batch, k}, 1);
      for (Index i = 0; i < x.size(); ++i) x.data()[i] = x.data()[i] * static_cast<float>(1 + i / k % 5) + 0.3f;
      const Matrix weight = random_tensor<2>({n, k}, 2);
      const Vector bias = random_tensor<1>({n}, 3);
      const IntMatrix codes = TypeParam::quantize(weight);
      const typename TypeParam::Layer layer(weight, bias), without(weight);
      ASSERT_TRUE(same_bits(layer(x), dynamic_linear(x, codes, bias.data(), TypeParam::symmetric))) << n << 'x' << k;
      ASSERT_TRUE(same_bits(without(x), dynamic_linear(x, codes, nullptr, TypeParam::symmetric))) << n << 'x' << k;
    }
  }
}

TYPED_TEST(DynamicLayer, ASampleDoesNotDependOnItsBatch) {
  const Index n = 37, k = 45;
  const Matrix x = random_tensor<2>({40, k}, 4);
  const typename TypeParam::Layer layer(random_tensor<2>({n, k}, 5), random_tensor<1>({n}, 6));
  const Matrix whole = layer(x);
  for (const Index first : {0, 1, 13, 39}) {
    for (Index count = 1; first + count <= 40; count += 3) {
      const Eigen::TensorMap<const Matrix> part(x.data() + first * k, count, k);
      ASSERT_TRUE(same_bits(layer(part).data(), whole.data() + first * n, count * n)) << first << '+' << count;
    }
  }
}

TYPED_TEST(DynamicLayer, ARowThatIsNotFiniteIsARowOfNaNAndNothingElseChanges) {
  const Index n = 37, k = 45;
  const Matrix weight = random_tensor<2>({n, k}, 7);
  const Vector bias = random_tensor<1>({n}, 8);
  const typename TypeParam::Layer layer(weight, bias);
  Matrix x = random_tensor<2>({9, k}, 9);
  const Matrix before = layer(x);
  const float inf = std::numeric_limits<float>::infinity();
  x(1, 0) = std::numeric_limits<float>::quiet_NaN();
  x(4, k - 1) = inf;
  x(8, 20) = -inf;
  const Matrix y = layer(x);
  for (Index b = 0; b < 9; ++b) {
    for (Index j = 0; j < n; ++j) {
      if (b == 1 || b == 4 || b == 8) {
        EXPECT_EQ(std::bit_cast<std::uint32_t>(y(b, j)), 0x7fc00000u);  // one NaN for all
      } else {
        EXPECT_EQ(bits_of(y(b, j)), bits_of(before(b, j)));
      }
    }
  }
  EXPECT_TRUE(same_bits(layer(col_major(x)), y));
}

TYPED_TEST(DynamicLayer, RowsOfEqualOrExtremeNumbersFollowTheDefinition) {
  const Index n = 19, k = 33;
  Matrix x(9, k);
  const float rows[] = {0.0f, -0.0f, 1.0f, -1.0f, 0.1f, 1e-45f, -1e-38f, 3e38f, -3e38f};
  for (Index b = 0; b < 9; ++b) {
    for (Index i = 0; i < k; ++i) x(b, i) = rows[b];
  }
  x(7, 0) = -3e38f;  // a width that float cannot hold
  const Matrix weight = random_tensor<2>({n, k}, 10, 1e-3f);
  const Vector bias = random_tensor<1>({n}, 11);
  const auto expected = dynamic_linear(x, TypeParam::quantize(weight), bias.data(), TypeParam::symmetric);
  const Matrix y = typename TypeParam::Layer(weight, bias)(x);
  EXPECT_TRUE(same_bits(y, expected));
  for (Index j = 0; j < n; ++j) EXPECT_EQ(y(0, j), bias(j));  // a row of zeros
}

TYPED_TEST(DynamicLayer, TakesAnyStorageOrderDoubleAndVectors) {
  const Index n = 19, k = 33;
  const Matrix x = random_tensor<2>({7, k}, 12), weight = random_tensor<2>({n, k}, 13);
  const typename TypeParam::Layer layer(weight);
  const Matrix y = layer(x);
  EXPECT_TRUE(same_bits(layer(col_major(x)), y));
  EXPECT_TRUE(same_bits(typename TypeParam::Layer(col_major(weight))(x), y));
  const Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> rows(x.data(), 7, k);
  const Eigen::MatrixXd wide = rows.cast<double>();
  EXPECT_TRUE(same_bits(layer(wide), y));
  const Eigen::Tensor<float, 1, Eigen::RowMajor> one = layer(rows.row(3));
  EXPECT_TRUE(same_bits(one.data(), y.data() + 3 * n, n));
}

TYPED_TEST(DynamicLayer, WorksOnNothing) {
  const typename TypeParam::Layer layer(random_tensor<2>({5, 9}, 14));
  EXPECT_EQ(layer(Matrix(0, 9)).size(), 0);
  const Vector bias = random_tensor<1>({5}, 15);
  const Matrix y = typename TypeParam::Layer(Matrix(5, 0), bias)(Matrix(3, 0));
  EXPECT_TRUE(equals(y, 3, 5, [&](Index, Index j) { return bias(j); }));
  const Matrix none = typename TypeParam::Layer(Matrix(0, 9))(random_tensor<2>({3, 9}, 16));
  EXPECT_EQ(none.dimension(0), 3);
  EXPECT_EQ(none.dimension(1), 0);
}

TYPED_TEST(DynamicLayer, PackedBytesAreWhatIsAllocated) {
  const Matrix weight = random_tensor<2>({19, 33}, 17);
  const Vector bias = random_tensor<1>({19}, 18);
  const std::int64_t before = allocations().live_bytes;
  const typename TypeParam::Layer layer(weight, bias);
  EXPECT_EQ(layer.packed_bytes(), allocations().live_bytes - before);
}

TYPED_TEST(DynamicLayer, ForwardAllocatesNothingOnceWarm) {
  const Matrix x = random_tensor<2>({150, 33}, 19);
  const ColTensor<float, 2> columns = col_major(x);
  const typename TypeParam::Layer layer(random_tensor<2>({19, 33}, 20), random_tensor<1>({19}, 21));
  Matrix y(150, 19);
  const TensorView<float, 2> out(y.data(), {150, 19});
  Context context;
  layer.forward(context, TensorView<const float, 2>(columns.data(), {150, 33}, {1, 150}), out);
  const std::int64_t before = allocations().count;
  layer.forward(context, TensorView<const float, 2>(columns.data(), {150, 33}, {1, 150}), out);
  layer.forward(context, TensorView<const float, 2>(x.data(), {150, 33}), out);
  EXPECT_EQ(allocations().count, before);
}

}  // namespace
}  // namespace quanta::test
