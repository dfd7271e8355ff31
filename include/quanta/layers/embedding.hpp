// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A table of vectors that are looked up by number, held in few bits: the largest tensor of many language models.
#pragma once

#include <concepts>

#include <quanta/layers/integer_linear.hpp>
#include <quanta/quant/dequantize.hpp>

QUANTA_NAMESPACE_BEGIN

/// A quantized table (rows, features) that is read by row: (..., features) of numbers (...). Row i of the table as
/// floats: scale * (code - zero_point), or scale * level[code], saturated to +-FLT_MAX. By default int8 with a scale
/// per row; Int<4>, NF4 and the others work as well, at every granularity. It holds nothing but the quantized table. To
/// save it, save weights().
template <ValueFormat F = Int<8>, Granularity G = DefaultGranularity<F, PerChannel<0>>>
class Embedding {
 public:
  /// Quantizes a table (rows, features), symmetrically (asymmetrically for unsigned integers), from its own range.
  /// Throws Error when it is not finite.
  template <RealObject W>
  explicit Embedding(const W& table, G granularity = G{})
      : Embedding(detail::quantize_weight<F>("Embedding: table", table, granularity)) {}
  /// From a table already quantized.
  explicit Embedding(QuantizedTensor<F, 2, G> table) : table_(std::move(table)) {}

  Index rows() const { return table_.extent(0); }      ///< numbers that can be looked up: 0 to rows() - 1
  Index features() const { return table_.extent(1); }  ///< of every row
  const QuantizedTensor<F, 2, G>& weights() const { return table_; }  ///< the table, (rows, features)
  /// All that it holds.
  Index packed_bytes() const { return table_.bytes(); }

  /// The rows with these numbers: any Eigen vector or matrix, or tensor of rank up to 4, of int or a longer integer.
  /// The result has one dimension more, the last: features. Throws Error naming the first number that is no row's.
  template <EigenObject X>
  Tensor<float, rank_of<X> + 1> operator()(const X& numbers) const;

 private:
  QuantizedTensor<F, 2, G> table_;
};

// ---- bodies ----

template <ValueFormat F, Granularity G>
template <EigenObject X>
Tensor<float, rank_of<X> + 1> Embedding<F, G>::operator()(const X& numbers) const {
  using Number = ScalarOf<X>;
  constexpr int rank = rank_of<X>;
  static_assert(std::integral<Number> && sizeof(Number) >= 2 && rank < kMaxRank,
                "quanta: an Embedding is asked for rows by integers of 16 bits or more, of rank up to 4");
  detail::Input<Number, rank> input(numbers);
  if (!input.view().is_dense()) input.own();
  const Number* const at = input.view().data();
  const Index count = input.view().size(), n = features();
  for (Index i = 0; i < count; ++i) {
    detail::check(std::in_range<Index>(at[i]) && at[i] >= 0 && static_cast<Index>(at[i]) < rows(), "Embedding: number ",
                  i, " is ", at[i], ", expected one of the ", rows(), " rows");
  }
  Shape<rank + 1> shape;
  std::copy_n(input.view().shape().begin(), rank, shape.begin());
  shape[rank] = n;
  Tensor<float, rank + 1> result = detail::make_tensor<float, rank + 1>(shape);
  const QuantizedView<F, 2, G> view = table_.view();
  for (Index i = 0; i < count; ++i) {
    const Index first = static_cast<Index>(at[i]) * n;
    float* to = result.data() + i * n;
    detail::decode_levels<F>(view.data(), first, n, to);
    detail::scale_elements(to, first, n, view.map(), view.params());
  }
  return result;
}

QUANTA_NAMESPACE_END
