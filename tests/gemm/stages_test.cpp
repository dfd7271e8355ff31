// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <limits>

#include <quanta/gemm/stages.hpp>

#include "tests/gemm/odd_sizes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"
#include "tests/support/special_values.hpp"

namespace quanta::test {
namespace {

class Stages : public testing::Test {
 protected:
  template <class... S>
  RowTensor<float, 2> multiply(const S&... stages) const {
    RowTensor<float, 2> y(kM, kN);
    gemm(x, packed, y, stages...);
    return y;
  }
  float plain(Index i, Index j) const { return real_dot(lhs, i, rhs, j); }
  float biased(Index i, Index j) const { return real_dot(lhs, i, rhs, j, bias[j]); }

  Random random{1};
  IntMatrix lhs = int_matrix<UInt<8>>(kM, kK, kPerRow, Fill::random, Fill::random, random);
  IntMatrix rhs = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::random, random);
  QuantizedTensor<UInt<8>, 2, PerChannel<0>> x = quantized<UInt<8>, PerChannel<0>>(lhs);
  PackedRhs<Int<8>> packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  Eigen::VectorXf bias = Eigen::VectorXf::NullaryExpr(kN, [this] { return random.normal(30.0f); });
};

TEST_F(Stages, DequantizeIsOneRoundingOfTheProduct) {
  EXPECT_TRUE(equals(multiply(Dequantize{}), kM, kN, [&](Index i, Index j) { return plain(i, j); }));
}

TEST_F(Stages, DequantizeAndAddBiasAreOneFma) {
  const auto y = multiply(Dequantize{}, AddBias{bias});
  EXPECT_TRUE(equals(y, kM, kN, [&](Index i, Index j) { return biased(i, j); }));
  // The check means something only if two roundings give something else here.
  int different = 0;
  for (Index i = 0; i < kM; ++i) {
    for (Index j = 0; j < kN; ++j) {
      const volatile float rounded = plain(i, j);
      different += rounded + bias[j] != y(i, j) ? 1 : 0;
    }
  }
  EXPECT_GT(different, 10);
}

TEST_F(Stages, AddBiasElsewhereIsAPlainAdd) {
  const auto after_relu = multiply(Dequantize{}, Relu{}, AddBias{bias});
  EXPECT_TRUE(equals(after_relu, kM, kN, [&](Index i, Index j) {
    const volatile float rounded = std::max(plain(i, j), 0.0f);
    return rounded + bias[j];
  }));
  const auto twice = multiply(Dequantize{}, AddBias{bias}, AddBias{bias});
  EXPECT_TRUE(equals(twice, kM, kN, [&](Index i, Index j) {
    const volatile float once = biased(i, j);
    return once + bias[j];
  }));
}

TEST_F(Stages, ReluIsMaxWithZero) {
  const auto y = multiply(Dequantize{}, AddBias{bias}, Relu{});
  EXPECT_TRUE(equals(y, kM, kN, [&](Index i, Index j) { return biased(i, j) > 0.0f ? biased(i, j) : 0.0f; }));
}

TEST_F(Stages, ReluKeepsNaNAndTurnsMinusZeroIntoZero) {
  Eigen::VectorXf special = Eigen::VectorXf::Zero(kN);
  special[0] = kNan;
  special[1] = -std::numeric_limits<float>::infinity();
  special[2] = std::numeric_limits<float>::infinity();
  // -0 comes out of Dequantize where the product is 0 and the bias -0 by a scale of the other sign only; so it is put
  // there by a stage.
  struct MinusZero {
    void apply(float* values, Index count, Index, Index column) const {
      if (column <= 3 && 3 < column + count) values[3 - column] = -0.0f;
    }
  };
  const auto y = multiply(Dequantize{}, AddBias{special}, MinusZero{}, Relu{});
  for (Index i = 0; i < kM; ++i) {
    EXPECT_NE(y(i, 0), y(i, 0));
    EXPECT_EQ(bits_of(y(i, 1)), bits_of(0.0f));
    EXPECT_EQ(y(i, 2), std::numeric_limits<float>::infinity());
    EXPECT_EQ(bits_of(y(i, 3)), bits_of(0.0f));
  }
}

struct Affine {  // no check(): fits every result
  void apply(float* values, Index count, Index row, Index column) const {
    for (Index i = 0; i < count; ++i) values[i] = values[i] * 2.0f + static_cast<float>(100 * row + column + i);
  }
};

TEST_F(Stages, MayBeTheUsersOwnAndLearnTheirPlace) {
  const auto y = multiply(Dequantize{}, Affine{}, Affine{});
  EXPECT_TRUE(equals(y, kM, kN, [&](Index i, Index j) {
    float v = plain(i, j);
    Affine{}.apply(&v, 1, i, j);
    Affine{}.apply(&v, 1, i, j);
    return v;
  }));
}

struct OnlyFor {
  Index m, n;
  void check(Index got_m, Index got_n) const {
    if (got_m != m || got_n != n) throw Error("OnlyFor: another shape");
  }
  void apply(float* values, Index count, Index, Index) const { std::fill_n(values, count, 1.0f); }
};

TEST_F(Stages, AreAskedWhetherTheResultFitsBeforeDstIsTouched) {
  EXPECT_TRUE(equals(multiply(Dequantize{}, OnlyFor{kM, kN}), kM, kN, [](Index, Index) { return 1.0f; }));
  RowTensor<float, 2> y(kM, kN);
  y.setConstant(77.0f);
  EXPECT_ERROR(gemm(x, packed, y, Dequantize{}, OnlyFor{kN, kM}), "OnlyFor");
  EXPECT_TRUE(equals(y, kM, kN, [](Index, Index) { return 77.0f; }));
}

TEST_F(Stages, ABiasOfAnotherSizeIsRejectedAndDstNotTouched) {
  for (const Index size : {kN - 1, kN + 1, Index{0}, Index{1}}) {
    const Eigen::VectorXf wrong = Eigen::VectorXf::Ones(size);
    RowTensor<float, 2> y(kM, kN);
    y.setConstant(77.0f);
    const std::string got = std::to_string(size) + " elements";
    EXPECT_ERROR(gemm(x, packed, y, Dequantize{}, AddBias{wrong}), "bias", got, "37");
    EXPECT_ERROR(gemm(x, packed, y, Dequantize{}, Relu{}, AddBias{wrong}), "bias", got, "37");
    EXPECT_TRUE(equals(y, kM, kN, [](Index, Index) { return 77.0f; }));
  }
}

TEST_F(Stages, ABiasMayBeAnyEigenVector) {
  const auto expect_biased = [&](const RowTensor<float, 2>& y) {
    EXPECT_TRUE(equals(y, kM, kN, [&](Index i, Index j) { return biased(i, j); }));
  };
  expect_biased(multiply(Dequantize{}, AddBias{Eigen::VectorXf(bias)}));  // of an rvalue: a copy
  const Eigen::RowVectorXf row = bias.transpose();
  expect_biased(multiply(Dequantize{}, AddBias{row}));
  const Eigen::VectorXf half = bias * 0.5f;
  expect_biased(multiply(Dequantize{}, AddBias{half + half}));  // an expression
  const Eigen::VectorXd wide = bias.cast<double>();
  expect_biased(multiply(Dequantize{}, AddBias{wide}));
  const Eigen::ArrayXf array = bias.array();
  expect_biased(multiply(Dequantize{}, AddBias{array}));
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Constant(3, kN, 77.0f);
  matrix.row(1) = row;
  expect_biased(multiply(Dequantize{}, AddBias{matrix.row(1)}));  // strided
  const Eigen::Tensor<float, 1> tensor = Eigen::TensorMap<Eigen::Tensor<float, 1>>(bias.data(), kN);
  expect_biased(multiply(Dequantize{}, AddBias{tensor}));
  const RowTensor<float, 1> row_tensor = Eigen::TensorMap<RowTensor<float, 1>>(bias.data(), kN);
  expect_biased(multiply(Dequantize{}, AddBias{row_tensor}));
}

TEST_F(Stages, ABiasOfAnLvalueIsAViewAndOfAnRvalueACopy) {
  const AddBias view{bias};
  EXPECT_EQ(view.data(), bias.data());
  const AddBias copy{Eigen::VectorXf(bias)};
  EXPECT_NE(copy.data(), bias.data());
  bias.setConstant(1.0f);
  EXPECT_TRUE(equals(multiply(Dequantize{}, view), kM, kN, [&](Index i, Index j) { return biased(i, j); }));
}

TEST_F(Stages, WorkPerGroupToo) {
  const IntMatrix groups = int_matrix<Int<4>>(kN, kK, 8, Fill::random, Fill::random, random);
  RowTensor<float, 2> y(kM, kN);
  gemm(x, pack(quantized<Int<4>, PerGroup<8>>(groups)), y, Dequantize{}, AddBias{bias}, Relu{});
  EXPECT_TRUE(equals(y, kM, kN, [&](Index i, Index j) {
    const float v = real_dot(lhs, i, groups, j, bias[j]);
    return v > 0.0f ? v : 0.0f;
  }));
}

TEST(ReluLayer, TakesAnyShapeAndOrder) {
  const RowTensor<float, 2> x = random_tensor<2>({5, 37}, 1);
  const auto y = Relu{}(x);
  EXPECT_TRUE(equals(y, 5, 37, [&](Index i, Index j) { return x(i, j) > 0.0f ? x(i, j) : 0.0f; }));
  EXPECT_TRUE(same_bits(Relu{}(col_major(x)), y));
  const Eigen::Vector4f sample(-1.0f, 2.0f, -0.0f, kNan);
  const Eigen::Tensor<float, 1, Eigen::RowMajor> one = Relu{}(sample);
  EXPECT_EQ(bits_of(one(0)), bits_of(0.0f));
  EXPECT_EQ(one(1), 2.0f);
  EXPECT_EQ(bits_of(one(2)), bits_of(0.0f));
  EXPECT_NE(one(3), one(3));
}

}  // namespace
}  // namespace quanta::test
