// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Codebooks made for scales.
#pragma once

#include <quanta/format/codebook.hpp>

QUANTA_NAMESPACE_BEGIN

/// Powers of two: code i stands for 2^(i - 127), i up to 254 (OCP Microscaling Formats v1.0, section 5.4.1).
struct E8M0 {
  using Code = std::uint8_t;                        ///< a code as it is handed out
  static constexpr int bits = 8;                    ///< of a code in memory
  static constexpr std::string_view name = "e8m0";  ///< in files and tables
  /// 2^-127 to 2^127.
  static constexpr std::array<float, 255> levels = [] {
    std::array<float, 255> powers{0x1p-127f};
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = 2.0f * powers[i - 1];
    return powers;
  }();
};

/// The signed 8-bit dynamic map of bitsandbytes (Dettmers, "8-Bit Approximations for Parallelism in Deep Learning",
/// 2016), in which QLoRA holds its scales: 0, 1, and of either sign, for each i of 0 to 6, the middles of 2^i equal
/// parts of [0.1, 1] times 10^(i - 6). In ascending order.
struct Dynamic8 {
  using Code = std::uint8_t;                            ///< a code as it is handed out
  static constexpr int bits = 8;                        ///< of a code in memory
  static constexpr std::string_view name = "dynamic8";  ///< in files and tables
  /// Ascending, from -0.993 to 1; level 127 is 0.
  static constexpr std::array<float, 256> levels = [] {
    std::array<float, 256> map{};
    map[255] = 1.0f;
    std::size_t n = 128;  // map[127] is 0
    double divisor = 1e6;
    for (int i = 0; i < 7; ++i, divisor /= 10.0) {
      const int parts = 1 << i;
      for (int part = 0; part < parts; ++part, ++n) {
        // (0.1 + 0.9 (part + 1/2) / parts) / divisor, with one rounding: all but the quotient is exact
        map[n] = static_cast<float>((parts + 9 * part + 4.5) / (divisor * 10.0 * parts));
        map[254 - n] = -map[n];
      }
    }
    return map;
  }();
};

QUANTA_NAMESPACE_END
