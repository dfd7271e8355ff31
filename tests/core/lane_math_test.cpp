// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The functions of floats keep their bounds against the C library's in double, over all magnitudes and around their
// seams; special values give what they should; every lane type gives the bits of one number alone.
#include <cmath>
#include <functional>

#include <gtest/gtest.h>

#include <quanta/core/lane_math.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/scale.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

struct Exp {
  static constexpr double bound = 1.0;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::exp<L>(x);
  }
  static double exact(double x) { return std::exp(x); }
};
struct SigmoidFunction {
  static constexpr double bound = 2.5;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::sigmoid<L>(x);
  }
  static double exact(double x) { return 1.0 / (1.0 + std::exp(-x)); }
};
struct TanhFunction {
  static constexpr double bound = 2.5;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::tanh<L>(x);
  }
  static double exact(double x) { return std::tanh(x); }
};
struct Erf {
  static constexpr double bound = 1.1;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::erf<L>(x);
  }
  static double exact(double x) { return std::erf(x); }
};
struct GeluFunction {
  static constexpr double bound = 5.0;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::gelu<L>(x);
  }
  static double exact(double x) { return std::isinf(x) ? std::max(x, 0.0) : x / 2.0 * std::erfc(-x / std::sqrt(2.0)); }
};

struct GeluTanhFunction {
  static constexpr double bound = 4.0;
  template <class L>
  static typename L::F run(typename L::F x) {
    return math::gelu_tanh<L>(x);
  }
  static double exact(double x) {
    if (std::fabs(x) > 1e6) return std::max(x, 0.0);
    return x / (1.0 + std::exp(-2.0 * std::sqrt(2.0 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  }
};

template <class F>
float one(float x) {
  return F::template run<simd::ScalarLanes>(x);
}

/// The distance of two floats at v.
double ulp(double v) {
  int exponent = 0;
  std::frexp(v, &exponent);
  return std::ldexp(1.0, std::max(exponent - 24, -149));
}

/// Every float, that many apart: both signs, subnormal and infinite ones too, no NaN.
void for_each_float(const std::function<void(float)>& f) {
  const auto step = static_cast<std::uint32_t>(0x7f800000u / static_cast<unsigned>(scaled(500'000, 5000)));
  for (std::uint32_t bits = 0; bits <= 0x7f800000u; bits += step) {
    f(std::bit_cast<float>(bits));
    f(-std::bit_cast<float>(bits));
  }
}

template <class F>
class LaneMath : public testing::Test {};
using Functions = testing::Types<Exp, SigmoidFunction, TanhFunction, Erf, GeluFunction, GeluTanhFunction>;
TYPED_TEST_SUITE(LaneMath, Functions);

template <class F>
void expect_within_bound(float x) {
  const double exact = F::exact(static_cast<double>(x));
  const float got = one<F>(x);
  if (std::isinf(static_cast<float>(exact))) {
    ASSERT_EQ(got, static_cast<float>(exact)) << std::hexfloat << x;
  } else {
    ASSERT_LE(std::fabs(static_cast<double>(got) - exact), F::bound * ulp(exact))
        << std::hexfloat << x << " -> " << got;
  }
}

TYPED_TEST(LaneMath, IsWithinItsBoundOverAllFloats) {
  for_each_float([](float x) { ASSERT_NO_FATAL_FAILURE(expect_within_bound<TypeParam>(x)); });
}

TYPED_TEST(LaneMath, IsWithinItsBoundWhereItMatters) {
  const int count = scaled(400'000, 4000);
  for (int i = -count; i <= count; ++i) {
    ASSERT_NO_FATAL_FAILURE(
        expect_within_bound<TypeParam>(static_cast<float>(i) * (20.0f / static_cast<float>(count))));
    ASSERT_NO_FATAL_FAILURE(
        expect_within_bound<TypeParam>(static_cast<float>(i) * (105.0f / static_cast<float>(count))));
  }
}

// Where one formula gives way to another, e^x leaves a power of two for the next, and results become 0, 1 or infinite.
TYPED_TEST(LaneMath, IsWithinItsBoundAtItsSeams) {
  std::vector<double> seams = {0.875, 4.0, 9.0, 10.0, 11.0, 13.0, 14.5, 17.0, 87.3, 88.72284, 89.0, 103.97208, 104.0};
  for (int n = 0; n < 150; ++n) {
    seams.push_back((n + 0.5) * std::log(2.0));        // of e^x
    seams.push_back((n + 0.5) * std::log(2.0) / 2.0);  // of tanh
    seams.push_back(std::sqrt((2 * n + 1) * std::log(2.0)));
  }
  for (const double seam : seams) {
    float above = static_cast<float>(seam), below = above;
    for (int i = 0; i < scaled(200, 10); ++i) {
      for (const float x : {above, below, -above, -below}) ASSERT_NO_FATAL_FAILURE(expect_within_bound<TypeParam>(x));
      above = std::nextafter(above, kInfinity);
      below = std::nextafter(below, 0.0f);
    }
  }
}

TYPED_TEST(LaneMath, GivesTheOneNan) {
  for (const float x : {kNan, -kNan, std::bit_cast<float>(0x7f800001u), std::bit_cast<float>(0xffffffffu)}) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(one<TypeParam>(x)), 0x7fc00000u);
  }
}

TEST(LaneMathSpecials, AreExact) {
  EXPECT_EQ(one<Exp>(0.0f), 1.0f);
  EXPECT_EQ(one<Exp>(-0.0f), 1.0f);
  EXPECT_EQ(one<Exp>(-kInfinity), 0.0f);
  EXPECT_EQ(one<Exp>(-kMax), 0.0f);
  EXPECT_EQ(one<Exp>(kInfinity), kInfinity);
  EXPECT_EQ(one<Exp>(kMax), kInfinity);
  EXPECT_LT(one<Exp>(88.72283f), kInfinity);  // neighbours
  EXPECT_EQ(one<Exp>(88.72284f), kInfinity);
  EXPECT_EQ(one<Exp>(-103.97208f), 0x1p-149f);  // neighbours
  EXPECT_EQ(one<Exp>(-103.97209f), 0.0f);
  EXPECT_EQ(one<SigmoidFunction>(0.0f), 0.5f);
  EXPECT_EQ(one<SigmoidFunction>(kInfinity), 1.0f);
  EXPECT_EQ(one<SigmoidFunction>(-kInfinity), 0.0f);
  EXPECT_EQ(one<GeluFunction>(kInfinity), kInfinity);
  EXPECT_EQ(one<GeluFunction>(-kInfinity), 0.0f);
  EXPECT_EQ(one<GeluFunction>(kMax), kMax);
  EXPECT_EQ(bits_of(one<GeluFunction>(-0.0f)), bits_of(-0.0f));
  EXPECT_EQ(one<GeluTanhFunction>(kInfinity), kInfinity);
  EXPECT_EQ(one<GeluTanhFunction>(-kInfinity), 0.0f);
  EXPECT_EQ(one<GeluTanhFunction>(kMax), kMax);
}

TYPED_TEST(LaneMath, OddFunctionsAreOddToTheSignOfZero) {
  if constexpr (std::is_same_v<TypeParam, TanhFunction> || std::is_same_v<TypeParam, Erf>) {
    for_each_float([](float x) {
      ASSERT_EQ(bits_of(one<TypeParam>(-x)), bits_of(-one<TypeParam>(x))) << x;
      ASSERT_LE(std::fabs(one<TypeParam>(x)), 1.0f) << x;
    });
    EXPECT_EQ(one<TypeParam>(kInfinity), 1.0f);
    EXPECT_EQ(bits_of(one<TypeParam>(-0.0f)), bits_of(-0.0f));
  }
}

TEST(LaneMathSigmoid, StaysBetweenZeroAndOne) {
  for_each_float([](float x) {
    ASSERT_GE(one<SigmoidFunction>(x), 0.0f) << x;
    ASSERT_LE(one<SigmoidFunction>(x), 1.0f) << x;
  });
}

template <class L>
class LaneMathBits : public testing::Test {};
TYPED_TEST_SUITE(LaneMathBits, AllLanes);

TYPED_TEST(LaneMathBits, AreThoseOfOneNumberAlone) {
  using L = TypeParam;
  const std::size_t n = static_cast<std::size_t>(scaled(64'000, 3200)) / 16 * 16;
  std::vector<float> x = mixed_floats(n, 1);
  Random random(2);
  for (std::size_t i = 0; i < n; i += 2) x[i] = random.normal(i % 4 == 0 ? 3.0f : 40.0f);
  const auto check = [&]<class F>(F) {
    for (std::size_t i = 0; i < n; i += L::width) {
      float y[L::width];
      L::store(y, F::template run<L>(L::load(&x[i])));
      for (std::size_t j = 0; j < L::width; ++j) {
        ASSERT_EQ(bits_of(y[j]), bits_of(one<F>(x[i + j]))) << std::hexfloat << x[i + j];
      }
    }
  };
  check(Exp{});
  check(SigmoidFunction{});
  check(TanhFunction{});
  check(Erf{});
  check(GeluFunction{});
  check(GeluTanhFunction{});
}

}  // namespace
}  // namespace quanta::test
