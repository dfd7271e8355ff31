// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of core/: arithmetic, elementary functions, random numbers.
#include <cmath>

#include <quanta/core/fp.hpp>
#include <quanta/core/lane_math.hpp>
#include <quanta/core/math.hpp>
#include <quanta/core/random.hpp>
#include <quanta/simd/lanes.hpp>

#include "tests/support/golden.hpp"
#include "tests/support/random.hpp"

namespace quanta::test {

void golden_core(Recorder& recorder) {
  Random random(1);
  std::vector<float> any, fused, emulated, plain, rounded;
  for (int i = 0; i < 6000; ++i) any.push_back(i % 2 == 0 ? random.any_float() : random.normal(10.0f));
  for (std::size_t i = 0; i + 2 < any.size(); ++i) {
    fused.push_back(fp::fma(any[i], any[i + 1], any[i + 2]));
    emulated.push_back(fp::fma_emulated(any[i], any[i + 1], any[i + 2]));
    plain.push_back(fp::mul(any[i], any[i + 1]) + any[i + 2]);
    if (std::fabs(any[i]) < 4e6f) rounded.push_back(fp::round_half_even(any[i]) + 0.0f);
  }
  recorder.add("inputs", any);  // if this one differs, the test itself is to blame
  recorder.add("fma", fused);
  recorder.add("fma_emulated", emulated);
  recorder.add("mul_then_add", plain);
  recorder.add("round_half_even", rounded);

  std::vector<double> logs, logs10;
  for (int i = 0; i < 4000; ++i) {
    const double x = i % 2 == 0 ? std::bit_cast<double>(random.bits() >> 1) : static_cast<double>(random.any_float());
    logs.push_back(math::log(x));
    logs10.push_back(math::log10(x));
  }
  recorder.add("log", logs);
  recorder.add("log10", logs10);

  using L = simd::NativeLanes;
  const auto map = [&](const char* name, auto function) {
    std::vector<float> x(any.begin(), any.begin() + 4800), y(x.size());  // any magnitude; and up to 30, or to 120
    for (std::size_t i = 1; i < x.size(); i += 4) x[i] *= 4.0f;
    for (std::size_t i = 0; i < x.size(); i += L::width) L::store(&y[i], function(L::load(&x[i])));
    recorder.add(name, y);
  };
  map("exp", [](auto v) { return math::exp<L>(v); });
  map("sigmoid", [](auto v) { return math::sigmoid<L>(v); });
  map("tanh", [](auto v) { return math::tanh<L>(v); });
  map("erf", [](auto v) { return math::erf<L>(v); });
  map("gelu", [](auto v) { return math::gelu<L>(v); });
  map("gelu_tanh", [](auto v) { return math::gelu_tanh<L>(v); });

  std::vector<std::uint32_t> words;
  std::vector<float> uniforms;
  for (std::uint32_t i = 0; i < 500; ++i) {
    for (const std::uint32_t word : philox4x32({i, ~i, 7 * i, i << 8}, {i * i, 3})) words.push_back(word);
    uniforms.push_back(uniform(i, i));
    uniforms.push_back(uniform(12345, std::uint64_t{i} << 30));
  }
  recorder.add("philox4x32", words);
  recorder.add("uniform", uniforms);
}

}  // namespace quanta::test
