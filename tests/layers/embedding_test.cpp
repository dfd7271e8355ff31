// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/format/floating.hpp>
#include <quanta/layers/embedding.hpp>
#include <quanta/quant/block_formats.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// Every row alone, in an order of its own, is that of the dequantized table.
template <class F, class G>
void expect_rows_of(const Embedding<F, G>& embedding) {
  const RowTensor<float, 2> whole = embedding.weights().dequantize();
  const Index rows = embedding.rows(), n = embedding.features();
  Eigen::VectorXi numbers(2 * rows);
  for (Index i = 0; i < 2 * rows; ++i) numbers[i] = static_cast<int>(i * 7 % rows);
  const RowTensor<float, 2> found = embedding(numbers);
  ASSERT_EQ(found.dimension(0), 2 * rows);
  ASSERT_EQ(found.dimension(1), n);
  for (Index i = 0; i < 2 * rows; ++i) {
    for (Index j = 0; j < n; ++j) ASSERT_EQ(found(i, j), whole(numbers[i], j)) << i << ' ' << j;
  }
}

TEST(Embedding, GivesTheRowsOfTheTable) {
  const RowTensor<float, 2> table =
      random_tensor<2>({23, 37}, 1);  // of 37 codes of 4 bits every other row starts within a byte
  expect_rows_of(Embedding<>(table));
  expect_rows_of(Embedding<Int<4>>(table));
  expect_rows_of(Embedding<Int<4>, PerGroup<16>>(table));
  expect_rows_of(Embedding<UInt<4>, PerChannel<1>>(table));
  expect_rows_of(Embedding<NF4>(table));
  expect_rows_of(Embedding<NVFP4>(table));
}

TEST(Embedding, TakesNumbersOfAnyRankAndType) {
  const Embedding<> embedding(random_tensor<2>({9, 5}, 2));
  Eigen::Tensor<std::int64_t, 2> numbers(2, 3);  // column-major
  numbers.setValues({{0, 8, 3}, {4, 4, 1}});
  const RowTensor<float, 3> found = embedding(numbers);
  const RowTensor<float, 2> whole = embedding.weights().dequantize();
  for (Index a = 0; a < 2; ++a) {
    for (Index b = 0; b < 3; ++b) {
      for (Index j = 0; j < 5; ++j) EXPECT_EQ(found(a, b, j), whole(numbers(a, b), j));
    }
  }
  Eigen::Matrix<std::uint16_t, Eigen::Dynamic, 1> none(0);
  EXPECT_EQ(embedding(none).dimension(0), 0);
}

TEST(Embedding, RefusesNumbersOfNoRow) {
  const Embedding<> embedding(random_tensor<2>({9, 5}, 3));
  EXPECT_ERROR(embedding(Eigen::Vector3i(0, 1, 9)), "Embedding: number 2 is 9", "the 9 rows");
  EXPECT_ERROR(embedding(Eigen::Vector3i(-1, 1, 2)), "number 0 is -1");
  Eigen::Matrix<std::uint64_t, 1, 1> huge;
  huge[0] = ~std::uint64_t{0};
  EXPECT_ERROR(embedding(huge), "number 0 is 18446744073709551615");
}

TEST(Embedding, HoldsNothingButTheTable) {
  auto table = SymmetricQuantizer<Int<4>, PerChannel<0>>::fit_quantize(random_tensor<2>({100, 64}, 4));
  const Index bytes = 100 * 64 / 2 + 100 * 4;
  EXPECT_EQ(table.bytes(), bytes);
  const std::int64_t before = allocations().live_bytes;
  const Embedding<Int<4>> embedding(std::move(table));
  EXPECT_EQ(allocations().live_bytes, before);
  EXPECT_EQ(embedding.packed_bytes(), bytes);
}

}  // namespace
}  // namespace quanta::test
