// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a layer is: a function from rows of features to rows of features. A row is a sample, and its result never
// depends on the other rows.
#pragma once

#include <concepts>
#include <string>

#include <quanta/core/context.hpp>
#include <quanta/core/eigen.hpp>

QUANTA_NAMESPACE_BEGIN

/// A layer says how many features it gives for how many it takes (throwing Error when it cannot take them), computes y
/// (batch, out) from x (batch, in), and says what it holds. x and y do not overlap; y is dense.
template <class L>
concept Layer = std::copyable<L> && requires(const L& layer, Context& context, const TensorView<const float, 2>& x,
                                             const TensorView<float, 2>& y, Index features) {
  { layer.output_size(features) } -> std::same_as<Index>;
  layer.forward(context, x, y);
  { layer.name() } -> std::convertible_to<std::string>;
  { layer.packed_bytes() } -> std::same_as<Index>;
};

/// Makes a layer callable on Eigen objects: derive class D from CallableLayer<D>.
template <class D>
class CallableLayer {
 public:
  /// x is (batch, features) of float or double in any storage order, or a vector: one sample, whose result is a vector.
  /// Returns (batch, output features), row-major.
  template <RealObject X>
  Tensor<float, rank_of<X>> operator()(const X& x) const {
    Context context;
    return (*this)(context, x);
  }

  /// The same with the context's threads and memory.
  template <RealObject X>
  Tensor<float, rank_of<X>> operator()(Context& context, const X& x) const {
    constexpr int rank = rank_of<X>;
    static_assert(rank <= 2, "quanta: a layer takes (batch, features), or a vector as one sample");
    const detail::Input<float, rank> input(x);
    const TensorView<const float, rank>& view = input.view();
    Shape<rank> shape = view.shape();
    const D& layer = static_cast<const D&>(*this);
    shape[rank - 1] = layer.output_size(shape[rank - 1]);
    Tensor<float, rank> result = detail::make_tensor<float, rank>(shape);
    if constexpr (rank == 1) {
      layer.forward(context,
                    TensorView<const float, 2>(view.data(), {1, view.extent(0)}, {view.size(), view.stride(0)}),
                    TensorView<float, 2>(result.data(), {1, shape[0]}));
    } else {
      layer.forward(context, view, TensorView<float, 2>(result.data(), shape));
    }
    return result;
  }
};

QUANTA_NAMESPACE_END
