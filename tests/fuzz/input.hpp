// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From a fuzzer's bytes to safetensors files. The 8 bytes of the header's length would make nearly every change of the
// header a file that is cut short; so a file is also made of the rest alone, its length put right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace quanta::fuzz {

/// Up to the last } the input is the header, and what follows the data.
inline std::vector<std::byte> with_length(std::span<const std::byte> input) {
  const std::string_view text(reinterpret_cast<const char*>(input.data()), input.size());
  const std::uint64_t length = text.rfind('}') + 1;  // 0 where there is none
  std::vector<std::byte> file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::byte>(length >> (8 * i)));
  file.insert(file.end(), input.begin(), input.end());
  return file;
}

}  // namespace quanta::fuzz
