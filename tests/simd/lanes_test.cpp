// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Every operation of every lane type does what simd/scalar.hpp says, bit for bit, in every lane.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/simd/lanes.hpp>
#include <quanta/simd/sum_bytes.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class L>
class Lanes : public testing::Test {};
TYPED_TEST_SUITE(Lanes, AllLanes);

// Applies an operation of L to `width` elements at a time of arrays that are a multiple of every width long.
template <class L, class Op>
std::vector<float> apply(const std::vector<float>& a, const std::vector<float>& b, Op op) {
  std::vector<float> result(a.size());
  for (std::size_t i = 0; i < a.size(); i += L::width) L::store(&result[i], op(L::load(&a[i]), L::load(&b[i])));
  return result;
}

// Two arrays with all pairs of special values, and random ones.
std::pair<std::vector<float>, std::vector<float>> pairs() {
  std::vector<float> a, b;
  for (const float x : special_floats()) {
    for (const float y : special_floats()) {
      a.push_back(x);
      b.push_back(y);
    }
  }
  a.resize((a.size() + 15) / 16 * 16);
  b.resize(a.size());
  const std::vector<float> more = mixed_floats(8192, 1);
  a.insert(a.end(), more.begin(), more.begin() + 4096);
  b.insert(b.end(), more.begin() + 4096, more.end());
  return {a, b};
}

TYPED_TEST(Lanes, SetLoadAndStore) {
  using L = TypeParam;
  std::vector<float> x(L::width);
  L::store(x.data(), L::set(-2.5f));
  EXPECT_EQ(x, std::vector<float>(L::width, -2.5f));
  EXPECT_EQ(integers<L>(L::set_int(-123456789)), std::vector<std::int32_t>(L::width, -123456789));
  std::vector<std::int32_t> y;
  for (int i = 0; i < L::width; ++i) y.push_back(i * 1000 - 3);
  EXPECT_EQ(integers<L>(L::load_int(y.data())), y);
}

TYPED_TEST(Lanes, MinAndMaxGiveTheSecondWhereEitherIsNan) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  const std::vector<float> least = apply<L>(a, b, [](auto x, auto y) { return L::min(x, y); });
  const std::vector<float> most = apply<L>(a, b, [](auto x, auto y) { return L::max(x, y); });
  for (std::size_t i = 0; i < a.size(); ++i) {
    const bool unordered = std::isnan(a[i]) || std::isnan(b[i]);
    ASSERT_EQ(bits_of(least[i]), bits_of(!unordered && a[i] < b[i] ? a[i] : b[i])) << a[i] << ' ' << b[i];
    ASSERT_EQ(bits_of(most[i]), bits_of(!unordered && a[i] > b[i] ? a[i] : b[i])) << a[i] << ' ' << b[i];
  }
}

TYPED_TEST(Lanes, DivisionIsCorrectlyRounded) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  const std::vector<float> quotient = apply<L>(a, b, [](auto x, auto y) { return L::div(x, y); });
  for (std::size_t i = 0; i < a.size(); ++i) {
    // A double has more than twice the precision, so rounding twice does no harm.
    const float expected = static_cast<float>(static_cast<double>(a[i]) / static_cast<double>(b[i]));
    ASSERT_EQ(bits_of(quotient[i]), bits_of(expected)) << a[i] << " / " << b[i];
  }
}

TYPED_TEST(Lanes, FmaRoundsOnce) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  const std::vector<float> c = mixed_floats(a.size(), 2);
  for (std::size_t i = 0; i < a.size(); i += L::width) {
    float result[L::width];
    L::store(result, L::fma(L::load(&a[i]), L::load(&b[i]), L::load(&c[i])));
    for (std::size_t j = 0; j < L::width; ++j) {
      ASSERT_EQ(bits_of(result[j]), bits_of(std::fma(a[i + j], b[i + j], c[i + j])));
    }
  }
}

TYPED_TEST(Lanes, NanBecomesZeroAndNothingElseChanges) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  const std::vector<float> result = apply<L>(a, b, [](auto x, auto) { return L::nan_to_zero(x); });
  for (std::size_t i = 0; i < a.size(); ++i) {
    ASSERT_EQ(bits_of(result[i]), bits_of(std::isnan(a[i]) ? 0.0f : a[i]));
  }
}

TYPED_TEST(Lanes, RoundsHalfToEven) {
  using L = TypeParam;
  std::vector<float> x;
  for (int i = -20000; i < 20000; ++i) x.push_back(static_cast<float>(i) * 0.25f);
  for (const float v : {4194304.0f, -4194304.0f, 4194303.5f, -4194303.5f, 0.49999997f, -0.49999997f, 1e-40f, -0.0f}) {
    x.push_back(v);
  }
  x.resize(x.size() + 16);
  for (std::size_t i = 0; i + L::width <= x.size(); i += L::width) {
    const std::vector<std::int32_t> got = integers<L>(L::round(L::load(&x[i])));
    for (std::size_t j = 0; j < L::width; ++j) {
      const double v = static_cast<double>(x[i + j]), below = std::floor(v);
      const bool up = v - below > 0.5 || (v - below == 0.5 && std::fmod(below, 2.0) != 0.0);
      ASSERT_EQ(got[j], static_cast<int>(below) + (up ? 1 : 0)) << v;
    }
  }
}

// Also where the compiler sees both: with -ffp-contract=fast it would fuse them.
TYPED_TEST(Lanes, MulThenAddRoundsTwice) {
  using L = TypeParam;
  Random random(4);
  std::vector<float> a, b, c;
  for (int i = 0; i < 1600; ++i) {
    a.push_back(random.normal());
    b.push_back(random.normal());
    c.push_back(random.normal());
  }
  int differs_from_fused = 0;
  for (std::size_t i = 0; i < a.size(); i += L::width) {
    float result[L::width];
    L::store(result, L::add_real(L::mul(L::load(&a[i]), L::load(&b[i])), L::load(&c[i])));
    for (std::size_t j = 0; j < L::width; ++j) {
      volatile float product = a[i + j] * b[i + j];
      const float sum = static_cast<float>(static_cast<double>(product) + static_cast<double>(c[i + j]));
      ASSERT_EQ(bits_of(result[j]), bits_of(sum));
      differs_from_fused += std::fma(a[i + j], b[i + j], c[i + j]) != sum ? 1 : 0;
    }
  }
  EXPECT_GT(differs_from_fused, 0);
}

TYPED_TEST(Lanes, BitsComeAndGo) {
  using L = TypeParam;
  for (std::size_t i = 0; i < special_floats().size(); ++i) {
    std::vector<float> x(L::width), back(L::width);
    std::vector<std::int32_t> bits;
    for (float& v : x) {
      v = special_floats()[(i + bits.size()) % special_floats().size()];
      bits.push_back(std::bit_cast<std::int32_t>(v));
    }
    ASSERT_EQ(integers<L>(L::float_bits(L::load(x.data()))), bits);
    L::store(back.data(), L::from_bits(L::load_int(bits.data())));
    const std::vector<std::int32_t> left = integers<L>(L::template shift_left<23>(L::load_int(bits.data())));
    const std::vector<std::int32_t> right = integers<L>(L::template shift_right<1>(L::load_int(bits.data())));
    for (std::size_t j = 0; j < L::width; ++j) {
      const auto word = static_cast<std::uint32_t>(bits[j]);
      ASSERT_EQ(std::bit_cast<std::uint32_t>(back[j]), word);
      ASSERT_EQ(static_cast<std::uint32_t>(left[j]), word % 512 * 0x800000u);
      ASSERT_EQ(static_cast<std::uint32_t>(right[j]), word / 2);
    }
  }
}

// Modulo 2^32, written in 64 bits.
std::int32_t wrapped(std::int64_t v) {
  const std::int64_t rest = (v % 0x100000000 + 0x100000000) % 0x100000000;
  return static_cast<std::int32_t>(rest >= 0x80000000 ? rest - 0x100000000 : rest);
}

TYPED_TEST(Lanes, IntegersWrapCompareAndConvert) {
  using L = TypeParam;
  Random random(3);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::int32_t> a, b;
    for (int i = 0; i < L::width; ++i) {
      a.push_back(static_cast<std::int32_t>(random.bits()) >> random.between(0, 31));
      b.push_back(static_cast<std::int32_t>(random.bits()) >> random.between(0, 31));
    }
    const typename L::I x = L::load_int(a.data()), y = L::load_int(b.data());
    const std::vector<std::int32_t> sum = integers<L>(L::add(x, y)), difference = integers<L>(L::sub(x, y));
    const std::vector<std::int32_t> product = integers<L>(L::mul_low(x, y)), most = integers<L>(L::max_int(x, y));
    float real[L::width];
    L::store(real, L::to_float(x));
    std::vector<std::int32_t> stored(L::width);
    L::store_int(stored.data(), x);
    ASSERT_EQ(stored, a);
    for (std::size_t i = 0; i < L::width; ++i) {
      ASSERT_EQ(sum[i], wrapped(std::int64_t{a[i]} + b[i]));
      ASSERT_EQ(difference[i], wrapped(std::int64_t{a[i]} - b[i]));
      ASSERT_EQ(product[i], wrapped(std::int64_t{a[i]} * b[i]));
      ASSERT_EQ(most[i], std::max(a[i], b[i]));
      ASSERT_EQ(real[i], static_cast<float>(static_cast<double>(a[i])));
    }
    std::uint32_t total = 0;
    for (const std::int32_t v : a) total += static_cast<std::uint32_t>(v);
    ASSERT_EQ(L::reduce_add_int(x), static_cast<std::int32_t>(total));
    ASSERT_EQ(L::reduce_max_int(x), *std::max_element(a.begin(), a.end()));
  }
}

__extension__ using Wide = __int128;

// Compared in 128 bits: floor(a * b / 2^right + 1/2).
TYPED_TEST(Lanes, MultiplyByFixedPointsRoundsHalfUp) {
  using L = TypeParam;
  using Limits = std::numeric_limits<std::int32_t>;
  Random random(4);
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::int32_t> a, b, right;
    for (int i = 0; i < L::width; ++i) {
      const bool extreme = random.between(0, 3) == 0;
      a.push_back(extreme ? (random.between(0, 1) == 0 ? Limits::min() : Limits::max())
                          : static_cast<std::int32_t>(random.bits()) >> random.between(0, 31));
      b.push_back(random.between(0, 9) == 0 ? 0 : random.between(1 << 30, Limits::max()));
      right.push_back(random.between(32, 62));
      if (random.between(0, 3) == 0) {  // a tie
        b.back() = 1 << 30;
        right.back() = 32 + random.between(0, 5);
      }
    }
    const std::vector<std::int32_t> got = integers<L>(
        L::multiply(L::load_int(a.data()), L::fixed_points(L::load_int(b.data()), L::load_int(right.data()))));
    for (std::size_t i = 0; i < L::width; ++i) {
      const Wide product = static_cast<Wide>(a[i]) * b[i], unit = static_cast<Wide>(1) << right[i];
      const Wide doubled = 2 * product + unit;  // floor(doubled / (2 unit))
      Wide expected = doubled / (2 * unit);
      if (doubled < 0 && doubled % (2 * unit) != 0) --expected;
      ASSERT_EQ(got[i], static_cast<std::int32_t>(expected)) << a[i] << " * " << b[i] << " >> " << right[i];
    }
  }
}

TYPED_TEST(Lanes, LoadAndStoreTheFirstLanesAlone) {
  using L = TypeParam;
  std::vector<float> reals(L::width);
  std::vector<std::int32_t> ints(L::width);
  for (std::size_t i = 0; i < L::width; ++i) {
    reals[i] = static_cast<float>(i) + 0.5f;
    ints[i] = static_cast<std::int32_t>(i) + 1;
  }
  for (std::size_t count = 1; count <= L::width; ++count) {
    std::vector<float> stored(L::width, -1.0f);
    std::vector<std::int32_t> stored_ints(L::width, -1);
    L::store_first(stored.data(), L::load(reals.data()), static_cast<Index>(count));
    L::store_int_first(stored_ints.data(), L::load_int(ints.data()), static_cast<Index>(count));
    for (std::size_t i = 0; i < L::width; ++i) {
      EXPECT_EQ(stored[i], i < count ? reals[i] : -1.0f);
      EXPECT_EQ(stored_ints[i], i < count ? ints[i] : -1);
    }
    // The values end where the last is read, so that sanitizers see a read behind it.
    const std::vector<float> few(reals.begin(), reals.begin() + static_cast<std::ptrdiff_t>(count));
    const std::vector<std::int32_t> few_ints(ints.begin(), ints.begin() + static_cast<std::ptrdiff_t>(count));
    L::store(stored.data(), L::load_first(few.data(), static_cast<Index>(count)));
    L::store_int(stored_ints.data(), L::load_int_first(few_ints.data(), static_cast<Index>(count)));
    for (std::size_t i = 0; i < L::width; ++i) {
      EXPECT_EQ(stored[i], i < count ? reals[i] : 0.0f);
      EXPECT_EQ(stored_ints[i], i < count ? ints[i] : 0);
    }
  }
}

template <class L, class Byte>
void check_sums_of_bytes() {
  Random random(1);
  for (Index n = 0; n <= 300; ++n) {
    std::vector<Byte> x(static_cast<std::size_t>(n));
    std::int32_t sum = 0;
    for (Byte& v : x) {
      const int kind = random.between(0, 3);
      const int low = std::numeric_limits<Byte>::min(), high = std::numeric_limits<Byte>::max();
      v = static_cast<Byte>(kind == 0 ? low : kind == 1 ? high : random.between(low, high));
      sum += v;
    }
    ASSERT_EQ((simd::sum_bytes<Byte, L>(x.data(), n)), sum) << n;
  }
}

TYPED_TEST(Lanes, SumBytesOfEitherSign) {
  check_sums_of_bytes<TypeParam, std::int8_t>();
  check_sums_of_bytes<TypeParam, std::uint8_t>();
}

TYPED_TEST(Lanes, TestsSeeEveryLane) {
  using L = TypeParam;
  std::vector<std::int32_t> zero(L::width, 0);
  EXPECT_FALSE(L::all_below(L::load_int(zero.data()), 0));
  EXPECT_TRUE(L::all_below(L::load_int(zero.data()), 1));
  for (std::size_t i = 0; i < L::width; ++i) {
    for (const std::int32_t other : {1, -1, std::numeric_limits<std::int32_t>::min()}) {
      std::vector<std::int32_t> one = zero;
      one[i] = other;
      EXPECT_EQ(L::all_below(L::load_int(one.data()), 1), other < 1);
    }
  }
}

TYPED_TEST(Lanes, FloatsAreEqualWhereAllPairsAre) {
  using L = TypeParam;
  EXPECT_TRUE(L::are_equal(L::equal()));
  const auto [a, b] = pairs();
  for (std::size_t i = 0; i < a.size(); i += L::width) {
    bool all = true;
    for (std::size_t j = 0; j < L::width; ++j) all = all && a[i + j] == b[i + j];
    const typename L::F v = L::load(&a[i]), w = L::load(&b[i]), one = L::set(1.0f);
    ASSERT_EQ(L::are_equal(L::equal(L::equal(), v, w)), all);
    ASSERT_EQ(L::are_equal(L::equal(L::equal(L::equal(), v, w), one, one)), all);
    ASSERT_EQ(L::are_equal(L::equal(L::equal(L::equal(), one, one), v, w)), all);
  }
  for (std::size_t i = 0; i < L::width; ++i) {
    for (const float other : {1.0f, -2.0f, std::numeric_limits<float>::quiet_NaN()}) {
      std::vector<float> x(L::width, 2.0f), y = x;
      EXPECT_TRUE(L::are_equal(L::equal(L::equal(), L::load(x.data()), L::load(y.data()))));
      y[i] = other;
      EXPECT_FALSE(L::are_equal(L::equal(L::equal(), L::load(x.data()), L::load(y.data()))));
      x[i] = y[i] = std::numeric_limits<float>::quiet_NaN();
      EXPECT_FALSE(L::are_equal(L::equal(L::equal(), L::load(x.data()), L::load(y.data()))));
    }
  }
}

TYPED_TEST(Lanes, FloatBitsAreItsOwn) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  for (std::size_t i = 0; i < a.size(); i += L::width) {
    const std::vector<std::int32_t> got = integers<L>(L::float_bits(L::load(&a[i])));
    for (std::size_t j = 0; j < L::width; ++j) ASSERT_EQ(got[j], std::bit_cast<std::int32_t>(a[i + j]));
  }
}

TYPED_TEST(Lanes, MagnitudeBitsAreThoseWithoutTheSign) {
  using L = TypeParam;
  const auto [a, b] = pairs();
  for (std::size_t i = 0; i < a.size(); i += L::width) {
    const std::vector<std::int32_t> got = integers<L>(L::magnitude_bits(L::load(&a[i])));
    for (std::size_t j = 0; j < L::width; ++j) {
      const std::uint32_t bits = std::bit_cast<std::uint32_t>(a[i + j]);
      ASSERT_EQ(static_cast<std::uint32_t>(got[j]), bits % 0x80000000u);
    }
  }
}

// Every value of Code, with a guard behind what may be written.
template <class L, class Code>
void check_store_narrow(int low, int high) {
  for (int first = low; first <= high; first += L::width) {
    std::vector<std::int32_t> values;
    for (int i = 0; i < L::width; ++i) values.push_back(std::min(first + i, high));
    Code stored[L::width + 1];
    stored[L::width] = Code{77};
    L::store_narrow(stored, L::load_int(values.data()));
    for (std::size_t i = 0; i < L::width; ++i) ASSERT_EQ(static_cast<std::int32_t>(stored[i]), values[i]);
    ASSERT_EQ(stored[L::width], Code{77});
    const int count = 1 + (first - low) / L::width % L::width;
    std::fill_n(stored, L::width, Code{77});
    L::store_narrow_first(stored, L::load_int(values.data()), count);
    for (int i = 0; i < L::width; ++i) {
      ASSERT_EQ(static_cast<std::int32_t>(stored[i]), i < count ? values[static_cast<std::size_t>(i)] : 77);
    }
  }
}

TYPED_TEST(Lanes, StoresEveryCodeOfEveryTypeAndNothingBehind) {
  check_store_narrow<TypeParam, std::int8_t>(-128, 127);
  check_store_narrow<TypeParam, std::uint8_t>(0, 255);
  check_store_narrow<TypeParam, std::int16_t>(-32768, 32767);
  check_store_narrow<TypeParam, std::uint16_t>(0, 65535);
  check_store_narrow<TypeParam, std::int32_t>(-70000, 70000);
}

// Of values that do not fit, their low bits; four vectors in order.
template <class L, class Code>
void check_low_bits() {
  constexpr std::size_t n = 4 * L::width;
  Random random(5);
  for (int round = 0; round < 100; ++round) {
    std::vector<std::int32_t> values;
    for (std::size_t i = 0; i < n; ++i) values.push_back(static_cast<std::int32_t>(random.bits()));
    std::vector<Code> stored(n + 1, Code{77});
    const auto vector = [&](std::size_t v) { return L::load_int(&values[v * L::width]); };
    L::store_narrow(stored.data(), vector(0), vector(1), vector(2), vector(3));
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(stored[i], static_cast<Code>(values[i]));
    ASSERT_EQ(stored[n], Code{77});
  }
}

TYPED_TEST(Lanes, StoresTheLowBitsOfFourVectors) {
  check_low_bits<TypeParam, std::int8_t>();
  check_low_bits<TypeParam, std::uint8_t>();
  check_low_bits<TypeParam, std::int16_t>();
  check_low_bits<TypeParam, std::uint16_t>();
  check_low_bits<TypeParam, std::int32_t>();
}

// Of any integers, in order, within bounds that may be those of the type.
template <class L, class Code>
void check_store_clamped() {
  constexpr int lowest = std::numeric_limits<Code>::min(), highest = std::numeric_limits<Code>::max();
  constexpr std::size_t n = 4 * L::width;
  Random random(6);
  for (int round = 0; round < 200; ++round) {
    int low = lowest, high = highest;
    if (round % 2 == 0) {
      low = random.between(lowest, highest);
      high = random.between(low, highest);
    }
    std::vector<std::int32_t> values;
    for (std::size_t i = 0; i < n; ++i) {
      const bool near = random.between(0, 3) > 0;
      values.push_back(near ? random.between(-300, 300) : static_cast<std::int32_t>(random.bits()));
    }
    const auto vector = [&](std::size_t v) { return L::load_int(&values[v * L::width]); };
    for (const std::size_t gap : {std::size_t{0}, std::size_t{5}}) {  // between the first two and the others
      std::vector<Code> stored(n + gap + 1, Code{77});
      L::store_clamped(stored.data(), stored.data() + n / 2 + gap, vector(0), vector(1), vector(2), vector(3),
                       static_cast<Code>(low), static_cast<Code>(high));
      for (std::size_t i = 0; i < n; ++i) {
        ASSERT_EQ(int{stored[i < n / 2 ? i : i + gap]}, std::clamp(values[i], low, high)) << values[i];
      }
      for (std::size_t i = 0; i < gap; ++i) ASSERT_EQ(stored[n / 2 + i], Code{77});
      ASSERT_EQ(stored[n + gap], Code{77});
    }
  }
}

TYPED_TEST(Lanes, StoresFourVectorsOfBytesWithinBounds) {
  check_store_clamped<TypeParam, std::int8_t>();
  check_store_clamped<TypeParam, std::uint8_t>();
}

TYPED_TEST(Lanes, ReductionsFindTheExtremeInEveryLane) {
  using L = TypeParam;
  for (std::size_t where = 0; where < L::width; ++where) {
    std::vector<float> x = mixed_floats(L::width, where);
    for (float& v : x) v = std::isfinite(v) ? std::fmod(v, 100.0f) : 1.0f;
    std::vector<float> y = x;
    x[where] = -1e30f;
    y[where] = 1e30f;
    EXPECT_EQ(L::reduce_min(L::load(x.data())), -1e30f);
    EXPECT_EQ(L::reduce_max(L::load(y.data())), 1e30f);
  }
}

TYPED_TEST(Lanes, ShiftsByNumbersKnownAtRunTime) {
  using L = TypeParam;
  for (const std::uint32_t bits : {0x80000001u, 0x12345678u, 0xffffffffu, 0u}) {
    const typename L::I v = L::set_int(static_cast<std::int32_t>(bits));
    for (int n = 0; n < 32; ++n) {
      const auto right = static_cast<std::int32_t>(bits >> n), left = static_cast<std::int32_t>(bits << n);
      ASSERT_EQ(integers<L>(L::shift_right_by(v, n)), std::vector<std::int32_t>(L::width, right)) << n;
      ASSERT_EQ(integers<L>(L::shift_left_by(v, n)), std::vector<std::int32_t>(L::width, left)) << n;
    }
  }
}

TYPED_TEST(Lanes, LoadBytesAndLookUp) {
  using L = TypeParam;
  std::uint8_t bytes[256 + 16] = {};
  float table[16];
  for (int i = 0; i < 256; ++i) bytes[i] = static_cast<std::uint8_t>(i);
  for (int i = 0; i < 16; ++i) table[i] = 0.5f - static_cast<float>(i);
  for (int i = 0; i < 256; i += L::width) {
    const std::vector<std::int32_t> number = integers<L>(L::load_bytes(bytes + i));
    const auto* const with_sign = reinterpret_cast<const std::int8_t*>(bytes + i);
    const std::vector<std::int32_t> signed_number = integers<L>(L::load_bytes(with_sign));
    float found[L::width];
    L::store(found, L::lookup(L::load_table(table), L::load_bytes(with_sign)));
    for (int j = 0; j < L::width; ++j) {
      ASSERT_EQ(number[static_cast<std::size_t>(j)], i + j);
      ASSERT_EQ(signed_number[static_cast<std::size_t>(j)], static_cast<std::int8_t>(i + j));
      ASSERT_EQ(found[j], table[(i + j) % 16]);
    }
  }
}

template <class L, class Byte>
void check_bytes() {
  constexpr std::size_t bytes = 4 * L::width;
  Random random(11);
  for (int round = 0; round < 100; ++round) {
    alignas(64) Byte a[bytes], b[bytes], larger[bytes];
    alignas(64) std::int32_t start[L::width], sums[L::width];
    for (std::size_t i = 0; i < bytes; ++i) {
      const auto any = [&] { return static_cast<Byte>(random.bits()); };
      constexpr Byte low = std::numeric_limits<Byte>::min(), high = std::numeric_limits<Byte>::max();
      a[i] = round < 2 ? (round == 0 ? low : high) : any();  // the ends first: nothing saturates
      b[i] = any();
    }
    for (std::size_t i = 0; i < L::width; ++i) start[i] = random.between(-1000000, 1000000);
    const auto load = [](const auto* p) { return L::load_int(reinterpret_cast<const std::int32_t*>(p)); };
    L::store_int(reinterpret_cast<std::int32_t*>(larger), L::template max_bytes<Byte>(load(a), load(b)));
    L::store_int(sums, L::template add_fours<Byte>(load(start), load(a)));
    for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(larger[i], std::max(a[i], b[i]));
    for (std::size_t i = 0; i < L::width; ++i) {
      ASSERT_EQ(sums[i], start[i] + a[4 * i] + a[4 * i + 1] + a[4 * i + 2] + a[4 * i + 3]);
    }
  }
}

TYPED_TEST(Lanes, TakeTheLargerBytesAndAddThemFourByFour) {
  check_bytes<TypeParam, std::int8_t>();
  check_bytes<TypeParam, std::uint8_t>();
}

}  // namespace
}  // namespace quanta::test
