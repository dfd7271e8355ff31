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

/// Where the header of JSON ends that the text begins with: behind the } that closes its first {, or else behind the
/// last } of all, and the spaces there.
inline std::size_t header_length(std::string_view text) {
  std::size_t length = text.rfind('}') + 1;  // 0 where there is none
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < length; ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (quoted) continue;
    depth += text[i] == '{' ? 1 : text[i] == '}' ? -1 : 0;
    if (text[i] == '}' && depth == 0) length = i + 1;
  }
  while (length > 0 && length < text.size() && text[length] == ' ') ++length;
  return length;
}

/// Behind the header of the input is the data.
inline std::vector<std::byte> with_length(std::span<const std::byte> input) {
  const std::uint64_t length = header_length({reinterpret_cast<const char*>(input.data()), input.size()});
  std::vector<std::byte> file;
  for (int i = 0; i < 8; ++i) file.push_back(static_cast<std::byte>(length >> (8 * i)));
  file.insert(file.end(), input.begin(), input.end());
  return file;
}

}  // namespace quanta::fuzz
