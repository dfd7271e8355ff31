// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Hashes of results that must be the same bits everywhere. A Recorder collects them by name; golden/bits_test.cpp
// compares them with tests/data/golden/bits.txt.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace quanta::test {

/// Entries are "section/name"; a name is used once.
class Recorder {
 public:
  explicit Recorder(std::string section) : section_(std::move(section)) {}

  /// n numbers: the 64-bit FNV-1a hash of their little-endian bytes. NaNs count as one pattern, since their sign and
  /// payload are not promised.
  template <class T>
  void add(const std::string& name, const T* data, std::ptrdiff_t n) {
    static_assert(std::is_arithmetic_v<T>);
    std::uint64_t hash = 0xcbf29ce484222325u;
    for (std::ptrdiff_t i = 0; i < n; ++i) {
      unsigned char bytes[sizeof(T)];
      T value = data[i];
      if constexpr (std::is_floating_point_v<T>) {
        if (value != value) value = std::numeric_limits<T>::quiet_NaN();
      }
      std::memcpy(bytes, &value, sizeof value);
      if constexpr (std::is_floating_point_v<T>) {
        if (value != value) bytes[sizeof(T) - 1] = 0x7f;
      }
      for (const unsigned char byte : bytes) hash = (hash ^ byte) * 0x100000001b3u;
    }
    entries_.emplace_back(section_ + "/" + name, hash);
  }

  /// A tensor, matrix or vector in the order it is stored in, or a container.
  template <class X>
  requires requires(const X& x) { x.data(); }
  void add(const std::string& name, const X& x) { add(name, x.data(), static_cast<std::ptrdiff_t>(x.size())); }

  /// One number.
  template <class T>
  requires std::is_arithmetic_v<T>
  void add(const std::string& name, T value) { add(name, &value, 1); }

  const std::string& section() const { return section_; }
  const std::vector<std::pair<std::string, std::uint64_t>>& entries() const { return entries_; }

 private:
  std::string section_;
  std::vector<std::pair<std::string, std::uint64_t>> entries_;
};

// The sections. Each is defined in a file of its own, golden/<section>_bits_test.cpp, and listed in
// golden/bits_test.cpp.
void golden_core(Recorder& recorder);
void golden_quant(Recorder& recorder);
void golden_gemm(Recorder& recorder);
void golden_layers(Recorder& recorder);
void golden_static(Recorder& recorder);
void golden_calibration(Recorder& recorder);
void golden_formats(Recorder& recorder);
void golden_train(Recorder& recorder);
void golden_integer(Recorder& recorder);

}  // namespace quanta::test
