// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What quantize_static takes as batches.
#include <array>
#include <list>

#include <quanta/quanta.hpp>

#include "tests/layers/float_model.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;

/// A range to be looped over once, of expressions: two rows of a matrix at a time, doubled and halved.
struct Pairs {
  Eigen::MatrixXd data;
  struct Iterator {
    const Eigen::MatrixXd* data;
    Index row;
    auto operator*() const { return 2.0 * (0.5 * data->middleRows(row, 2)); }
    Iterator& operator++() {
      row += 2;
      return *this;
    }
    bool operator!=(const Iterator& other) const { return row != other.row; }
  };
  Iterator begin() { return {&data, 0}; }
  Iterator end() { return {&data, data.rows()}; }
};

TEST(QuantizeStatic, TakesBatchesOfAnyKind) {
  const Matrix x = random_tensor<2>({9, 50}, 8);
  const MinMaxCalibrator<> calibrator;
  const Matrix y = quantize_static(float_model(), batches_of({60}), calibrator)(x);
  const auto expect_same = [&](auto&& batches) {
    EXPECT_TRUE(same_bits(quantize_static(float_model(), batches, calibrator)(x), y));
    EXPECT_TRUE(same_bits(quantize_static(float_model(), std::move(batches), calibrator)(x), y));
  };
  using Rows = Eigen::Matrix<float, -1, -1, Eigen::RowMajor>;
  const Eigen::Map<const Rows> rows(kData.data(), 60, 50);
  expect_same(std::array<Matrix, 1>{kData});
  expect_same(std::list<ColTensor<float, 2>>{col_major(kData)});
  expect_same(std::vector<Eigen::MatrixXf>{rows.topRows(20), rows.bottomRows(40)});
  expect_same(std::vector<Eigen::MatrixXd>{rows.cast<double>()});
  expect_same(std::vector<Eigen::Map<const Rows>>{rows});
  expect_same(Pairs{rows.cast<double>()});
  std::vector<Eigen::VectorXf> samples;
  for (Index i = 0; i < 60; ++i) samples.emplace_back(rows.row(i).transpose());
  expect_same(samples);
  const Matrix plain[] = {kData};
  EXPECT_TRUE(same_bits(quantize_static(float_model(), plain, calibrator)(x), y));
  Eigen::MatrixXf wide = Eigen::MatrixXf::Constant(62, 53, 1e9f);
  wide.block(1, 2, 60, 50) = rows;
  using Block = Eigen::Block<Eigen::MatrixXf>;
  EXPECT_TRUE(
      same_bits(quantize_static(float_model(), std::vector<Block>{wide.block(1, 2, 60, 50)}, calibrator)(x), y));
}

}  // namespace
}  // namespace quanta::test
