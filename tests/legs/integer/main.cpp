// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Float models become networks of integers here; the unit without floats runs those, and must give the same codes.
#include <cstdio>

#include <quanta/integer.hpp>
#include <quanta/quanta.hpp>

extern "C" void firmware_run(const quanta::integer::Network*, const std::int8_t* x, std::int8_t* y,
                             std::int8_t* scratch);

namespace {

using quanta::Index;
using Matrix = quanta::Tensor<float, 2>;

Matrix pattern(Index rows, Index columns, int seed) {
  Matrix x(rows, columns);
  for (Index i = 0; i < x.size(); ++i)
    x.data()[i] = quanta::uniform(static_cast<unsigned>(seed), static_cast<unsigned>(i)) - 0.5f;
  return x;
}

/// The codes that differ.
int differences(const quanta::Sequential& model, quanta::IntegerOnly options) {
  const Matrix data = pattern(50, 40, 1);
  const auto fixed = quanta::quantize_static(model, std::vector<Matrix>{data}, quanta::MinMaxCalibrator<>{}, options);
  const auto x = quanta::AsymmetricQuantizer<quanta::Int<8>>(fixed.input_params()).quantize(data).codes();
  const auto y = fixed.run(x);
  const quanta::IntegerNetwork arrays = fixed.network();
  const quanta::integer::Network network = arrays.network();
  std::vector<std::int8_t> got(static_cast<std::size_t>(network.outputs));
  std::vector<std::int8_t> scratch(static_cast<std::size_t>(quanta::integer::scratch_size(network)));
  int count = 0, distinct = 0;
  for (Index r = 0; r < 50; ++r) {
    firmware_run(&network, x.data() + r * 40, got.data(), scratch.data());
    for (Index i = 0; i < network.outputs; ++i) {
      count += got[static_cast<std::size_t>(i)] != y(r, i);
      distinct += y(r, i) != y(0, 0);
    }
  }
  return distinct == 0 ? -1 : count;
}

}  // namespace

int main() {
  const quanta::Linear one(pattern(30, 40, 2), pattern(1, 30, 3).reshape(std::array<Index, 1>{30}).eval());
  const quanta::Linear two(pattern(10, 30, 4));
  using quanta::Sequential;
  const Sequential models[] = {Sequential{one, quanta::Relu{}, two},
                               Sequential{one, quanta::Gelu{}, two, quanta::Softmax{}},
                               Sequential{quanta::Tanh{}, one, quanta::Relu6{}, two, quanta::Sigmoid{}}};
  for (const Sequential& model : models) {
    for (const bool twice : {false, true}) {
      const int count = differences(model, {.double_rounding = twice});
      if (count != 0) {
        std::printf("%d codes differ\n", count);
        return 1;
      }
    }
  }
  std::printf("the unit without floats gives the same codes\n");
  return 0;
}
