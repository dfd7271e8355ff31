// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include <quanta/layers/linear.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

// The definition: one fma per term, k ascending, from 0; then the bias.
float expected(const Matrix& x, Index b, const Matrix& weight, Index n, const float* bias) {
  float sum = 0.0f;
  for (Index k = 0; k < x.dimension(1); ++k) sum = std::fma(x(b, k), weight(n, k), sum);
  const volatile float product = sum;
  return product + (bias != nullptr ? bias[n] : 0.0f);
}

testing::AssertionResult is_linear(const Matrix& y, const Matrix& x, const Matrix& weight, const float* bias) {
  if (y.dimension(0) != x.dimension(0) || y.dimension(1) != weight.dimension(0)) {
    return testing::AssertionFailure() << "shape (" << y.dimension(0) << ", " << y.dimension(1) << ')';
  }
  for (Index b = 0; b < y.dimension(0); ++b) {
    for (Index n = 0; n < y.dimension(1); ++n) {
      const float want = expected(x, b, weight, n, bias);
      if (bits_of(y(b, n)) != bits_of(want)) {
        return testing::AssertionFailure() << b << ',' << n << " is " << y(b, n) << ", expected " << want;
      }
    }
  }
  return testing::AssertionSuccess();
}

TEST(Linear, SumsInTheOneOrderForAllSizes) {
  const int largest = scaled(40, 20);
  for (Index batch = 0; batch <= largest; batch += 1 + batch / 8) {
    for (Index n = 0; n <= 70; n += 1 + n / 4) {
      for (const Index k : {0, 1, 2, 17, 64}) {
        const Matrix x = random_tensor<2>({batch, k}, 1), weight = random_tensor<2>({n, k}, 2);
        const Vector bias = random_tensor<1>({n}, 3);
        ASSERT_TRUE(is_linear(Linear(weight, bias)(x), x, weight, bias.data())) << batch << ' ' << n << ' ' << k;
      }
    }
  }
}

// Sums where every rounding shows: terms of all magnitudes that cancel.
TEST(Linear, RoundsAsDefinedWhereTermsCancel) {
  Matrix x = random_tensor<2>({13, 200}, 4), weight = random_tensor<2>({35, 200}, 5);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] = std::ldexp(x.data()[i], static_cast<int>(i % 41) - 20);
  for (Index i = 0; i < weight.size(); ++i) {
    weight.data()[i] = std::ldexp(weight.data()[i], 20 - static_cast<int>(i % 200 % 41));
  }
  EXPECT_TRUE(is_linear(Linear(weight)(x), x, weight, nullptr));
}

TEST(Linear, TakesSubnormalNumbersAndInfinities) {
  Matrix x = random_tensor<2>({3, 8}, 6, 1e-38f), weight = random_tensor<2>({5, 8}, 7, 1e-2f);
  EXPECT_TRUE(is_linear(Linear(weight)(x), x, weight, nullptr));
  x(1, 3) = std::numeric_limits<float>::infinity();
  x(2, 3) = std::bit_cast<float>(0xffc12345u);
  const Matrix y = Linear(weight)(x);
  EXPECT_TRUE(is_linear(y, x, weight, nullptr));
  for (Index n = 0; n < 5; ++n) {  // one NaN for all
    EXPECT_EQ(std::bit_cast<std::uint32_t>(y(2, n)), 0x7fc00000u);
  }
}

TEST(Linear, TakesAnyStorageOrderAndDouble) {
  const Matrix x = random_tensor<2>({9, 21}, 8), weight = random_tensor<2>({19, 21}, 9);
  const Vector bias = random_tensor<1>({19}, 10);
  const Matrix y = Linear(weight, bias)(x);
  ASSERT_TRUE(is_linear(y, x, weight, bias.data()));
  EXPECT_TRUE(same_bits(Linear(col_major(weight), bias)(col_major(x)), y));
  const Eigen::MatrixXd wide =
      Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>>(x.data(), 9, 21).cast<double>();
  EXPECT_TRUE(same_bits(Linear(weight, bias)(wide), y));
  Eigen::MatrixXf frame = Eigen::MatrixXf::Constant(12, 30, 77.0f);
  frame.block(1, 2, 9, 21) = wide.cast<float>();
  EXPECT_TRUE(same_bits(Linear(weight, bias)(frame.block(1, 2, 9, 21)), y));
  const Eigen::VectorXd wide_bias = Eigen::Map<const Eigen::VectorXf>(bias.data(), 19).cast<double>();
  EXPECT_TRUE(same_bits(Linear(weight, wide_bias)(x), y));
}

TEST(Linear, TakesAVectorAsOneSample) {
  const Matrix x = random_tensor<2>({1, 21}, 11), weight = random_tensor<2>({19, 21}, 12);
  const Linear linear(weight);
  const Matrix y = linear(x);
  const Eigen::VectorXf sample = Eigen::Map<const Eigen::VectorXf>(x.data(), 21);
  const Eigen::Tensor<float, 1, Eigen::RowMajor> one = linear(sample);
  EXPECT_TRUE(same_bits(one, y));
  Eigen::MatrixXf matrix = Eigen::MatrixXf::Constant(3, 21, 77.0f);
  matrix.row(1) = sample.transpose();
  EXPECT_TRUE(same_bits(linear(matrix.row(1)), y));  // strided
}

TEST(Linear, ASampleDoesNotDependOnItsBatch) {
  const Matrix x = random_tensor<2>({30, 33}, 13), weight = random_tensor<2>({37, 33}, 14);
  const Linear linear(weight);
  const Matrix whole = linear(x);
  for (const Index first : {0, 1, 12, 29}) {
    for (Index count = 1; first + count <= 30; ++count) {
      const Eigen::TensorMap<const Matrix> part(x.data() + first * 33, count, 33);
      const Matrix y = linear(part);
      ASSERT_TRUE(same_bits(y.data(), whole.data() + first * 37, count * 37)) << first << '+' << count;
    }
  }
}

TEST(Linear, GivesBackItsWeightAndBias) {
  const Matrix weight = random_tensor<2>({19, 21}, 15);
  const Vector bias = random_tensor<1>({19}, 16);
  const Linear linear(weight, bias);
  EXPECT_EQ(linear.in_features(), 21);
  EXPECT_EQ(linear.out_features(), 19);
  EXPECT_TRUE(same_bits(linear.weight(), weight));
  EXPECT_TRUE(same_bits(linear.bias(), bias));
  EXPECT_EQ(linear.name(), "Linear");
  const Linear without(weight);
  for (Index n = 0; n < 19; ++n) EXPECT_EQ(bits_of(without.bias()(n)), bits_of(0.0f));
}

TEST(Linear, PackedBytesAreWhatIsAllocated) {
  const Matrix weight = random_tensor<2>({19, 21}, 17);
  const Vector bias = random_tensor<1>({19}, 18);
  const std::int64_t before = allocations().live_bytes;
  const Linear linear(weight, bias);
  EXPECT_EQ(linear.packed_bytes(), allocations().live_bytes - before);
  EXPECT_GE(linear.packed_bytes(), (19 * 21 + 19) * 4);
}

TEST(Linear, RejectsOtherSizes) {
  const Matrix weight = random_tensor<2>({19, 21}, 19);
  const Vector bias = random_tensor<1>({21}, 20);
  EXPECT_ERROR(Linear(weight, bias), "Linear", "bias has 21", "19");
  const Linear linear(weight);
  EXPECT_ERROR(linear(random_tensor<2>({5, 20}, 21)), "Linear", "20 features", "21");
  EXPECT_ERROR(linear(random_tensor<1>({22}, 22)), "Linear", "22 features", "21");
}

}  // namespace
}  // namespace quanta::test
