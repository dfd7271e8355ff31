// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A reader of safetensors that shares no code with the library: the format's text (github.com/huggingface/safetensors)
// in a few lines, strict about what the library promises of its own files. Holds no test.
#pragma once

#include <cstdint>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace quanta::test {

struct PlainTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::size_t offset = 0;  // from the start of the file
  std::string bytes;

  /// The elements as numbers of this type.
  template <class T>
  std::vector<T> values() const {
    std::vector<T> result(bytes.size() / sizeof(T));
    if (!bytes.empty()) std::memcpy(result.data(), bytes.data(), bytes.size());
    return result;
  }
};

struct PlainFile {
  std::map<std::string, PlainTensor> tensors;
  std::map<std::string, std::string> texts;
  std::size_t payload = 0;  // bytes behind the header
};

inline std::string file_contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

inline PlainFile read_plain(const std::string& path) {
  const std::string bytes = file_contents(path);
  PlainFile file;
  std::uint64_t length = 0;
  if (bytes.size() < 8) throw std::runtime_error("too short");
  std::memcpy(&length, bytes.data(), 8);
  const auto header = nlohmann::json::parse(bytes.substr(8, length));
  const std::size_t begin = 8 + length;
  file.payload = bytes.size() - begin;
  EXPECT_EQ(begin % 8, 0u);
  std::map<std::size_t, std::size_t> pieces;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      file.texts = entry.get<std::map<std::string, std::string>>();
      continue;
    }
    PlainTensor tensor;
    tensor.dtype = entry.at("dtype").get<std::string>();
    tensor.shape = entry.at("shape").get<std::vector<std::int64_t>>();
    const auto first = entry.at("data_offsets").at(0).get<std::size_t>();
    const auto last = entry.at("data_offsets").at(1).get<std::size_t>();
    const std::size_t width = tensor.dtype.ends_with("32") ? 4 : tensor.dtype.ends_with("16") ? 2 : 1;
    EXPECT_EQ(first % width, 0u) << name << " is not aligned";
    std::size_t size = width;
    for (const std::int64_t extent : tensor.shape) size *= static_cast<std::size_t>(extent);
    EXPECT_EQ(size, last - first) << name;
    tensor.offset = begin + first;
    tensor.bytes = bytes.substr(tensor.offset, size);
    if (size > 0) pieces[first] = last;
    file.tensors[name] = tensor;
  }
  std::size_t at = 0;
  for (const auto& [first, last] : pieces) {
    EXPECT_EQ(first, at) << "a hole";
    at = last;
  }
  EXPECT_EQ(at, file.payload);
  return file;
}

}  // namespace quanta::test
