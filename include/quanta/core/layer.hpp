// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a layer is: a function from rows of features to rows of features. A row is a sample, and its result never
// depends on the other rows.
#pragma once

#include <algorithm>
#include <concepts>
#include <string>

#include <quanta/core/context.hpp>
#include <quanta/core/eigen.hpp>

QUANTA_NAMESPACE_BEGIN

/// A layer says how many features it gives for how many it takes (throwing Error when it cannot take them), computes y
/// (batch, out) from x (batch, in), and says what it holds. x and y do not overlap; y is dense. Where it gives as many
/// features whatever comes, a member `Index out_features() const` may say how many: a Sequential then knows what the
/// layers behind it are given before any data comes.
template <class L>
concept Layer = std::copyable<L> && requires(const L& layer, Context& context, const TensorView<const float, 2>& x,
                                             const TensorView<float, 2>& y, Index features) {
  { layer.output_size(features) } -> std::same_as<Index>;
  layer.forward(context, x, y);
  { layer.name() } -> std::convertible_to<std::string>;
  { layer.packed_bytes() } -> std::same_as<Index>;
};

/// What a layer may tell of its weight, by a member `LayerInfo info() const`: what tables show. A layer without one has
/// none.
struct LayerInfo {
  std::string shape;        ///< "(256, 784)"
  std::string format;       ///< of what is stored: "float32", "int8", ...
  std::string granularity;  ///< of its scales: "per_channel(axis 0)", ...
  Index parameters = 0;     ///< how many numbers, biases too
};

namespace detail {

template <class D>
concept OnlyAName = std::is_empty_v<D> && requires {
  D::kName;
};

/// What a layer is given as rows of features: (batch, features), or a vector as one sample.
template <class T, int rank>
TensorView<T, 2> as_rows(const TensorView<T, rank>& x) {
  static_assert(rank <= 2, "quanta: a layer takes (batch, features), or a vector as one sample");
  if constexpr (rank == 1) {
    return {x.data(), {1, x.extent(0)}, {x.size(), x.stride(0)}};
  } else {
    return x;
  }
}

/// Calls f(batch) for each of `batches`.
template <class Batches, class F>
void for_each_batch(Batches&& batches, F f) {
  static_assert(!EigenObject<Batches>,
                "quanta: batches are several Eigen matrices (batch, features) or vectors of float or double; of one "
                "matrix x make std::vector{x}");
  if constexpr (!EigenObject<Batches>) {
    for (auto&& batch : batches) {
      static_assert(RealObject<decltype(batch)>,
                    "quanta: batches are several Eigen matrices (batch, features) or vectors of float or double");
      if constexpr (RealObject<decltype(batch)>) f(batch);
    }
  }
}

/// Calls f(first, last) for parts of [0, rows), shared out among the context's threads; a row takes about `cycles`.
template <class F>
void share_rows(Context& context, Index rows, double cycles, F f) {
  const double work = cycles * static_cast<double>(rows);
  const Index tasks = work < 100000.0 ? 1 : std::min<Index>(rows, context.threads());
  context.parallel(tasks, work / static_cast<double>(tasks),
                   [&](Index task) { f(rows * task / tasks, rows * (task + 1) / tasks); });
}

/// Calls f(from, to) for every row of x and y, which has as many features: those of the row lie side by side in `from`,
/// which is `to` itself where x has them apart. Rows are shared out among the context's threads; one takes about
/// `cycles`.
template <class F>
void for_each_row(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y, double cycles,
                  F f) {
  const Index features = x.extent(1), stride = x.stride(1);
  share_rows(context, x.extent(0), cycles, [&](Index first, Index last) {
    for (Index r = first; r < last; ++r) {
      const float* from = x.data() + r * x.stride(0);
      float* to = y.data() + r * y.stride(0);
      if (stride != 1) {
        for (Index i = 0; i < features; ++i) to[i] = from[i * stride];
        from = to;
      }
      f(from, to);
    }
  });
}

}  // namespace detail

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
    const detail::Input<float, rank> input(x);
    const TensorView<const float, 2> rows = detail::as_rows(input.view());
    Shape<rank> shape = input.view().shape();
    const D& layer = static_cast<const D&>(*this);
    shape[rank - 1] = layer.output_size(shape[rank - 1]);
    Tensor<float, rank> result = detail::make_tensor<float, rank>(shape);
    layer.forward(context, rows, TensorView<float, 2>(result.data(), {rows.extent(0), shape[rank - 1]}));
    return result;
  }

  /// A layer that has a kName and no members is saved by its name alone.
  template <class List, class Self = D>
  requires detail::OnlyAName<Self>
  void save(List&) const {}
  /// What `save` saved: a layer as it is made by default.
  template <class Reader, class Self = D>
  requires detail::OnlyAName<Self>
  static Self load(const Reader&) { return {}; }
};

QUANTA_NAMESPACE_END
