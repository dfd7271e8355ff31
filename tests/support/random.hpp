// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Random numbers for tests: the same on every platform. So there is no std::..._distribution here, and no number is
// the result of a product and a sum, which a compiler might contract: each is an integer, scaled by one product.
#pragma once

#include <bit>
#include <cstdint>

namespace quanta::test {

/// SplitMix64 (Steele, Lea, Flood, OOPSLA 2014).
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15u;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }

  /// One of low, ..., high.
  int between(int low, int high) {
    const std::uint64_t count = static_cast<std::uint64_t>(std::int64_t{high} - low) + 1;
    return static_cast<int>(low + static_cast<std::int64_t>((bits() >> 32) * count >> 32));
  }

  /// In [-size, size), uniform.
  float uniform(float size = 1.0f) { return static_cast<float>(between(-(1 << 23), (1 << 23) - 1)) * 0x1p-23f * size; }

  /// Nearly normal with mean 0 and this deviation: a sum of twelve uniform numbers.
  float normal(float deviation = 1.0f) {
    std::int64_t sum = 0;
    for (int i = 0; i < 12; ++i) sum += between(-(1 << 23), (1 << 23) - 1);
    return static_cast<float>(sum) * 0x1p-24f * deviation;
  }

  /// Any bit pattern: subnormal, infinite and NaN too.
  float any_float() { return std::bit_cast<float>(static_cast<std::uint32_t>(bits() >> 32)); }

  /// Finite, of any magnitude.
  float any_finite_float() {
    for (;;) {
      const std::uint32_t pattern = static_cast<std::uint32_t>(bits() >> 32);
      if ((pattern & 0x7f800000u) != 0x7f800000u) return std::bit_cast<float>(pattern);
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace quanta::test
