// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/layers/static_linear.hpp>

#include "tests/layers/dynamic_linear_oracle.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/special_values.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

static_assert(Layer<StaticLinear<>> && Layer<StaticLinear<Int<4>, PerGroup<Dynamic>>>);

/// The definition: x to codes with the given parameters, exact sums in int64, one fma.
std::vector<float> static_linear(const Matrix& x, const reference::Params& p, long low, long high,
                                 const IntMatrix& weight, const float* bias) {
  IntMatrix lhs{x.dimension(0), weight.cols, kOne, {}, {static_cast<std::int32_t>(p.zero_point)}, {p.scale}};
  for (Index i = 0; i < x.size(); ++i) {
    lhs.codes.push_back(static_cast<std::int32_t>(reference::code(x.data()[i], p, low, high)));
  }
  std::vector<float> y;
  for (Index b = 0; b < lhs.rows; ++b) {
    for (Index n = 0; n < weight.rows; ++n) y.push_back(real_dot(lhs, b, weight, n, bias != nullptr ? bias[n] : 0.0f));
  }
  return y;
}

/// A way to quantize weights and activations. `low` and `high` are the activation's codes.
template <class F, class G, Index weight_params, class Activation_, long low_, long high_>
struct Case {
  using Layer = StaticLinear<F, G>;
  using Activation = Activation_;
  static constexpr long low = low_, high = high_;
  using WeightQuantizer = std::conditional_t<(F::min < 0), SymmetricQuantizer<F, G>, AsymmetricQuantizer<F, G>>;

  static Activation activation(float scale, std::int32_t zero_point) {
    return Activation(scale, std::is_same_v<typename Activation::SchemeType, Symmetric> ? 0 : zero_point);
  }
  static std::vector<float> expected(const Matrix& x, const Matrix& weight, const float* bias, const Activation& a) {
    const reference::Params p{a.params().scale(0), a.params().zero_point(0)};
    return static_linear(x, p, low, high, plain(WeightQuantizer::fit(weight).quantize(weight), weight_params), bias);
  }
};

template <class C>
class StaticLayer : public testing::Test {};
using Cases = testing::Types<Case<Int<8>, PerChannel<0>, kPerRow, AsymmetricQuantizer<UInt<8>>, 0, 255>,
                             Case<Int<8>, PerTensor, kOne, AsymmetricQuantizer<UInt<8>>, 0, 255>,
                             Case<Int<8>, PerChannel<0>, kPerRow, SymmetricQuantizer<Int<8>>, -127, 127>,
                             Case<Int<8>, PerChannel<0>, kPerRow, AsymmetricQuantizer<Int<8>>, -128, 127>,
                             Case<UInt<8>, PerChannel<0>, kPerRow, AsymmetricQuantizer<UInt<8>>, 0, 255>,
                             Case<Int<8>, PerGroup<32>, 32, AsymmetricQuantizer<UInt<8>>, 0, 255>,
                             Case<Int<4>, PerGroup<16>, 16, AsymmetricQuantizer<UInt<8>>, 0, 255>,
                             Case<Int<4>, PerGroup<16>, 16, SymmetricQuantizer<Int<8>>, -127, 127>,
                             Case<Int<4>, PerChannel<0>, kPerRow, AsymmetricQuantizer<UInt<4>>, 0, 15>,
                             Case<Int<3>, PerChannel<0>, kPerRow, SymmetricQuantizer<Int<5>>, -15, 15>>;
TYPED_TEST_SUITE(StaticLayer, Cases);

TYPED_TEST(StaticLayer, IsItsDefinitionToTheBit) {
  for (const Index batch : {1, 2, 15, 130}) {
    for (const auto& [n, k] : {std::array<Index, 2>{1, 1}, {5, 3}, {33, 32}, {40, 77}}) {
      const Matrix x = random_tensor<2>({batch, k}, 1), weight = random_tensor<2>({n, k}, 2);
      const Vector bias = random_tensor<1>({n}, 3);
      const auto activation = TypeParam::activation(0.017f, 11);  // narrow: some of x saturates
      const typename TypeParam::Layer layer(weight, bias, activation), without(weight, activation);
      ASSERT_TRUE(same_bits(layer(x), TypeParam::expected(x, weight, bias.data(), activation))) << n << 'x' << k;
      ASSERT_TRUE(same_bits(without(x), TypeParam::expected(x, weight, nullptr, activation))) << n << 'x' << k;
    }
  }
}

TYPED_TEST(StaticLayer, ASampleDoesNotDependOnItsBatch) {
  const Index n = 37, k = 45;
  const Matrix x = random_tensor<2>({40, k}, 4);
  const typename TypeParam::Layer layer(random_tensor<2>({n, k}, 5), random_tensor<1>({n}, 6),
                                        TypeParam::activation(0.02f, 7));
  const Matrix whole = layer(x);
  for (const Index first : {0, 1, 13, 39}) {
    for (Index count = 1; first + count <= 40; count += 3) {
      const Eigen::TensorMap<const Matrix> part(x.data() + first * k, count, k);
      ASSERT_TRUE(same_bits(layer(part).data(), whole.data() + first * n, count * n)) << first << '+' << count;
    }
  }
}

// Infinities are the codes at the ends, NaN is the code of 0, and no other row is touched.
TYPED_TEST(StaticLayer, TakesNumbersThatAreNotFinite) {
  const Index n = 37, k = 45;
  const Matrix weight = random_tensor<2>({n, k}, 7);
  const Vector bias = random_tensor<1>({n}, 8);
  const auto activation = TypeParam::activation(0.02f, 7);
  const typename TypeParam::Layer layer(weight, bias, activation);
  Matrix x = random_tensor<2>({9, k}, 9), same = x;
  x(1, 0) = kNan;
  same(1, 0) = 0.0f;
  x(4, k - 1) = kInfinity;
  same(4, k - 1) = 1e30f;
  x(8, 20) = -kInfinity;
  same(8, 20) = -1e30f;
  for (Index i = 0; i < k; ++i) {
    x(6, i) = kNan;
    same(6, i) = -0.0f;
  }
  const Matrix y = layer(x);
  EXPECT_TRUE(same_bits(y, TypeParam::expected(x, weight, bias.data(), activation)));
  EXPECT_TRUE(same_bits(y, layer(same)));
  EXPECT_TRUE(same_bits(layer(col_major(x)), y));
  for (Index j = 0; j < n; ++j) EXPECT_EQ(y(6, j), bias(j));  // a row of nothing but zeros
}

TYPED_TEST(StaticLayer, TakesAnyStorageOrderDoubleAndVectors) {
  const Index n = 19, k = 33;
  const Matrix x = random_tensor<2>({7, k}, 10), weight = random_tensor<2>({n, k}, 11);
  const auto activation = TypeParam::activation(0.02f, 7);
  const typename TypeParam::Layer layer(weight, activation);
  const Matrix y = layer(x);
  EXPECT_TRUE(same_bits(layer(col_major(x)), y));
  EXPECT_TRUE(same_bits(typename TypeParam::Layer(col_major(weight), activation)(x), y));
  const Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> rows(x.data(), 7, k);
  const Eigen::MatrixXd wide = rows.cast<double>();
  EXPECT_TRUE(same_bits(layer(wide), y));
  const Eigen::Tensor<float, 1, Eigen::RowMajor> one = layer(rows.row(3));
  EXPECT_TRUE(same_bits(one.data(), y.data() + 3 * n, n));
  EXPECT_TRUE(same_bits(layer(wide.row(3)).data(), y.data() + 3 * n, n));  // strided
}

TYPED_TEST(StaticLayer, WorksOnNothing) {
  const auto activation = TypeParam::activation(1.0f, 3);
  EXPECT_EQ(typename TypeParam::Layer(random_tensor<2>({5, 9}, 12), activation)(Matrix(0, 9)).size(), 0);
  const Vector bias = random_tensor<1>({5}, 13);
  const Matrix y = typename TypeParam::Layer(Matrix(5, 0), bias, activation)(Matrix(3, 0));
  EXPECT_TRUE(equals(y, 3, 5, [&](Index, Index j) { return bias(j); }));
  EXPECT_EQ(typename TypeParam::Layer(Matrix(0, 9), activation)(random_tensor<2>({3, 9}, 14)).dimension(1), 0);
}

TYPED_TEST(StaticLayer, PackedBytesAreWhatIsAllocated) {
  const Matrix weight = random_tensor<2>({19, 33}, 15);
  const Vector bias = random_tensor<1>({19}, 16);
  const auto activation = TypeParam::activation(1.0f, 3);
  const std::int64_t before = allocations().live_bytes;
  const typename TypeParam::Layer layer(weight, bias, activation);
  EXPECT_EQ(layer.packed_bytes(), allocations().live_bytes - before);
}

TYPED_TEST(StaticLayer, ForwardAllocatesNothingOnceWarm) {
  const Matrix x = random_tensor<2>({150, 33}, 17);
  const ColTensor<float, 2> columns = col_major(x);
  const typename TypeParam::Layer layer(random_tensor<2>({19, 33}, 18), TypeParam::activation(0.02f, 7));
  Matrix y(150, 19);
  const TensorView<float, 2> out(y.data(), {150, 19});
  Context context;
  layer.forward(context, TensorView<const float, 2>(columns.data(), {150, 33}, {1, 150}), out);
  const std::int64_t before = allocations().count;
  layer.forward(context, TensorView<const float, 2>(columns.data(), {150, 33}, {1, 150}), out);
  layer.forward(context, TensorView<const float, 2>(x.data(), {150, 33}), out);
  EXPECT_EQ(allocations().count, before);
}

TEST(StaticLinear, FromQuantizedWeightsIsTheSameLayer) {
  const Matrix weight = random_tensor<2>({19, 33}, 19), x = random_tensor<2>({7, 33}, 20);
  const Vector bias = random_tensor<1>({19}, 21);
  const AsymmetricQuantizer<UInt<8>> activation(0.02f, 100);
  const auto codes = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight);
  EXPECT_TRUE(same_bits(StaticLinear<>(codes, bias, activation)(x), StaticLinear<>(weight, bias, activation)(x)));
  EXPECT_TRUE(same_bits(StaticLinear<>(codes, activation)(x), StaticLinear<>(weight, activation)(x)));
  const StaticLinear<Int<4>, PerGroup<Dynamic>> grouped(weight, bias, activation, PerGroup<Dynamic>(16));
  EXPECT_TRUE(same_bits(grouped(x), StaticLinear<Int<4>, PerGroup<16>>(weight, bias, activation)(x)));
  const StaticLinear<> copy = StaticLinear<>(weight, bias, activation);
  EXPECT_TRUE(same_bits(copy(x), StaticLinear<>(weight, bias, activation)(x)));
}

TEST(StaticLinear, ActivationsThatUseTheMostNegativeCode) {
  const Matrix weight = random_tensor<2>({19, 33}, 22), x = random_tensor<2>({7, 33}, 23, 3.0f);
  const auto activation = SymmetricQuantizer<Int<8>>::fit(Range{-1.0f, 0.5f}, {.full_range = true});
  const auto codes = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight);
  const reference::Params p = reference::symmetric(-1.0f, 0.5f, -128, 127, true);
  EXPECT_TRUE(
      same_bits(StaticLinear<>(weight, activation)(x), static_linear(x, p, -128, 127, plain(codes, kPerRow), nullptr)));
}

TEST(StaticLinear, SaysHowItQuantizes) {
  const Matrix weight = random_tensor<2>({19, 33}, 24);
  const Vector bias = random_tensor<1>({19}, 25);
  const StaticLinear<> layer(weight, bias, AsymmetricQuantizer<UInt<8>>(0.25f, 3));
  EXPECT_EQ(layer.name(), "StaticLinear");
  EXPECT_EQ(layer.in_features(), 33);
  EXPECT_EQ(layer.out_features(), 19);
  EXPECT_EQ(layer.weights().code(4, 5),
            (SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight).codes()(4, 5)));
  EXPECT_TRUE(same_bits(layer.bias(), bias));
  EXPECT_EQ(layer.activation().format, "uint8");
  EXPECT_EQ(layer.activation().scale, 0.25f);
  EXPECT_EQ(layer.activation().zero_point, 3);
  EXPECT_EQ(layer.activation().min_code, 0);
  EXPECT_EQ(layer.activation().max_code, 255);
  const StaticLinear<> symmetric(weight, SymmetricQuantizer<Int<8>>(0.5f));
  EXPECT_EQ(symmetric.activation().format, "int8");
  EXPECT_EQ(symmetric.activation().zero_point, 0);
  EXPECT_EQ(symmetric.activation().min_code, -127);
  EXPECT_EQ(symmetric.activation().max_code, 127);
}

TEST(StaticLinear, GivesTheSameBitsWithEveryKernel) {
  const Matrix weight = random_tensor<2>({45, 70}, 26), x = random_tensor<2>({33, 70}, 27);
  const Vector bias = random_tensor<1>({45}, 28);
  const auto expect_same = [&](const auto& activation) {
    const Matrix y = StaticLinear<>(weight, bias, activation)(x);
    const Matrix grouped = StaticLinear<Int<4>, PerGroup<16>>(weight, bias, activation)(x);
    const auto check = [&]<class Kernel>(Kernel) {
      EXPECT_TRUE(same_bits(StaticLinear<Int<8>, PerChannel<0>, Kernel>(weight, bias, activation)(x), y));
      EXPECT_TRUE(same_bits(StaticLinear<Int<4>, PerGroup<16>, Kernel>(weight, bias, activation)(x), grouped));
    };
    check(Int8Kernel<arch::Scalar>{});
    check(PortableKernel<14, 32, 4, U8, S8>{});
    check(PortableKernel<8, 8, 4, S8, S8>{});
    check(PortableKernel<5, 12, 3, S8, U8>{});
  };
  expect_same(AsymmetricQuantizer<UInt<8>>(0.02f, 100));
  expect_same(SymmetricQuantizer<Int<8>>(0.02f));
  expect_same(AsymmetricQuantizer<Int<7>>(0.03f, -9));
}

TEST(StaticLinear, RejectsOtherSizes) {
  const Matrix weight = random_tensor<2>({19, 33}, 29);
  const AsymmetricQuantizer<UInt<8>> activation(0.02f, 100);
  EXPECT_ERROR(StaticLinear<>(weight, random_tensor<1>({20}, 30), activation), "StaticLinear", "bias has 20", "19");
  const StaticLinear<> layer(weight, activation);
  EXPECT_ERROR(layer(random_tensor<2>({7, 32}, 31)), "StaticLinear", "32 features", "33");
  EXPECT_ERROR(layer(random_tensor<1>({34}, 32)), "StaticLinear", "34 features", "33");
  Matrix bad = weight;
  bad(2, 1) = kNan;
  EXPECT_ERROR(StaticLinear<>(bad, activation), "element 67");
}

// The zero point is known, so the reach of x - zero_point is what it is, not 255 both ways.
TEST(StaticLinear, RejectsAWeightWhoseSumsCanLeaveInt32) {
  constexpr Index last = 66311;  // 255 * 127 * last <= 2^31 - 1
  Matrix fits(1, last), passes(1, last + 1);
  fits.setConstant(1.0f);
  passes.setConstant(1.0f);
  const AsymmetricQuantizer<UInt<8>> low(1.0f, 0), middle(1.0f, 128);
  const StaticLinear<> layer(fits, low);
  Matrix x(1, last);
  x.setConstant(1e9f);  // codes 255: the largest sum there is
  EXPECT_EQ(layer(x)(0, 0), std::fma(static_cast<float>(255 * 127 * last), 1.0f / 127.0f, 0.0f));
  EXPECT_ERROR(StaticLinear<>(passes, low), "output 0", "k = 66312", "int32", "zero points 0 to 0");
  EXPECT_EQ(StaticLinear<>(passes, middle).in_features(), last + 1);
  const StaticLinear<Int<8>, PerGroup<1024>> grouped(passes, low);  // each group fits
  EXPECT_EQ(grouped.in_features(), last + 1);
}

}  // namespace
}  // namespace quanta::test
