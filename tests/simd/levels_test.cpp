// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Every lane type makes the codes and the reals that ScalarLanes makes.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/simd/float_codes.hpp>
#include <quanta/simd/levels.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class L>
class LevelLanes : public testing::Test {};
TYPED_TEST_SUITE(LevelLanes, AllLanes);

TYPED_TEST(LevelLanes, HaveTheOperationsOfTheScalarOnes) {
  using L = TypeParam;
  using S = simd::ScalarLanes;
  const std::vector<float> x = mixed_floats(64, 1), y = mixed_floats(64, 2);
  std::vector<std::uint16_t> words;
  for (const float v : x) words.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(v) >> 9));
  for (std::size_t i = 0; i < 64; i += L::width) {
    const typename L::F v = L::load(&x[i]);
    const auto shifted = integers<L>(L::template shift_left<13>(L::float_bits(v)));
    const auto same = integers<L>(L::float_bits(L::from_bits(L::float_bits(v))));
    const auto counted = integers<L>(L::count_at_least(L::set_int(-5), v, L::load(&y[i])));
    const auto loaded = integers<L>(L::load_words(&words[i]));
    const typename L::I odd = L::and_int(L::float_bits(v), L::set_int(1));
    float gathered[L::width], marked[L::width];
    L::store(gathered, L::gather(x.data(), L::and_int(L::float_bits(v), L::set_int(63))));
    L::store(marked, L::nan_where_same(L::load(&y[i]), odd, L::set_int(1)));
    for (std::size_t j = 0; j < L::width; ++j) {
      const std::int32_t bits = S::float_bits(x[i + j]);
      ASSERT_EQ(shifted[j], S::shift_left<13>(bits));
      ASSERT_EQ(same[j], bits);
      ASSERT_EQ(counted[j], x[i + j] >= y[i + j] ? -4 : -5);
      ASSERT_EQ(loaded[j], std::int32_t{words[i + j]});
      ASSERT_EQ(bits_of(gathered[j]), bits_of(x[usize(bits & 63)]));
      ASSERT_EQ(bits_of(marked[j]), bits_of((bits & 1) != 0 ? std::numeric_limits<float>::quiet_NaN() : y[i + j]));
    }
  }
}

template <class L, class Code, class Coder>
void expect_scalar_codes(const Coder& coder) {
  const std::vector<float> x = mixed_floats(1000, 3);
  for (const Index n : {0, 1, 7, 15, 16, 17, 100, 1000}) {
    for (const float scale : {1.0f, 0.3f, 0x1p-126f, 1e30f}) {
      std::vector<Code> got(usize(n) + 1, Code{77}), expected = got;
      simd::encode<L>(x.data(), n, scale, coder, got.data());
      simd::encode<simd::ScalarLanes>(x.data(), n, scale, coder, expected.data());
      ASSERT_EQ(got, expected) << n << " / " << scale;
    }
  }
  std::vector<float> scales;
  for (int i = 0; i < 33; ++i) scales.push_back(0.5f + 0.1f * static_cast<float>(i));
  for (const Index columns : {1, 16, 33}) {
    std::vector<Code> got(usize(30 * columns)), expected;
    for (Index i = 0; i < 30 * columns; ++i) {
      Code code{};
      simd::encode<simd::ScalarLanes>(&x[usize(i)], 1, scales[usize(i % columns)], coder, &code);
      expected.push_back(code);
    }
    simd::encode_columns<L>(x.data(), 30, columns, scales.data(), coder, got.data());
    ASSERT_EQ(got, expected) << columns;
  }
}

TYPED_TEST(LevelLanes, MakeTheCodesOfTheScalarOnes) {
  using L = TypeParam;
  expect_scalar_codes<L, std::uint8_t>(simd::FloatCodes<2, 1, Specials::none>{});
  expect_scalar_codes<L, std::uint8_t>(simd::FloatCodes<4, 3, Specials::nan>{});
  expect_scalar_codes<L, std::uint16_t>(simd::FloatCodes<5, 10, Specials::ieee>{});
  expect_scalar_codes<L, std::uint16_t>(simd::FloatCodes<8, 7, Specials::ieee>{});
  expect_scalar_codes<L, std::uint8_t>(simd::NearestLevel<4>{{-1.5f, -0.0f, 0.25f, 1e20f}});
  simd::NearestLevel<77> many;
  for (int i = 0; i < 77; ++i) many.limits[i] = static_cast<float>(i * i) - 1000.5f;
  expect_scalar_codes<L, std::uint8_t>(many);
  simd::NearestLevel<255> most;
  for (int i = 0; i < 255; ++i) most.limits[i] = std::ldexp(static_cast<float>(i - 127), std::abs(i - 127) / 16);
  expect_scalar_codes<L, std::uint8_t>(most);
}

template <class L, class Code, class Coder>
void expect_levels(int codes, const Coder& coder, const std::vector<float>& expected) {
  std::vector<Code> all;
  for (int i = 0; i < codes + 5; ++i) all.push_back(static_cast<Code>(i % codes));
  std::vector<float> got(all.size() + 1, -3.0f);
  simd::decode<L>(all.data(), static_cast<Index>(all.size()), coder, got.data());
  for (std::size_t i = 0; i < all.size(); ++i) ASSERT_EQ(bits_of(got[i]), bits_of(expected[all[i]])) << i;
  ASSERT_EQ(got.back(), -3.0f);
}
template <class L, class Codes>
void expect_numbers(int bits) {
  std::vector<float> expected;
  for (int i = 0; i < 1 << bits; ++i) expected.push_back(Codes::decode(i));
  if (bits == 16) {
    expect_levels<L, std::uint16_t>(1 << bits, Codes{}, expected);
  } else {
    expect_levels<L, std::uint8_t>(1 << bits, Codes{}, expected);
  }
}

TYPED_TEST(LevelLanes, ReadEveryCode) {
  using L = TypeParam;
  expect_numbers<L, simd::FloatCodes<5, 10, Specials::ieee>>(16);
  expect_numbers<L, simd::FloatCodes<8, 7, Specials::ieee>>(16);
  expect_numbers<L, simd::FloatCodes<4, 3, Specials::nan>>(8);
  expect_numbers<L, simd::FloatCodes<5, 2, Specials::ieee>>(8);
  expect_numbers<L, simd::FloatCodes<3, 2, Specials::none>>(6);
  const std::vector<float> sixteen = mixed_floats(16, 5);
  expect_levels<L, std::uint8_t>(16, simd::SixteenLevels{sixteen.data()}, sixteen);
  std::vector<float> powers;
  for (int i = 0; i < 255; ++i) powers.push_back(std::ldexp(1.0f, i - 127));
  expect_levels<L, std::uint8_t>(255, simd::PowersOfTwo{}, powers);
}

template <class L, class Codes>
void expect_reals_of_bytes() {
  std::int8_t bytes[256];
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<std::int8_t>(i);
  float got[256], expected[256];
  for (int i = 0; i < 256; ++i) expected[i] = Codes::decode(i);
  for (int i = 0; i < 256; i += L::width) {
    L::store(got + i, Codes::template decode_signed_bytes<L>(L::load_bytes(bytes + i)));
  }
  EXPECT_TRUE(same_bits(got, expected, 256));
}

TYPED_TEST(LevelLanes, ReadEveryByte) {
  using L = TypeParam;
  expect_reals_of_bytes<L, simd::FloatCodes<4, 3, Specials::nan>>();
  expect_reals_of_bytes<L, simd::FloatCodes<4, 3, Specials::none>>();
  expect_reals_of_bytes<L, simd::FloatCodes<7, 0, Specials::none>>();
  expect_reals_of_bytes<L, simd::FloatCodes<2, 5, Specials::none>>();
}

}  // namespace
}  // namespace quanta::test
