// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rounding other than half to even.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using AsymInt8 = AsymmetricQuantizer<Int<8>>;
constexpr QuantizeOptions kAway{.rounding = Rounding::half_away};

QuantizeOptions stochastic(std::uint64_t seed) { return {.rounding = Rounding::stochastic, .seed = seed}; }

TEST(Rounding, HalfAwayRoundsTiesAwayFromZero) {
  const AsymInt8 quantizer(1.0f, 3);
  RowTensor<float, 1> x(4 * 400 + 1);
  for (Index i = 0; i < x.size(); ++i) x(i) = static_cast<float>(i - 800) * 0.25f;
  const auto codes = quantizer.quantize(x, kAway).codes();
  int ties = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double rounded = std::round(static_cast<double>(x(i)));  // half away, by definition
    ASSERT_EQ(static_cast<long>(codes(i)), reference::saturate(rounded + 3.0, -128, 127)) << x(i);
    ties += rounded != reference::half_even(x(i)) ? 1 : 0;
  }
  EXPECT_GT(ties, 100);
}

TEST(Rounding, HalfAwayDiffersFromHalfEvenInTiesAlone) {
  const RowTensor<float, 1> x = random_tensor<1>({5000}, 1, 30.0f);
  const AsymInt8 quantizer(0.37f, -5);
  const auto away = quantizer.quantize(x, kAway).codes();
  for (Index i = 0; i < x.size(); ++i) {
    const float q = reference::quotient(x(i), 0.37f);
    ASSERT_EQ(static_cast<long>(away(i)), reference::saturate(std::round(static_cast<double>(q)) - 5.0, -128, 127));
  }
  // The largest number below a tie stays below it, also where adding 0.5 would round up to it.
  RowTensor<float, 1> below(2);
  below.setValues({0.49999997f, -0.49999997f});
  const auto codes = SymmetricQuantizer<Int<8>>(1.0f).quantize(below, kAway).codes();
  EXPECT_EQ(codes(0), 0);
  EXPECT_EQ(codes(1), 0);
}

TEST(Rounding, StochasticTakesANeighbourAndKeepsIntegers) {
  const RowTensor<float, 1> x = random_tensor<1>({20'000}, 2, 20.0f);
  const AsymInt8 quantizer(0.5f, 7);
  const auto codes = quantizer.quantize(x, stochastic(1)).codes();
  int up = 0;
  for (Index i = 0; i < x.size(); ++i) {
    const double q = reference::quotient(x(i), 0.5f);
    const long low = reference::saturate(std::floor(q) + 7.0, -128, 127);
    const long high = reference::saturate(std::ceil(q) + 7.0, -128, 127);
    ASSERT_TRUE(codes(i) == low || codes(i) == high) << x(i);
    up += codes(i) == high && high != low ? 1 : 0;
  }
  EXPECT_NEAR(up, 10'000, 400);
  RowTensor<float, 1> integers(200);
  for (Index i = 0; i < 200; ++i) integers(i) = static_cast<float>(i - 100);
  const auto kept = SymmetricQuantizer<Int<8>>(1.0f).quantize(integers, stochastic(2)).codes();
  for (Index i = 0; i < 200; ++i) ASSERT_EQ(kept(i), i - 100);
}

TEST(Rounding, StochasticFollowsTheNumberOfSeedAndIndex) {
  const RowTensor<float, 2> x = random_tensor<2>({50, 70}, 3, 20.0f);
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{99}, ~std::uint64_t{0}}) {
    const auto codes = SymmetricQuantizer<Int<8>>(0.75f).quantize(x, stochastic(seed)).codes();
    for (Index i = 0; i < x.size(); ++i) {
      const float q = std::min(std::max(reference::quotient(x.data()[i], 0.75f), -127.0f), 127.0f);
      const float fraction = q - std::floor(q);
      const bool up = uniform(seed, static_cast<std::uint64_t>(i)) < fraction;
      ASSERT_EQ(static_cast<double>(codes.data()[i]), std::floor(static_cast<double>(q)) + (up ? 1.0 : 0.0));
    }
  }
}

// The mean of many roundings of one number is that number: 100,000 of them leave a deviation of at most
// 0.5 / sqrt(100,000) = 0.0016.
TEST(Rounding, StochasticIsUnbiased) {
  for (const float value : {0.1f, 0.25f, 0.5f, 0.9f, 3.3f, -0.1f, -2.7f, -0.999f}) {
    RowTensor<float, 1> x(100'000);
    x.setConstant(value);
    const auto codes = SymmetricQuantizer<Int<8>>(1.0f).quantize(x, stochastic(4)).codes();
    double sum = 0.0;
    for (Index i = 0; i < x.size(); ++i) sum += codes(i);
    EXPECT_NEAR(sum / 100'000.0, static_cast<double>(value), 4.5 * 0.0016) << value;
  }
}

TEST(Rounding, StochasticDependsOnTheSeed) {
  const RowTensor<float, 1> x = random_tensor<1>({1000}, 5, 20.0f);
  const SymmetricQuantizer<Int<8>> quantizer(1.0f);
  const auto one = quantizer.quantize(x, stochastic(1)).codes();
  EXPECT_TRUE(same_bits(quantizer.quantize(x, stochastic(1)).codes(), one));
  EXPECT_FALSE(same_bits(quantizer.quantize(x, stochastic(2)).codes(), one));
}

TEST(Rounding, StochasticDependsOnTheLogicalIndexAlone) {
  const RowTensor<float, 2> x = random_tensor<2>({40, 90}, 6, 20.0f);
  const ColTensor<float, 2> col = col_major(x);
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> map(x.data(), 40, 90);
  const Eigen::MatrixXf matrix = map;
  Eigen::MatrixXf frame = Eigen::MatrixXf::Zero(50, 100);
  frame.block(3, 4, 40, 90) = matrix;
  const SymmetricQuantizer<Int<8>> quantizer(0.8f);
  const auto expected = quantizer.quantize(x, stochastic(9)).codes();
  EXPECT_TRUE(same_bits(quantizer.quantize(col, stochastic(9)).codes(), expected));
  EXPECT_TRUE(same_bits(quantizer.quantize(matrix, stochastic(9)).codes(), expected));
  EXPECT_TRUE(same_bits(quantizer.quantize(frame.block(3, 4, 40, 90), stochastic(9)).codes(), expected));
  // Another shape with the same logical order, and another granularity with the same scales.
  EXPECT_TRUE(same_bits(quantizer.quantize(x.reshape(Dims<1>{3600}), stochastic(9)).codes(), expected));
  const SymmetricQuantizer<Int<8>, PerChannel<1>> columns(QuantParams<PerChannel<1>>(std::vector<float>(90, 0.8f)));
  EXPECT_TRUE(same_bits(columns.quantize(x, stochastic(9)).codes(), expected));
  EXPECT_TRUE(same_bits(columns.quantize(col, stochastic(9)).codes(), expected));
}

TEST(Rounding, FakeQuantizeRoundsTheSameWay) {
  const RowTensor<float, 2> x = random_tensor<2>({30, 33}, 7, 20.0f);
  const auto quantizer = AsymmetricQuantizer<UInt<4>, PerGroup<8>>::fit(x);
  for (const QuantizeOptions& options : {QuantizeOptions{}, kAway, stochastic(5)}) {
    EXPECT_TRUE(same_bits(quantizer.fake_quantize(x, options), quantizer.quantize(x, options).dequantize()));
  }
}

}  // namespace
}  // namespace quanta::test
