// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of static and weight-only layers and models, of ordinary inputs and of rows that are anything but.
#include <quanta/quanta.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

namespace {

using Matrix = RowTensor<float, 2>;
using Vector = RowTensor<float, 1>;

const ActivationParams& activation_of(const Sequential& model, Index layer) {
  return model[layer].target<StaticLinear<>>()->activation();
}

template <class C>
void add_model(Recorder& recorder, const std::string& name, const Sequential& model, const std::vector<Matrix>& batches,
               const C& calibrator, const Matrix& x) {
  const Sequential fixed = quantize_static(model, batches, calibrator);
  recorder.add("model." + name + ".output", fixed(x));
  for (const Index layer : {0, 2}) {
    const ActivationParams& activation = activation_of(fixed, layer);
    const std::string part = "model." + name + ".layer" + std::to_string(layer);
    recorder.add(part + ".scale", activation.scale);
    recorder.add(part + ".zero_point", activation.zero_point);
  }
}

}  // namespace

void golden_static(Recorder& recorder) {
  const Matrix weight = random_tensor<2>({45, 83}, 2, 0.1f), next = random_tensor<2>({11, 45}, 3, 0.2f);
  const Vector bias = random_tensor<1>({45}, 4), next_bias = random_tensor<1>({11}, 5);
  Matrix x = random_tensor<2>({21, 83}, 1);
  x(15, 41) = std::numeric_limits<float>::infinity();
  x(16, 0) = std::numeric_limits<float>::quiet_NaN();
  for (Index i = 0; i < 83; ++i) x(17, i) = x(17, i) * 0x1p-140f;
  recorder.add("inputs", x);  // if this one differs, the test itself is to blame
  const AsymmetricQuantizer<UInt<8>> wide(0.021f, 117);
  const SymmetricQuantizer<Int<8>> centred(0.019f);
  recorder.add("int8.channel", StaticLinear<>(weight, bias, wide)(x));
  recorder.add("int8.tensor", StaticLinear<Int<8>, PerTensor>(weight, bias, wide)(x));
  recorder.add("int8.channel.symmetric", StaticLinear<>(weight, bias, centred)(x));
  recorder.add("int4.group16", StaticLinear<Int<4>, PerGroup<16>>(weight, bias, wide)(x));
  recorder.add("weight_only.int8", WeightOnlyLinear<>(weight, bias)(x));
  recorder.add("weight_only.int4.group16", WeightOnlyLinear<Int<4>, PerGroup<16>>(weight, bias)(x));
  recorder.add("weight_only.uint3.tensor", WeightOnlyLinear<UInt<3>, PerTensor>(weight, bias)(x));
  recorder.add("weight_only.int2.group48", WeightOnlyLinear<Int<2>, PerGroup<48>>(weight, bias)(x));
  recorder.add("weight_only.uint4.group32", WeightOnlyLinear<UInt<4>, PerGroup<32>>(weight, bias)(x));
  recorder.add("weight_only.e5m2", WeightOnlyLinear<E5M2>(weight, bias)(x));
  recorder.add("dynamic.int4.group32", DynamicLinear<Int<4>, PerGroup<32>>(weight, bias)(x));
  recorder.add("dynamic.uint4.group48", DynamicLinear<UInt<4>, PerGroup<48>>(weight, bias)(x));
  recorder.add("dynamic.int2.group7", DynamicLinear<Int<2>, PerGroup<7>>(weight, bias)(x));
  recorder.add("dynamic.int8.group32", DynamicLinear<Int<8>, PerGroup<32>>(weight, bias)(x));

  const Sequential model{Linear(weight, bias), Relu{}, Linear(next, next_bias)};
  const std::vector<Matrix> batches = {random_tensor<2>({40, 83}, 6), random_tensor<2>({17, 83}, 7)};
  add_model(recorder, "min_max", model, batches, MinMaxCalibrator<>{}, x);
  add_model(recorder, "moving_average", model, batches, MovingAverageCalibrator<>{}, x);
  add_model(recorder, "percentile", model, batches, PercentileCalibrator<>{}, x);
  add_model(recorder, "mse", model, batches, MseCalibrator<>{}, x);
  add_model(recorder, "entropy", model, batches, EntropyCalibrator<>{}, x);
  recorder.add("model.weights.int4", quantize_weights<Int<4>, PerGroup<32>>(model)(x));
}

}  // namespace quanta::test
