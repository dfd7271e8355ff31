// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Tables of codes against their definition in long double, and integer softmax against its bound.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/integer/network.hpp>
#include <quanta/layers/integer_tables.hpp>

#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

using Real = long double;

Real exact_sigmoid(Real x) { return 1.0L / (1.0L + std::exp(-x)); }
Real exact_tanh(Real x) { return std::tanh(x); }
Real exact_gelu(Real x) { return x / 2.0L * std::erfc(-x / std::sqrt(2.0L)); }
Real exact_gelu_tanh(Real x) {
  const Real u = std::sqrt(2.0L / std::acos(-1.0L)) * (x + 0.044715L * x * x * x);
  return x / (1.0L + std::exp(-2.0L * u));
}

// The nearest code, ties to even; a value so near to a tie that its rounding is in doubt does not occur here.
int exact_code(Real value, const QuantParams<PerTensor>& params) {
  const Real steps = value / static_cast<Real>(params.scale(0)), below = std::floor(steps), rest = steps - below;
  EXPECT_TRUE(rest == 0.5L || std::fabs(rest - 0.5L) > 1e-11L) << "a value in doubt";
  const bool up = rest > 0.5L || (rest == 0.5L && std::fmod(below, 2.0L) != 0.0L);
  const Real code = below + (up ? 1.0L : 0.0L) + static_cast<Real>(params.zero_point(0));
  return static_cast<int>(std::min(127.0L, std::max(-128.0L, code)));
}

QuantParams<PerTensor> some_params(Random& random) {
  const float scale = std::ldexp(1.0f + random.uniform(0.5f), random.between(-14, 2));
  return QuantParams<PerTensor>(scale, random.between(-128, 127));
}

template <class F, class Exact>
void expect_table(F f, Exact exact, const QuantParams<PerTensor>& from, const QuantParams<PerTensor>& to) {
  const Buffer<std::int8_t> table = detail::integer_table(f, from, to);
  ASSERT_EQ(table.size(), 256);
  for (int code = -128; code < 128; ++code) {
    const Real x = static_cast<Real>(from.scale(0)) * static_cast<Real>(code - from.zero_point(0));
    ASSERT_EQ(int{table[code + 128]}, exact_code(exact(x), to)) << "x = " << static_cast<double>(x);
  }
}

TEST(IntegerTable, HoldsTheNearestCodeOfEveryActivation) {
  Random random(1);
  for (int i = 0; i < scaled(100, 10); ++i) {
    const QuantParams<PerTensor> from = some_params(random), to = some_params(random);
    expect_table(detail::sigmoid_of, exact_sigmoid, from, QuantParams<PerTensor>(0x1p-8f, -128));
    expect_table(detail::tanh_of, exact_tanh, from, QuantParams<PerTensor>(0x1p-7f, 0));
    expect_table(detail::gelu_of, exact_gelu, from, to);
    expect_table(detail::gelu_tanh_of, exact_gelu_tanh, from, to);
  }
}

TEST(IntegerTable, OfTheLargestScaleSaturates) {
  const QuantParams<PerTensor> huge(std::numeric_limits<float>::max(), 0), unit(1.0f, 0);
  for (double (*f)(double) : {detail::gelu_of, detail::gelu_tanh_of}) {
    const Buffer<std::int8_t> table = detail::integer_table(f, huge, unit);
    for (int code = -128; code < 128; ++code) EXPECT_EQ(table[code + 128], code > 0 ? 127 : 0) << code;
  }
}

TEST(IntegerTable, RoundsTiesToEven) {
  const QuantParams<PerTensor> from(0.5f, 0), to(1.0f, 3);
  const Buffer<std::int8_t> table = detail::integer_table([](double x) { return x; }, from, to);
  const int expected[] = {1, 2, 3, 3, 3, 4, 5};  // of -1.5, -1, ..., 1.5
  for (int i = 0; i < 7; ++i) EXPECT_EQ(int{table[i - 3 + 128]}, expected[i]) << i;
}

TEST(IntegerSoftmax, ExponentialsAreTheNearest) {
  Random random(2);
  for (int i = 0; i < scaled(100, 10); ++i) {
    const float scale = some_params(random).scale(0);
    const Buffer<std::int32_t> units = detail::integer_exponentials(scale);
    for (int d = 0; d < 256; ++d) {
      const Real exact = std::exp(-static_cast<Real>(scale) * d) * 0x1p30L;
      ASSERT_LE(std::fabs(static_cast<Real>(units[d]) - exact), 0.5000005L) << scale << ' ' << d;
    }
  }
}

// (n + 1) 2^-23 is what rounding the exponentials adds to the half that rounding to a code does.
TEST(IntegerSoftmax, IsWithinItsBoundForEveryLength) {
  Random random(3);
  for (int i = 0; i < scaled(300, 30); ++i) {
    const int n = i < 100 ? i + 1 : random.between(1, 5000);
    const float scale = some_params(random).scale(0);
    const Buffer<std::int32_t> units = detail::integer_exponentials(scale);
    std::vector<std::int8_t> x(static_cast<std::size_t>(n)), y(x.size());
    for (std::int8_t& code : x) code = static_cast<std::int8_t>(random.between(-128, 127));
    integer::run_softmax(units.data(), n, x.data(), y.data());
    Real sum = 0.0L;
    for (const std::int8_t code : x) sum += std::exp(static_cast<Real>(scale) * code);
    for (std::size_t j = 0; j < x.size(); ++j) {
      const Real share = 256.0L * std::exp(static_cast<Real>(scale) * x[j]) / sum;
      const Real got = static_cast<Real>(y[j] + 128);
      ASSERT_LE(std::fabs(got - std::min(share, 255.0L)), 0.5L + (n + 1) * 0x1p-23L) << n << ' ' << j;
    }
  }
}

}  // namespace
}  // namespace quanta::test
