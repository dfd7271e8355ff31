// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#define EIGEN_USE_THREADS

#include <quanta/layers/weight_only_linear.hpp>

#include "tests/layers/weight_only_oracle.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

static_assert(Layer<WeightOnlyLinear<>> && Layer<WeightOnlyLinear<Int<4>, PerGroup<Dynamic>>>);

template <class F, class G, reference::Sharing::Kind kind, int axis = 0, long size = 0>
struct Case {
  using Layer = WeightOnlyLinear<F, G>;
  static constexpr reference::Sharing sharing{kind, axis, size};
  using Quantizer = std::conditional_t<(F::min < 0), SymmetricQuantizer<F, G>, AsymmetricQuantizer<F, G>>;
};

using Kind = reference::Sharing;
template <class C>
class WeightOnlyLayer : public testing::Test {};
using Cases =
    testing::Types<Case<Int<8>, PerChannel<0>, Kind::channel>, Case<Int<8>, PerTensor, Kind::tensor>,
                   Case<Int<8>, PerGroup<32>, Kind::group, 1, 32>, Case<Int<8>, PerGroup<200>, Kind::group, 1, 200>,
                   Case<Int<4>, PerGroup<128>, Kind::group, 1, 128>, Case<Int<4>, PerGroup<64>, Kind::group, 1, 64>,
                   Case<Int<4>, PerGroup<7>, Kind::group, 1, 7>, Case<UInt<4>, PerGroup<16>, Kind::group, 1, 16>,
                   Case<UInt<8>, PerChannel<0>, Kind::channel>, Case<Int<3>, PerChannel<1>, Kind::channel, 1>,
                   Case<Int<5>, PerGroup<3, 0>, Kind::group, 0, 3>, Case<Int<16>, PerChannel<0>, Kind::channel>,
                   Case<UInt<2>, PerGroup<48>, Kind::group, 1, 48>, Case<UInt<6>, PerGroup<2, 0>, Kind::group, 0, 2>>;
TYPED_TEST_SUITE(WeightOnlyLayer, Cases);

template <class C>
void check_definition(Index batch, Index n, Index k) {
  const Matrix x = random_tensor<2>({batch, k}, 1), weight = random_tensor<2>({n, k}, 2);
  const Vector bias = random_tensor<1>({n}, 3);
  const PlainWeights plain = plain_weights(C::Quantizer::fit(weight).quantize(weight), C::sharing);
  const typename C::Layer layer(weight, bias), without(weight);
  ASSERT_TRUE(same_bits(layer(x), weight_only(x, plain, bias.data()))) << batch << ',' << n << 'x' << k;
  ASSERT_TRUE(same_bits(without(x), weight_only(x, plain, nullptr))) << batch << ',' << n << 'x' << k;
}

TYPED_TEST(WeightOnlyLayer, IsItsDefinitionToTheBit) {
  for (const Index batch : {1, 2, 3, 6, 13, 40}) {
    for (const auto& [n, k] : {std::array<Index, 2>{1, 1}, {5, 3}, {33, 32}, {70, 77}, {32, 130}, {3, 500}}) {
      check_definition<TypeParam>(batch, n, k);
    }
  }
  check_definition<TypeParam>(250, 33, 150);  // more rows than are multiplied at a time
}

TYPED_TEST(WeightOnlyLayer, TakesActivationsThatAreAnything) {
  const Index n = 71, k = 300;
  Matrix x = random_tensor<2>({23, k}, 4);
  x(3, 5) = std::numeric_limits<float>::infinity();
  x(4, 6) = -std::numeric_limits<float>::quiet_NaN();
  for (Index i = 0; i < k; ++i) {
    x(5, i) *= 0x1p-140f;
    x(6, i) *= 0x1p126f;
    x(7, i) *= 0x1p-120f;
    x(8, i) = i % 2 == 0 ? -0.0f : 0.0f;
  }
  const Matrix weight = random_tensor<2>({n, k}, 5);
  const auto codes = TypeParam::Quantizer::fit(weight).quantize(weight);
  const Vector bias = random_tensor<1>({n}, 6);
  const typename TypeParam::Layer layer(codes, bias);
  const Matrix y = layer(x);
  const std::vector<float> expected = weight_only(x, plain_weights(codes, TypeParam::sharing), bias.data());
  for (Index i = 0; i < y.size(); ++i) {  // the very bits, of NaN too
    ASSERT_EQ(std::bit_cast<std::uint32_t>(y.data()[i]), std::bit_cast<std::uint32_t>(expected[std::size_t(i)])) << i;
  }
  EXPECT_EQ(std::bit_cast<std::uint32_t>(y(4, 0)), 0x7fc00000u);
  for (const Index row : {3, 4, 5, 6, 7, 8}) {
    const Vector one = layer(Eigen::TensorMap<const Vector>(x.data() + row * k, k));
    ASSERT_TRUE(same_bits(one.data(), y.data() + row * n, n)) << row;
  }
}

// Both are within k + 2 roundings of the exact sum.
TYPED_TEST(WeightOnlyLayer, IsNearLinearOfTheDequantizedWeight) {
  const Index n = 71, k = 100;
  const Matrix x = random_tensor<2>({23, k}, 4), weight = random_tensor<2>({n, k}, 5);
  const auto codes = TypeParam::Quantizer::fit(weight).quantize(weight);
  const Matrix real = codes.dequantize(), y = typename TypeParam::Layer(codes)(x), linear = Linear(real)(x);
  for (Index b = 0; b < 23; ++b) {
    for (Index j = 0; j < n; ++j) {
      double size = 0.0;
      for (Index i = 0; i < k; ++i) size += std::fabs(double{x(b, i)} * double{real(j, i)});
      ASSERT_NEAR(y(b, j), linear(b, j), static_cast<double>(k + 2) * 0x1p-23 * size) << b << ',' << j;
    }
  }
}

TYPED_TEST(WeightOnlyLayer, ASampleDoesNotDependOnItsBatch) {
  const Index n = 37, k = 45;
  const Matrix x = random_tensor<2>({30, k}, 7);
  const typename TypeParam::Layer layer(random_tensor<2>({n, k}, 8), random_tensor<1>({n}, 9));
  const Matrix whole = layer(x);
  for (const Index first : {0, 1, 13, 29}) {
    for (Index count = 1; first + count <= 30; count += 3) {
      const Eigen::TensorMap<const Matrix> part(x.data() + first * k, count, k);
      ASSERT_TRUE(same_bits(layer(part).data(), whole.data() + first * n, count * n)) << first << '+' << count;
    }
  }
}

TYPED_TEST(WeightOnlyLayer, TakesAnyStorageOrderDoubleAndVectors) {
  const Index n = 19, k = 33;
  const Matrix x = random_tensor<2>({7, k}, 10), weight = random_tensor<2>({n, k}, 11);
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

TYPED_TEST(WeightOnlyLayer, AnyNumberOfThreadsGivesTheSameBits) {
  for (const auto& [m, n, k] : {std::array<Index, 3>{200, 40, 50}, {1, 300, 400}, {9, 100, 300}, {400, 20, 30}}) {
    const Matrix x = random_tensor<2>({m, k}, 12);
    const typename TypeParam::Layer layer(random_tensor<2>({n, k}, 13), random_tensor<1>({n}, 14));
    const Matrix y = layer(x);
    for (int threads = 1; threads <= 8; threads += 1 + threads / 3) {
      Eigen::ThreadPool pool(threads);
      Eigen::ThreadPoolDevice device(&pool, threads);
      Context context(device);
      ASSERT_TRUE(same_bits(layer(context, x), y)) << threads << " threads, m = " << m;
      ASSERT_TRUE(same_bits(layer(context, x), y)) << "again";
    }
  }
}

TYPED_TEST(WeightOnlyLayer, WorksOnNothing) {
  const typename TypeParam::Layer layer(random_tensor<2>({5, 9}, 15));
  EXPECT_EQ(layer(Matrix(0, 9)).size(), 0);
  const Vector bias = random_tensor<1>({5}, 16);
  const Matrix y = typename TypeParam::Layer(Matrix(5, 0), bias)(Matrix(3, 0));
  for (Index i = 0; i < 15; ++i) EXPECT_EQ(y.data()[i], bias(i % 5));
  EXPECT_EQ(typename TypeParam::Layer(Matrix(0, 9))(random_tensor<2>({3, 9}, 17)).dimension(1), 0);
}

TYPED_TEST(WeightOnlyLayer, PackedBytesAreWhatIsAllocated) {
  for (const auto& [n, k] : {std::array<Index, 2>{19, 33}, {32, 64}}) {
    const Matrix weight = random_tensor<2>({n, k}, 18);
    const Vector bias = random_tensor<1>({n}, 19);
    const std::int64_t before = allocations().live_bytes;
    const typename TypeParam::Layer layer(weight, bias);
    EXPECT_EQ(layer.packed_bytes(), allocations().live_bytes - before);
    const Index least = layer.weights().bytes() + n * 4;
    EXPECT_GE(layer.packed_bytes(), least);
    EXPECT_TRUE(n == 19 || layer.packed_bytes() == least);  // no padding
  }
}

TYPED_TEST(WeightOnlyLayer, ForwardTakesLittleMemoryAndNoMoreOnceWarm) {
  const Index n = 512, k = 300;
  const Matrix x = random_tensor<2>({20, k}, 20);
  const typename TypeParam::Layer layer(random_tensor<2>({n, k}, 21));
  Matrix y(20, n);
  const TensorView<float, 2> out(y.data(), {20, n});
  const TensorView<const float, 2> in(x.data(), {20, k});
  Context context;
  const std::int64_t bytes = allocations().live_bytes;
  layer.forward(context, in, out);
  EXPECT_LE(allocations().live_bytes - bytes, 32 * k * 4 + 256);  // one panel, not n * k * 4
  const std::int64_t count = allocations().count;
  layer.forward(context, in, out);
  EXPECT_EQ(allocations().count, count);
}

TEST(WeightOnlyLinear, TakesFourBitsAWeight) {
  const Matrix weight = random_tensor<2>({64, 128}, 22);
  const Vector bias = random_tensor<1>({64}, 23);
  const WeightOnlyLinear<Int<4>, PerGroup<64>> layer(weight, bias);
  EXPECT_EQ(layer.packed_bytes(), 64 * 128 / 2 + 64 * 2 * 4 + 64 * 4);  // codes, scales, bias
  EXPECT_EQ((WeightOnlyLinear<>(weight, bias).packed_bytes()), 64 * 128 + 64 * 4 + 64 * 4);
}

TEST(WeightOnlyLinear, TakesAGroupSizeAtRunTime) {
  const Matrix weight = random_tensor<2>({19, 33}, 24), x = random_tensor<2>({7, 33}, 25);
  const Vector bias = random_tensor<1>({19}, 26);
  using Grouped = WeightOnlyLinear<Int<4>, PerGroup<Dynamic>>;
  EXPECT_TRUE(same_bits(Grouped(weight, bias, PerGroup<Dynamic>(16))(x),
                        WeightOnlyLinear<Int<4>, PerGroup<16>>(weight, bias)(x)));
  EXPECT_TRUE(same_bits(Grouped(weight, PerGroup<Dynamic>(16))(x), WeightOnlyLinear<Int<4>, PerGroup<16>>(weight)(x)));
}

// Scales multiply sums: where scale * code leaves float, what counts is whether the product does.
TEST(WeightOnlyLinear, TakesScalesOfAnySize) {
  Eigen::Matrix<std::int8_t, 2, 2> codes;
  codes << 127, -127, 1, 0;
  const Eigen::Vector2f x(0.5f, 0.0f), z(0.0f, 0.5f), small(0x1p-60f, 0.0f);
  const WeightOnlyLinear<Int<8>, PerTensor> large(QuantizedTensor<Int<8>, 2>(codes, QuantParams<PerTensor>(1e37f)));
  EXPECT_EQ(large(x)(0), std::numeric_limits<float>::infinity());
  EXPECT_EQ(large(z)(0), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(large(x)(1), 0.5f * 1e37f);
  EXPECT_EQ(large(small)(0), static_cast<float>(127.0 * 1e37f * 0x1p-60));
  const WeightOnlyLinear<Int<8>, PerTensor> tiny(QuantizedTensor<Int<8>, 2>(codes, QuantParams<PerTensor>(0x1p-126f)));
  EXPECT_EQ(tiny(x)(0), 0x1p-127f * 127.0f);
  EXPECT_EQ(tiny(small)(0), 0.0f);
  Eigen::Matrix<float, 3, 2, Eigen::RowMajor> all;
  all << x.transpose(), z.transpose(), small.transpose();
  EXPECT_TRUE(same_bits(large(all).data(), large(x).data(), 2));
}

TEST(WeightOnlyLinear, GivesBackWhatItHolds) {
  const Matrix weight = random_tensor<2>({19, 33}, 27);
  const Vector bias = random_tensor<1>({19}, 28);
  const WeightOnlyLinear<> layer(weight, bias);
  EXPECT_EQ(layer.name(), "WeightOnlyLinear");
  EXPECT_EQ(layer.in_features(), 33);
  EXPECT_EQ(layer.out_features(), 19);
  EXPECT_TRUE(same_bits(layer.bias(), bias));
  EXPECT_TRUE(same_bits(layer.weights().codes(),
                        SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight).codes()));
  const WeightOnlyLinear<> copy = layer;
  EXPECT_NE(copy.weights().data(), layer.weights().data());
  EXPECT_TRUE(same_bits(copy(weight), layer(weight)));
}

TEST(WeightOnlyLinear, RejectsOtherSizes) {
  const Matrix weight = random_tensor<2>({19, 33}, 29);
  EXPECT_ERROR(WeightOnlyLinear<>(weight, random_tensor<1>({20}, 30)), "WeightOnlyLinear", "bias has 20", "19");
  const WeightOnlyLinear<> layer(weight);
  EXPECT_ERROR(layer(random_tensor<2>({7, 32}, 31)), "WeightOnlyLinear", "32 features", "33");
  EXPECT_ERROR(layer(random_tensor<1>({34}, 32)), "WeightOnlyLinear", "34 features", "33");
  Matrix bad = weight;
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_ERROR(WeightOnlyLinear<>(bad), "element 67");
}

}  // namespace
}  // namespace quanta::test
