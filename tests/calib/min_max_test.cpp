// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <quanta/calib/min_max.hpp>

#include "tests/calib/calibrators.hpp"

namespace quanta::test {
namespace {

using Q = AsymmetricQuantizer<UInt<8>>;

TEST(MinMaxCalibrator, IsTheExactRangeOfTheData) {
  for (const Family& family : families()) {
    SCOPED_TRACE(family.name);
    const Values all = joined(family.batches);
    const auto [least, most] = std::minmax_element(all.begin(), all.end());
    const MinMaxCalibrator<> calibrator = observing(MinMaxCalibrator<>{}, family.batches);
    EXPECT_TRUE(same_range(calibrator.range<Q>(), {*least + 0.0f, *most + 0.0f}));
    EXPECT_TRUE(same_range(calibrator.seen(), calibrator.range<Q>()));
    // A quantizer fitted to it is one fitted to all of the data.
    const Q fitted = Q::fit(calibrator), direct = Q::fit(as_eigen(all));
    EXPECT_EQ(fitted.params().scale(0), direct.params().scale(0));
    EXPECT_EQ(fitted.params().zero_point(0), direct.params().zero_point(0));
  }
}

TEST(MinMaxCalibrator, PerChannelOnEveryAxisIsFitOnThatAxis) {
  const RowTensor<float, 3> x = heavy_tensor<3>({4, 5, 6}, 1);
  const auto check = [&]<int axis>(std::integral_constant<int, axis>) {
    using PerAxis = SymmetricQuantizer<Int<8>, PerChannel<axis>>;
    for (int order = 0; order < 2; ++order) {
      MinMaxCalibrator<PerChannel<axis>> calibrator;
      if (order == 0) calibrator.observe(x);
      if (order == 1) calibrator.observe(col_major(x));
      const PerAxis fitted = PerAxis::fit(calibrator), direct = PerAxis::fit(x);
      ASSERT_EQ(fitted.params().size(), direct.params().size());
      for (Index c = 0; c < direct.params().size(); ++c) {
        EXPECT_EQ(fitted.params().scale(c), direct.params().scale(c));
      }
    }
  };
  check(std::integral_constant<int, 0>{});
  check(std::integral_constant<int, 1>{});
  check(std::integral_constant<int, 2>{});
  check(std::integral_constant<int, -1>{});
}

TEST(MinMaxCalibrator, DoesNotAddZeroToTheRange) {
  const MinMaxCalibrator<> calibrator = observing(MinMaxCalibrator<>{}, {{2.0f, 3.0f}, {2.5f}});
  EXPECT_TRUE(same_range(calibrator.seen(), {2.0f, 3.0f}));
}

}  // namespace
}  // namespace quanta::test
