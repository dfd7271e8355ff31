// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/gemm/requantize.hpp>

#include "tests/gemm/fixed_point_oracle.hpp"
#include "tests/gemm/odd_sizes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

class RequantizeTest : public testing::Test {
 protected:
  RequantizeTest() {
    for (Index j = 0; j < kN; ++j) bias[j] = random.normal(500.0f * lhs.scale(0) * rhs.scale(j));
  }

  // The code of one output: all from the definition.
  long expected(Index i, Index j, float scale_out, long zero_out, long low, long high, bool with_bias,
                bool double_rounding) const {
    const double scale = double{lhs.scale(0)} * double{rhs.scale(j)};
    const Multiplier factor(scale / double{scale_out});
    long acc = dot(lhs, i, rhs, j);
    if (with_bias) acc += std::lrint(double{bias[j]} / scale);  // half to even
    const auto sum = static_cast<std::int32_t>(acc);
    const Wide scaled = double_rounding ? Wide{gemmlowp_multiply(sum, factor.m, factor.shift)}
                                        : exact_multiply(sum, factor.m, factor.shift);
    return static_cast<long>(std::clamp<Wide>(scaled + zero_out, low, high));
  }

  template <class Q>
  void check(const Q& output, long low, long high) {
    using F = typename Q::FormatType;
    const float scale_out = output.params().scale(0);
    const long zero_out = output.params().zero_point(0);
    const auto expect = [&](const QuantizedTensor<F, 2>& y, bool with_bias, bool double_rounding) {
      EXPECT_EQ(y.params().scale(0), scale_out);
      EXPECT_EQ(y.params().zero_point(0), zero_out);
      EXPECT_TRUE(equals(
          y.codes(), kM, kN,
          [&](Index i, Index j) { return expected(i, j, scale_out, zero_out, low, high, with_bias, double_rounding); }))
          << "scale " << scale_out << (with_bias ? ", bias" : "") << (double_rounding ? ", two roundings" : "");
    };
    expect(gemm_requantized(x, packed, output), false, false);
    expect(gemm_requantized(x, packed, output, bias), true, false);
    expect(gemm_requantized(x, packed, output, DoubleRounding{}), false, true);
    expect(gemm_requantized(x, packed, output, bias, DoubleRounding{}), true, true);
    expect(gemm_requantized(x, packed, output, DoubleRounding{}, bias), true, true);
    const Requantize prepared(lhs.scale(0), packed, output, bias);
    expect(gemm_requantized(x, packed, prepared), true, false);
    Eigen::Matrix<typename F::Code, Eigen::Dynamic, Eigen::Dynamic> codes(kM, kN);  // column-major
    for (int time = 0; time < 2; ++time) {
      codes.setZero();
      gemm(x, packed, codes, prepared);
      EXPECT_TRUE(equals(codes, kM, kN,
                         [&](Index i, Index j) { return expected(i, j, scale_out, zero_out, low, high, true, false); }))
          << "prepared, scale " << scale_out;
    }
  }

  Random random{1};
  IntMatrix lhs = int_matrix<UInt<8>>(kM, kK, kOne, Fill::random, Fill::random, random);
  IntMatrix rhs = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::zero, random);
  QuantizedTensor<UInt<8>, 2> x = quantized<UInt<8>, PerTensor>(lhs);
  PackedRhs<Int<8>> packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  Eigen::VectorXf bias{kN};
};

// From scales that saturate nearly everything, over multipliers beyond 1, to scales at which nearly all is 0.
constexpr float kOutputScales[] = {0x1p-60f, 1e-9f, 1e-5f, 0.003f, 0.02f, 0.1f, 0.31f, 1.0f, 3.7f, 100.0f, 1e8f, 1e30f};

TEST_F(RequantizeTest, ToInt8SymmetricNeverGivesMinus128) {
  for (const float scale : kOutputScales) check(SymmetricQuantizer<Int<8>>(scale), -127, 127);
}
TEST_F(RequantizeTest, ToInt8SymmetricOfTheFullRangeMayGiveMinus128) {
  check(SymmetricQuantizer<Int<8>>(0.1f, 0, {.full_range = true}), -128, 127);
}
TEST_F(RequantizeTest, ToInt8Asymmetric) {
  for (const float scale : kOutputScales) check(AsymmetricQuantizer<Int<8>>(scale, -77), -128, 127);
}
TEST_F(RequantizeTest, ToUInt8) {
  for (const int zero : {0, 100, 255}) check(AsymmetricQuantizer<UInt<8>>(1.3f, zero), 0, 255);
}
TEST_F(RequantizeTest, ToFourBits) { check(SymmetricQuantizer<Int<4>>(7.0f), -7, 7); }
TEST_F(RequantizeTest, ToSixteenBits) { check(AsymmetricQuantizer<Int<16>>(0.01f, 1234), -32768, 32767); }

TEST_F(RequantizeTest, RoundsReluAndClampToBoundsOfCodes) {
  const AsymmetricQuantizer<Int<8>> output(0.31f, -20);
  const auto expect = [&](long low, long high, const auto&... options) {
    EXPECT_TRUE(equals(gemm_requantized(x, packed, output, options..., bias).codes(), kM, kN,
                       [&](Index i, Index j) { return expected(i, j, 0.31f, -20, low, high, true, false); }))
        << low << " to " << high;
  };
  const float infinity = std::numeric_limits<float>::infinity();
  expect(-20, 127, Relu{});
  expect(-20, -1, Relu6{});              // 6 / 0.31 is 19.4
  expect(-23, -12, Clamp(-1.0f, 2.5f));  // -3.2 and 8.1
  expect(-128, -12, Clamp(-infinity, 2.5f));
  expect(127, 127, Clamp(1e30f, infinity));
  expect(-128, 127, Clamp(-infinity, infinity));
  EXPECT_EQ(Requantize(lhs.scale(0), packed, output, Relu{}).min_code(), -20);
  EXPECT_EQ(Requantize(lhs.scale(0), packed, SymmetricQuantizer<Int<8>>(0.4f), Relu6{}).max_code(), 15);
}

TEST_F(RequantizeTest, WithOneScaleForAllWeights) {
  rhs = int_matrix<Int<8>>(kN, kK, kOne, Fill::random, Fill::random, random);
  const AsymmetricQuantizer<UInt<8>> output(0.4f, 13);
  const auto y = gemm_requantized(x, pack(quantized<Int<8>, PerTensor>(rhs)), output);
  EXPECT_TRUE(
      equals(y.codes(), kM, kN, [&](Index i, Index j) { return expected(i, j, 0.4f, 13, 0, 255, false, false); }));
}

TEST_F(RequantizeTest, TakesABiasOfDoubleOrOfATensor) {
  const SymmetricQuantizer<Int<8>> output(0.4f);
  const auto codes = gemm_requantized(x, packed, output, bias).codes();
  const Eigen::RowVectorXd wide = bias.cast<double>().transpose();
  EXPECT_TRUE(same_bits(gemm_requantized(x, packed, output, wide).codes(), codes));
  const Eigen::TensorMap<Eigen::Tensor<float, 1>> tensor(bias.data(), kN);
  EXPECT_TRUE(same_bits(gemm_requantized(x, packed, output, tensor).codes(), codes));
}

TEST_F(RequantizeTest, RejectsABiasThatInt32CannotHoldAtItsScale) {
  const SymmetricQuantizer<Int<8>> output(0.4f);
  const float unit = lhs.scale(0) * rhs.scale(3);
  for (const float value : {unit * 0x1.01p31f, unit * -0x1.01p31f, 1e30f, std::numeric_limits<float>::infinity(),
                            std::numeric_limits<float>::quiet_NaN()}) {
    bias[3] = value;
    EXPECT_ERROR(gemm_requantized(x, packed, output, bias), "bias 3", "int32");
  }
}

TEST_F(RequantizeTest, RejectsOperandsAndABiasOfOtherSizes) {
  const SymmetricQuantizer<Int<8>> output(0.4f);
  const Eigen::VectorXf longer = Eigen::VectorXf::Ones(kN + 1);
  EXPECT_ERROR(gemm_requantized(x, packed, output, longer), "bias", "38", "37");
  const IntMatrix narrow = int_matrix<UInt<8>>(kM, kK - 1, kOne, Fill::random, Fill::zero, random);
  EXPECT_ERROR(gemm_requantized(quantized<UInt<8>, PerTensor>(narrow), packed, output), "(11, 29)", "(37, 30)");
}

TEST_F(RequantizeTest, PreparedForOneLhsAndRhsRefusesOthers) {
  const SymmetricQuantizer<Int<8>> output(0.4f);
  const Requantize prepared(lhs.scale(0), packed, output);
  IntMatrix other = lhs;
  other.scales[0] *= 2.0f;
  Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic> y(kM, kN);
  y.setConstant(77);
  const auto wrong_scale = quantized<UInt<8>, PerTensor>(other);
  EXPECT_ERROR(gemm(wrong_scale, packed, y, prepared), "Requantize", "scale");
  const IntMatrix more = int_matrix<Int<8>>(kN + 1, kK, kPerRow, Fill::random, Fill::zero, random);
  const auto wider = pack(quantized<Int<8>, PerChannel<0>>(more));
  EXPECT_ERROR(gemm_requantized(x, wider, prepared), "Requantize", "37", "38");
  EXPECT_TRUE((y.array() == 77).all());
}

TEST_F(RequantizeTest, RefusesScalesThatAreNone) {
  const SymmetricQuantizer<Int<8>> output(0.4f);
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const float scale : {0.0f, -1.0f, 1e-38f, infinity, nan}) {
    EXPECT_ERROR(Requantize(scale, packed, output), "Requantize", "scale_x");
  }
}

// 255 * w + (2^31 - 256) is the largest int32 for w = 1 and one too large for w = 2.
TEST(RequantizeLimits, TheSumWithTheBiasMayReachTheLastInt32AndNotPassIt) {
  RowTensor<std::uint8_t, 2> code(1, 1);
  code.setConstant(255);
  const QuantizedTensor<UInt<8>, 2> x(code, QuantParams<PerTensor>(1.0f));
  RowTensor<std::int8_t, 2> weight(1, 1);
  const auto packed = [&](std::int8_t w) {
    weight.setConstant(w);
    return pack(QuantizedTensor<Int<8>, 2>(weight, QuantParams<PerTensor>(1.0f)));
  };
  const AsymmetricQuantizer<Int<16>> output(0x1p16f);  // so that the whole of int32 is seen
  Eigen::VectorXf bias = Eigen::VectorXf::Constant(1, 0x1p31f - 256.0f);
  EXPECT_EQ(gemm_requantized(x, packed(1), output, bias).codes()(0, 0), 32767);
  EXPECT_ERROR(gemm_requantized(x, packed(2), output, bias), "output 0", "int32");
  bias[0] = -0x1p31f;
  EXPECT_EQ(gemm_requantized(x, packed(1), output, bias).codes()(0, 0), -32768);
  EXPECT_ERROR(gemm_requantized(x, packed(-1), output, bias), "output 0", "int32");
}

TEST(RequantizeLimits, TheBiasIsRoundedHalfToEven) {
  const float biases[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, 2.25f, 2.75f, 8388607.5f, -8388607.5f};
  const int expected[] = {0, 2, 2, 0, -2, -2, 2, 3, 8388608, -8388608};
  RowTensor<std::uint8_t, 2> code(1, 1);
  code.setConstant(1);
  const QuantizedTensor<UInt<8>, 2> x(code, QuantParams<PerTensor>(1.0f));
  RowTensor<std::int8_t, 2> weights(10, 1);
  weights.setConstant(0);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  for (const float scale : {1.0f, 512.0f}) {  // to see small numbers, and large ones
    const auto y =
        gemm_requantized(x, packed, SymmetricQuantizer<Int<16>>(scale), Eigen::Map<const Eigen::VectorXf>(biases, 10));
    for (Index j = 0; j < 10; ++j) {
      const int in_range = std::clamp(static_cast<int>(std::lround(expected[j] / double{scale})), -32767, 32767);
      EXPECT_EQ(y.codes()(0, j), in_range) << biases[j];
    }
  }
}

// Sums as close to the middle between two codes as their scales let them come, from sums of one digit to those of nine,
// and in the middle itself.
TEST(RequantizeTies, AreToldFromWhatIsNearThem) {
  constexpr Index kSums = 256, kColumns = 40;
  Random random{17};
  RowTensor<std::uint8_t, 2> codes(kSums, 1);
  for (Index i = 0; i < kSums; ++i) codes(i, 0) = static_cast<std::uint8_t>(i);
  const QuantizedTensor<UInt<8>, 2> x(codes, QuantParams<PerTensor>(1.0f));
  RowTensor<std::int8_t, 2> ones(kColumns, 1);
  ones.setConstant(1);
  Index ties = 0;
  for (int turn = 0; turn < 60; ++turn) {
    const float scale_out = turn % 2 == 0 ? 1.0f : 3.7f;
    std::vector<float> scales;
    Eigen::VectorXf bias(kColumns);
    for (Index j = 0; j < kColumns; ++j) {
      const bool has_ties = j % 4 == 0;  // scales that are powers of two, next to any others
      const float scale = std::ldexp(has_ties ? 1.0f : 1.5f + random.uniform(0.5f), random.between(-22, -2));
      scales.push_back(scale);
      const double middle = (random.between(-140, 140) + 0.5) * double{scale_out} / double{scale};
      bias[j] = static_cast<float>((middle - kSums / 2) * double{scale});
    }
    const auto packed = pack(QuantizedTensor<Int<8>, 2, PerChannel<0>>(ones, QuantParams<PerChannel<0>>(scales)));
    const AsymmetricQuantizer<Int<8>> output(scale_out, random.between(-20, 20));
    const auto y = gemm_requantized(x, packed, output, bias).codes();
    for (Index j = 0; j < kColumns; ++j) {
      const double scale = double{scales[static_cast<std::size_t>(j)]};
      const Multiplier factor(scale / double{scale_out});
      for (Index i = 0; i < kSums; ++i) {
        const auto sum = static_cast<std::int32_t>(i + std::lrint(double{bias[j]} / scale));
        const Wide code = exact_multiply(sum, factor.m, factor.shift) + output.params().zero_point(0);
        ASSERT_EQ(y(i, j), static_cast<long>(std::clamp<Wide>(code, -128, 127))) << sum << " * " << scale;
        const double real = sum * scale / double{scale_out};
        ties += std::abs(real) < 128.0 && real - std::floor(real) == 0.5 ? 1 : 0;
      }
    }
  }
  EXPECT_GT(ties, 100);
}

// A channel whose multiplier rounds to 0 gives the zero point; so does one of zero weights, whose scale is 1.
TEST(RequantizeLimits, ADeadChannelGivesTheZeroPoint) {
  Eigen::MatrixXf weight(3, 4);
  weight << 0, 0, 0, 0, 1e-30f, 1e-30f, -1e-30f, 1e-30f, 1, 2, 3, 4;
  const auto packed = pack(SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weight).quantize(weight));
  const Eigen::MatrixXf x = Eigen::MatrixXf::Ones(2, 4);
  const auto quantized_x = AsymmetricQuantizer<UInt<8>>::fit(x).quantize(x);
  const AsymmetricQuantizer<UInt<8>> output(0.1f, 50);
  const auto y = gemm_requantized(quantized_x, packed, output).codes();
  for (Index i = 0; i < 2; ++i) {
    EXPECT_EQ(y(i, 0), 50);
    EXPECT_EQ(y(i, 1), 50);
    EXPECT_EQ(y(i, 2), 150);  // 10 / 0.1 + 50
  }
}

TEST(RequantizeLimits, OfNothingIsNothing) {
  const RowTensor<std::uint8_t, 2> codes(0, 4);
  RowTensor<std::int8_t, 2> weights(3, 4);
  weights.setConstant(1);
  const auto packed = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  const auto y = gemm_requantized(QuantizedTensor<UInt<8>, 2>(codes, QuantParams<PerTensor>(1.0f)), packed,
                                  SymmetricQuantizer<Int<8>>(1.0f));
  EXPECT_EQ(y.shape(), (Shape<2>{0, 3}));
}

}  // namespace
}  // namespace quanta::test
