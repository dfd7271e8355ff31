// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// libFuzzer: any bytes are a sound safetensors file, all of which can be read, or FileError.
#include <cstdlib>

#include <quanta/io/safetensors.hpp>
#include <quanta/layers/embedding.hpp>

#include "tests/fuzz/input.hpp"

namespace {

template <class F>
void try_read(F read) {
  try {
    read();
  } catch (const quanta::FileError&) {
  }
}

void read_all(const quanta::Safetensors& file) {
  unsigned sum = 0;
  for (const std::string& name : file.names()) {
    for (const std::byte byte : file.bytes(name)) sum += static_cast<unsigned>(byte);
    try_read([&] { sum += static_cast<unsigned>(file.read<1>(name).size()); });
    try_read([&] { sum += static_cast<unsigned>(file.read<2>(name).size()); });
    try_read([&] {
      const quanta::AnyQuantizedTensor tensor = file.quantized(name);
      if (tensor.rank() == 2) sum += static_cast<unsigned>(tensor.dequantize<2>().size());
    });
    try_read([&] {
      const auto view = file.view<quanta::Int<4>, 2, quanta::PerGroup<quanta::Dynamic>>(name);
      sum += static_cast<unsigned>(view.dequantize().size());
    });
    try_read([&] {
      const auto view = file.view<quanta::NF4, 2, quanta::DoubleQuantized<quanta::PerGroup<quanta::Dynamic>>>(name);
      sum += static_cast<unsigned>(view.dequantize().size());
    });
    try_read([&] {
      const quanta::Embedding<> table(file.quantized<quanta::Int<8>, 2, quanta::PerChannel<0>>(name));
      if (table.rows() > 0) sum += static_cast<unsigned>(table(Eigen::VectorXi::Zero(1)).size());
    });
  }
  static volatile unsigned used;
  used = sum;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  try_read([&] { read_all(quanta::Safetensors::from_memory(input)); });
  const auto file = quanta::fuzz::with_length(input);
  try_read([&] { read_all(quanta::Safetensors::from_memory(file)); });
  return 0;
}
