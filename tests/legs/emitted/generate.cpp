// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Writes networks as headers into a directory, each after it was saved and loaded, and what the library says that they
// computed before: cases.hpp, with some rows for each network as codes and as the bits of floats.
//   generate DIRECTORY

#include <bit>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include <quanta/io/emit_header.hpp>
#include <quanta/io/model.hpp>
#include <quanta/layers/integer_only.hpp>
#include <quanta/quanta.hpp>

namespace {

using Matrix = quanta::Tensor<float, 2>;

std::uint32_t seed = 1;
float random_float() {  // in [-1, 1)
  seed = seed * 1664525u + 1013904223u;
  return static_cast<float>(static_cast<std::int32_t>(seed) >> 8) / 8388608.0f;
}

Matrix random_matrix(quanta::Index rows, quanta::Index columns, float scale) {
  Matrix matrix(rows, columns);
  for (quanta::Index i = 0; i < matrix.size(); ++i) matrix.data()[i] = scale * random_float();
  return matrix;
}

quanta::Linear random_linear(quanta::Index inputs, quanta::Index outputs) {
  const Matrix bias = random_matrix(1, outputs, 0.5f);
  return {random_matrix(outputs, inputs, 0.3f), Eigen::Map<const Eigen::VectorXf>(bias.data(), outputs)};
}

template <class T>
std::string array(const std::string& declaration, const std::vector<T>& values) {
  std::string text = "static const " + declaration + "[] = {";
  for (const T v : values) text += std::to_string(v) + (std::is_unsigned_v<T> ? "u," : ",");
  return text + "};\n";
}

std::vector<std::uint32_t> bits_of(const Matrix& matrix) {
  std::vector<std::uint32_t> bits;
  for (quanta::Index i = 0; i < matrix.size(); ++i) bits.push_back(std::bit_cast<std::uint32_t>(matrix.data()[i]));
  return bits;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace quanta;
  if (argc != 2) return 2;
  const std::string directory = argv[1];
  std::ofstream cases(directory + "/cases.hpp");
  cases << "#pragma once\n#include <cstdint>\n";
  constexpr Index kRows = 20;
  const auto add_model = [&](const std::string& name, const IntegerModel& model) {
    const Index inputs = model.in_features();
    const std::string file = directory + "/" + name + ".safetensors";
    save(file, Sequential{model});
    std::ofstream header(directory + "/" + name + ".hpp");
    emit_header(load(file), header, {.name = name});

    Matrix x = random_matrix(kRows, inputs, 1.2f);  // some saturate
    const float scale = model.input_params().scale(0);
    for (Index i = 0; i < inputs; ++i) x(1, i) = (static_cast<float>(i) - 3.0f) * 0.5f * scale;  // ties
    x(2, 0) = std::numeric_limits<float>::infinity();
    x(3, 0) = -std::numeric_limits<float>::infinity();
    x(4, 0) = std::numeric_limits<float>::quiet_NaN();
    x(5, 0) = -0.0f;
    for (Index r = 2; r < 6; ++r) x(r, inputs - 1) = x(r, 0);
    Tensor<std::int8_t, 2> codes(kRows, inputs);
    for (Index i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<std::int8_t>(random_float() * 128.0f);
    for (Index i = 0; i < inputs; ++i) codes(0, i) = -128;
    for (Index i = 0; i < inputs; ++i) codes(1, i) = 127;
    const Tensor<std::int8_t, 2> results = model.run(codes);
    const auto bytes = [](const Tensor<std::int8_t, 2>& t) { return std::vector<int>(t.data(), t.data() + t.size()); };
    cases << array("std::int8_t " + name + "_codes", bytes(codes))
          << array("std::int8_t " + name + "_results", bytes(results))
          << array("std::uint32_t " + name + "_floats", bits_of(x))
          << array("std::uint32_t " + name + "_outputs", bits_of(model(x)));
  };
  const auto add = [&](const std::string& name, const Sequential& floats, Index inputs, IntegerOnly options) {
    const std::vector<Matrix> batches = {random_matrix(100, inputs, 1.0f)};
    add_model(name, quantize_static(floats, batches, MinMaxCalibrator<>{}, options));
  };
  for (const bool twice : {false, true}) {
    const IntegerOnly options{.double_rounding = twice};
    const std::string end = twice ? "_twice" : "";
    add("deep" + end,
        Sequential{random_linear(83, 45), Relu{}, random_linear(45, 33), Gelu{}, random_linear(33, 7), Softmax{}}, 83,
        options);
    add("wide" + end, Sequential{random_linear(130, 300), Relu6{}, random_linear(300, 10)}, 130, options);
  }
  // Two have names that the header itself uses.
  add("detail", Sequential{random_linear(16, 3)}, 16, {});
  add("run", Sequential{random_linear(128, 13), random_linear(13, 64), Relu{}, random_linear(64, 8)}, 128, {});
  add("tables", Sequential{Sigmoid{}, random_linear(31, 31), Tanh{}, random_linear(31, 31), Clamp{-0.5f, 0.75f}}, 31,
      {});
  // The ends of the codes as weights.
  IntegerBuilder ends(150, AsymmetricQuantizer<Int<8>>(0.01f, 3));
  Tensor<std::int8_t, 2> weight(6, 150);
  for (Index i = 0; i < weight.size(); ++i) weight.data()[i] = i < 150 || random_float() < 0.0f ? -128 : 127;
  const Matrix bias = random_matrix(1, 6, 1.0f);
  ends.linear(QuantizedTensor<Int<8>, 2>(weight, QuantParams<PerTensor>(0.01f)),
              Eigen::Map<const Eigen::VectorXf>(bias.data(), 6), AsymmetricQuantizer<Int<8>>(1.9f, -7));
  add_model("ends", ends.model());

  cases << "#define NETWORKS(use) use(deep) use(wide) use(deep_twice) use(wide_twice) use(detail) use(run) "
        << "use(ends) use(tables)\n";
  cases << "#define ROWS " << kRows << "\n";
  return cases.good() ? 0 : 1;
}
