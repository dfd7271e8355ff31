// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Gradients of fake quantization by the published formulas, element by element in double, and sums in the documented
// order.
#pragma once

#include <cmath>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/train.hpp>

#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

template <int rank>
Dims<rank> dims_of(const RowTensor<float, rank>& x) {
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  return shape;
}

/// What backward(x, dy) must be, bit for bit; `samples` is 1 of weights.
template <class Fake, int rank>
void expect_published_gradients(const Fake& fake, const RowTensor<float, rank>& x, const RowTensor<float, rank>& dy,
                                const reference::Sharing& sharing, double samples, double qmax) {
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(dims_of(x), sharing, count);
  std::vector<std::vector<double>> terms(count);
  const auto& quantizer = fake.quantizer();
  const auto gradients = fake.backward(x, dy);
  ASSERT_EQ(dims_of<rank>(gradients.x), dims_of(x));
  for (Index i = 0; i < x.size(); ++i) {
    const Index p = static_cast<Index>(numbers[usize(i)]);
    const double zero_point = quantizer.params().zero_point(p);
    const double low = quantizer.min_code() - zero_point, high = quantizer.max_code() - zero_point;
    const double u = reference::quotient(x.data()[i], quantizer.params().scale(p));
    double dx = 0.0, slope = u < low ? low : high;
    if (u >= low && u <= high) {
      dx = dy.data()[i];
      slope = static_cast<float>(reference::half_even(u) - u);
    }
    ASSERT_EQ(gradients.x.data()[i], static_cast<float>(dx)) << "element " << i << ": " << x.data()[i];
    terms[usize(p)].push_back(static_cast<double>(dy.data()[i]) * slope);
  }
  ASSERT_EQ(gradients.scales.size(), static_cast<Index>(count));
  for (std::size_t p = 0; p < count; ++p) {
    const double n = static_cast<double>(terms[p].size()) / samples;
    const double expected = reference::blocked_sum(terms[p]) / std::sqrt(n * qmax);
    ASSERT_EQ(bits_of(gradients.scales(static_cast<Index>(p))), bits_of(static_cast<float>(expected))) << "scale " << p;
  }
}

}  // namespace quanta::test
