// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantizer's parameters, codes and reals against the reference, element by element.
#pragma once

#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

using reference::Sharing;

/// What the parameters of a fit to x must be.
template <class Q, int rank>
std::vector<reference::Params> expected_params(const RowTensor<float, rank>& x, const Sharing& sharing,
                                               bool full_range = false) {
  using F = typename Q::FormatType;
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(shape, sharing, count);
  std::vector<float> min(count, 0.0f), max(count, 0.0f);  // a range always contains 0
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    min[numbers[i]] = std::min(min[numbers[i]], x.data()[i]);
    max[numbers[i]] = std::max(max[numbers[i]], x.data()[i]);
  }
  std::vector<reference::Params> params;
  for (std::size_t p = 0; p < count; ++p) {
    params.push_back(std::is_same_v<typename Q::SchemeType, Symmetric>
                         ? reference::symmetric(min[p], max[p], F::min, F::max, full_range)
                         : reference::asymmetric(min[p], max[p], F::min, F::max));
  }
  return params;
}

/// fit, quantize, dequantize and fake_quantize of x, in both storage orders, are what the reference says.
template <class Q, int rank>
void expect_reference_results(const RowTensor<float, rank>& x, const typename Q::GranularityType& granularity,
                              const Sharing& sharing, typename Q::FitOptions options = {}, bool full_range = false) {
  using F = typename Q::FormatType;
  const std::vector<reference::Params> params = expected_params<Q>(x, sharing, full_range);
  const Q quantizer = Q::fit(x, granularity, options);
  ASSERT_EQ(quantizer.params().size(), static_cast<Index>(params.size()));
  for (Index p = 0; p < quantizer.params().size(); ++p) {
    ASSERT_EQ(bits_of(quantizer.params().scale(p)), bits_of(params[usize(p)].scale)) << "scale " << p;
    ASSERT_EQ(quantizer.params().zero_point(p), params[usize(p)].zero_point) << "zero point " << p;
  }

  const bool narrow = std::is_same_v<typename Q::SchemeType, Symmetric> && !full_range;
  const long low = narrow ? -F::max : F::min;
  EXPECT_EQ(quantizer.min_code(), low);
  EXPECT_EQ(quantizer.max_code(), F::max);
  const auto quantized = quantizer.quantize(x);
  const auto codes = quantized.codes();
  const auto reals = quantized.dequantize();
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  ASSERT_EQ(quantized.shape(), shape);
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(shape, sharing, count);
  for (Index i = 0; i < x.size(); ++i) {
    const reference::Params& p = params[numbers[usize(i)]];
    const long expected = reference::code(x.data()[i], p, low, F::max);
    ASSERT_EQ(static_cast<long>(codes.data()[i]), expected) << "element " << i << ": " << x.data()[i];
    ASSERT_EQ(bits_of(reals.data()[i]), bits_of(reference::real(expected, p))) << "element " << i;
  }
  EXPECT_TRUE(same_bits(quantizer.fake_quantize(x), reals));

  const ColTensor<float, rank> stored_otherwise = col_major(x);
  const Q again = Q::fit(stored_otherwise, granularity, options);
  for (Index p = 0; p < again.params().size(); ++p) {
    ASSERT_EQ(bits_of(again.params().scale(p)), bits_of(quantizer.params().scale(p)));
    ASSERT_EQ(again.params().zero_point(p), quantizer.params().zero_point(p));
  }
  EXPECT_TRUE(same_bits(again.quantize(stored_otherwise).codes(), codes));
  EXPECT_TRUE(same_bits(again.fake_quantize(stored_otherwise), reals));
}

/// Normal numbers whose size depends on every index, so that no two channels or groups have the same range.
template <int rank>
RowTensor<float, rank> uneven_tensor(const Dims<rank>& shape, std::uint64_t seed) {
  RowTensor<float, rank> x = random_tensor<rank>(shape, seed);
  Random random(seed + 1);
  for (Index i = 0; i < x.size(); ++i) {
    float size = 1.0f;
    for (const Index j : multi_index(i, shape)) size *= static_cast<float>(1 + j % 3);
    x.data()[i] *= size * (random.between(0, 2) == 0 ? 0.1f : 1.0f);
  }
  return x;
}

}  // namespace quanta::test
