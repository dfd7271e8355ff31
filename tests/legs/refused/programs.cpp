// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What must not compile, one case for each CASE, and how the compiler says why: the text after "expect:" is in its
// first error. CASE 0 compiles. The leg "refused" counts the cases here.
#include <quanta/integer.hpp>
#include <quanta/quanta.hpp>

/// A codebook with a level that is no number.
struct Endless {
  using Code = std::uint8_t;
  static constexpr int bits = 1;
  static constexpr std::string_view name = "endless";
  static constexpr std::array<float, 2> levels = {0.0f, std::numeric_limits<float>::infinity()};
};

[[maybe_unused]] static void refused(const Eigen::MatrixXf& weight, const Eigen::VectorXf& bias,
                                     const Eigen::Tensor<float, 3>& cube, const Eigen::MatrixXi& numbers,
                                     const std::vector<float>& some, quanta::Sequential& model,
                                     quanta::IntegerBuilder& builder,
                                     const quanta::QuantizedTensor<quanta::Int<8>, 2>& codes,
                                     const quanta::AsymmetricQuantizer<quanta::UInt<8>>& activation) {
#if CASE == 0
  const quanta::DynamicLinear<> layer(weight, bias);
  model.push_back(quanta::Linear(weight.leftCols(2), bias));
  const quanta::Int8OutlierLinear<> always(weight, 0.5f), rarely(weight, 7);
  builder.linear(codes, bias, activation);
  static_cast<void>(cube), static_cast<void>(numbers), static_cast<void>(some);
#elif CASE == 1   // expect: DynamicLinear multiplies integers: its weights are Int<b> or UInt<b>
  quanta::DynamicLinear<quanta::NF4> layer(weight, bias);
#elif CASE == 2   // expect: DynamicLinear multiplies integers: its weights are Int<b> or UInt<b>
  model = quanta::quantize_dynamic<quanta::NF4>(model);
#elif CASE == 3   // expect: a bias is an Eigen vector or rank-1 tensor of float or double
  quanta::DynamicLinear<> layer(weight, some);
#elif CASE == 4   // expect: a bias is an Eigen vector or rank-1 tensor of float or double
  quanta::Linear layer(weight, some);
#elif CASE == 5   // expect: a bias is an Eigen vector or rank-1 tensor of float or double
  quanta::WeightOnlyLinear<quanta::NF4> layer(weight, weight);
#elif CASE == 6   // expect: a weight is an Eigen matrix or rank-2 tensor (out, in) of float or double
  quanta::DynamicLinear<> layer(cube, bias);
#elif CASE == 7   // expect: a weight is an Eigen matrix or rank-2 tensor (out, in) of float or double
  quanta::Linear layer(numbers, bias);
#elif CASE == 8   // expect: a QuantizedTensor<F, 2, G> of the layer's own F and G
  using Other = quanta::SymmetricQuantizer<quanta::Int<4>, quanta::PerChannel<0>>;
  quanta::DynamicLinear<> layer(Other::fit_quantize(weight), bias);
#elif CASE == 9   // expect: symmetric quantization needs a signed format; use AsymmetricQuantizer for UInt
  quanta::SymmetricQuantizer<quanta::UInt<8>>::fit(weight);
#elif CASE == 10  // expect: the rhs of gemm is PerTensor, PerChannel<0>, or PerGroup along the last axis
  using Columns = quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<1>>;
  quanta::pack(Columns::fit_quantize(weight));
#elif CASE == 11  // expect: for float results give Dequantize{} first
  const auto rhs = quanta::pack(quanta::SymmetricQuantizer<quanta::Int<8>>::fit_quantize(weight));
  Eigen::MatrixXf y;
  quanta::gemm(quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit_quantize(weight), rhs, y);
#elif CASE == 12  // expect: the lhs of gemm is PerTensor, or a matrix PerChannel<0>
  using Columns = quanta::AsymmetricQuantizer<quanta::UInt<8>, quanta::PerChannel<1>>;
  const auto rhs = quanta::pack(quanta::SymmetricQuantizer<quanta::Int<8>>::fit_quantize(weight));
  Eigen::MatrixXf y;
  quanta::gemm(Columns::fit_quantize(weight), rhs, y, quanta::Dequantize{});
#elif CASE == 13  // expect: the lhs of gemm is PerTensor, or a matrix PerChannel<0>
  using Groups = quanta::AsymmetricQuantizer<quanta::UInt<8>, quanta::PerGroup<32>>;
  const auto rhs = quanta::pack(quanta::SymmetricQuantizer<quanta::Int<8>>::fit_quantize(weight));
  Eigen::MatrixXi sums;
  quanta::gemm(Groups::fit_quantize(weight), rhs, sums);
#elif CASE == 14  // expect: the rhs of gemm is PerTensor, PerChannel<0>, or PerGroup along the last axis
  using Rhs = quanta::PackedRhs<quanta::Int<8>, quanta::PerGroup<32, 0>>;
  static_cast<void>(sizeof(Rhs));
#elif CASE == 15  // expect: a bias is an Eigen vector or rank-1 tensor of float or double
  quanta::Int8OutlierLinear<> layer(weight, some);
#elif CASE == 16  // expect: a weight is an Eigen matrix or rank-2 tensor (out, in) of float or double
  quanta::Int8OutlierLinear<> layer(cube, bias);
#elif CASE == 17  // expect: a QuantizedTensor<F, 2, G> of the layer's own F and G
  quanta::Int8OutlierLinear<> layer(quanta::SymmetricQuantizer<quanta::Int<8>>::fit_quantize(weight), bias);
#elif CASE == 18  // expect: a weight of an IntegerBuilder is a QuantizedTensor<Int<b>, 2, G> of at most 8 bits
  builder.linear(weight, bias, activation);
#elif CASE == 19  // expect: a weight of an IntegerBuilder is a QuantizedTensor<Int<b>, 2, G> of at most 8 bits
  builder.linear(quanta::SymmetricQuantizer<quanta::NF4>::fit_quantize(weight), bias, activation);
#elif CASE == 20  // expect: a bias is an Eigen vector or rank-1 tensor of float or double
  builder.linear(codes, some, activation);
#elif CASE == 21  // expect: an IntegerBuilder quantizes activations by a Quantizer<Scheme, A, PerTensor>
  builder.linear(codes, bias, quanta::AsymmetricQuantizer<quanta::UInt<8>, quanta::PerChannel<1>>::fit(weight));
#elif CASE == 22  // expect: bounds of an IntegerBuilder are a Relu, Relu6 or Clamp; other activations are tables
  builder.linear(codes, bias, activation, quanta::Gelu{});
#elif CASE == 23  // expect: an IntegerBuilder quantizes activations by a Quantizer<Scheme, A, PerTensor>
  quanta::IntegerBuilder other(2, weight);
#elif CASE == 24  // expect: an IntegerBuilder quantizes activations by a Quantizer<Scheme, A, PerTensor>
  builder.table([](double x) { return x; }, quanta::SymmetricQuantizer<quanta::NF4>::fit(weight));
#elif CASE == 25  // expect: the levels of a codebook are finite, and not all 0
  quanta::WeightOnlyLinear<Endless> layer(weight, bias);
#elif CASE == 26  // expect: the rhs of gemm is packed: quanta::pack(weight)
  Eigen::MatrixXf y;
  quanta::gemm(quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit_quantize(weight), codes, y, quanta::Dequantize{});
#elif CASE == 27  // expect: pack takes a QuantizedTensor or QuantizedView (n, k) of Int<b> or UInt<b>
  const auto rhs = quanta::pack(quanta::SymmetricQuantizer<quanta::NF4>::fit_quantize(weight));
#elif CASE == 28  // expect: batches are several Eigen matrices (batch, features) or vectors of float or double
  quanta::quantize_static(model, weight, quanta::MinMaxCalibrator<>{});
#elif CASE == 29  // expect: batches are several Eigen matrices (batch, features) or vectors of float or double
  quanta::quantize_static(model, std::vector<Eigen::MatrixXi>{numbers}, quanta::MinMaxCalibrator<>{});
#elif CASE == 30  // expect: the lhs of gemm is quantized: quantizer.quantize(x); or int8 or uint8, with a ZeroPoint
  Eigen::MatrixXf y;
  quanta::gemm(weight, quanta::pack(codes), y, quanta::Dequantize{});
#elif CASE == 31  // expect: with a ZeroPoint the lhs of gemm is int8 or uint8
  Eigen::MatrixXi sums;
  quanta::gemm(numbers, quanta::ZeroPoint{0}, quanta::pack(codes), sums);
#elif CASE == 32  // expect: the rhs of gemm is packed: quanta::pack(weight)
  Eigen::MatrixXi sums;
  quanta::gemm(Eigen::Matrix<std::int8_t, 2, 2>(), quanta::ZeroPoint{0}, codes, sums);
#endif
}
