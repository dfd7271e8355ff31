// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a real becomes, given scale and zero point: ties, saturation, non-finite values, every format.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class Codes>
std::vector<int> ints(const Codes& codes) {
  return {codes.data(), codes.data() + codes.size()};
}

TEST(QuantizerCodes, TiesGoToEven) {
  const SymmetricQuantizer<Int<8>> quantizer(0.5f);
  const auto x = tensor_of({0.25f, 0.75f, 1.25f, 1.75f, -0.25f, -0.75f, -1.25f, -1.75f, 0.24f, 0.26f});
  EXPECT_EQ(ints(quantizer.quantize(x).codes()), (std::vector<int>{0, 2, 2, 4, 0, -2, -2, -4, 0, 1}));
}

// The zero point is added after rounding: with an odd one the ties stay where they were.
TEST(QuantizerCodes, TheZeroPointIsAddedAfterRounding) {
  const AsymmetricQuantizer<UInt<8>> quantizer(1.0f, 7);
  const auto x = tensor_of({0.5f, 1.5f, -0.5f, -1.5f});
  EXPECT_EQ(ints(quantizer.quantize(x).codes()), (std::vector<int>{7, 9, 7, 5}));
}

// 0.7f / 0.1f rounds to 6.9999995 or to 7.0000005 as a float depending on how it is computed; likewise these: x / scale
// is a tie, x * (1 / scale) is not.
TEST(QuantizerCodes, TheQuotientIsDividedNotMultipliedByAReciprocal) {
  Random random(1);
  int separated = 0;
  for (int i = 0; i < 200'000 && separated < 100; ++i) {
    const float scale = 0.01f + std::fabs(random.uniform());
    const float x = scale * (static_cast<float>(random.between(-126, 125)) + 0.5f);
    const float inverse = 1.0f / scale;
    const double by_reciprocal =
        reference::half_even(static_cast<float>(static_cast<double>(x) * static_cast<double>(inverse)));
    const long expected = reference::code(x, {scale, 0}, -127, 127);
    if (static_cast<long>(by_reciprocal) == expected) continue;
    ++separated;
    const SymmetricQuantizer<Int<8>> quantizer(scale);
    ASSERT_EQ(quantizer.quantize(tensor_of({x})).codes()(0), expected) << std::hexfloat << x << " / " << scale;
    ASSERT_EQ(quantizer.quantize(tensor_of(std::vector<float>(40, x))).codes()(33), expected);
  }
  EXPECT_EQ(separated, 100);
}

TEST(QuantizerCodes, InfinitiesSaturateAndNanIsTheZeroPoint) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  const auto x = tensor_of({infinity, -infinity, nan, -nan, 1e38f, -1e38f, -0.0f, 0.0f});
  EXPECT_EQ(ints(SymmetricQuantizer<Int<8>>(0.1f).quantize(x).codes()),
            (std::vector<int>{127, -127, 0, 0, 127, -127, 0, 0}));
  EXPECT_EQ(ints(AsymmetricQuantizer<UInt<8>>(0.1f, 9).quantize(x).codes()),
            (std::vector<int>{255, 0, 9, 9, 255, 0, 9, 9}));
  EXPECT_EQ(ints(AsymmetricQuantizer<Int<4>>(0.1f, -8).quantize(x).codes()),
            (std::vector<int>{7, -8, -8, -8, 7, -8, -8, -8}));
  // With other roundings too.
  for (const Rounding rounding : {Rounding::half_away, Rounding::stochastic}) {
    EXPECT_EQ(ints(AsymmetricQuantizer<UInt<8>>(0.1f, 9).quantize(x, {rounding, 3}).codes()),
              (std::vector<int>{255, 0, 9, 9, 255, 0, 9, 9}));
  }
}

TEST(QuantizerCodes, NarrowRangeLeavesOutTheMostNegativeCode) {
  const auto x = tensor_of({-1000.0f, 1000.0f, -127.5f, -128.0f});
  const SymmetricQuantizer<Int<8>> narrow(1.0f), full(1.0f, 0, {.full_range = true});
  EXPECT_EQ(ints(narrow.quantize(x).codes()), (std::vector<int>{-127, 127, -127, -127}));
  EXPECT_EQ(ints(full.quantize(x).codes()), (std::vector<int>{-128, 127, -128, -128}));
  EXPECT_EQ(narrow.min_code(), -127);
  EXPECT_EQ(full.min_code(), -128);
  EXPECT_TRUE(full.options().full_range);
}

TEST(QuantizerCodes, ScalesAtBothEndsOfTheirRangeWork) {
  const float smallest = 0x1p-126f, largest = std::numeric_limits<float>::max();
  const auto x = tensor_of({0x1p-126f, 0x1p-127f, 0x1.8p-126f, 0x1p-149f, 1.0f, -1.0f, largest, -largest});
  EXPECT_EQ(ints(SymmetricQuantizer<Int<8>>(smallest).quantize(x).codes()),
            (std::vector<int>{1, 0, 2, 0, 127, -127, 127, -127}));
  EXPECT_EQ(ints(SymmetricQuantizer<Int<8>>(largest).quantize(x).codes()), (std::vector<int>{0, 0, 0, 0, 0, 0, 1, -1}));
}

template <class F>
void check_format() {
  SCOPED_TRACE(F::name);
  const RowTensor<float, 1> x = tensor_of(mixed_floats(500, 4));
  for (const float scale : {0.25f, 0.37f, 100.0f}) {
    for (const std::int32_t zero_point : {F::min, F::max, (F::min + F::max) / 2}) {
      const auto codes = AsymmetricQuantizer<F>(scale, zero_point).quantize(x).codes();
      for (Index i = 0; i < x.size(); ++i) {
        ASSERT_EQ(static_cast<long>(codes(i)), reference::code(x(i), {scale, zero_point}, F::min, F::max)) << x(i);
      }
    }
    if constexpr (F::is_signed) {
      const auto codes = SymmetricQuantizer<F>(scale).quantize(x).codes();
      for (Index i = 0; i < x.size(); ++i) {
        ASSERT_EQ(static_cast<long>(codes(i)), reference::code(x(i), {scale, 0}, -F::max, F::max)) << x(i);
      }
    }
  }
}

TEST(QuantizerCodes, FollowTheDefinitionInEveryFormat) {
  check_format<Int<2>>();
  check_format<Int<3>>();
  check_format<Int<4>>();
  check_format<Int<5>>();
  check_format<Int<6>>();
  check_format<Int<7>>();
  check_format<Int<8>>();
  check_format<Int<16>>();
  check_format<UInt<2>>();
  check_format<UInt<3>>();
  check_format<UInt<4>>();
  check_format<UInt<5>>();
  check_format<UInt<6>>();
  check_format<UInt<7>>();
  check_format<UInt<8>>();
  check_format<UInt<16>>();
}

TEST(QuantizerCodes, DependOnNoNeighbour) {
  const std::vector<float> values = mixed_floats(5000, 5);
  const AsymmetricQuantizer<UInt<4>> quantizer(0.7f, 5);
  const auto whole = quantizer.quantize(tensor_of(values)).codes();
  for (std::size_t i = 0; i < values.size(); i += 37) {
    ASSERT_EQ(quantizer.quantize(tensor_of({values[i]})).codes()(0), whole(static_cast<Index>(i)));
  }
}

}  // namespace
}  // namespace quanta::test
