// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The lane types that this build's flags allow, for typed tests, and floats that are likely to tell them apart.
#pragma once

#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/simd/lanes.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {

template <class... L>
struct LaneList {
  template <class... More>
  using Plus = LaneList<L..., More...>;
  using Types = testing::Types<L...>;
};

#if QUANTA_HAS_AVX512
using X86Lanes = LaneList<simd::Avx512Lanes, simd::Avx2Lanes>;
#elif QUANTA_HAS_AVX2
using X86Lanes = LaneList<simd::Avx2Lanes>;
#elif QUANTA_HAS_SSE2
using X86Lanes = LaneList<simd::Sse2Lanes>;
#else
using X86Lanes = LaneList<>;
#endif
#if QUANTA_HAS_NEON
using VectorLanes = X86Lanes::Plus<simd::NeonLanes>;
#else
using VectorLanes = X86Lanes;
#endif

/// ScalarLanes last.
using AllLanes = VectorLanes::Plus<simd::ScalarLanes>::Types;

/// The integer lanes of v.
template <class L>
std::vector<std::int32_t> integers(typename L::I v) {
  std::vector<std::int32_t> result(L::width);
  L::store_int(result.data(), v);
  return result;
}

/// Zeros of both signs, ties, subnormal and huge numbers, infinities, NaN.
inline std::vector<float> special_floats() {
  using Limits = std::numeric_limits<float>;
  std::vector<float> positive = {0.0f,          0x1p-149f,
                                 0x1p-126f,     0x1.fffffcp-127f,
                                 1e-20f,        0.25f,
                                 0.49999997f,   0.5f,
                                 0.75f,         1.0f,
                                 1.5f,          2.5f,
                                 3.5f,          126.5f,
                                 127.5f,        128.5f,
                                 255.5f,        32767.5f,
                                 65535.5f,      4e6f,
                                 1e10f,         0x1p31f,
                                 0x1p63f,       1e38f,
                                 Limits::max(), Limits::infinity()};
  std::vector<float> all = positive;
  for (const float v : positive) all.push_back(-v);
  all.push_back(Limits::quiet_NaN());
  all.push_back(-Limits::quiet_NaN());
  return all;
}

/// n floats, about a fifth of them special, the others of any magnitude.
inline std::vector<float> mixed_floats(std::size_t n, std::uint64_t seed) {
  const std::vector<float> special = special_floats();
  Random random(seed);
  std::vector<float> result;
  while (result.size() < n) {
    const int kind = random.between(0, 4);
    result.push_back(kind == 0   ? special[random.bits() % special.size()]
                     : kind == 1 ? random.any_float()
                     : kind == 2 ? static_cast<float>(random.between(-1024, 1024)) * 0.25f
                                 : random.normal(50.0f));
  }
  return result;
}

}  // namespace quanta::test
