// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the library sees of tensors of every rank, tensor maps and expressions of them.
#include <gtest/gtest.h>

#include <quanta/core/eigen.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// The elements of the view, found by its strides, in logical order.
template <int rank>
std::vector<float> seen(const TensorView<const float, rank>& view) {
  std::vector<float> result;
  for (Index i = 0; i < view.size(); ++i) {
    const auto index = multi_index(i, view.shape());
    Index offset = 0;
    for (std::size_t d = 0; d < index.size(); ++d) offset += index[d] * view.strides()[d];
    result.push_back(view.data()[offset]);
  }
  return result;
}

template <int rank>
void check_rank(const Dims<rank>& shape) {
  SCOPED_TRACE(rank);
  const RowTensor<float, rank> row = random_tensor<rank>(shape, 1);
  const ColTensor<float, rank> col = col_major(row);
  const std::vector<float> expected(row.data(), row.data() + row.size());
  static_assert(rank_of<RowTensor<float, rank>> == rank);

  const detail::Input<float, rank> a(row), b(col);
  EXPECT_EQ(a.view().data(), row.data());  // in place
  EXPECT_EQ(b.view().data(), col.data());
  EXPECT_EQ(a.view().shape(), shape);
  EXPECT_EQ(b.view().shape(), shape);
  EXPECT_EQ(seen(a.view()), expected);
  EXPECT_EQ(seen(b.view()), expected);

  const Eigen::TensorMap<const RowTensor<float, rank>> row_map(row.data(), row.dimensions());
  const Eigen::TensorMap<const ColTensor<float, rank>> col_map(col.data(), col.dimensions());
  const detail::Input<float, rank> c(row_map), d(col_map);
  EXPECT_EQ(c.view().data(), row.data());
  EXPECT_EQ(d.view().data(), col.data());
  EXPECT_EQ(seen(c.view()), expected);
  EXPECT_EQ(seen(d.view()), expected);

  std::vector<float> doubled = expected;
  for (float& v : doubled) v *= 2.0f;
  const detail::Input<float, rank> e(row * 2.0f), f(col + col);
  EXPECT_EQ(seen(e.view()), doubled);
  EXPECT_EQ(seen(f.view()), doubled);

  const RowTensor<double, rank> row_double = row.template cast<double>();
  const ColTensor<double, rank> col_double = col.template cast<double>();
  const detail::Input<float, rank> g(row_double), h(col_double), i(col_double * 2.0);
  EXPECT_EQ(seen(g.view()), expected);
  EXPECT_EQ(seen(h.view()), expected);
  EXPECT_EQ(seen(i.view()), doubled);
}

TEST(EigenTensor, OfEveryRankAndOrderIsSeenTheSame) {
  check_rank<1>({7});
  check_rank<2>({3, 5});
  check_rank<3>({2, 3, 5});
  check_rank<4>({2, 3, 1, 5});
  check_rank<5>({2, 1, 3, 2, 5});
  check_rank<3>({2, 0, 5});
}

TEST(EigenTensor, FixedSizesAndOtherIndexTypesAreSeenInPlace) {
  Eigen::TensorFixedSize<float, Eigen::Sizes<2, 3>, Eigen::RowMajor> fixed;
  fixed.setValues({{1, 2, 3}, {4, 5, 6}});
  const detail::Input<float, 2> a(fixed);
  EXPECT_EQ(a.view().data(), fixed.data());
  EXPECT_EQ(seen(a.view()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  Eigen::Tensor<float, 2, Eigen::ColMajor, int> narrow(2, 3);
  for (int i = 0; i < 6; ++i) narrow(i / 3, i % 3) = static_cast<float>(i + 1);
  const detail::Input<float, 2> b(narrow), c(narrow * 1.0f);
  EXPECT_EQ(b.view().data(), narrow.data());
  EXPECT_EQ(seen(b.view()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(seen(c.view()), (std::vector<float>{1, 2, 3, 4, 5, 6}));
}

TEST(EigenTensor, ExpressionsThatChangeTheShapeAreSeen) {
  const RowTensor<float, 3> x = random_tensor<3>({2, 3, 4}, 2);
  const detail::Input<float, 2> chip(x.chip(1, 0));
  EXPECT_EQ(seen(chip.view()), std::vector<float>(x.data() + 12, x.data() + 24));
  const detail::Input<float, 2> reshaped(x.reshape(Dims<2>{6, 4}));
  EXPECT_EQ(reshaped.view().shape(), (Shape<2>{6, 4}));
  EXPECT_EQ(seen(reshaped.view()), std::vector<float>(x.data(), x.data() + 24));
  const detail::Input<float, 3> shuffled(x.shuffle(std::array<int, 3>{2, 0, 1}));
  EXPECT_EQ(shuffled.view().shape(), (Shape<3>{4, 2, 3}));
  EXPECT_EQ(seen(shuffled.view())[1], x(0, 1, 0));
  EXPECT_EQ(seen(shuffled.view())[7], x(0, 1, 1));
}

TEST(EigenTensor, PartsOfTensorsWithOtherIndexTypesAreSeen) {
  Eigen::Tensor<float, 3, Eigen::RowMajor, int> x(2, 3, 4);
  for (int i = 0; i < 24; ++i) x.data()[i] = static_cast<float>(i);
  const detail::Input<float, 2> chip(x.chip(1, 0));
  EXPECT_EQ(seen(chip.view()), std::vector<float>(x.data() + 12, x.data() + 24));
  const detail::Input<float, 3> slice(x.slice(std::array<int, 3>{0, 1, 2}, std::array<int, 3>{2, 1, 2}));
  EXPECT_EQ(slice.view().shape(), (Shape<3>{2, 1, 2}));
  EXPECT_EQ(seen(slice.view()), (std::vector<float>{6, 7, 18, 19}));
}

TEST(EigenTensor, IntegersAreTakenAsTheyAre) {
  RowTensor<std::int8_t, 2> codes(2, 2);
  codes.setValues({{1, -2}, {3, -128}});
  const detail::Input<std::int8_t, 2> a(codes);
  EXPECT_EQ(a.view().data(), codes.data());
  const Eigen::Matrix<std::uint8_t, 2, 2> matrix{{1, 2}, {3, 255}};
  const detail::Input<std::uint8_t, 2> b(matrix);
  EXPECT_EQ(b.view().data(), matrix.data());
  EXPECT_EQ(b.view().strides(), (Shape<2>{1, 2}));
}

TEST(EigenConcepts, TellRealAndByteObjects) {
  static_assert(EigenObject<Eigen::MatrixXf> && EigenObject<Eigen::Tensor<float, 3>> && EigenObject<Eigen::ArrayXd>);
  static_assert(EigenObject<const Eigen::MatrixXf&> && !EigenObject<std::vector<float>> && !EigenObject<float>);
  static_assert(RealObject<Eigen::MatrixXf> && RealObject<Eigen::Tensor<double, 1>> && !RealObject<Eigen::MatrixXi>);
  static_assert(ByteObject<Eigen::Matrix<std::int8_t, 2, 2>> && ByteObject<Eigen::Tensor<std::uint8_t, 2>>);
  static_assert(!ByteObject<Eigen::MatrixXf> && !RealObject<Eigen::MatrixXcf>);
  static_assert(std::is_same_v<ScalarOf<const Eigen::MatrixXd&>, double>);
}

}  // namespace
}  // namespace quanta::test
