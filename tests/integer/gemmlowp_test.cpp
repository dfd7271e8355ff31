// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The two roundings of gemmlowp: against gemmlowp itself where its headers are (Debian: libgemmlowp-dev), and elsewhere
// against numbers that it gave.
#include <limits>

#include <gtest/gtest.h>

#if __has_include(<gemmlowp/fixedpoint/fixedpoint.h>)
#include <gemmlowp/fixedpoint/fixedpoint.h>
#endif

#include <quanta/integer/network.hpp>

#include "tests/support/integer_networks.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

struct FromGemmlowp {
  std::int32_t x, multiplier, shift, result;
};
constexpr FromGemmlowp kFromGemmlowp[] = {
    {0, 1073741824, 0, 0},
    {0, 1073741824, -1, 0},
    {1, 1073741824, 0, 1},
    {1, 1073741824, -1, 1},
    {-1, 1073741824, 0, 0},
    {-1, 1073741824, -1, 0},
    {2, 1073741824, 0, 1},
    {2, 1073741824, -1, 1},
    {-2, 1073741824, 0, -1},
    {-2, 1073741824, -1, -1},
    {3, 1073741824, 0, 2},
    {3, 1073741824, -1, 1},
    {-3, 1073741824, 0, -1},
    {-3, 1073741824, -1, -1},
    {INT32_MIN, INT32_MIN, 0, INT32_MAX},
    {INT32_MIN, 1073741824, 0, -1073741824},
    {INT32_MIN, INT32_MAX, 0, -2147483647},
    {INT32_MIN, INT32_MAX, -31, -1},
    {INT32_MIN, 1073741824, -30, -1},
    {INT32_MIN, 0, 0, 0},
    {-2147483647, 1073741824, 0, -1073741823},
    {-2147483647, INT32_MAX, 0, -2147483646},
    {-2147483647, INT32_MAX, -31, -1},
    {-2147483647, 1073741824, -30, -1},
    {-2147483647, 0, 0, 0},
    {INT32_MAX, 1073741824, 0, 1073741824},
    {INT32_MAX, INT32_MAX, 0, 2147483646},
    {INT32_MAX, INT32_MAX, -31, 1},
    {INT32_MAX, 1073741824, -30, 1},
    {INT32_MAX, 0, 0, 0},
    {2147483646, 1073741824, 0, 1073741823},
    {2147483646, INT32_MAX, 0, 2147483645},
    {2147483646, INT32_MAX, -31, 1},
    {2147483646, 1073741824, -30, 1},
    {2147483646, 0, 0, 0},
    {1, 1073741824, 3, 4},
    {1, INT32_MAX, 28, 268435456},
    {-1, 1073741824, 3, -4},
    {-1, INT32_MAX, 28, -268435456},
    {5, 1073741824, 3, 20},
    {5, INT32_MAX, 28, 1342177279},
    {-5, 1073741824, 3, -20},
    {-5, INT32_MAX, 28, -1342177279},
    {7984, 1583594304, -9, 12},
    {-2, 1699658460, -12, 0},
    {958, 1426011540, -11, 0},
    {3393, 2104398765, -18, 0},
    {-73010331, 1662460954, -1, -28260244},
    {-3121, 1886910110, -2, -686},
    {44, 1528764103, -6, 0},
    {164671744, 1510802028, -2, 28962550},
    {-1892, 1131981866, -2, -249},
    {-1813, 1725257007, -12, 0},
    {451985437, 1262705807, -19, 507},
    {410194101, 1136513705, -7, 1695994},
    {-3839, 1962696946, -20, 0},
    {-1381714, 1461986694, -3, -117582},
    {-874, 1312254024, -19, 0},
    {-3518, 1735463151, -10, -3},
    {-2061, 1504921952, -13, 0},
    {-3332, 1908978779, -11, -1},
    {782030723, 1100637793, 0, 400809836},
    {-45166, 2083335278, -9, -86},
    {-7727, 1834362578, -16, 0},
    {-1892, 1424072674, -7, -10},
    {-93, 1389345687, -20, 0},
    {-93, 1145607227, -3, -6},
    {-653673218, 1686506057, -11, -250662},
    {-286883, 2092828209, -19, -1},
    {4, 1430073311, -4, 0},
    {-5960872, 1962807203, 0, -5448257},
    {-1453258804, 1298797489, -5, -27466578},
    {-277366, 2098660142, -10, -265},
    {1568766090, 1438748780, -12, 256598},
    {437018, 1751468043, -9, 696},
    {-23, 1754600807, -8, 0},
    {-435, 1974281461, -8, -2},
    {-4509182, 1212141608, -15, -78},
    {241481, 1326274438, -14, 9},
    {17, 1739348769, -2, 4},
    {20, 1721661066, -7, 0},
    {22625693, 1687688023, 0, 17781328},
    {-83031, 1978761378, -3, -9563},
    {132, 1905095075, -15, 0},
};

TEST(Gemmlowp, GaveTheseNumbers) {
  for (const FromGemmlowp& v : kFromGemmlowp) {
    EXPECT_EQ(integer::multiply_double_rounding(v.x, v.multiplier, v.shift), v.result)
        << v.x << " * " << v.multiplier << ", shift " << v.shift;
  }
}

#if __has_include(<gemmlowp/fixedpoint/fixedpoint.h>)

// As gemmlowp's OutputStageScaleInt32ByFixedPointAndExponent.
std::int32_t gemmlowp_scale(std::int32_t x, std::int32_t multiplier, std::int32_t shift) {
  using gemmlowp::RoundingDivideByPOT;
  using gemmlowp::SaturatingRoundingDoublingHighMul;
  const int left = shift > 0 ? shift : 0, right = shift > 0 ? 0 : -shift;
  return RoundingDivideByPOT(SaturatingRoundingDoublingHighMul(x * (1 << left), multiplier), right);
}

/// Any accumulator that gemmlowp's shift to the left does not take out of int32.
std::int32_t some_accumulator(std::int32_t shift, Random& random) {
  const int bits = random.between(0, 31 - (shift > 0 ? shift : 0));
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(random.bits() >> 32)) >> (31 - bits);
}

TEST(Gemmlowp, GivesTheSameForMillionsOfAccumulators) {
  Random random(1);
  for (int i = 0; i < scaled(5'000'000, 200'000); ++i) {
    const std::int32_t shift = i % 62 - 31;
    std::int32_t multiplier = random.between(1 << 30, INT32_MAX);
    if (i % 9 == 0) multiplier = i % 2 == 0 ? 0 : random.between(INT32_MIN, INT32_MAX);  // it takes any
    const std::int32_t x = some_accumulator(shift, random);
    ASSERT_EQ(integer::multiply_double_rounding(x, multiplier, shift), gemmlowp_scale(x, multiplier, shift))
        << x << " * " << multiplier << ", shift " << shift;
  }
}

TEST(Gemmlowp, GivesTheSameCodesOfALayer) {
  Random random(2);
  for (int i = 0; i < scaled(50, 5); ++i) {
    const Index outputs = 50, inputs = 40;
    IntegerNetwork::Linear linear = random_linear(outputs, inputs, true, random);
    for (std::int32_t& shift : linear.shift) shift = shift > 0 ? -shift : shift;
    IntegerNetwork network(inputs);
    network.add_linear(std::move(linear));
    const integer::Layer& layer = network.network().layers[0];
    const Codes x = random_codes(inputs, random), y = run_portably(network.network(), x, 1);
    for (std::int32_t n = 0; n < outputs; ++n) {
      std::int32_t sum = layer.bias[n];
      for (std::int32_t k = 0; k < inputs; ++k) sum += x[static_cast<std::size_t>(k)] * layer.weight[n * inputs + k];
      const std::int32_t scaled = gemmlowp_scale(sum, layer.multiplier[n], layer.shift[n]) + layer.zero_point;
      ASSERT_EQ(y[static_cast<std::size_t>(n)], std::clamp(scaled, layer.low, layer.high)) << n;
    }
  }
}

#endif

}  // namespace
}  // namespace quanta::test
