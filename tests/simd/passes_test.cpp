// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The passes with every lane type, at every length, against plain code in double.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/simd/min_max.hpp>
#include <quanta/simd/quantize.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class L>
class Passes : public testing::Test {};
TYPED_TEST_SUITE(Passes, AllLanes);

template <class L, class Code>
void check_quantize(const simd::QuantizeStep& step, Index n, std::uint64_t seed) {
  std::vector<float> x = mixed_floats(static_cast<std::size_t>(n) + 1, seed);
  for (std::size_t i = 0; i + 1 < x.size(); i += 3) x[i] *= step.scale;
  const float* from = x.data() + 1;  // not aligned
  std::vector<Code> codes(static_cast<std::size_t>(n) + 1, Code{77});
  simd::quantize<L>(from, n, step, codes.data());
  for (Index i = 0; i < n; ++i) {
    ASSERT_EQ(static_cast<long>(codes[usize(i)]),
              reference::code(from[i], {step.scale, step.zero_point}, step.low, step.high))
        << from[i] << " / " << step.scale << " + " << step.zero_point;
  }
  ASSERT_EQ(codes[usize(n)], Code{77});
}

TYPED_TEST(Passes, QuantizeFollowsTheDefinitionAtEveryLength) {
  using L = TypeParam;
  for (Index n = 0; n <= 70; ++n) {
    const std::uint64_t seed = static_cast<std::uint64_t>(n);
    check_quantize<L, std::int8_t>({0.37f, 0, -127, 127}, n, seed);
    check_quantize<L, std::int8_t>({0.25f, 5, -128, 127}, n, seed);
    check_quantize<L, std::int8_t>({1.0f, -8, -8, 7}, n, seed);
    check_quantize<L, std::uint8_t>({0.75f, 100, 0, 255}, n, seed);
    check_quantize<L, std::int16_t>({0.01f, -32768, -32768, 32767}, n, seed);
    check_quantize<L, std::uint16_t>({0.01f, 65535, 0, 65535}, n, seed);
  }
}

TYPED_TEST(Passes, QuantizeFollowsTheDefinitionWithAnyScale) {
  using L = TypeParam;
  Random random(1);
  for (int i = 0; i < scaled(500, 50); ++i) {
    const float scale = std::ldexp(1.0f + std::fabs(random.uniform()), random.between(-126, 126));
    const std::uint64_t seed = random.bits();
    ASSERT_NO_FATAL_FAILURE((check_quantize<L, std::int8_t>({scale, random.between(-128, 127), -128, 127}, 200, seed)));
    ASSERT_NO_FATAL_FAILURE((check_quantize<L, std::uint16_t>({scale, random.between(0, 65535), 0, 65535}, 200, seed)));
  }
  check_quantize<L, std::int8_t>({0x1p-126f, 0, -127, 127}, 500, 1);
  check_quantize<L, std::int8_t>({std::numeric_limits<float>::max(), 0, -127, 127}, 500, 2);
}

TYPED_TEST(Passes, MinMaxFindsTheExtremesAtEveryLengthAndPlace) {
  using L = TypeParam;
  for (Index n = 0; n <= 70; ++n) {
    for (Index where = 0; where < n; ++where) {
      std::vector<float> x(usize(n) + 2, 1e9f);  // the guards on both sides are out of range
      x.back() = -1e9f;
      Random random(static_cast<std::uint64_t>(n * 100 + where));
      for (Index i = 0; i < n; ++i) x[usize(i) + 1] = random.uniform(100.0f);
      x[usize(where) + 1] = -500.0f;
      x[usize((where + n / 2) % n) + 1] = n > 1 ? 600.0f : -500.0f;
      const simd::MinMax found = simd::min_max<L>(x.data() + 1, n);
      ASSERT_EQ(found.min, -500.0f) << n << ' ' << where;
      ASSERT_EQ(found.max, n > 1 ? 600.0f : -500.0f) << n << ' ' << where;
      ASSERT_TRUE(found.finite);
    }
  }
}

TYPED_TEST(Passes, MinMaxSeesEveryNonFiniteElement) {
  using L = TypeParam;
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (Index n = 1; n <= 70; ++n) {
    std::vector<float> x(usize(n), 1.0f);
    x[0] = std::numeric_limits<float>::max();
    x[usize(n) - 1] = -std::numeric_limits<float>::max();
    ASSERT_TRUE(simd::min_max<L>(x.data(), n).finite);
    for (Index where = 0; where < n; ++where) {
      for (const float bad : {infinity, -infinity, nan, -nan}) {
        const float good = std::exchange(x[usize(where)], bad);
        ASSERT_FALSE(simd::min_max<L>(x.data(), n).finite) << n << ' ' << where << ' ' << bad;
        x[usize(where)] = good;
      }
    }
  }
}

TYPED_TEST(Passes, MinMaxOfNothingIsEmpty) {
  const simd::MinMax none = simd::min_max<TypeParam>(nullptr, 0);
  EXPECT_EQ(none.min, std::numeric_limits<float>::infinity());
  EXPECT_EQ(none.max, -std::numeric_limits<float>::infinity());
  EXPECT_TRUE(none.finite);
}

TYPED_TEST(Passes, AllWithinSeesEveryIntegerOutside) {
  using L = TypeParam;
  constexpr std::int32_t least = std::numeric_limits<std::int32_t>::min(), most = -(least + 1);
  for (const auto& [low, high] : {std::pair{-8, 7}, {0, 255}, {-32768, 32767}}) {
    for (Index n = 0; n <= 40; ++n) {
      std::vector<std::int32_t> x(usize(n), low);
      for (Index i = 0; i < n; i += 2) x[usize(i)] = high;
      ASSERT_TRUE(simd::all_within<L>(x.data(), n, low, high)) << n;
      for (Index where = 0; where < n; ++where) {
        for (const std::int64_t bad : {std::int64_t{low} - 1, std::int64_t{high} + 1, std::int64_t{least},
                                       std::int64_t{most}, std::int64_t{least} + high, std::int64_t{most} + low}) {
          if (!std::in_range<std::int32_t>(bad) || (bad >= low && bad <= high)) continue;
          const std::int32_t good = std::exchange(x[usize(where)], static_cast<std::int32_t>(bad));
          ASSERT_FALSE(simd::all_within<L>(x.data(), n, low, high)) << n << ' ' << where << ' ' << bad;
          x[usize(where)] = good;
        }
      }
    }
  }
}

TYPED_TEST(Passes, ScaleLevelsFollowsTheDefinitionAtEveryLength) {
  Random random(6);
  for (Index n = 0; n <= 70; ++n) {
    for (const float scale : {0.1f, 0x1p-126f, 1.0f / 3.0f, 1e34f, std::numeric_limits<float>::max()}) {
      const long zero_point = random.between(-32768, 32767);
      std::vector<long> codes;
      std::vector<float> values;
      for (Index i = 0; i <= n; ++i) {
        codes.push_back(i % 5 == 0 ? zero_point : random.between(-32768, 65535));
        values.push_back(static_cast<float>(codes.back()));
      }
      simd::scale_levels<TypeParam>(values.data(), n, scale, static_cast<float>(zero_point));
      for (Index i = 0; i < n; ++i) {
        ASSERT_EQ(bits_of(values[usize(i)]), bits_of(reference::real(codes[usize(i)], {scale, zero_point})));
      }
      ASSERT_EQ(values[usize(n)], static_cast<float>(codes[usize(n)]));
    }
  }
}

TEST(SimdLanes, NativeIsOneOfTheTestedTypes) {
  static_assert(simd::NativeLanes::width >= 1);
  constexpr int widest = QUANTA_HAS_AVX512 ? 16 : QUANTA_HAS_AVX2 ? 8 : QUANTA_HAS_SSE2 || QUANTA_HAS_NEON ? 4 : 1;
  EXPECT_EQ(simd::NativeLanes::width, widest);
}

}  // namespace
}  // namespace quanta::test
