// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Eigen tensors for tests: random ones, copies in another storage order, and comparison bit for bit.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>
#include <unsupported/Eigen/CXX11/Tensor>

#include "tests/support/random.hpp"

namespace quanta::test {

template <class T, int rank>
using RowTensor = Eigen::Tensor<T, rank, Eigen::RowMajor>;
template <class T, int rank>
using ColTensor = Eigen::Tensor<T, rank, Eigen::ColMajor>;
template <int rank>
using Dims = std::array<Eigen::Index, static_cast<std::size_t>(rank)>;

/// The multi-index of the element with this logical row-major number.
template <std::size_t rank>
std::array<Eigen::Index, rank> multi_index(Eigen::Index number, const std::array<Eigen::Index, rank>& shape) {
  std::array<Eigen::Index, rank> index{};
  for (std::size_t d = rank; d-- > 0;) {
    index[d] = number % shape[d];
    number /= shape[d];
  }
  return index;
}

/// Normal numbers; the last index varies fastest.
template <int rank>
RowTensor<float, rank> random_tensor(const Dims<rank>& shape, std::uint64_t seed, float deviation = 1.0f) {
  RowTensor<float, rank> x(shape);
  Random random(seed);
  for (Eigen::Index i = 0; i < x.size(); ++i) x.data()[i] = random.normal(deviation);
  return x;
}

/// A tensor of rank 1 with these elements.
inline RowTensor<float, 1> tensor_of(const std::vector<float>& values) {
  RowTensor<float, 1> x(static_cast<Eigen::Index>(values.size()));
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

/// The same elements at the same indices, stored the other way round.
template <class T, int rank>
ColTensor<T, rank> col_major(const RowTensor<T, rank>& x) {
  ColTensor<T, rank> result(x.dimensions());
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  for (Eigen::Index i = 0; i < x.size(); ++i) result(multi_index(i, shape)) = x.data()[i];
  return result;
}

/// A row-major matrix or tensor as a matrix expression may not be: its elements in logical order.
template <class T, int rank, int layout>
std::vector<T> logical_order(const Eigen::Tensor<T, rank, layout>& x) {
  std::vector<T> result;
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  for (Eigen::Index i = 0; i < x.size(); ++i) result.push_back(x(multi_index(i, shape)));
  return result;
}

/// The bits of a number. NaNs count as one: their payload and sign are not promised.
inline std::uint64_t bits_of(double v) { return v != v ? ~std::uint64_t{0} : std::bit_cast<std::uint64_t>(v); }
inline std::uint64_t bits_of(float v) { return v != v ? ~std::uint64_t{0} : std::bit_cast<std::uint32_t>(v); }
inline std::uint64_t bits_of(Eigen::half v) { return bits_of(static_cast<float>(v)); }
inline std::uint64_t bits_of(Eigen::bfloat16 v) { return bits_of(static_cast<float>(v)); }
template <class T>
std::uint64_t bits_of(T v) requires std::is_integral_v<T> {
  return static_cast<std::uint64_t>(v);
}

/// Are two arrays the same numbers, bit for bit? Names the first difference.
template <class T>
testing::AssertionResult same_bits(const T* got, const T* expected, Eigen::Index n) {
  for (Eigen::Index i = 0; i < n; ++i) {
    if (bits_of(got[i]) != bits_of(expected[i])) {
      return testing::AssertionFailure() << "element " << i << " of " << n << " is " << +got[i] << ", expected "
                                         << +expected[i];
    }
  }
  return testing::AssertionSuccess();
}

/// Of two tensors or vectors stored alike.
template <class A, class B>
testing::AssertionResult same_bits(const A& got, const B& expected) {
  if (static_cast<Eigen::Index>(got.size()) != static_cast<Eigen::Index>(expected.size())) {
    return testing::AssertionFailure() << got.size() << " elements, expected " << expected.size();
  }
  return same_bits(got.data(), expected.data(), static_cast<Eigen::Index>(got.size()));
}

}  // namespace quanta::test
