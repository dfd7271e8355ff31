// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Safetensors files made by hand, and a reader that uses all a file holds. Holds no test.
#pragma once

#include <bit>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <initializer_list>
#include <random>
#include <span>
#include <string>

#include <gtest/gtest.h>

#include <quanta/io.hpp>

#include "tests/support/expect_error.hpp"

#define EXPECT_FILE_ERROR(statement, ...)                                                                           \
  ::quanta::test::expect_error<::quanta::FileError>([&] { static_cast<void>(statement); }, {__VA_ARGS__}, __FILE__, \
                                                    __LINE__)

namespace quanta::test {

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  std::uint64_t bits = 0;
  if constexpr (std::is_same_v<T, float>) {
    bits = std::bit_cast<std::uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    bits = std::bit_cast<std::uint64_t>(value);
  } else {
    bits = value;
  }
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes += static_cast<char>(bits >> (8 * i) & 255);
  return bytes;
}

template <class T>
std::string little_endian(std::initializer_list<T> values) {
  std::string bytes;
  for (const T value : values) bytes += little_endian(value);
  return bytes;
}

inline std::string file_of(const std::string& json, const std::string& data = "") {
  return little_endian(std::uint64_t{json.size()}) + json + data;
}

/// A file of one tensor "t".
inline std::string file_of_one(const std::string& dtype, const std::string& shape, const std::string& data) {
  return file_of(R"({"t":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":[0,)" +
                     std::to_string(data.size()) + "]}}",
                 data);
}

inline Safetensors parse(const std::string& file) {
  return Safetensors::from_memory(std::as_bytes(std::span(file.data(), file.size())), "test.safetensors");
}

/// The file that the tests below damage: three tensors, one of them empty, and metadata.
inline std::string sound_file() {
  return file_of(
      R"({"__metadata__":{"made by":"hand"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},)"
      R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"none":{"dtype":"I8","shape":[0,7],"data_offsets":[4,4]}}  )",
      little_endian<std::uint16_t>({0x3f80, 0xc000}) + little_endian({1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f}));
}

/// Uses all that a file holds; what it says must agree with itself.
inline void read_everything(const Safetensors& file) {
  for (const std::string& name : file.names()) {
    ASSERT_TRUE(file.contains(name));
    std::uint64_t count = 1;
    for (const Index extent : file.shape(name)) {
      ASSERT_GE(extent, 0);
      count *= static_cast<std::uint64_t>(extent);
    }
    unsigned sum = 0;
    for (const std::byte byte : file.bytes(name)) sum += static_cast<unsigned>(byte);
    ASSERT_LE(sum, file.bytes(name).size() * 255);
    const std::string& dtype = file.dtype(name);
    if (dtype != "F32" && dtype != "F64" && dtype != "F16" && dtype != "BF16") {
      EXPECT_THROW(static_cast<void>(file.read<1>(name)), FileError);
    } else if (file.shape(name).size() == 1) {
      ASSERT_EQ(static_cast<std::uint64_t>(file.read<1>(name).size()), count);
    } else if (file.shape(name).size() == 2) {
      ASSERT_EQ(static_cast<std::uint64_t>(file.read<2>(name).size()), count);
    }
  }
}

/// A temporary path that goes when the test does. Other builds of the tests may run at the same time: no two share one.
class Path {
 public:
  explicit Path(const char* name)
      : path_(std::filesystem::path(testing::TempDir()) / (std::to_string(std::random_device()()) + name)) {}
  ~Path() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Path(const Path&) = delete;
  Path& operator=(const Path&) = delete;
  const std::filesystem::path& operator*() const { return path_; }
  void write(const std::string& bytes) const { std::ofstream(path_, std::ios::binary) << bytes; }

 private:
  std::filesystem::path path_;
};

}  // namespace quanta::test
