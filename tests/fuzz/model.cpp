// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// libFuzzer: any bytes are a sound model, which runs, is saved, and comes back the same; or FileError.
#include <bit>
#include <cstdlib>

#include <quanta/io/model.hpp>

#include "tests/fuzz/input.hpp"

namespace {

std::vector<std::byte> bytes_of(const quanta::Sequential& model) {
  quanta::TensorList list;
  model.save(list);
  std::vector<std::byte> file;
  quanta::detail::SafetensorsPlan(list).write(
      [&](const std::byte* data, std::size_t bytes) { file.insert(file.end(), data, data + bytes); });
  return file;
}

/// The result of a row is the same alone.
void run(const quanta::Sequential& model) {
  for (const quanta::Index features : {1, 2, 3, 5, 8, 20}) {
    try {
      quanta::Tensor<float, 2> x(3, features);
      for (quanta::Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<float>(i % 7 - 3) * 2.75f;
      const quanta::Tensor<float, 2> y = model(x);
      const quanta::Tensor<float, 1> alone = model(quanta::Tensor<float, 1>(x.chip<0>(2)));
      for (quanta::Index i = 0; i < alone.size(); ++i) {
        if (std::bit_cast<std::uint32_t>(alone(i)) != std::bit_cast<std::uint32_t>(y(2, i))) std::abort();
      }
    } catch (const quanta::Error&) {  // layers that do not fit each other, or this many features
    }
  }
}

void load_run_and_save(std::span<const std::byte> input) {
  try {
    const quanta::Sequential model = quanta::load(quanta::Safetensors::from_memory(input));
    run(model);
    const auto file = bytes_of(model);
    if (bytes_of(quanta::load(quanta::Safetensors::from_memory(file))) != file) std::abort();
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
