// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of networks of integers: what they are made of, and what they compute, here and by the portable evaluation.
#include <quanta/layers/integer_only.hpp>
#include <quanta/quanta.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

void add_integers(Recorder& recorder, const std::string& name, const IntegerModel& fixed) {
  const IntegerNetwork owner = fixed.network();
  const integer::Network network = owner.network();
  for (std::int32_t i = 0; i < network.count; ++i) {
    const integer::Layer& layer = network.layers[i];
    const std::string part = name + ".layer" + std::to_string(i);
    if (layer.kind == integer::Kind::linear) {
      recorder.add(part + ".weight", layer.weight, layer.inputs * layer.outputs);
      recorder.add(part + ".bias", layer.bias, layer.outputs);
      recorder.add(part + ".multiplier", layer.multiplier, layer.outputs);
      recorder.add(part + ".shift", layer.shift, layer.outputs);
      const std::int32_t codes[] = {layer.zero_point, layer.low, layer.high};
      recorder.add(part + ".codes", codes, 3);
    } else if (layer.kind == integer::Kind::table) {
      recorder.add(part + ".table", layer.table, 256);
    } else {
      recorder.add(part + ".exponentials", layer.exponentials, 256);
    }
  }
  RowTensor<float, 2> x = random_tensor<2>({21, 83}, 1);
  x(15, 41) = std::numeric_limits<float>::infinity();
  x(16, 0) = std::numeric_limits<float>::quiet_NaN();
  recorder.add(name + ".output", fixed(x));
  const auto codes = AsymmetricQuantizer<Int<8>>(fixed.input_params()).quantize(x).codes();
  recorder.add(name + ".codes", fixed.run(codes));
  std::vector<std::int8_t> y(usize(21 * network.outputs)), scratch(usize(integer::scratch_size(network)));
  for (std::int32_t r = 0; r < 21; ++r) {
    integer::run(network, codes.data() + r * 83, y.data() + r * network.outputs, scratch.data());
  }
  recorder.add(name + ".portable", y);
}

void add_integers(Recorder& recorder, const std::string& name, const Sequential& model, IntegerOnly options) {
  const std::vector<RowTensor<float, 2>> batches = {random_tensor<2>({40, 83}, 6), random_tensor<2>({17, 83}, 7)};
  add_integers(recorder, name, quantize_static(model, batches, EntropyCalibrator<>{}, options));
}

IntegerModel built_of(const Linear& one, const Linear& two) {
  IntegerBuilder builder(83, AsymmetricQuantizer<UInt<8>>(0.01f, 117));
  builder.linear(SymmetricQuantizer<Int<4>, PerChannel<0>>::fit_quantize(one.weight()), one.bias(),
                 AsymmetricQuantizer<UInt<4>>(0.05f), Relu{});
  builder.table([](double x) { return x * x; }, AsymmetricQuantizer<UInt<8>>(0.003f));
  builder.linear(SymmetricQuantizer<Int<2>>::fit_quantize(two.weight()), two.bias(),
                 AsymmetricQuantizer<Int<8>>(0.01f, 5));
  return builder.model();
}

}  // namespace

void golden_integer(Recorder& recorder) {
  const Linear one(random_tensor<2>({45, 83}, 2, 0.1f), random_tensor<1>({45}, 4));
  const Linear two(random_tensor<2>({11, 45}, 3, 0.2f), random_tensor<1>({11}, 5));
  add_integers(recorder, "relu", Sequential{one, Relu{}, two}, {});
  add_integers(recorder, "relu.double_rounding", Sequential{one, Relu{}, two}, {.double_rounding = true});
  add_integers(recorder, "tables", Sequential{Tanh{}, one, Gelu{}, Sigmoid{}, two, GeluTanh{}, Clamp(-0.1f, 0.9f)}, {});
  add_integers(recorder, "softmax", Sequential{one, Relu6{}, two, Softmax{}}, {});
  add_integers(recorder, "built", built_of(one, two));
}

}  // namespace quanta::test
