// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <quanta/format/coding.hpp>

#include "tests/format/level_oracle.hpp"
#include "tests/support/special_values.hpp"

namespace quanta::test {
namespace {

// Codebooks of a user's own: with levels that repeat, in no order, far apart; of one level; of 256.
struct Odd {
  using Code = std::uint8_t;
  static constexpr int bits = 3;
  static constexpr std::string_view name = "odd";
  static constexpr std::array<float, 7> levels = {3.0f, -1e30f, 0.0f, 3.0f, 1e-3f, 1.0f, -0.0f};
};
struct One {
  using Code = std::uint8_t;
  static constexpr int bits = 1;
  static constexpr std::string_view name = "one";
  static constexpr std::array<float, 1> levels = {1.0f};
};
constexpr std::array<float, 256> shuffled_squares() {
  std::array<float, 256> levels{};
  for (int i = 0; i < 256; ++i) {
    const int k = i * 77 % 256 - 100;
    levels[static_cast<std::size_t>(i)] = static_cast<float>(k * (k < 0 ? -k : k)) / 8.0f;
  }
  return levels;
}
struct Squares {
  using Code = std::uint8_t;
  static constexpr int bits = 8;
  static constexpr std::string_view name = "squares";
  static constexpr std::array<float, 256> levels = shuffled_squares();
};
struct TooMany : Squares {
  static constexpr int bits = 7;
};
struct SignedCodes : One {
  using Code = std::int8_t;
};
static_assert(CodebookFormat<NF4> && CodebookFormat<Odd> && CodebookFormat<Squares> && RealFormat<FP4>);
static_assert(!CodebookFormat<TooMany> && !CodebookFormat<SignedCodes> && !CodebookFormat<E2M1>);
static_assert(detail::lowest_level<NF4> == -1.0f && detail::highest_level<Odd> == 3.0f);

template <class F>
class Codebooks : public testing::Test {};
using CodebookFormats = testing::Types<NF4, FP4, Odd, One, Squares>;
TYPED_TEST_SUITE(Codebooks, CodebookFormats);

TYPED_TEST(Codebooks, EveryFloatGetsTheNearestLevelTiesToTheLowerCode) {
  const std::vector<double> levels(TypeParam::levels.begin(), TypeParam::levels.end());
  const NearestOracle oracle(levels, [](int a, int b) { return a < b; });
  std::vector<float> x = oracle.critical_floats();
  const std::vector<float> sweep = float_sweep(1 << 20);
  x.insert(x.end(), sweep.begin(), sweep.end());
  for (float& v : x) v = std::isnan(v) ? 0.0f : v;
  std::vector<std::uint8_t> codes(x.size());
  detail::encode<TypeParam>(x.data(), static_cast<Index>(x.size()), 1.0f, codes.data());
  for (std::size_t i = 0; i < x.size(); ++i) ASSERT_EQ(int{codes[i]}, oracle.code(x[i])) << x[i];
}

TYPED_TEST(Codebooks, EveryCodeIsItsLevelAndNanIsZero) {
  for (std::size_t i = 0; i < TypeParam::levels.size(); ++i) {
    const std::uint8_t code = static_cast<std::uint8_t>(i);
    float level = -1.0f;
    detail::codes_to_levels<TypeParam>(&code, 1, &level);
    EXPECT_EQ(std::bit_cast<std::uint32_t>(level), std::bit_cast<std::uint32_t>(TypeParam::levels[i]));
    const std::vector<std::uint8_t> codes(35, code);
    std::vector<float> levels(35);
    detail::codes_to_levels<TypeParam>(codes.data(), 35, levels.data());
    EXPECT_EQ(levels, std::vector<float>(35, TypeParam::levels[i]));
  }
  std::vector<float> x(37, kNan), zeros(37, 0.0f);
  std::vector<std::uint8_t> of_nan(37), of_zero(37);
  detail::encode<TypeParam>(x.data(), 37, 3.0f, of_nan.data());
  detail::encode<TypeParam>(zeros.data(), 37, 3.0f, of_zero.data());
  EXPECT_EQ(of_nan, of_zero);
}

// Dettmers et al., "QLoRA: Efficient Finetuning of Quantized LLMs", 2023, appendix E.
TEST(NF4Format, HoldsThePublishedTable) {
  const double published[16] = {-1.0,
                                -0.6961928009986877,
                                -0.5250730514526367,
                                -0.39491748809814453,
                                -0.28444138169288635,
                                -0.18477343022823334,
                                -0.09105003625154495,
                                0.0,
                                0.07958029955625534,
                                0.16093020141124725,
                                0.24611230194568634,
                                0.33791524171829224,
                                0.44070982933044434,
                                0.5626170039176941,
                                0.7229568362236023,
                                1.0};
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(static_cast<double>(NF4::levels[i]), published[i]);  // they are floats, printed in full
  }
}

// bitsandbytes' fp4: a sign and 0, 0.0625, 8, 12, 4, 6, 2, 3, divided by 12.
TEST(FP4Format, HoldsThePublishedTable) {
  const double published[8] = {0, 0.0625, 8, 12, 4, 6, 2, 3};
  for (std::size_t i = 0; i < 16; ++i) {
    EXPECT_EQ(FP4::levels[i], static_cast<float>((i < 8 ? 1.0 : -1.0) * published[i % 8] / 12.0)) << i;
  }
}

}  // namespace
}  // namespace quanta::test
