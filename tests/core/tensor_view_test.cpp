// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/core/tensor_view.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// Where element `number` lies, by its multi-index.
template <int rank>
Index offset_of(Index number, const Shape<rank>& shape, const Shape<rank>& strides) {
  const auto index = multi_index(number, shape);
  return std::inner_product(index.begin(), index.end(), strides.begin(), Index{0});
}

// Reads and writes every piece [first, first + count) of a view over `memory`, whose element 0 is at `origin`.
template <int rank>
void check_pieces(const Shape<rank>& shape, const Shape<rank>& strides, Index origin, Index memory_size) {
  std::vector<float> memory(usize(memory_size));
  std::iota(memory.begin(), memory.end(), 1.0f);
  const TensorView<float, rank> view(memory.data() + origin, shape, strides);
  const TensorView<const float, rank> constant(view);
  const Index n = element_count(shape);
  ASSERT_EQ(view.size(), n);
  std::vector<float> scratch(usize(n) + 1);
  for (Index first = 0; first <= n; ++first) {
    for (Index count = 0; first + count <= n; ++count) {
      scratch.assign(scratch.size(), -1.0f);
      const float* got = constant.read(first, count, scratch.data());
      for (Index i = 0; i < count; ++i) {
        ASSERT_EQ(got[i], memory[usize(origin + offset_of<rank>(first + i, shape, strides))]) << first << '+' << i;
      }
      ASSERT_EQ(scratch[usize(count)], -1.0f);
    }
  }
}

TEST(TensorView, ReadsAnyPieceOfADenseView) {
  check_pieces<1>({9}, {1}, 0, 9);
  check_pieces<3>({2, 3, 4}, {12, 4, 1}, 0, 24);
  const float x[6] = {};
  const TensorView<const float, 2> dense(x, {2, 3});
  EXPECT_TRUE(dense.is_dense());
  EXPECT_EQ(dense.strides(), (Shape<2>{3, 1}));
  EXPECT_EQ(dense.read(1, 4, nullptr), x + 1);  // in place, without a copy
}

TEST(TensorView, ReadsAnyPieceWithAnyStrides) {
  check_pieces<1>({7}, {3}, 0, 20);
  check_pieces<1>({7}, {-2}, 12, 13);
  check_pieces<1>({5}, {0}, 0, 1);
  check_pieces<2>({3, 4}, {1, 3}, 0, 12);                    // column-major
  check_pieces<2>({3, 4}, {-10, 2}, 20, 30);                 // rows backwards, every second column
  check_pieces<2>({3, 4}, {0, 1}, 0, 4);                     // one row, repeated
  check_pieces<3>({2, 3, 4}, {1, 2, 6}, 0, 24);              // column-major
  check_pieces<4>({2, 1, 3, 2}, {40, 7, 8, 3}, 0, 64);       // holes everywhere
  check_pieces<5>({2, 2, 1, 2, 3}, {1, 2, 4, 4, 8}, 0, 24);  // column-major
}

TEST(TensorView, IsDenseOnlyWhenNeighboursAreAdjacent) {
  float x[24] = {};
  EXPECT_TRUE((TensorView<float, 2>(x, {1, 4}, {99, 1}).is_dense()));  // the stride of a single row says nothing
  EXPECT_TRUE((TensorView<float, 2>(x, {4, 1}, {1, 4}).is_dense()));
  EXPECT_FALSE((TensorView<float, 2>(x, {2, 3}, {1, 2}).is_dense()));
  EXPECT_FALSE((TensorView<float, 2>(x, {2, 3}, {4, 1}).is_dense()));
  EXPECT_FALSE((TensorView<float, 1>(x, {3}, {2}).is_dense()));
  EXPECT_FALSE((TensorView<float, 1>(x, {3}, {-1}).is_dense()));
}

TEST(TensorView, WritesAPieceAndNothingElse) {
  const Shape<3> shape{2, 3, 2}, strides{1, 4, 14};
  for (Index first = 0; first <= 12; ++first) {
    for (Index count = 0; first + count <= 12; ++count) {
      std::vector<float> memory(30, -1.0f), expected(30, -1.0f), values(usize(count) + 1);
      std::iota(values.begin(), values.end(), 1.0f);
      const TensorView<float, 3> view(memory.data(), shape, strides);
      view.write(first, count, values.data());
      for (Index i = 0; i < count; ++i) expected[usize(offset_of<3>(first + i, shape, strides))] = values[usize(i)];
      ASSERT_EQ(memory, expected) << first << '+' << count;
    }
  }
}

TEST(TensorView, EmptyOnesHaveNoElements) {
  const TensorView<float, 2> none;
  EXPECT_EQ(none.size(), 0);
  EXPECT_EQ((TensorView<float, 3>(nullptr, {2, 0, 3}).size()), 0);
}

}  // namespace
}  // namespace quanta::test
