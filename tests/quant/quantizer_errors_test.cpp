// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Parameters and tensors that do not belong together, and what the messages say.
#include <gtest/gtest.h>

#include <quanta/calib/min_max.hpp>
#include <quanta/calib/mse.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(QuantizerErrors, ZeroPointsOutsideTheFormat) {
  EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>(1.0f, 256), "Quantizer: zero point 0 is 256", "0 to 255");
  EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>(1.0f, -1), "zero point 0 is -1", "0 to 255");
  EXPECT_ERROR(AsymmetricQuantizer<Int<4>>(1.0f, 8), "zero point 0 is 8", "-8 to 7");
  const QuantParams<PerChannel<0>> params({1.0f, 1.0f, 1.0f}, {0, 15, 16});
  EXPECT_ERROR((AsymmetricQuantizer<UInt<4>, PerChannel<0>>(params)), "zero point 2 is 16", "0 to 15");
  EXPECT_NO_THROW(AsymmetricQuantizer<UInt<8>>(1.0f, 255));
  EXPECT_NO_THROW(AsymmetricQuantizer<Int<8>>(1.0f, -128));
}

TEST(QuantizerErrors, ZeroPointsOfASymmetricQuantizer) {
  EXPECT_ERROR(SymmetricQuantizer<Int<8>>(1.0f, 1), "Quantizer: zero point 0 is 1", "expected 0", "symmetric");
  const QuantParams<PerChannel<0>> params({1.0f, 1.0f}, {0, -1});
  EXPECT_ERROR((SymmetricQuantizer<Int<8>, PerChannel<0>>(params)), "zero point 1 is -1", "expected 0");
}

TEST(QuantizerErrors, ScalesThatAreNotScales) {
  for (const float scale :
       {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(), 0x1p-127f, std::numeric_limits<float>::infinity()}) {
    EXPECT_ERROR(SymmetricQuantizer<Int<8>>(scale), "scale 0 is", "at least 2^-126");
    EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>(scale, 3), "scale 0 is", "at least 2^-126");
  }
}

// A double is rounded to float first: what is finite as it was given can be infinite then, and the message says so.
TEST(QuantizerErrors, ValuesThatAreNotFiniteAsFloats) {
  Eigen::VectorXd x(3);
  for (const double value : {1e300, std::numeric_limits<double>::infinity()}) {
    x << 1.0, 2.0, value;
    const char* const says = "element 2 (row-major) is inf as a float, expected finite values";
    EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>::fit(x), "fit: ", says);
    EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>::fit_quantize(x), "fit: ", says);
    MinMaxCalibrator<> ranges;
    EXPECT_ERROR(ranges.observe(x), "observe: ", says);
    MseCalibrator<> counts;
    EXPECT_ERROR(counts.observe(x), "observe: ", says);
    x(2) = -value;
    EXPECT_ERROR(SymmetricQuantizer<Int<8>>::fit(x), "element 2 (row-major) is -inf as a float, expected");
  }
  x(1) = std::numeric_limits<double>::quiet_NaN();
  EXPECT_ERROR(SymmetricQuantizer<Int<8>>::fit(x), "element 1 (row-major) is nan, expected finite values");
}

TEST(QuantizerErrors, AnotherNumberOfScalesThanTheShapeHas) {
  const RowTensor<float, 2> fitted = random_tensor<2>({3, 8}, 1), other = random_tensor<2>({4, 9}, 2);
  const auto rows = SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(fitted);
  EXPECT_ERROR(rows.quantize(other), "quantize: 3 scales", "shape (4, 9)", "has 4");
  EXPECT_ERROR(rows.fake_quantize(other), "fake_quantize: 3 scales", "shape (4, 9)", "has 4");
  const auto groups = AsymmetricQuantizer<UInt<8>, PerGroup<4>>::fit(fitted);
  EXPECT_ERROR(groups.quantize(other), "quantize: 6 scales", "shape (4, 9)", "has 12");
  EXPECT_NO_THROW(rows.quantize(random_tensor<2>({3, 100}, 3)));  // other extents may change
  EXPECT_NO_THROW(rows.quantize(random_tensor<3>({3, 2, 5}, 3)));
  const RowTensor<float, 2> empty(0, 9);
  EXPECT_ERROR(rows.quantize(empty), "3 scales", "shape (0, 9)", "has 0");
}

}  // namespace
}  // namespace quanta::test
