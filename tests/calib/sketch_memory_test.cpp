// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What calibration holds in memory: as much as it says, as much after the last batch as after the first.
#include <gtest/gtest.h>

#include <quanta/calib/min_max.hpp>
#include <quanta/calib/moving_average.hpp>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/allocations.hpp"

namespace quanta::test {
namespace {

TEST(SketchMemory, IsWithinItsLimitsAndIsWhatIsAllocated) {
  const std::int64_t before = allocations().live_bytes;
  CalibrationSketch<> tensor;
  tensor.observe(as_eigen({1.0f}));
  const std::int64_t tensor_bytes = allocations().live_bytes - before;
  EXPECT_EQ(tensor_bytes, tensor.sketch().bytes());
  EXPECT_LE(tensor_bytes, 512 * 1024);

  constexpr Index channels = 64;
  const RowTensor<float, 2> x = random_tensor<2>({3, channels}, 1);
  const std::int64_t middle = allocations().live_bytes;
  CalibrationSketch<PerChannel<1>> per_channel;
  per_channel.observe(x);
  const std::int64_t channel_bytes = allocations().live_bytes - middle;
  EXPECT_EQ(channel_bytes, channels * per_channel.sketch(0).bytes());
  EXPECT_LE(channel_bytes, channels * 32 * 1024);
}

template <class Observer>
void expect_no_growth(Observer observer) {
  observer.observe(random_tensor<2>({7, 9}, 1));
  std::vector<RowTensor<float, 2>> batches;
  for (std::uint64_t i = 0; i < 20; ++i)
    batches.push_back(heavy_tensor<2>({static_cast<Index>(1 + 40 * i), 9}, i, 1e6f));
  const std::int64_t before = allocations().live_bytes;
  for (const auto& batch : batches) observer.observe(batch);
  EXPECT_EQ(allocations().live_bytes, before);
}

TEST(SketchMemory, DoesNotGrowWithTheData) {
  expect_no_growth(CalibrationSketch<>{});
  expect_no_growth(CalibrationSketch<PerChannel<1>>{});
  expect_no_growth(MinMaxCalibrator<PerChannel<1>>{});
  expect_no_growth(MovingAverageCalibrator<PerChannel<1>>{});
}

// What observing needs for itself: the ranges of the batch, twice, however long it is and however it is stored.
TEST(SketchMemory, ObservingCopiesNoData) {
  CalibrationSketch<> sketch;
  sketch.observe(as_eigen({1.0f}));
  const RowTensor<float, 2> rows = random_tensor<2>({200, 300}, 2);
  const ColTensor<float, 2> columns = col_major(rows);
  const std::int64_t before = allocations().count;
  sketch.observe(rows);
  EXPECT_LE(allocations().count - before, 2);
  sketch.observe(columns);
  EXPECT_LE(allocations().count - before, 4);
}

TEST(SketchMemory, MergingAllocatesNothing) {
  CalibrationSketch<PerChannel<1>> sketch, other;
  sketch.observe(random_tensor<2>({7, 9}, 1));
  other.observe(random_tensor<2>({7, 9}, 2, 1e9f));
  const std::int64_t before = allocations().count;
  sketch.merge(other);
  EXPECT_EQ(allocations().count, before);
}

}  // namespace
}  // namespace quanta::test
