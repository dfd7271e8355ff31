// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <Eigen/Core>
#include <gtest/gtest.h>

#include <quanta/format/coding.hpp>

#include "tests/format/level_oracle.hpp"
#include "tests/support/special_values.hpp"

namespace quanta::test {
namespace {

template <class F, int exponent_bits, int fraction_bits, int bias, FloatSpec::Special special>
struct FloatCase {
  using Format = F;
  static constexpr FloatSpec spec{exponent_bits, fraction_bits, bias, special};
};

// A format of a user's own: 5 bits, with infinities.
struct Tiny : Floating<2, 2, Specials::ieee> {
  static constexpr std::string_view name = "tiny";
};
static_assert(FloatingFormat<Tiny> && RealFormat<E4M3> && !IntegerFormat<E2M1> && !RealFormat<Int<8>>);
static_assert(E2M1::bits == 4 && E3M2::bits == 6 && E2M3::bits == 6 && E5M2::bits == 8 && Fp16::bits == 16);

template <class C>
class FloatingFormats : public testing::Test {
 protected:
  using F = typename C::Format;
  static std::vector<double> levels() {
    std::vector<double> result;
    for (int code = 0; code < C::spec.codes(); ++code) result.push_back(C::spec.level(code));
    return result;
  }
  static std::vector<int> encoded(const std::vector<float>& x) {
    std::vector<typename F::Code> codes(x.size());
    detail::encode<F>(x.data(), static_cast<Index>(x.size()), 1.0f, codes.data());
    return {codes.begin(), codes.end()};
  }
};
using FloatCases =
    testing::Types<FloatCase<E2M1, 2, 1, 1, FloatSpec::none>, FloatCase<E2M3, 2, 3, 1, FloatSpec::none>,
                   FloatCase<E3M2, 3, 2, 3, FloatSpec::none>, FloatCase<E4M3, 4, 3, 7, FloatSpec::nan>,
                   FloatCase<E5M2, 5, 2, 15, FloatSpec::ieee>, FloatCase<Fp16, 5, 10, 15, FloatSpec::ieee>,
                   FloatCase<Bf16, 8, 7, 127, FloatSpec::ieee>, FloatCase<Tiny, 2, 2, 1, FloatSpec::ieee>>;
TYPED_TEST_SUITE(FloatingFormats, FloatCases);

TYPED_TEST(FloatingFormats, EveryCodeIsWhatTheSpecificationSays) {
  using Codes = std::vector<typename TypeParam::Format::Code>;
  Codes codes;
  for (int code = 0; code < TypeParam::spec.codes(); ++code) {
    codes.push_back(static_cast<typename Codes::value_type>(code));
  }
  std::vector<float> levels(codes.size());
  detail::codes_to_levels<typename TypeParam::Format>(codes.data(), static_cast<Index>(codes.size()), levels.data());
  for (int code = 0; code < TypeParam::spec.codes(); ++code) {
    const double expected = TypeParam::spec.level(code);
    const float level = levels[usize(code)], one = detail::FloatCodesOf<typename TypeParam::Format>::decode(code);
    if (std::isnan(expected)) {
      ASSERT_TRUE(std::isnan(level) && std::isnan(one)) << code;
    } else {
      ASSERT_EQ(static_cast<double>(level), expected) << code;
      ASSERT_EQ(std::signbit(level), std::signbit(expected)) << code;
      ASSERT_EQ(std::bit_cast<std::uint32_t>(one), std::bit_cast<std::uint32_t>(level)) << code;
    }
  }
}

TYPED_TEST(FloatingFormats, EveryFloatGetsTheNearestHalfToEven) {
  // Codes of one sign follow the numbers, so the even code has the even fraction; -0 and +0 are told apart below.
  const auto even = [](int a, int b) { return a % 2 == 0 && b % 2 != 0; };
  const NearestOracle oracle(TestFixture::levels(), even);
  std::vector<float> x = oracle.critical_floats();
  const std::vector<float> sweep = float_sweep(1 << 20);
  x.insert(x.end(), sweep.begin(), sweep.end());
  const std::vector<int> codes = TestFixture::encoded(x);
  const int sign = TypeParam::spec.codes() / 2;
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isnan(x[i])) continue;
    const int magnitude = oracle.code(std::fabs(x[i])) % sign;
    ASSERT_EQ(codes[i], magnitude + (std::signbit(x[i]) ? sign : 0)) << x[i];
  }
}

TYPED_TEST(FloatingFormats, LevelsKeepTheirCodes) {
  std::vector<float> x;
  std::vector<int> expected;
  for (int code = 0; code < TypeParam::spec.codes(); ++code) {
    const double level = TypeParam::spec.level(code);
    if (!std::isfinite(level)) continue;
    x.push_back(static_cast<float>(level));
    expected.push_back(code);
  }
  EXPECT_EQ(TestFixture::encoded(x), expected);
}

TYPED_TEST(FloatingFormats, NanIsNanOrZeroAndInfinitySaturates) {
  const int sign = TypeParam::spec.codes() / 2;
  int largest = sign - 1;
  while (!std::isfinite(TypeParam::spec.level(largest))) --largest;
  std::vector<float> x(19, 0.5f);  // in whole vectors and in the rest
  for (const std::size_t at : {std::size_t{0}, std::size_t{17}}) {
    for (const float nan : {kNan, -kNan}) {
      x[at] = nan;
      const int code = TestFixture::encoded(x)[at];
      EXPECT_EQ(code, TypeParam::spec.special == FloatSpec::none ? 0 : sign - 1);
    }
    x[at] = kInfinity;
    EXPECT_EQ(TestFixture::encoded(x)[at], largest);
    x[at] = -kMax;
    EXPECT_EQ(TestFixture::encoded(x)[at], largest + sign);
    x[at] = -kInfinity;
    EXPECT_EQ(TestFixture::encoded(x)[at], largest + sign);
    x[at] = -0.0f;
    EXPECT_EQ(TestFixture::encoded(x)[at], sign);
  }
}

// OCP Microscaling Formats (MX) v1.0, tables 5 to 7, and OCP 8-bit Floating Point v1.0, table 1.
TEST(OcpTables, HoldToTheNumber) {
  const std::vector<float> e2m1(detail::kLevels<E2M1>.begin(), detail::kLevels<E2M1>.end());
  EXPECT_EQ(e2m1, (std::vector<float>{0, 0.5f, 1, 1.5f, 2, 3, 4, 6, -0.0f, -0.5f, -1, -1.5f, -2, -3, -4, -6}));
  EXPECT_EQ(detail::highest_level<E2M3>, 7.5f);
  EXPECT_EQ(detail::kLevels<E2M3>[1], 0.125f);
  EXPECT_EQ(detail::highest_level<E3M2>, 28.0f);
  EXPECT_EQ(detail::kLevels<E3M2>[1], 0.0625f);
  EXPECT_EQ(detail::highest_level<E4M3>, 448.0f);
  EXPECT_EQ(detail::kLevels<E4M3>[0x7e], 448.0f);
  EXPECT_EQ(detail::kLevels<E4M3>[0x08], 0x1p-6f);
  EXPECT_EQ(detail::kLevels<E4M3>[0x07], 0.875f * 0x1p-6f);
  EXPECT_EQ(detail::kLevels<E4M3>[0x01], 0x1p-9f);
  EXPECT_TRUE(std::isnan(detail::kLevels<E4M3>[0x7f]) && std::isnan(detail::kLevels<E4M3>[0xff]));
  EXPECT_EQ(detail::highest_level<E5M2>, 57344.0f);
  EXPECT_EQ(detail::kLevels<E5M2>[0x04], 0x1p-14f);
  EXPECT_EQ(detail::kLevels<E5M2>[0x03], 0.75f * 0x1p-14f);
  EXPECT_EQ(detail::kLevels<E5M2>[0x01], 0x1p-16f);
  EXPECT_EQ(detail::kLevels<E5M2>[0x7c], kInfinity);
  EXPECT_EQ(detail::kLevels<E5M2>[0xfc], -kInfinity);
}

// P29: a cast that gives NaN above 464 instead of saturating.
TEST(E4M3Format, SaturatesWhereOtherCastsGiveNan) {
  const std::vector<float> x = {448.0f, 463.9f, 464.0f, 465.0f, 480.0f, 1e30f};
  std::uint8_t codes[6];
  detail::encode<E4M3>(x.data(), 6, 1.0f, codes);
  for (const std::uint8_t code : codes) EXPECT_EQ(code, 0x7e);
}

// Eigen's half and bfloat16: another implementation of the same formats, where they do not overflow.
TEST(SixteenBits, AreEigensHalfAndBfloat16) {
  for (int code = 0; code < 65536; ++code) {
    const std::uint16_t word = static_cast<std::uint16_t>(code);
    const float half = static_cast<float>(Eigen::numext::bit_cast<Eigen::half>(word));
    const float brain = static_cast<float>(Eigen::numext::bit_cast<Eigen::bfloat16>(word));
    const float fp16 = detail::FloatCodesOf<Fp16>::decode(code), bf16 = detail::FloatCodesOf<Bf16>::decode(code);
    ASSERT_TRUE(fp16 == half || (std::isnan(fp16) && std::isnan(half))) << code;
    ASSERT_TRUE(bf16 == brain || (std::isnan(bf16) && std::isnan(brain))) << code;
  }
  const std::vector<float> x = float_sweep(1 << 20);
  std::vector<std::uint16_t> fp16(x.size()), bf16(x.size());
  detail::encode<Fp16>(x.data(), static_cast<Index>(x.size()), 1.0f, fp16.data());
  detail::encode<Bf16>(x.data(), static_cast<Index>(x.size()), 1.0f, bf16.data());
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::fabs(x[i]) < 65520.0f) {
      ASSERT_EQ(fp16[i], Eigen::numext::bit_cast<std::uint16_t>(Eigen::half(x[i]))) << x[i];
    }
    if (std::fabs(x[i]) < 3.39e38f) {
      ASSERT_EQ(bf16[i], Eigen::numext::bit_cast<std::uint16_t>(Eigen::bfloat16(x[i]))) << x[i];
    }
  }
}

}  // namespace
}  // namespace quanta::test
