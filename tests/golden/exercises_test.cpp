// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The figures of textbook exercises, which were computed in float64, and where our convention is another.
#include "tests/support/golden_json.hpp"

#if QUANTA_TEST_HAS_JSON
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class Codes>
std::vector<int> ints(const Codes& codes) {
  return {codes.data(), codes.data() + codes.size()};
}

// In float64 the fourth quotient is just above -63.5 and gives -63. In float32 it is a tie, and -64 is even.
TEST(GoldenExercises, OneByHand) {
  const nlohmann::json expected = figures("exercise1");
  const std::vector<double> weights{0.247, -0.103, 0.089, -0.156, 0.312, -0.278};
  const Eigen::Map<const Eigen::VectorXd> x(weights.data(), 6);
  const auto quantizer = SymmetricQuantizer<Int<8>>::fit(x);
  EXPECT_TRUE(relative(quantizer.params().scale(0), expected["scale"]));
  std::vector<int> codes = expected["codes"];
  const double wide = reference::half_even(weights[3] / (0.312 / 127.0));
  EXPECT_EQ(wide, codes[3]);
  EXPECT_EQ(codes[3], -63);
  EXPECT_EQ(-0.156f / quantizer.params().scale(0), -63.5f);
  codes[3] = -64;
  EXPECT_EQ(ints(quantizer.quantize(x).codes()), codes);
  // The largest error is that of this element, half a step, on whichever side.
  EXPECT_TRUE(relative(error_metrics(x, quantizer.fake_quantize(x)).max_error, expected["max_error"]));
}

TEST(GoldenExercises, TwoPerTensorAndPerChannel) {
  const nlohmann::json expected = figures("exercise2");
  const auto weights = read_npy<double>("golden/exercise2_weights.npy").tensor<2>();
  const double tensor = error_metrics(weights, SymmetricQuantizer<Int<8>>::fit(weights).fake_quantize(weights)).mse;
  const double channel =
      error_metrics(weights, SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(weights).fake_quantize(weights)).mse;
  EXPECT_TRUE(relative(tensor, expected["mse_per_tensor"]));
  EXPECT_TRUE(relative(channel, expected["mse_per_channel"]));
  EXPECT_TRUE(relative(tensor / channel, expected["ratio"]));
}

template <int bits>
void check_bits(const RowTensor<double, 1>& weights) {
  const double mse = error_metrics(weights, SymmetricQuantizer<Int<bits>>::fit(weights).fake_quantize(weights)).mse;
  EXPECT_TRUE(relative(mse, figures("exercise3_mse")[std::to_string(bits)])) << bits;
}

TEST(GoldenExercises, ThreeErrorAgainstBits) {
  const auto weights = read_npy<double>("golden/exercise3_weights.npy").tensor<1>();
  check_bits<2>(weights);
  check_bits<3>(weights);
  check_bits<4>(weights);
  check_bits<5>(weights);
  check_bits<6>(weights);
  check_bits<7>(weights);
  check_bits<8>(weights);
}

// A lecture prints 96 for 0.9 / (1.2 / 127) = 95.25; the arithmetic gives 95.
TEST(GoldenExercises, LectureExample) {
  const nlohmann::json expected = figures("lecture_example");
  RowTensor<float, 1> x(4);
  x.setValues({0.1f, 0.5f, 0.9f, 1.2f});
  const auto quantizer = SymmetricQuantizer<Int<8>>::fit(x);
  EXPECT_TRUE(relative(quantizer.params().scale(0), expected["scale"]));
  const std::vector<int> codes = ints(quantizer.quantize(x).codes());
  EXPECT_EQ(codes, expected["codes"].get<std::vector<int>>());
  std::vector<int> printed = expected["lecture_prints"];
  EXPECT_EQ(printed[2], 96);
  printed[2] = 95;
  EXPECT_EQ(codes, printed);
}

// A notebook keeps its zero point as a float, -min / scale, so that min and max are exact and 0 is not. Ours is an
// integer, so that 0 is exact (padding, ReLU). Both, from one input.
TEST(GoldenExercises, NotebookWithAFloatZeroPoint) {
  const nlohmann::json expected = figures("notebook");
  const auto x = read_npy<float>("golden/notebook_input.npy").tensor<2>();
  const std::vector<std::vector<int>> their_codes = expected["codes"];
  const double scale = expected["scale"], zero_point = expected["zero_point"];
  double their_mean = 0.0, their_max = 0.0;
  for (Index i = 0; i < 9; ++i) {
    const double value = static_cast<double>(x.data()[i]);
    const double code = std::min(std::max(reference::half_even(value / scale + zero_point), 0.0), 255.0);
    EXPECT_EQ(code, their_codes[usize(i / 3)][usize(i % 3)]);
    const volatile float steps = static_cast<float>(code) - static_cast<float>(zero_point);  // float32, as PyTorch's
    const volatile float back = steps * static_cast<float>(scale);
    const float error = std::fabs(x.data()[i] - back);
    their_mean += error / 9.0;
    their_max = std::max(their_max, double{error});
  }
  EXPECT_TRUE(relative(their_mean, expected["mean_abs"]));
  EXPECT_TRUE(relative(their_max, expected["max_abs"]));

  const auto quantizer = AsymmetricQuantizer<UInt<8>>::fit(x);
  EXPECT_TRUE(relative(quantizer.params().scale(0), expected["scale"]));
  EXPECT_EQ(quantizer.params().zero_point(0), 86);  // of 85.957
  const auto codes = quantizer.quantize(x).codes();
  for (Index i = 0; i < 9; ++i) {
    const double value = static_cast<double>(x.data()[i]);
    const double ours = std::min(std::max(reference::half_even(value / scale) + 86.0, 0.0), 255.0);
    EXPECT_EQ(codes.data()[i], ours);
    EXPECT_LE(std::abs(codes.data()[i] - their_codes[usize(i / 3)][usize(i % 3)]), 1);
  }
  EXPECT_LE(error_metrics(x, quantizer.fake_quantize(x)).max_error, 0.5 * scale * (1.0 + 1e-6));
  RowTensor<float, 1> zero(1);
  zero.setZero();
  EXPECT_EQ(quantizer.fake_quantize(zero)(0), 0.0f);
  const double their_zero = (reference::half_even(zero_point) - zero_point) * scale;
  EXPECT_GT(std::fabs(their_zero), 1e-3);
}

// The same convention on a line from -2 to 2, with fewer and fewer levels.
TEST(GoldenExercises, NotebookLine) {
  Eigen::VectorXf x(1000);
  // As torch.linspace computes it in float32: from either end, so that both are exact.
  const float step = 4.0f / 999.0f;
  for (int i = 0; i < 1000; ++i) {
    x(i) = i < 500 ? std::fma(step, static_cast<float>(i), -2.0f) : std::fma(-step, static_cast<float>(999 - i), 2.0f);
  }
  const auto check = [&](int bits, double ours) {
    const double steps = std::pow(2.0, bits) - 1.0, scale = 4.0 / steps, zero_point = 2.0 / scale;
    double mean = 0.0;
    for (const float v : x) {
      const double code = reference::half_even(static_cast<double>(v) / scale + zero_point);
      mean += std::fabs(static_cast<double>(v) - (code - zero_point) * scale) / 1000.0;
    }
    const nlohmann::json expected = figures("notebook_linspace_" + std::to_string(bits) + "bit");
    EXPECT_TRUE(relative(mean, expected["mean_abs"])) << bits;
    // Two bits leave an integer zero point half a step off, which costs range at one end.
    EXPECT_TRUE(relative(ours, expected["mean_abs"], bits == 8 ? 0.01 : bits == 4 ? 0.04 : 0.4)) << bits;
    EXPECT_GE(ours, 0.9 * mean);
  };
  check(8, error_metrics(x, AsymmetricQuantizer<UInt<8>>::fit(x).fake_quantize(x)).mean_error);
  check(4, error_metrics(x, AsymmetricQuantizer<UInt<4>>::fit(x).fake_quantize(x)).mean_error);
  check(2, error_metrics(x, AsymmetricQuantizer<UInt<2>>::fit(x).fake_quantize(x)).mean_error);
}

}  // namespace
}  // namespace quanta::test
#endif
