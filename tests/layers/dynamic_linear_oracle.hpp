// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// DynamicLinear from its definition: each row of x to codes by its own range, exact sums in int64, one fma. The weights
// are taken as quantized; how they are is tested with the quantizers.
#pragma once

#include <quanta/layers/dynamic_linear.hpp>

#include "tests/support/products.hpp"
#include "tests/support/reference.hpp"

namespace quanta::test {

/// A quantized weight as plain numbers.
template <class F, class G>
IntMatrix plain(const QuantizedTensor<F, 2, G>& weight, Index params) {
  IntMatrix result{weight.extent(0), weight.extent(1), params, {}, {}, {}};
  const auto codes = weight.codes();
  for (Index i = 0; i < codes.size(); ++i) result.codes.push_back(codes.data()[i]);
  for (Index i = 0; i < weight.params().size(); ++i) {
    result.scales.push_back(weight.params().scale(i));
    result.zeros.push_back(weight.params().zero_point(i));
  }
  return result;
}

/// The row of x as the layer quantizes it: to UInt<8>, asymmetric, or to Int<8>, symmetric.
inline IntMatrix quantized_row(const float* x, Index k, bool symmetric) {
  float min = 0.0f, max = 0.0f;
  for (Index i = 0; i < k; ++i) {
    min = std::min(min, x[i]);
    max = std::max(max, x[i]);
  }
  const reference::Params p =
      symmetric ? reference::symmetric(min, max, -128, 127, false) : reference::asymmetric(min, max, 0, 255);
  IntMatrix row{1, k, kOne, {}, {static_cast<std::int32_t>(p.zero_point)}, {p.scale}};
  for (Index i = 0; i < k; ++i) {
    row.codes.push_back(
        static_cast<std::int32_t>(reference::code(x[i], p, symmetric ? -127 : 0, symmetric ? 127 : 255)));
  }
  return row;
}

/// The (batch, n) result, row-major.
inline std::vector<float> dynamic_linear(const RowTensor<float, 2>& x, const IntMatrix& weight, const float* bias,
                                         bool symmetric) {
  std::vector<float> y;
  for (Index b = 0; b < x.dimension(0); ++b) {
    const float* row = x.data() + b * weight.cols;
    bool finite = true;
    for (Index i = 0; i < weight.cols; ++i) finite = finite && std::isfinite(row[i]);
    if (!finite) {
      y.insert(y.end(), static_cast<std::size_t>(weight.rows), std::numeric_limits<float>::quiet_NaN());
      continue;
    }
    const IntMatrix lhs = quantized_row(row, weight.cols, symmetric);
    for (Index n = 0; n < weight.rows; ++n) y.push_back(real_dot(lhs, 0, weight, n, bias != nullptr ? bias[n] : 0.0f));
  }
  return y;
}

}  // namespace quanta::test
