// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of train/: learned scales, fake-quantized values and gradients of weights and activations.
#include <quanta/quanta.hpp>
#include <quanta/train.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class Fake>
void add_fake(Recorder& recorder, const std::string& name, const Fake& fake, const RowTensor<float, 2>& x) {
  const auto gradients = fake.backward(x, random_tensor<2>({x.dimension(0), x.dimension(1)}, 2));
  recorder.add(name + ".scales", fake.scales());
  recorder.add(name + ".forward", fake.forward(x));
  recorder.add(name + ".dx", gradients.x);
  recorder.add(name + ".dscales", gradients.scales);
}

}  // namespace

void golden_train(Recorder& recorder) {
  const RowTensor<float, 2> x = random_tensor<2>({67, 1003}, 1);
  recorder.add("inputs", x);  // if this one differs, the test itself is to blame
  add_fake(recorder, "int2.tensor", FakeQuantize<Int<2>>::learned(x), x);
  add_fake(recorder, "int4.channel0", FakeQuantize<Int<4>, PerChannel<0>>::learned(x), x);
  add_fake(recorder, "int8.channel1", FakeQuantize<Int<8>, PerChannel<1>>::learned(x), x);
  add_fake(recorder, "int4.group32", FakeQuantize<Int<4>, PerGroup<32>>::learned(x), x);
  add_fake(recorder, "uint4.activation", FakeQuantize<UInt<4>>::learned(x, Role::activation), x);
  add_fake(recorder, "uint8.fitted", FakeQuantize(AsymmetricQuantizer<UInt<8>, PerChannel<1>>::fit(x)), x);
}

}  // namespace quanta::test
