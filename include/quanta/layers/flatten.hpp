// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From (batch, ...) to (batch, features). A layer takes rows of features, which are flat already, so between layers it
// copies, and a model of integers goes without it; called with a tensor of a higher rank it makes the rows that a model
// takes.
#pragma once

#include <quanta/core/layer.hpp>

QUANTA_NAMESPACE_BEGIN

/// From (batch, ...) to (batch, features). y[b, i] is element i of x[b] in row-major order, whatever the storage order
/// of x. Refuses nothing.
class Flatten : public CallableLayer<Flatten> {
 public:
  static constexpr const char* kName = "Flatten";  ///< what name() says

  /// x is (batch, ...) of rank 2 to 5, or a vector, of float or double. Returns (batch, product of the other extents);
  /// of a vector its copy.
  template <RealObject X>
  Tensor<float, rank_of<X> == 1 ? 1 : 2> operator()(const X& x) const {
    Context context;
    return (*this)(context, x);
  }
  /// The same with the context's threads and memory.
  template <RealObject X>
  Tensor<float, rank_of<X> == 1 ? 1 : 2> operator()(Context& context, const X& x) const {
    if constexpr (rank_of<X> <= 2) {
      return CallableLayer::operator()(context, x);
    } else {
      const detail::Input<float, rank_of<X>> input(x);
      const auto& view = input.view();
      Index features = 1;
      for (int d = 1; d < rank_of<X>; ++d) features *= view.extent(d);
      Tensor<float, 2> result = detail::make_tensor<float, 2>({view.extent(0), features});
      const float* elements = view.read(0, view.size(), result.data());
      if (elements != result.data()) std::copy_n(elements, view.size(), result.data());
      return result;
    }
  }

  Index output_size(Index features) const { return features; }  ///< as many as there are
  /// y (batch, out) from x (batch, in): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    detail::for_each_row(context, x, y, static_cast<double>(x.extent(1)), [&](const float* from, float* to) {
      if (from != to) std::copy_n(from, x.extent(1), to);
    });
  }
  std::string name() const { return kName; }  ///< in tables, messages and files
  Index packed_bytes() const { return 0; }    ///< it holds nothing
};

QUANTA_NAMESPACE_END
