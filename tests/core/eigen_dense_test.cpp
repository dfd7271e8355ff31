// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the library sees of matrices, arrays, maps, blocks and expressions of them.
#include <gtest/gtest.h>

#include <quanta/core/eigen.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

Eigen::MatrixXf some_matrix(Index rows, Index cols) {
  Random random(static_cast<std::uint64_t>(rows * 100 + cols));
  Eigen::MatrixXf m(rows, cols);
  for (Index i = 0; i < rows; ++i) {
    for (Index j = 0; j < cols; ++j) m(i, j) = random.normal();
  }
  return m;
}

// Element (i, j) of the view is element (i, j) of the object as Eigen itself evaluates it. `in_place`: viewed where it
// lies, not copied.
template <class X>
void expect_seen(const X& x, bool in_place, int line) {
  SCOPED_TRACE(line);
  constexpr int rank = rank_of<X>;
  const detail::Input<float, rank> input(x);
  const TensorView<const float, rank>& view = input.view();
  const Eigen::Matrix<ScalarOf<X>, Eigen::Dynamic, Eigen::Dynamic> plain = x.matrix();
  ASSERT_EQ(view.size(), plain.size());
  for (Index i = 0; i < plain.rows(); ++i) {
    for (Index j = 0; j < plain.cols(); ++j) {
      const Index offset = rank == 1 ? (i + j) * view.stride(0) : i * view.stride(0) + j * view.stride(rank - 1);
      ASSERT_EQ(view.data()[offset], static_cast<float>(plain(i, j))) << i << ", " << j;
    }
  }
  if constexpr (rank == 2) {
    EXPECT_EQ(view.shape(), (Shape<2>{plain.rows(), plain.cols()}));
  }
  if constexpr (requires { x.data(); }) {
    EXPECT_EQ(static_cast<const void*>(view.data()) == static_cast<const void*>(x.data()), in_place);
  } else {
    EXPECT_FALSE(in_place);
  }
}

TEST(EigenDense, MatricesOfEitherOrderAreSeenInPlace) {
  const Eigen::MatrixXf m = some_matrix(5, 7);
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> r = m;
  const Eigen::Matrix<float, 5, 7, Eigen::RowMajor> fixed = m;
  const Eigen::ArrayXXf array = m;
  expect_seen(m, true, __LINE__);
  expect_seen(r, true, __LINE__);
  expect_seen(fixed, true, __LINE__);
  expect_seen(array, true, __LINE__);
  expect_seen(m.array(), true, __LINE__);
}

TEST(EigenDense, VectorsHaveRankOne) {
  const Eigen::MatrixXf m = some_matrix(5, 7);
  const Eigen::VectorXf v = m.col(2);
  const Eigen::RowVectorXf row = m.row(1);
  const Eigen::ArrayXf array = v.array();
  static_assert(rank_of<Eigen::VectorXf> == 1 && rank_of<Eigen::RowVector4f> == 1 && rank_of<Eigen::MatrixXf> == 2);
  static_assert(rank_of<decltype(m.row(0))> == 1 && rank_of<decltype(m.col(0))> == 1);
  static_assert(rank_of<decltype(m.block(0, 0, 1, 1))> == 2);
  expect_seen(v, true, __LINE__);
  expect_seen(row, true, __LINE__);
  expect_seen(array, true, __LINE__);
  expect_seen(v.transpose(), true, __LINE__);
  expect_seen(v.segment(1, 3), true, __LINE__);
  expect_seen(v.tail<2>(), true, __LINE__);
}

TEST(EigenDense, BlocksAreSeenInPlaceThroughTheirStrides) {
  const Eigen::MatrixXf m = some_matrix(6, 8);
  const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> r = m;
  expect_seen(m.block(1, 2, 3, 4), true, __LINE__);
  expect_seen(r.block(1, 2, 3, 4), true, __LINE__);
  expect_seen(r.topRows<2>(), true, __LINE__);
  expect_seen(m.row(3), true, __LINE__);
  expect_seen(m.col(3), true, __LINE__);
  expect_seen(r.row(3), true, __LINE__);
  expect_seen(r.col(3), true, __LINE__);
  expect_seen(m.transpose(), true, __LINE__);
  expect_seen(r.transpose(), true, __LINE__);
  expect_seen(m.block(1, 1, 4, 5).transpose(), true, __LINE__);
  expect_seen(m.diagonal(), true, __LINE__);
  expect_seen(r.diagonal(1), true, __LINE__);
}

TEST(EigenDense, MapsAreSeenThroughTheirStrides) {
  const Eigen::VectorXf memory = some_matrix(200, 1);
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  const float* p = memory.data();
  expect_seen(Eigen::Map<const Eigen::MatrixXf>(p, 4, 5), true, __LINE__);
  expect_seen(Eigen::Map<const Eigen::MatrixXf, 0, Strides>(p, 4, 5, Strides(20, 3)), true, __LINE__);
  using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  expect_seen(Eigen::Map<const RowMatrix, 0, Strides>(p, 4, 5, Strides(20, 3)), true, __LINE__);
  expect_seen(Eigen::Map<const RowMatrix, 0, Eigen::OuterStride<>>(p, 4, 5, Eigen::OuterStride<>(11)), true, __LINE__);
  expect_seen(Eigen::Map<const Eigen::VectorXf, 0, Eigen::InnerStride<3>>(p, 9), true, __LINE__);
  expect_seen(Eigen::Map<const Eigen::RowVectorXf, 0, Eigen::InnerStride<>>(p, 9, Eigen::InnerStride<>(7)), true,
              __LINE__);
  const Eigen::MatrixXf m = some_matrix(6, 8);
  expect_seen(Eigen::Ref<const Eigen::MatrixXf>(m), true, __LINE__);
  expect_seen(Eigen::Ref<const Eigen::MatrixXf, 0, Strides>(m.block(1, 1, 3, 3)), true, __LINE__);
  expect_seen(Eigen::Ref<const Eigen::RowVectorXf, 0, Eigen::InnerStride<>>(m.row(2)), true, __LINE__);
}

TEST(EigenDense, ExpressionsAreEvaluated) {
  const Eigen::MatrixXf m = some_matrix(5, 7);
  const Eigen::VectorXf v = m.col(0);
  const Eigen::RowVectorXf row = m.row(0);
  expect_seen(m * 2.0f, false, __LINE__);
  expect_seen((m.transpose() + m.transpose()), false, __LINE__);
  expect_seen(m * m.transpose(), false, __LINE__);
  expect_seen(m.array().max(0.0f), false, __LINE__);
  expect_seen(m.rowwise().reverse(), false, __LINE__);
  expect_seen(2.0f * v, false, __LINE__);
  expect_seen(row * 3.0f, false, __LINE__);
  expect_seen(row.array() + 1.0f, false, __LINE__);
  expect_seen(v.reverse(), false, __LINE__);
  expect_seen((2.0f * v).segment(1, 2), false, __LINE__);
  expect_seen((2.0f * v.array()).head(3), false, __LINE__);
  expect_seen(m.colwise().sum(), false, __LINE__);
  expect_seen((m * 2.0f).block(1, 1, 2, 3), false, __LINE__);
  expect_seen(Eigen::MatrixXf::Constant(3, 2, 0.5f), false, __LINE__);
}

TEST(EigenDense, DoubleIsRoundedOnce) {
  Eigen::MatrixXd d = some_matrix(5, 7).cast<double>() * (1.0 / 3.0);
  d(0, 0) = 1.0 + 0x1p-24;            // half way: to even, which is 1
  d(0, 1) = 1.0 + 0x1p-24 + 0x1p-50;  // above it
  const Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> r = d;
  const Eigen::VectorXd v = d.col(1);
  expect_seen(d, false, __LINE__);
  expect_seen(r, false, __LINE__);
  expect_seen(v, false, __LINE__);
  expect_seen(d.row(2), false, __LINE__);
  expect_seen(d.block(1, 1, 2, 2), false, __LINE__);
  expect_seen(d.array() * 3.0, false, __LINE__);
  const detail::Input<float, 2> input(d);
  EXPECT_EQ(input.view().data()[0], 1.0f);
  EXPECT_EQ(input.view().data()[input.view().stride(1)], 1.0f + 0x1p-23f);
}

TEST(EigenDense, EmptyAndSingleElementsAreSeen) {
  expect_seen(Eigen::MatrixXf(0, 0), true, __LINE__);
  expect_seen(Eigen::MatrixXf(0, 5), true, __LINE__);
  expect_seen(Eigen::MatrixXf(Eigen::MatrixXf::Ones(1, 1)), true, __LINE__);
  const detail::Input<float, 2> empty(Eigen::MatrixXf(3, 0) * 2.0f);
  EXPECT_EQ(empty.view().shape(), (Shape<2>{3, 0}));
}

TEST(EigenDense, TheViewSurvivesAMoveOfItsOwner) {
  const Eigen::MatrixXf m = some_matrix(5, 7);
  detail::Input<float, 2> input(m * 2.0f);
  const float* data = input.view().data();
  const detail::Input<float, 2> moved(std::move(input));
  EXPECT_EQ(moved.view().data(), data);
  EXPECT_EQ(moved.view().data()[1], m(0, 1) * 2.0f);
}

}  // namespace
}  // namespace quanta::test
