// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a user makes a linear layer of, read from any Eigen object. The templates take any type and assert what is
// expected, so that a compiler says that in one line, and not why each constructor is none.
#pragma once

#include <quanta/core/buffer.hpp>
#include <quanta/core/eigen.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// A weight (out, in), and a bias (out).
template <class W>
concept WeightObject = RealObject<W> &&(rank_of<W> == 2);
template <class B>
concept BiasObject = RealObject<B> &&(rank_of<B> == 1);

/// The elements of a vector.
template <class V>
Buffer<float> copy_vector(const V& vector) {
  static_assert(BiasObject<V>,
                "quanta: a bias is an Eigen vector or rank-1 tensor of float or double, or a Map of one");
  Buffer<float> copy;
  if constexpr (BiasObject<V>) {
    const Input<float, 1> input(vector);
    copy = Buffer<float>(input.view().size());
    for (Index i = 0; i < copy.size(); ++i) copy[i] = input.view().data()[i * input.view().stride(0)];
  }
  return copy;
}
/// A weight (out, in), to be read.
template <class W>
auto read_weight(const W& weight) {
  static_assert(WeightObject<W>,
                "quanta: a weight is an Eigen matrix or rank-2 tensor (out, in) of float or double; or, of a quantized "
                "layer, a QuantizedTensor<F, 2, G> of the layer's own F and G");
  if constexpr (WeightObject<W>) {
    return Input<float, 2>(weight);
  } else {
    return Input<float, 2>(Tensor<float, 2>());
  }
}

/// The bias of a layer with n outputs, copied. Throws Error when the size is not n.
template <class B>
Buffer<float> copy_bias(const char* layer, const B& bias, Index n) {
  Buffer<float> copy = copy_vector(bias);
  check(copy.size() == n, layer, ": bias has ", copy.size(), " elements, expected one per output, ", n);
  return copy;
}

}  // namespace detail
QUANTA_NAMESPACE_END
