// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Eigen objects as destinations.
#include <numeric>

#include <gtest/gtest.h>

#include <quanta/core/eigen.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// Writes 1, 2, 3, ... in logical order.
template <class View>
void number(const View& view) {
  std::vector<float> values(usize(view.size()));
  std::iota(values.begin(), values.end(), 1.0f);
  view.write(0, view.size(), values.data());
}

TEST(EigenOutput, WritesTensorsOfEitherOrder) {
  RowTensor<float, 3> row(2, 3, 4);
  ColTensor<float, 3> col(2, 3, 4);
  number(detail::output_view(row));
  number(detail::output_view(col));
  EXPECT_EQ(row(1, 2, 3), 24.0f);
  EXPECT_EQ(row(0, 1, 2), 7.0f);
  EXPECT_EQ(logical_order(row), logical_order(col));
}

TEST(EigenOutput, WritesMapsOfTensors) {
  std::vector<float> memory(6);
  number(detail::output_view(Eigen::TensorMap<ColTensor<float, 2>>(memory.data(), 2, 3)));
  EXPECT_EQ(memory, (std::vector<float>{1, 4, 2, 5, 3, 6}));
}

TEST(EigenOutput, WritesMatricesOfEitherOrderAndVectors) {
  Eigen::MatrixXf col(2, 3);
  Eigen::Matrix<float, 2, 3, Eigen::RowMajor> row;
  Eigen::ArrayXXf array(2, 3);
  Eigen::RowVectorXf vector(4);
  number(detail::output_view(col));
  number(detail::output_view(row));
  number(detail::output_view(array));
  number(detail::output_view(vector));
  const Eigen::MatrixXf expected{{1, 2, 3}, {4, 5, 6}};
  EXPECT_EQ(col, expected);
  EXPECT_EQ(Eigen::MatrixXf(row), expected);
  EXPECT_EQ(Eigen::MatrixXf(array), expected);
  EXPECT_EQ(vector, (Eigen::RowVector4f{1, 2, 3, 4}));
}

TEST(EigenOutput, WritesABlockAndNothingAroundIt) {
  Eigen::MatrixXf m = Eigen::MatrixXf::Zero(4, 5);
  number(detail::output_view(m.block(1, 2, 2, 3)));
  Eigen::MatrixXf expected = Eigen::MatrixXf::Zero(4, 5);
  expected.block(1, 2, 2, 3) << 1, 2, 3, 4, 5, 6;
  EXPECT_EQ(m, expected);
  m.setZero();
  number(detail::output_view(m.row(2)));
  EXPECT_EQ(m.row(2), (Eigen::RowVectorXf{{1, 2, 3, 4, 5}}));
  EXPECT_EQ(m.sum(), 15.0f);
  m.setZero();
  number(detail::output_view(m.transpose()));
  EXPECT_EQ(m(1, 0), 2.0f);
  EXPECT_EQ(m(0, 1), 5.0f);
  m.setZero();
  number(detail::output_view(m.diagonal()));
  EXPECT_EQ(m.sum(), 10.0f);
  EXPECT_EQ(m(3, 3), 4.0f);
}

TEST(EigenOutput, WritesThroughMapsWithStridesAndRefs) {
  std::vector<float> memory(20);
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  number(detail::output_view(Eigen::Map<Eigen::MatrixXf, 0, Strides>(memory.data(), 2, 2, Strides(10, 3))));
  EXPECT_EQ(memory[0], 1.0f);
  EXPECT_EQ(memory[10], 2.0f);
  EXPECT_EQ(memory[3], 3.0f);
  EXPECT_EQ(memory[13], 4.0f);
  EXPECT_EQ(std::accumulate(memory.begin(), memory.end(), 0.0f), 10.0f);
  Eigen::MatrixXf m = Eigen::MatrixXf::Zero(3, 3);
  Eigen::Ref<Eigen::MatrixXf> ref(m.topLeftCorner(2, 2));
  number(detail::output_view(ref));
  EXPECT_EQ(m(0, 1), 2.0f);
  EXPECT_EQ(m(1, 0), 3.0f);
}

TEST(EigenOutput, MakesTensorsOfAShape) {
  const auto x = detail::make_tensor<float, 3>({2, 0, 3});
  EXPECT_EQ(x.dimension(2), 3);
  EXPECT_EQ(x.size(), 0);
  const auto y = detail::make_tensor<std::int8_t, 2, Eigen::ColMajor>({2, 3});
  static_assert(int(decltype(y)::Layout) == int(Eigen::ColMajor));
  EXPECT_EQ(y.dimension(0), 2);
}

TEST(EigenOutput, AWrongShapeIsNamed) {
  EXPECT_ERROR(detail::check_shape("gemm", "dst", Shape<2>{2, 3}, Shape<2>{3, 2}), "gemm: dst", "(2, 3)",
               "expected (3, 2)");
  EXPECT_NO_THROW(detail::check_shape("gemm", "dst", Shape<2>{2, 3}, Shape<2>{2, 3}));
}

}  // namespace
}  // namespace quanta::test
