// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// libFuzzer: any bytes are a sound .npy file, which can be read, or FileError.
#include <cstdlib>

#include <quanta/io/npy.hpp>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto file = quanta::Npy::from_memory(std::as_bytes(std::span(data, size)));
    if (file.shape().size() == 2 && file.type()[1] == 'f') {
      const auto x = file.read<float, 2>();
      if (x.dimension(0) != file.shape()[0] || x.dimension(1) != file.shape()[1]) std::abort();
    }
    if (file.shape().size() == 3) static_cast<void>(file.read<std::int8_t, 3>());
    if (file.shape().size() == 2 && file.type()[1] == 'V') static_cast<void>(file.read<Eigen::bfloat16, 2>());
    if (file.shape().size() == 2 && file.type() == "<f2") static_cast<void>(file.read<Eigen::half, 2>());
    static_cast<void>(file.read<std::int16_t, 1>());
  } catch (const quanta::FileError&) {
  }
  return 0;
}
