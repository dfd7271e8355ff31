// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Large tensors are checked and counted in one read. Nothing of that shows.
#include <gtest/gtest.h>

#include <quanta/calib/calibration_sketch.hpp>

#include "tests/calib/data.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

constexpr Index kRows = 401, kColumns = 500;  // more than is read twice

RowTensor<float, 2> large_tensor(std::uint64_t seed) {
  RowTensor<float, 2> x = random_tensor<2>({kRows, kColumns}, seed);
  for (Index i = 0; i < x.size(); i += 7) x.data()[i] *= 1e-12f;  // below the window of what comes last
  for (Index i = 0; i < x.size(); i += 11) x.data()[i] = i % 2 == 0 ? 0.0f : -0.0f;
  x(kRows - 1, 3) = 5e4f;
  return x;
}

CalibrationSketch<> seen_row_by_row(const RowTensor<float, 2>& x) {
  CalibrationSketch<> seen;
  for (Index r = 0; r < kRows; ++r) seen.observe(RowTensor<float, 1>(x.chip(r, 0)));
  return seen;
}

TEST(OneRead, CountsWhatManySmallOnesCount) {
  const RowTensor<float, 2> x = large_tensor(1), more = large_tensor(2);
  CalibrationSketch<> seen;
  seen.observe(x);
  EXPECT_TRUE(seen == seen_row_by_row(x));
  seen.observe(more);
  CalibrationSketch<> both = seen_row_by_row(x);
  both.merge(seen_row_by_row(more));
  EXPECT_TRUE(seen == both);
}

TEST(OneRead, DoesNotDependOnTheStorageOrder) {
  const RowTensor<float, 2> x = large_tensor(3);
  CalibrationSketch<> rows, columns, block;
  rows.observe(x);
  columns.observe(col_major(x));
  EXPECT_TRUE(rows == columns);
  Eigen::MatrixXf wide = Eigen::MatrixXf::Constant(kRows + 5, kColumns + 3, 1e9f);
  for (Index r = 0; r < kRows; ++r) {
    for (Index c = 0; c < kColumns; ++c) wide(r + 2, c + 1) = x(r, c);
  }
  block.observe(wide.block(2, 1, kRows, kColumns));
  EXPECT_TRUE(rows == block);
}

TEST(OneRead, AnElementThatIsNotFiniteIsNamedAndNothingCounted) {
  const RowTensor<float, 2> x = large_tensor(4);
  RowTensor<float, 2> bad = x;
  bad(kRows - 2, 7) = kNan;
  CalibrationSketch<> seen;
  EXPECT_ERROR(seen.observe(bad), "observe: element 199507 (row-major) is nan");
  EXPECT_TRUE(seen.empty());
  seen.observe(x);
  const CalibrationSketch<> before = seen;
  EXPECT_ERROR(seen.observe(col_major(bad)), "observe: element 199507 (row-major) is nan");
  EXPECT_TRUE(seen == before);
}

}  // namespace
}  // namespace quanta::test
