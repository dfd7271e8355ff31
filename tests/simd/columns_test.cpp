// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The passes over columns with every lane type, against one element at a time; and quotients so near a half that only
// exact division rounds them right.
#include <cmath>
#include <limits>
#include <tuple>

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
class Columns : public testing::Test {};
TYPED_TEST_SUITE(Columns, AllLanes);

const Index kRows[] = {1, 2, 4, 5, 13};

TYPED_TEST(Columns, MinMaxCoversEveryColumnAndWhatWasThere) {
  for (const Index rows : kRows) {
    for (Index columns = 1; columns <= 70; ++columns) {
      const RowTensor<float, 2> x = random_tensor<2>({rows, columns}, static_cast<std::uint64_t>(columns));
      std::vector<float> low(usize(columns) + 1, 0.5f), high(usize(columns) + 1, 0.6f);
      ASSERT_TRUE(simd::min_max_columns<TypeParam>(x.data(), rows, columns, low.data(), high.data()));
      for (Index j = 0; j < columns; ++j) {
        float least = 0.5f, most = 0.6f;
        for (Index i = 0; i < rows; ++i) {
          least = std::min(least, x(i, j));
          most = std::max(most, x(i, j));
        }
        ASSERT_EQ(low[usize(j)], least);
        ASSERT_EQ(high[usize(j)], most);
      }
      ASSERT_EQ(low.back(), 0.5f);
      ASSERT_EQ(high.back(), 0.6f);
    }
  }
}

TYPED_TEST(Columns, MinMaxOfManyRows) {
  const RowTensor<float, 2> x = random_tensor<2>({20000, 14}, 3);
  std::vector<float> low(14, 0.0f), high(14, 0.0f);
  ASSERT_TRUE(simd::min_max_columns<TypeParam>(x.data(), 20000, 14, low.data(), high.data()));
  for (Index j = 0; j < 14; ++j) {
    float least = 0.0f, most = 0.0f;
    for (Index i = 0; i < 20000; ++i) {
      least = std::min(least, x(i, j));
      most = std::max(most, x(i, j));
    }
    EXPECT_EQ(low[usize(j)], least);
    EXPECT_EQ(high[usize(j)], most);
  }
}

TYPED_TEST(Columns, MinMaxSeesEveryNonFiniteElement) {
  const float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  for (const Index rows : kRows) {
    for (const Index columns : {1, 15, 33}) {
      for (Index bad = 0; bad < rows * columns; ++bad) {
        for (const float value : {infinity, -infinity, nan, -nan}) {
          RowTensor<float, 2> x = random_tensor<2>({rows, columns}, 1);
          x.data()[bad] = value;
          std::vector<float> low(usize(columns), 0.0f), high = low;
          ASSERT_FALSE(simd::min_max_columns<TypeParam>(x.data(), rows, columns, low.data(), high.data()));
        }
      }
    }
  }
}

template <class L, class Code>
void check_columns(Index rows, Index columns, std::int32_t low, std::int32_t high, bool zero_points) {
  Random random(static_cast<std::uint64_t>(rows * 1000 + columns));
  std::vector<float> scales;
  std::vector<std::int32_t> zeros;
  for (Index j = 0; j < columns; ++j) {
    scales.push_back(j % 5 == 0 ? std::ldexp(1.0f, random.between(-126, 127)) : 0.01f + std::fabs(random.uniform()));
    zeros.push_back(zero_points ? random.between(low, high) : 0);
  }
  std::vector<float> x = mixed_floats(usize(rows * columns), random.bits());
  for (std::size_t i = 0; i < x.size(); i += 3) x[i] *= scales[i % usize(columns)];
  std::vector<Code> codes(x.size() + 1, Code{77});
  const simd::QuantizeColumns steps{scales.data(), zero_points ? zeros.data() : nullptr, low, high};
  simd::quantize_columns<L>(x.data(), rows, columns, steps, codes.data());
  std::vector<float> levels(x.size());
  for (std::size_t i = 0; i < x.size(); ++i) {
    const reference::Params p{scales[i % usize(columns)], zeros[i % usize(columns)]};
    const long expected = reference::code(x[i], p, low, high);
    ASSERT_EQ(static_cast<long>(codes[i]), expected) << x[i] << " / " << p.scale << " + " << p.zero_point;
    levels[i] = static_cast<float>(expected);
  }
  ASSERT_EQ(codes.back(), Code{77});
  std::vector<float> reals = levels;
  simd::scale_columns<L>(reals.data(), rows, columns, scales.data(), steps.zero_points);
  for (std::size_t i = 0; i < x.size(); ++i) {
    const reference::Params p{scales[i % usize(columns)], zeros[i % usize(columns)]};
    ASSERT_EQ(reals[i], reference::real(static_cast<long>(levels[i]), p));
    if (!zero_points) simd::scale_levels<simd::ScalarLanes>(&levels[i], 1, p.scale, 0.0f);
  }
  if (!zero_points) {
    EXPECT_TRUE(same_bits(reals.data(), levels.data(), rows * columns));
  }
}

TYPED_TEST(Columns, QuantizeAndScaleFollowTheDefinition) {
  using L = TypeParam;
  for (const Index rows : kRows) {
    for (Index columns = 1; columns <= 140; columns += 1 + columns / 20) {
      ASSERT_NO_FATAL_FAILURE((check_columns<L, std::int8_t>(rows, columns, -127, 127, false)));
      ASSERT_NO_FATAL_FAILURE((check_columns<L, std::int8_t>(rows, columns, -8, 7, true)));
      ASSERT_NO_FATAL_FAILURE((check_columns<L, std::uint8_t>(rows, columns, 0, 255, true)));
      ASSERT_NO_FATAL_FAILURE((check_columns<L, std::int16_t>(rows, columns, -32768, 32767, true)));
      ASSERT_NO_FATAL_FAILURE((check_columns<L, std::int32_t>(rows, columns, -130, 130, true)));
    }
  }
  // So many that rows share what they are multiplied with, and that columns come in blocks.
  check_columns<L, std::uint8_t>(3, 2500, 0, 255, true);
  check_columns<L, std::uint8_t>(9, 1500, 0, 255, true);
  check_columns<L, std::int8_t>(6, 5300, -127, 127, false);
  check_columns<L, std::int8_t>(11, 4200, -127, 127, false);
}

// For every code and many scales: the floats around (code + 1/2) * scale.
TYPED_TEST(Columns, QuotientsNextToAHalfAreRoundedAsIfDivided) {
  using L = TypeParam;
  Random random(9);
  for (int round = 0; round < scaled(200, 20); ++round) {
    const int exponent = round < 6 ? (round % 2 == 0 ? -126 : 125 - round / 2) : random.between(-100, 100);
    const float scale = std::ldexp(1.0f + std::fabs(random.uniform()), exponent);
    const std::int32_t zero_point = random.between(0, 255);
    std::vector<float> x;
    for (int code = -257; code <= 257; ++code) {
      const double half = (code + 0.5) * static_cast<double>(scale);
      if (std::fabs(half) > 3e38) continue;
      float v = static_cast<float>(half);
      for (int k = 0; k < 3; ++k) v = std::nextafter(v, -1e38f);
      for (int k = 0; k < 7; ++k, v = std::nextafter(v, 1e38f)) x.push_back(v);
    }
    std::vector<std::uint8_t> codes(x.size());
    simd::quantize<L>(x.data(), static_cast<Index>(x.size()), {scale, zero_point, 0, 255}, codes.data());
    for (std::size_t i = 0; i < x.size(); ++i) {
      ASSERT_EQ(static_cast<long>(codes[i]), reference::code(x[i], {scale, zero_point}, 0, 255))
          << x[i] << " / " << scale;
    }
  }
}

// Whole vectors of one value, so that no other lane has them divided: from 0 to infinity, on both sides of it, and NaN.
TYPED_TEST(Columns, ValuesFarOutsideTheCodesSaturateWhereAllLanesHoldThem) {
  using L = TypeParam;
  const auto check = [](float value, float scale, std::int32_t zero_point, const auto& codes_of) {
    const std::vector<float> x(64 + 7, value);
    const auto [codes, low, high] = codes_of(x, simd::QuantizeStep{scale, zero_point, 0, 0});
    for (const auto code : codes) {
      ASSERT_EQ(static_cast<long>(code), reference::code(value, {scale, zero_point}, low, high))
          << value << " / " << scale << " + " << zero_point;
    }
  };
  const auto of_type = [](auto code) {
    return [](const std::vector<float>& x, simd::QuantizeStep step) {
      using Code = decltype(code);
      step.low = std::is_signed_v<Code> ? -127 : 0;
      step.high = std::numeric_limits<Code>::max();
      std::vector<Code> codes(x.size());
      simd::quantize<L>(x.data(), static_cast<Index>(x.size()), step, codes.data());
      return std::tuple(codes, step.low, step.high);
    };
  };
  const float infinity = std::numeric_limits<float>::infinity();
  for (const float scale : {1.0f, 0.37f, 0x1p-126f, 0x1.8p127f}) {
    std::vector<float> values = {0.0f, infinity, std::numeric_limits<float>::quiet_NaN(),
                                 std::numeric_limits<float>::max()};
    for (int e = -3; e < 140; ++e) {
      for (const float digits : {1.0f, 1.23f, 1.5f, 1.99f}) values.push_back(std::ldexp(digits, e) * scale);
    }
    for (const float value : values) {
      for (const float x : {value, -value}) {
        ASSERT_NO_FATAL_FAILURE(check(x, scale, 0, of_type(std::int8_t{})));
        ASSERT_NO_FATAL_FAILURE(check(x, scale, -100, of_type(std::int8_t{})));
        ASSERT_NO_FATAL_FAILURE(check(x, scale, 0, of_type(std::uint8_t{})));
        ASSERT_NO_FATAL_FAILURE(check(x, scale, 200, of_type(std::uint8_t{})));
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
