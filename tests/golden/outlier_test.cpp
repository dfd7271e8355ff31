// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A textbook's demonstration of what outliers do: the clip by min-max and by the 99th percentile, and the error of both
// against the original data.
#include "tests/support/golden_json.hpp"

#if QUANTA_TEST_HAS_JSON
#include <quanta/calib/min_max.hpp>
#include <quanta/calib/percentile.hpp>
#include <quanta/quant/error_metrics.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Q = SymmetricQuantizer<Int<8>>;

TEST(GoldenOutliers, MinMaxKeepsEveryOutlier) {
  const auto x = read_npy<float>("golden/demo5_input.npy").tensor<1>();
  const nlohmann::json expected = figures("demo5_minmax");
  MinMaxCalibrator<> calibrator;
  calibrator.observe(x);
  const Range range = calibrator.range<Q>();
  EXPECT_TRUE(relative(std::max(-range.min, range.max), expected["clip"], 0.0));
  const ErrorMetrics m = error_metrics(x, Q::fit(calibrator).fake_quantize(x));
  EXPECT_TRUE(relative(m.max_error, expected["max_error"], 0.0));
  EXPECT_TRUE(relative(m.mean_error, expected["mean_error"]));
  EXPECT_TRUE(relative(m.mse, expected["mse"]));
  EXPECT_TRUE(relative(m.snr_db, expected["snr_db"]));
}

TEST(GoldenOutliers, The99thPercentileClipsThem) {
  const auto x = read_npy<float>("golden/demo5_input.npy").tensor<1>();
  const nlohmann::json expected = figures("demo5_percentile99");
  PercentileCalibrator<> calibrator(Abs{99.0});
  calibrator.observe(x);
  const Range range = calibrator.range<Q>();
  const float clip = range.max;
  EXPECT_EQ(range.min, -clip);
  const double resolution = CalibrationSketch<>::ChannelSketch::kResolution;
  EXPECT_TRUE(relative(clip, expected["clip"], resolution));
  Eigen::Tensor<float, 1, Eigen::RowMajor> clipped = x;
  int count = 0;
  double signal = 0.0, noise = 0.0, outside = 0.0;
  for (Index i = 0; i < x.size(); ++i) {
    clipped(i) = std::min(std::max(x(i), -clip), clip);
    count += std::fabs(x(i)) > clip ? 1 : 0;
    signal += double{x(i)} * double{x(i)};
    noise += std::pow(double{x(i)} - double{clipped(i)}, 2);
    outside += std::fabs(double{x(i)} - double{clipped(i)});
  }
  EXPECT_EQ(count, expected["clipped"].get<int>());

  // Against the original: the noise is the clipped part, and a clip that is off by d changes it by 2 d |what is
  // outside|.
  const auto approx = Q::fit(calibrator).fake_quantize(x);
  const double change = 2.0 * resolution * double{clip} * outside / noise;
  const double tolerance = 10.0 * std::log10(1.0 + change) + 1e-3;
  EXPECT_LT(tolerance, 0.01);
  EXPECT_NEAR(error_metrics(x, approx).snr_db, expected["snr_vs_original_db"].get<double>(), tolerance);
  EXPECT_GT(noise, 0.8 * signal);

  // Against clipped data the noise is that of rounding, which goes with the square of the step, but of other values:
  // its mean over a thousand varies by 3 %.
  const double rounding = 20.0 * std::log10(1.0 + resolution) + 10.0 * std::log10(1.03);
  EXPECT_NEAR(error_metrics(clipped, approx).snr_db, expected["snr_vs_clipped_db"].get<double>(), rounding);
}

}  // namespace
}  // namespace quanta::test
#endif
