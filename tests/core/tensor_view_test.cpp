// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/core/tensor_view.hpp>

#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"
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

// The bytes of a matrix, one by one.
template <class T>
std::vector<char> bytes_of(const TensorView<T, 2>& x, const std::vector<double>& memory) {
  std::vector<char> bytes(memory.size() * sizeof(double), 0);
  for (Index i = 0; i < x.extent(0); ++i) {
    for (Index j = 0; j < x.extent(1); ++j) {
      const auto* at = reinterpret_cast<const char*>(x.data() + i * x.stride(0) + j * x.stride(1));
      const auto* begin = reinterpret_cast<const char*>(memory.data());
      std::memset(&bytes.at(static_cast<std::size_t>(at - begin)), 1, sizeof(T));
    }
  }
  return bytes;
}

template <class T>
TensorView<T, 2> any_matrix(std::vector<double>& memory, Random& random) {
  const Shape<2> shape{random.between(0, 5), random.between(0, 5)};
  const Index small = random.between(-3, 3), large = random.between(-12, 12);
  const Shape<2> strides = random.between(0, 1) == 0 ? Shape<2>{large, small} : Shape<2>{small, large};
  T* const middle = reinterpret_cast<T*>(memory.data() + memory.size() / 2);
  return {middle + random.between(-20, 20), shape, strides};
}

TEST(MayOverlap, IsTrueWhereverAByteIsShared) {
  std::vector<double> memory(120);
  Random random(1);
  long shared = 0, apart = 0;
  const int turns = scaled(20000, 2000);
  for (int turn = 0; turn < turns; ++turn) {
    const auto a = any_matrix<std::int8_t>(memory, random);
    const auto b = any_matrix<std::int32_t>(memory, random);
    const std::vector<char> of_a = bytes_of(a, memory), of_b = bytes_of(b, memory);
    const bool any = std::inner_product(of_a.begin(), of_a.end(), of_b.begin(), 0) > 0;
    if (any) {
      ASSERT_TRUE(detail::may_overlap(a, b) && detail::may_overlap(b, a)) << turn;
    }
    shared += any ? 1 : 0;
    apart += detail::may_overlap(a, b) ? 0 : 1;
  }
  EXPECT_GT(shared, turns / 20);
  EXPECT_GT(apart, turns / 20);
}

TEST(MayOverlap, IsFalseOfBlocksOfOneMatrixThatAreApart) {
  std::vector<float> memory(12 * 10);
  const auto block = [&](Index row, Index column, Index rows, Index columns, bool transposed) {
    float* const first = memory.data() + row * 10 + column;
    return transposed ? TensorView<float, 2>(first, {columns, rows}, {1, 10})
                      : TensorView<float, 2>(first, {rows, columns}, {10, 1});
  };
  for (const bool transposed : {false, true}) {
    for (Index column = 0; column < 8; ++column) {
      for (Index row = 0; row < 8; ++row) {
        const bool shared = column > 0 && column < 6 && row > 1 && row < 7;
        const auto a = block(3, 2, 4, 4, false), b = block(row, column, 2, 2, transposed);
        EXPECT_EQ(detail::may_overlap(a, b), shared) << row << ' ' << column;
        EXPECT_EQ(detail::may_overlap(b, a), shared) << row << ' ' << column;
      }
    }
  }
  // Every second element, and those between; one line among the others.
  const TensorView<float, 2> even(memory.data(), {12, 5}, {10, 2}), odd(memory.data() + 1, {12, 5}, {10, 2});
  EXPECT_FALSE(detail::may_overlap(even, odd) || detail::may_overlap(odd, even));
  EXPECT_FALSE(detail::may_overlap(block(0, 0, 12, 4, false), block(5, 4, 1, 6, false)));
  EXPECT_TRUE(detail::may_overlap(block(0, 0, 12, 5, false), block(5, 4, 1, 6, false)));
}

}  // namespace
}  // namespace quanta::test
