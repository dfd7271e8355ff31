// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// QuantizedMatrix in Eigen's expressions. What the product is, is DynamicLinear's matter and tested there: here every
// way of writing it gives those bits.
#include <quanta/layers/quantized_matrix.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/random.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Eigen::MatrixXf;
using RowMatrixXf = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

class QuantizedMatrixTest : public testing::Test {
 protected:
  static MatrixXf random_matrix(Index rows, Index cols, std::uint32_t seed) {
    Random random(seed);
    MatrixXf x(rows, cols);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal();
    return x;
  }
  /// The same bits in all elements?
  template <class A, class B>
  static void expect_equal(const A& got, const B& expected) {
    ASSERT_EQ(got.rows(), expected.rows());
    ASSERT_EQ(got.cols(), expected.cols());
    for (Index i = 0; i < got.rows(); ++i) {
      for (Index j = 0; j < got.cols(); ++j) ASSERT_EQ(bits_of(got(i, j)), bits_of(expected(i, j))) << i << ", " << j;
    }
  }
  MatrixXf by_layer(const MatrixXf& samples) const {
    const RowTensor<float, 2> result = DynamicLinear<>(weight)(samples.transpose());
    MatrixXf y(weight.rows(), samples.cols());
    for (Index i = 0; i < y.rows(); ++i) {
      for (Index j = 0; j < y.cols(); ++j) y(i, j) = result(j, i);
    }
    return y;
  }

  MatrixXf weight = random_matrix(33, 70, 1), x = random_matrix(70, 9, 2), b = random_matrix(33, 9, 3);
  QuantizedMatrix<> w = QuantizedMatrix(weight);
  MatrixXf expected = by_layer(x);
};

TEST_F(QuantizedMatrixTest, IsWrittenLikeAnyProduct) {
  const MatrixXf y = w * x;
  expect_equal(y, expected);
  MatrixXf to(33, 9);
  to.noalias() = w * x;
  expect_equal(to, expected);
  to = b;
  to += w * x;
  expect_equal(to, MatrixXf(b + expected));
  to.noalias() += w * x;
  expect_equal(to, MatrixXf(b + expected + expected));
  to = b;
  to.noalias() -= w * x;
  expect_equal(to, MatrixXf(b - expected));
}

TEST_F(QuantizedMatrixTest, StandsInLargerExpressions) {
  const MatrixXf sum = w * x + b, mirrored = b + w * x, less = b - w * x, scaled = 2.0f * (w * x) - b,
                 relu = (w * x).cwiseMax(0.0f);
  expect_equal(sum, MatrixXf(expected + b));
  expect_equal(mirrored, MatrixXf(b + expected));
  expect_equal(less, MatrixXf(b - expected));
  MatrixXf twice(33, 9);
  twice.noalias() = 2.0f * (w * x);
  expect_equal(twice, MatrixXf(2.0f * expected));
  twice += (w * x) * 3.0f;
  expect_equal(twice, MatrixXf(2.0f * expected + expected * 3.0f));
  expect_equal(scaled, MatrixXf(2.0f * expected - b));
  expect_equal(relu, MatrixXf(expected.cwiseMax(0.0f)));
  const Eigen::VectorXf bias = b.col(0);
  const MatrixXf with_bias = (w * x).colwise() + bias;
  expect_equal(with_bias, MatrixXf(expected.colwise() + bias));
  const MatrixXf transposed = (w * x).transpose();
  expect_equal(transposed, MatrixXf(expected.transpose()));
}

TEST_F(QuantizedMatrixTest, TakesEveryStorageOfX) {
  const RowMatrixXf row_major = x;
  expect_equal(MatrixXf(w * row_major), expected);
  expect_equal(MatrixXf(w * Eigen::Map<const MatrixXf>(x.data(), 70, 9)), expected);
  const Eigen::Ref<const MatrixXf> ref(x);
  expect_equal(MatrixXf(w * ref), expected);
  MatrixXf frame = MatrixXf::Constant(75, 14, 77.0f);
  frame.block(2, 3, 70, 9) = x;
  expect_equal(MatrixXf(w * frame.block(2, 3, 70, 9)), expected);
  const MatrixXf transposed = x.transpose();
  expect_equal(MatrixXf(w * transposed.transpose()), expected);
  const MatrixXf half = 0.5f * x;
  expect_equal(MatrixXf(w * (half + half)), expected);
  const Eigen::Matrix<float, 70, 9> fixed = x;
  expect_equal(MatrixXf(w * fixed), expected);
}

TEST_F(QuantizedMatrixTest, WritesToEveryStorage) {
  RowMatrixXf row_major = w * x;
  expect_equal(row_major, expected);
  MatrixXf memory(33, 9);
  Eigen::Map<MatrixXf> map(memory.data(), 33, 9);
  map = w * x;
  expect_equal(memory, expected);
  memory.setZero();
  Eigen::Ref<MatrixXf> ref(memory);
  ref.noalias() = w * x;
  expect_equal(memory, expected);
  MatrixXf frame = MatrixXf::Constant(40, 20, 77.0f);
  frame.block(1, 2, 33, 9).noalias() = w * x;
  expect_equal(frame.block(1, 2, 33, 9), expected);
  EXPECT_EQ((frame.array() == 77.0f).count(), 40 * 20 - 33 * 9);
  MatrixXf across(9, 33);
  across.transpose() = w * x;
  expect_equal(across, MatrixXf(expected.transpose()));
  Eigen::Array<float, Eigen::Dynamic, Eigen::Dynamic> array = (w * x).array();
  expect_equal(array, expected);
}

TEST_F(QuantizedMatrixTest, ColumnsAreSamplesOfTheirOwn) {
  for (Index j = 0; j < 9; ++j) {
    const Eigen::VectorXf sample = x.col(j), y = w * sample, of_column = w * x.col(j);
    expect_equal(y, expected.col(j));
    expect_equal(of_column, expected.col(j));
    const Eigen::VectorXf sum = w * sample + b.col(j);
    expect_equal(sum, MatrixXf(expected.col(j) + b.col(j)));
  }
  MatrixXf y = MatrixXf::Constant(33, 9, 77.0f);
  y.col(4).noalias() = w * x.col(4);
  expect_equal(y.col(4), expected.col(4));
  EXPECT_EQ(y(0, 3), 77.0f);
}

TEST_F(QuantizedMatrixTest, MayOverwriteItsOwnOperandLikeEigen) {
  const MatrixXf square = random_matrix(20, 20, 4);
  const QuantizedMatrix<> s(square);
  MatrixXf y = random_matrix(20, 3, 5);
  const MatrixXf before = y, product = s * before;
  y = s * y;
  expect_equal(y, product);
  y = before;
  y += s * y;
  expect_equal(y, MatrixXf(before + product));
}

TEST_F(QuantizedMatrixTest, OneInputOneOutputAndNoSamples) {
  const MatrixXf column = random_matrix(5, 1, 6), row = random_matrix(1, 7, 7);
  const Eigen::RowVectorXf xs = random_matrix(1, 4, 8);
  const QuantizedMatrix<> outer(column), inner(row);
  const MatrixXf y = outer * xs, as_matrix = outer * MatrixXf(xs);
  expect_equal(y, as_matrix);
  const MatrixXf seven = random_matrix(7, 4, 9);
  const Eigen::RowVectorXf one = inner * seven;
  expect_equal(one, MatrixXf(inner * seven));
  const MatrixXf none = w * MatrixXf(70, 0);
  EXPECT_EQ(none.rows(), 33);
  EXPECT_EQ(none.cols(), 0);
}

TEST_F(QuantizedMatrixTest, IsBuiltFromAnyDenseExpression) {
  expect_equal(MatrixXf(QuantizedMatrix(weight.cast<double>()) * x), expected);
  expect_equal(MatrixXf(QuantizedMatrix(RowMatrixXf(weight)) * x), expected);
  expect_equal(MatrixXf(QuantizedMatrix(0.5f * weight + 0.5f * weight) * x), expected);
  QuantizedMatrix copy(w);
  const QuantizedMatrix moved(std::move(copy));
  expect_equal(MatrixXf(moved * x), expected);
  EXPECT_EQ(moved.rows(), 33);
  EXPECT_EQ(moved.cols(), 70);
  EXPECT_EQ(moved.packed_bytes(), w.packed_bytes());
}

TEST_F(QuantizedMatrixTest, OtherFormats) {
  const QuantizedMatrix<Int<4>, PerGroup<32>> w4(weight);
  const RowTensor<float, 2> result = DynamicLinear<Int<4>, PerGroup<32>>(weight)(MatrixXf(x.transpose()));
  const MatrixXf y = w4 * x;
  for (Index i = 0; i < 33; ++i) {
    for (Index j = 0; j < 9; ++j) ASSERT_EQ(y(i, j), result(j, i));
  }
}

TEST_F(QuantizedMatrixTest, RefusesOtherShapes) {
  EXPECT_ERROR(MatrixXf(w * b), "QuantizedMatrix", "X", "33", "70");
  Context context;
  MatrixXf wrong(33, 8);
  EXPECT_ERROR(w.multiply(context, x, wrong), "QuantizedMatrix", "dst", "(33, 8)", "(33, 9)");
  // What Eigen calls for `wrong += w * x`, behind an assertion of its own where those are compiled.
  using Product = Eigen::internal::generic_product_impl<QuantizedMatrix<>, MatrixXf, detail::QuantizedStorage,
                                                        Eigen::DenseShape, Eigen::GemmProduct>;
  EXPECT_ERROR(Product::scaleAndAddTo(wrong, w, x, 1.0f), "QuantizedMatrix", "dst", "(33, 8)", "(33, 9)");
}

TEST_F(QuantizedMatrixTest, RefusesToWriteOverWhatItReads) {
  const QuantizedMatrix<> square(weight.leftCols(33));
  MatrixXf both(66, 9);
  both << x.topRows(33), b;
  const MatrixXf product = square * MatrixXf(x.topRows(33)), before = both;
  EXPECT_ERROR(both.topRows(33).noalias() = square * both.topRows(33), "QuantizedMatrix", "dst overlaps X");
  EXPECT_ERROR(both.middleRows(32, 33).noalias() = square * both.topRows(33), "dst overlaps X");
  EXPECT_EQ(both, before);
  both.bottomRows(33).noalias() = square * both.topRows(33);  // of one matrix, but apart
  EXPECT_EQ(both.bottomRows(33), product);
  EXPECT_EQ(both.topRows(33), x.topRows(33));
  both.topRows(33) = square * both.topRows(33);  // by way of a temporary
  EXPECT_EQ(both.topRows(33), product);
}

}  // namespace
}  // namespace quanta::test
