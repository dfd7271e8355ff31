// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Random numbers that depend on a seed and an index alone: any element's number can be had without the ones before it,
// so the order, the batch and the thread in which elements are visited do not matter.
#pragma once

#include <array>
#include <cstdint>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN

/// Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53u} * counter[0];
    const std::uint64_t b = std::uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(b),
               static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

/// A uniform number in [0, 1), a multiple of 2^-24: the one that belongs to this seed and index.
constexpr float uniform(std::uint64_t seed, std::uint64_t index) {
  const std::array<std::uint32_t, 4> four =
      philox4x32({static_cast<std::uint32_t>(index >> 2), static_cast<std::uint32_t>(index >> 34), 0u, 0u},
                 {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)});
  return static_cast<float>(four[index & 3u] >> 8) * 0x1p-24f;
}

QUANTA_NAMESPACE_END
