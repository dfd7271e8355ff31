// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Every element, for every order of dimensions and storage with gaps, read in pieces of all lengths, in order and not.
#include <algorithm>

#include <gtest/gtest.h>

#include <quanta/core/line_reader.hpp>

#include "tests/support/random.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// A view of this shape whose dimensions lie in memory in the given order, outermost first, with gaps between lines,
/// and whose elements are their logical numbers.
template <int rank>
struct Stored {
  std::vector<float> memory;
  TensorView<const float, rank> view;

  Stored(const Shape<rank>& shape, const std::array<int, usize(rank)>& order, Index gap) {
    Shape<rank> strides{};
    Index stride = 1;
    for (int d = rank; d-- > 0;) {
      strides[usize(order[usize(d)])] = stride;
      stride = stride * shape[usize(order[usize(d)])] + gap;
    }
    memory.resize(usize(stride), -1.0f);
    for (Index i = 0; i < element_count(shape); ++i) {
      const Shape<rank> index = multi_index(i, shape);
      Index offset = 0;
      for (std::size_t d = 0; d < rank; ++d) offset += index[d] * strides[d];
      memory[usize(offset)] = static_cast<float>(i);
    }
    view = TensorView<const float, rank>(memory.data(), shape, strides);
  }
};

template <int rank>
void check(const Shape<rank>& shape) {
  Random random(1);
  std::array<int, usize(rank)> order{};
  for (int d = 0; d < rank; ++d) order[usize(d)] = d;
  do {
    for (const Index gap : {0, 3}) {
      const Stored<rank> stored(shape, order, gap);
      detail::LineReader<float, rank> reader(stored.view);
      const Index n = element_count(shape);
      const auto expect_piece = [&](Index first, Index count) {
        const float* piece = reader.read(first, count);
        for (Index i = 0; i < count; ++i) ASSERT_EQ(piece[i], static_cast<float>(first + i));
      };
      for (const Index step : {Index{1}, Index{7}, Index{1000}, n}) {
        for (Index first = 0; first < n; first += step) expect_piece(first, std::min(step, n - first));
      }
      for (int i = 0; i < 100 && n > 0; ++i) {
        const Index first = random.between(0, static_cast<int>(n) - 1);
        expect_piece(first, random.between(0, static_cast<int>(n - first)));
      }
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(LineReader, ReadsEveryElementInLogicalOrder) {
  check<1>({37});
  check<2>({150, 33});
  check<2>({1, 40});
  check<2>({40, 1});
  check<2>({0, 5});
  check<3>({5, 70, 17});
  check<4>({3, 4, 5, 6});
}

}  // namespace
}  // namespace quanta::test
