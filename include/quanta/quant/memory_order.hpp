// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A tensor's dimensions in the order in which its elements lie in memory, for work that does not depend on the order of
// elements, such as finding extremes and counting. A column-major tensor is then as fast to read as a row-major one.
#pragma once

#include <algorithm>

#include <quanta/core/tensor_view.hpp>
#include <quanta/quant/granularity.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <int rank>
struct MemoryOrder {
  TensorView<const float, rank> view;
  GranularityInfo info;  ///< the same parameters: their axis is where it has moved to
};

/// The dimension with the smallest stride comes last. Groups follow one another along the other dimensions as these
/// are, so per group everything stays as it is.
template <int rank>
MemoryOrder<rank> in_memory_order(const TensorView<const float, rank>& view, GranularityInfo info) {
  if (info.kind == GranularityKind::per_group || view.is_dense()) return {view, info};
  std::array<int, usize(rank)> order{};
  for (int d = 0; d < rank; ++d) order[usize(d)] = d;
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) { return view.stride(a) > view.stride(b); });
  Shape<rank> shape, strides;
  const int axis = info.axis < 0 ? info.axis + rank : info.axis;
  for (int d = 0; d < rank; ++d) {
    shape[usize(d)] = view.extent(order[usize(d)]);
    strides[usize(d)] = view.stride(order[usize(d)]);
    if (order[usize(d)] == axis) info.axis = d;
  }
  return {TensorView<const float, rank>(view.data(), shape, strides), info};
}

}  // namespace detail
QUANTA_NAMESPACE_END
