// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of layers/: float and quantized layers and models, of ordinary inputs and of rows that are anything but.
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

// Rows of all magnitudes, the last ones of zeros, tiny and huge numbers, and with a value that is not finite.
Matrix inputs(Index k) {
  Matrix x = random_tensor<2>({21, k}, 1);
  const float sizes[] = {1.0f, 0x1p-140f, 0x1p-30f, 0x1p40f, 0x1p120f, 0.0f};
  for (Index b = 0; b < 15; ++b) {
    for (Index i = 0; i < k; ++i) x(b, i) *= sizes[b % 6];
  }
  x(15, k / 2) = std::numeric_limits<float>::infinity();
  x(16, 0) = std::numeric_limits<float>::quiet_NaN();
  for (Index i = 0; i < k; ++i) {
    x(17, i) = 0.7f;
    x(18, i) = -0.7f;
    x(19, i) = static_cast<float>(i % 256 - 128) * 0.5f;  // ties
  }
  return x;
}

template <class F, class G>
void add_dynamic(Recorder& recorder, const std::string& name, const Matrix& weight, const Vector& bias) {
  recorder.add("dynamic." + name, DynamicLinear<F, G>(weight, bias)(inputs(weight.dimension(1))));
}

}  // namespace

void golden_layers(Recorder& recorder) {
  const Matrix weight = random_tensor<2>({45, 83}, 2, 0.1f), next = random_tensor<2>({11, 45}, 3, 0.2f);
  const Vector bias = random_tensor<1>({45}, 4), next_bias = random_tensor<1>({11}, 5);
  const Matrix x = inputs(83);
  recorder.add("inputs", x);  // if this one differs, the test itself is to blame
  recorder.add("linear", Linear(weight, bias)(x));
  recorder.add("linear.no_bias", Linear(weight)(x));
  recorder.add("linear.one_sample", Linear(weight, bias)(random_tensor<1>({83}, 6)));
  recorder.add("relu", Relu{}(x));
  recorder.add("sigmoid", Sigmoid{}(x));
  recorder.add("tanh", Tanh{}(x));
  recorder.add("gelu", Gelu{}(x));
  recorder.add("gelu_tanh", GeluTanh{}(x));
  recorder.add("softmax", Softmax{}(x));
  recorder.add("layer_norm", LayerNorm(random_tensor<1>({83}, 7), random_tensor<1>({83}, 8))(x));
  recorder.add("softmax.long", Softmax{}(random_tensor<2>({2, 5000}, 9, 4.0f)));
  recorder.add("layer_norm.long",
               LayerNorm(random_tensor<1>({5000}, 10), random_tensor<1>({5000}, 11))(random_tensor<2>({2, 5000}, 12)));
  add_dynamic<Int<8>, PerChannel<0>>(recorder, "int8.channel", weight, bias);
  add_dynamic<Int<8>, PerTensor>(recorder, "int8.tensor", weight, bias);
  add_dynamic<UInt<8>, PerChannel<0>>(recorder, "uint8.channel", weight, bias);
  add_dynamic<Int<8>, PerGroup<32>>(recorder, "int8.group32", weight, bias);
  add_dynamic<Int<4>, PerGroup<16>>(recorder, "int4.group16", weight, bias);
  add_dynamic<Int<3>, PerChannel<0>>(recorder, "int3.channel", weight, bias);
  const Sequential model{Linear(weight, bias), Relu{}, Linear(next, next_bias)};
  recorder.add("model", model(x));
  recorder.add("model.dynamic", quantize_dynamic(model)(x));
  const Comparison compared =
      compare(model, quantize_dynamic(model), std::vector<Matrix>{random_tensor<2>({30, 83}, 13)});
  for (std::size_t i = 0; i < compared.layers.size(); ++i) {
    recorder.add("compare.snr_db." + std::to_string(i), compared.layers[i].chain.snr_db);
    recorder.add("compare.cosine." + std::to_string(i), compared.layers[i].chain.cosine);
  }
  for (const float threshold : {0.5f, 6.0f}) {
    recorder.add("outliers." + std::to_string(threshold), Int8OutlierLinear<>(weight, bias, threshold)(x));
  }
  recorder.add("embedding", Embedding<Int<4>>(weight)(Eigen::Vector4i(44, 0, 7, 7)));
  recorder.add("model.dynamic.int4", quantize_dynamic<Int<4>, PerGroup<16>>(model)(x));
}

}  // namespace quanta::test
