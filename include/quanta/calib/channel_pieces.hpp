// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A tensor's values channel by channel, in pieces that lie side by side, however the tensor is stored. It copies what
// is not side by side, a piece at a time. It allocates nothing: an observation that has begun to count cannot fail.
#pragma once

#include <algorithm>

#include <quanta/quant/memory_order.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Calls f(values, count) for adjacent pieces of a view, in logical order.
template <int rank, class F>
void for_each_piece(const TensorView<const float, rank>& view, F f) {
  constexpr Index kChunk = 4096;
  const Index n = view.size();
  if (view.is_dense()) return f(view.data(), n);
  float piece[kChunk];
  for (Index first = 0; first < n; first += kChunk) {
    const Index count = std::min(kChunk, n - first);
    f(view.read(first, count, piece), count);
  }
}

/// The view of `count` channels from `first` on, with dimension `axis` moved to be number `to`.
template <int rank>
TensorView<const float, rank> channels_of(const TensorView<const float, rank>& view, int axis, Index first, Index count,
                                          int to) {
  Shape<rank> shape = view.shape(), strides = view.strides();
  const int step = to > axis ? 1 : -1;
  for (int d = axis; d != to; d += step) {  // past one after another, which keep their order
    std::swap(shape[usize(d)], shape[usize(d + step)]);
    std::swap(strides[usize(d)], strides[usize(d + step)]);
  }
  shape[usize(to)] = count;
  return TensorView<const float, rank>(view.data() + first * view.stride(axis), shape, strides);
}

/// Channels that are neighbours in memory and are read together, so that memory is not read once for each of them.
inline constexpr Index kNeighbours = 16;

/// Calls f(channel, values, count) for `width` neighbouring channels from `first` on; width <= kNeighbours.
template <int rank, class F>
void for_each_piece_of_neighbours(const TensorView<const float, rank>& view, int axis, Index first, Index width, F f) {
  constexpr Index kChunk = 256;
  const TensorView<const float, rank> together = channels_of(view, axis, first, width, rank - 1);
  const Index n = together.size() / width;
  float rows[kNeighbours * kChunk], values[kChunk];
  for (Index row = 0; row < n; row += kChunk) {
    const Index count = std::min(kChunk, n - row);
    const float* read = together.read(row * width, count * width, rows);
    for (Index c = 0; c < width; ++c) {
      for (Index i = 0; i < count; ++i) values[i] = read[i * width + c];
      f(first + c, static_cast<const float*>(values), count);
    }
  }
}

/// Calls f(channel, values, count) for adjacent pieces of every channel of a view, in any order; per tensor, of channel
/// 0.
template <int rank, class F>
void for_each_channel_piece(const TensorView<const float, rank>& x, const GranularityInfo& granularity, F f) {
  const auto [view, info] = in_memory_order(x, granularity);
  if (info.kind == GranularityKind::per_tensor) {
    return for_each_piece(view, [&](const float* values, Index count) { f(Index{0}, values, count); });
  }
  const int axis = info.axis < 0 ? info.axis + rank : info.axis;
  const Index channels = view.extent(axis);
  if (view.stride(axis) == 1 && channels > 1) {
    for (Index c = 0; c < channels; c += kNeighbours) {
      for_each_piece_of_neighbours(view, axis, c, std::min(kNeighbours, channels - c), f);
    }
  } else {
    for (Index c = 0; c < channels; ++c) {
      for_each_piece(channels_of(view, axis, c, 1, 0), [&](const float* values, Index count) { f(c, values, count); });
    }
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
