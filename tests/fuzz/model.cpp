// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// libFuzzer: any bytes are a sound model, which runs, is saved, and comes back the same, also where layers come back
// with their types; or FileError.
#include <bit>
#include <cstdlib>

#include <quanta/io/model.hpp>

#include "tests/fuzz/input.hpp"

namespace {

/// A format of a user's, of whose codes one is none.
struct Thirds {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1, max = 1;
  static constexpr std::string_view name = "thirds";
};

quanta::Sequential load_typed(const quanta::Safetensors& file) {
  return quanta::load<quanta::DynamicLinear<>, quanta::DynamicLinear<quanta::Int<4>, quanta::PerGroup<quanta::Dynamic>>,
                      quanta::StaticLinear<>, quanta::WeightOnlyLinear<quanta::Int<4>, quanta::PerChannel<0>>, Thirds>(
      file);
}

std::vector<std::byte> bytes_of(const quanta::Sequential& model) {
  quanta::TensorList list;
  model.save(list);
  std::vector<std::byte> file;
  quanta::detail::SafetensorsPlan(list).write(
      [&](const std::byte* data, std::size_t bytes) { file.insert(file.end(), data, data + bytes); });
  return file;
}

void expect_same(const float* x, const float* y, quanta::Index size) {
  for (quanta::Index i = 0; i < size; ++i) {
    if (std::bit_cast<std::uint32_t>(x[i]) != std::bit_cast<std::uint32_t>(y[i])) std::abort();
  }
}

/// The result of a row is the same alone, and that of `typed`.
void run(const quanta::Sequential& model, const quanta::Sequential& typed) {
  for (const quanta::Index features : {1, 2, 3, 5, 8, 20}) {
    try {
      quanta::Tensor<float, 2> x(3, features);
      for (quanta::Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 7 - 3) * 2.75f;
      const quanta::Tensor<float, 2> y = model(x);
      const quanta::Tensor<float, 1> alone = typed(quanta::Tensor<float, 1>(x.chip<0>(2)));
      expect_same(alone.data(), y.data() + 2 * alone.size(), alone.size());
    } catch (const quanta::Error&) {  // layers that do not fit each other, or this many features
    }
  }
}

/// What tables show.
void look_at(const quanta::Sequential& model) {
  for (const quanta::AnyLayer& layer : model) {
    if (layer.packed_bytes() < 0 || layer.info().parameters < 0) std::abort();
    static_cast<void>(layer.parts());
  }
}

void load_run_and_save(std::span<const std::byte> input) {
  try {
    const auto file = quanta::Safetensors::from_memory(input);
    const quanta::Sequential typed = load_typed(file);
    const quanta::Sequential model = quanta::load<Thirds>(file);
    run(model, typed);
    look_at(model);
    const auto saved = bytes_of(model);
    if (bytes_of(typed) != saved || bytes_of(load_typed(quanta::Safetensors::from_memory(saved))) != saved) {
      std::abort();
    }
  } catch (const quanta::FileError&) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  load_run_and_save(input);
  load_run_and_save(quanta::fuzz::with_length(input));
  return 0;
}
