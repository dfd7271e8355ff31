// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What CalibrationSketch::observe takes: tensors of every rank, order and shape, channels along every axis; and what it
// refuses.
#include <gtest/gtest.h>

#include "tests/calib/sketch_oracle.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

// The values of every slice along `axis`, in logical order.
template <int rank>
std::vector<Values> slices(const RowTensor<float, rank>& x, const Dims<rank>& shape, int axis) {
  std::vector<Values> result(static_cast<std::size_t>(shape[static_cast<std::size_t>(axis)]));
  for (Eigen::Index i = 0; i < x.size(); ++i) {
    const Eigen::Index channel = multi_index(i, shape)[static_cast<std::size_t>(axis)];
    result[static_cast<std::size_t>(channel)].push_back(x.data()[i]);
  }
  return result;
}

template <int axis, int rank>
void check_axis(const Dims<rank>& shape) {
  SCOPED_TRACE(axis);
  RowTensor<float, rank> x = heavy_tensor<rank>(shape, 77);
  for (Eigen::Index i = 0; i < x.size(); i += 5) x.data()[i] = 0.0f;
  CalibrationSketch<PerChannel<axis>> rows, columns;
  rows.observe(x);
  columns.observe(col_major(x));
  EXPECT_TRUE(rows == columns);
  const std::vector<Values> expected = slices(x, shape, axis < 0 ? axis + rank : axis);
  ASSERT_EQ(rows.channels(), static_cast<Index>(expected.size()));
  for (std::size_t c = 0; c < expected.size(); ++c) {
    EXPECT_TRUE(rows.sketch(static_cast<Index>(c)) == sketch_of<6>({expected[c]})) << "channel " << c;
  }
}

template <int rank, int... axes>
void check_rank(const Dims<rank>& shape, std::integer_sequence<int, axes...>) {
  SCOPED_TRACE(rank);
  (check_axis<axes, rank>(shape), ...);
  (check_axis<axes - rank, rank>(shape), ...);
  const RowTensor<float, rank> x = heavy_tensor<rank>(shape, 78);
  CalibrationSketch<> rows, columns;
  rows.observe(x);
  columns.observe(col_major(x));
  EXPECT_TRUE(rows == columns);
  EXPECT_TRUE(rows.sketch() == sketch_of<8>({Values(x.data(), x.data() + x.size())}));
}

template <int rank>
void check_rank(const Dims<rank>& shape) {
  check_rank<rank>(shape, std::make_integer_sequence<int, rank>{});
}

TEST(CalibrationSketch, TakesEveryRankOrderAndAxis) {
  check_rank<1>({23});
  check_rank<2>({5, 31});
  check_axis<1, 2>({5000, 3});  // more than one chunk
  check_rank<3>({4, 3, 7});
  check_rank<4>({2, 3, 1, 5});
  check_rank<5>({2, 3, 2, 4, 3});
}

TEST(CalibrationSketch, TakesMatricesBlocksExpressionsAndDoubles) {
  const Eigen::MatrixXf m = Eigen::MatrixXf::NullaryExpr(
      9, 11, [](Eigen::Index i, Eigen::Index j) { return static_cast<float>(i * 11 + j) - 40.0f; });
  CalibrationSketch<> expected, block, expression, doubles;
  expected.observe(Eigen::MatrixXf(m.block(1, 2, 5, 6)));
  block.observe(m.block(1, 2, 5, 6));
  expression.observe((m * 2.0f).block(1, 2, 5, 6) * 0.5f);
  doubles.observe(m.cast<double>().eval().block(1, 2, 5, 6));
  EXPECT_TRUE(block == expected);
  EXPECT_TRUE(expression == expected);
  EXPECT_TRUE(doubles == expected);
  EXPECT_EQ(expected.sketch().count(), 30u);
}

template <int rank>
RowTensor<float, rank> shaped(const Values& values, const Dims<rank>& shape) {
  RowTensor<float, rank> x(shape);
  std::copy(values.begin(), values.begin() + x.size(), x.data());
  return x;
}

TEST(CalibrationSketch, TakesAnotherShapeAndRankEveryTime) {
  const Values values = heavy_values(120, 1);
  CalibrationSketch<> sketch;
  sketch.observe(shaped<1>(values, {120}));
  sketch.observe(shaped<2>(values, {10, 12}));
  sketch.observe(shaped<4>(values, {2, 3, 4, 5}));
  EXPECT_TRUE(sketch == observed({values, values, values}));
  // With the same number of channels, along the last axis.
  CalibrationSketch<PerChannel<-1>> channels, rows;
  channels.observe(shaped<2>(values, {24, 5}));
  channels.observe(shaped<3>(values, {4, 6, 5}));
  rows.observe(shaped<2>(values, {24, 5}));
  rows.merge(rows);
  EXPECT_TRUE(channels == rows);
}

TEST(CalibrationSketch, ChangesNothingForAnEmptyTensor) {
  CalibrationSketch<> sketch;
  sketch.observe(RowTensor<float, 2>(0, 5));
  EXPECT_TRUE(sketch.empty());
  EXPECT_ERROR(sketch.sketch(), "no data");
  CalibrationSketch<PerChannel<0>> channels;
  channels.observe(RowTensor<float, 2>(3, 0));
  EXPECT_EQ(channels.channels(), 0);
  channels.observe(random_tensor<2>({2, 4}, 1));
  const auto before = channels.serialize();
  channels.observe(RowTensor<float, 2>(3, 0));  // of another number of channels
  channels.observe(RowTensor<float, 2>(0, 4));
  EXPECT_EQ(channels.serialize(), before);
}

TEST(CalibrationSketch, StaysAsItWasWhenAnElementIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  CalibrationSketch<> sketch;
  CalibrationSketch<PerChannel<1>> channels;
  RowTensor<float, 2> x = random_tensor<2>({3000, 3}, 1);
  for (const bool seen : {false, true}) {
    const auto before = sketch.serialize(), channels_before = channels.serialize();
    for (const float bad : {nan, infinity, -infinity}) {
      for (const Index where : {Index{0}, Index{1}, Index{5000}, Index{8999}}) {
        RowTensor<float, 2> wrong = x;
        wrong.data()[where] = bad;
        wrong.data()[8999] = bad;
        const std::string place = "element " + std::to_string(where) + " (row-major)";
        EXPECT_ERROR(sketch.observe(wrong), "observe", place);
        EXPECT_ERROR(channels.observe(wrong), "observe", place);
        EXPECT_ERROR(channels.observe(col_major(wrong)), "observe", place);
      }
    }
    EXPECT_EQ(sketch.serialize(), before);
    EXPECT_EQ(channels.serialize(), channels_before);
    EXPECT_EQ(sketch.empty(), !seen);
    sketch.observe(x);
    channels.observe(x);
  }
  EXPECT_ERROR(sketch.observe(Eigen::VectorXd::Constant(3, 1e300)), "element 0");  // not a float
}

TEST(CalibrationSketch, StaysAsItWasWhenTheChannelsAreOthers) {
  CalibrationSketch<PerChannel<1>> channels;
  channels.observe(random_tensor<2>({4, 3}, 1));
  const auto before = channels.serialize();
  EXPECT_ERROR(channels.observe(random_tensor<2>({3, 4}, 2)), "observe", "4 channels", "3");
  EXPECT_EQ(channels.serialize(), before);
}

// Every allocation of an observation fails in turn: it throws and changes nothing, until one has none left to fail.
template <class Calibration, class X>
void expect_unchanged_without_memory(const X& x) {
  for (const bool seen : {false, true}) {
    Calibration before;
    if (seen) before.observe(x);
    Calibration expected = before;
    expected.observe(x);
    int failures = 0;
    for (bool done = false; !done; ++failures) {
      Calibration after = before;
      {
        const FailingAllocation failing(failures);
        try {
          after.observe(x);
          done = true;
        } catch (const std::bad_alloc&) {
        }
      }
      EXPECT_TRUE(after == (done ? expected : before)) << "allocation " << failures;
      ASSERT_LT(failures, 10'000);
    }
    EXPECT_GT(failures, 1);
  }
}

TEST(CalibrationSketch, StaysAsItWasWhenMemoryRunsOut) {
  const Eigen::MatrixXf frame = Eigen::MatrixXf::Random(64, 64);
  expect_unchanged_without_memory<CalibrationSketch<>>(frame.block(1, 1, 33, 40));
  expect_unchanged_without_memory<CalibrationSketch<>>(2.0f * frame);
  expect_unchanged_without_memory<CalibrationSketch<PerChannel<0>>>(frame.block(1, 1, 7, 40));
  expect_unchanged_without_memory<CalibrationSketch<PerChannel<1>>>(random_tensor<3>({10, 40, 9}, 1));
  expect_unchanged_without_memory<CalibrationSketch<PerChannel<2>>>(random_tensor<3>({4, 3, 20}, 2));
}

TEST(CalibrationSketch, NamesAChannelThatDoesNotExist) {
  CalibrationSketch<PerChannel<1>> channels;
  EXPECT_ERROR(channels.sketch(0), "no data");
  channels.observe(random_tensor<2>({4, 3}, 1));
  EXPECT_ERROR(channels.sketch(3), "channel 3 of 3");
  EXPECT_ERROR(channels.sketch(-1), "channel -1 of 3");
  EXPECT_EQ(channels.sketch(2).count(), 4u);
}

}  // namespace
}  // namespace quanta::test
