// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a weight costs and loses in each of several formats, side by side: to choose one.
//
//   using namespace quanta;
//   const auto table = bit_width_table(weight, {choice<Int<8>>(), choice<NF4>(), choice<Int<4>>(PerGroup<32>{})});
//   std::puts(table.text().c_str());
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <quanta/core/table.hpp>
#include <quanta/quant/any_quantized_tensor.hpp>
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

QUANTA_NAMESPACE_BEGIN

/// A format and a granularity, as a value: made by `choice`.
class FormatChoice {
 public:
  /// Quantizes a dense weight (out, in).
  using Quantize = std::function<AnyQuantizedTensor(const TensorView<const float, 2>&)>;
  /// Any other way to quantize.
  explicit FormatChoice(Quantize quantize) : quantize_(std::move(quantize)) {}

  /// A weight (out, in) in this format, from its own range. Throws Error when it is not finite.
  template <RealObject X>
  AnyQuantizedTensor quantize(const X& weight) const;

 private:
  Quantize quantize_;
};

/// The format F at a granularity, as weights are quantized: symmetrically, unsigned integers asymmetrically.
template <ValueFormat F, Granularity G = DefaultGranularity<F, PerChannel<0>>>
FormatChoice choice(G granularity = G{});

/// One line of the table.
struct BitWidthRow {
  std::string format;      ///< "int4 per_group(32, axis 1)"
  Index bytes;             ///< codes, scales and zero points
  double bits_per_weight;  ///< of these bytes; 0 for an empty tensor
  ErrorMetrics error;      ///< against the tensor given
};

/// Formats side by side.
struct BitWidthTable {
  std::vector<BitWidthRow> rows;  ///< in the order of the choices

  /// A heading and a line for each row, in columns: format, bytes, bits per weight, SNR in dB, largest error, cosine.
  std::string text() const;
};

/// Quantizes a weight (out, in), or a vector as one output, in every way given. Throws Error when it is not finite.
template <RealObject X>
BitWidthTable bit_width_table(const X& weight, const std::vector<FormatChoice>& choices);

// ---- bodies ----

template <RealObject X>
AnyQuantizedTensor FormatChoice::quantize(const X& weight) const {
  constexpr int rank = rank_of<X>;
  static_assert(rank <= 2, "quanta: a weight is (out, in), or a vector as one output");
  const detail::Input<float, rank> input(weight);
  const TensorView<const float, rank>& view = input.view();
  Buffer<float> gathered(view.is_dense() ? 0 : view.size());
  const float* elements = view.read(0, view.size(), gathered.data());
  const Index rows = rank == 1 ? 1 : view.extent(0);
  return quantize_(TensorView<const float, 2>(elements, {rows, view.extent(rank - 1)}));
}

template <ValueFormat F, Granularity G>
FormatChoice choice(G granularity) {
  return FormatChoice([granularity](const TensorView<const float, 2>& weight) -> AnyQuantizedTensor {
    return Quantizer<detail::WeightScheme<F>, F, G>::fit_quantize(detail::tensor_map(weight), granularity);
  });
}

template <RealObject X>
BitWidthTable bit_width_table(const X& weight, const std::vector<FormatChoice>& choices) {
  constexpr int rank = rank_of<X>;
  // Evaluated once: an expression may give other numbers each time.
  const detail::Input<float, rank> input(weight);
  const TensorView<const float, rank>& view = input.view();
  const Index n = view.size();
  Buffer<float> gathered(view.is_dense() ? 0 : n);
  const auto values = detail::tensor_map(TensorView<const float, rank>(view.read(0, n, gathered.data()), view.shape()));
  BitWidthTable table;
  for (const FormatChoice& choice : choices) {
    const AnyQuantizedTensor quantized = choice.quantize(values);
    Tensor<float, rank> approx = detail::make_tensor<float, rank>(view.shape());
    quantized.dequantize_into(
        detail::tensor_map(TensorView<float, 2>(approx.data(), {quantized.shape()[0], quantized.shape()[1]})));
    const double bits = n == 0 ? 0.0 : 8.0 * static_cast<double>(quantized.bytes()) / static_cast<double>(n);
    table.rows.push_back(
        {std::string(quantized.format()) + " " + description(quantized.granularity(), quantized.rank()),
         quantized.bytes(), bits, error_metrics(values, approx)});
  }
  return table;
}

inline std::string BitWidthTable::text() const {
  std::vector<std::vector<std::string>> cells = {{"format", "bytes", "bits/weight", "SNR, dB", "max error", "cosine"}};
  for (const BitWidthRow& row : rows) {
    cells.push_back({row.format, std::to_string(row.bytes), detail::number("%.3f", row.bits_per_weight),
                     detail::number("%.2f", row.error.snr_db), detail::number("%.3g", row.error.max_error),
                     detail::number("%.6f", row.error.cosine)});
  }
  return detail::table(cells, 1);
}

QUANTA_NAMESPACE_END
