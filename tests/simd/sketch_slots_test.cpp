// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The pass that sorts floats into the bins of a sketch, and the integer lanes it is made of, with every lane type.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/simd/sketch_slots.hpp>

#include "tests/support/lane_types.hpp"
#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

template <class L>
class SketchLanes : public testing::Test {};
TYPED_TEST_SUITE(SketchLanes, AllLanes);

std::int32_t any_int(Random& random) {
  static const std::int32_t special[] = {
      0, 1, -1, 2, 255, 1 << 23, std::numeric_limits<std::int32_t>::max(), std::numeric_limits<std::int32_t>::min()};
  return random.between(0, 1) == 0 ? special[random.between(0, 7)] : static_cast<std::int32_t>(random.bits() >> 32);
}

template <class L, int n>
void check_shift(const std::vector<std::int32_t>& a) {
  const std::vector<std::int32_t> got = integers<L>(L::template shift_right<n>(L::load_int(a.data())));
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::int64_t unsigned_value = a[i] < 0 ? std::int64_t{a[i]} + (std::int64_t{1} << 32) : a[i];
    ASSERT_EQ(static_cast<std::uint32_t>(got[i]), static_cast<std::uint32_t>(unsigned_value / (std::int64_t{1} << n)))
        << a[i] << " >> " << n;
  }
}

TYPED_TEST(SketchLanes, MinAndShiftOfIntegers) {
  using L = TypeParam;
  Random random(1);
  for (int round = 0; round < 500; ++round) {
    std::vector<std::int32_t> a, b;
    for (int i = 0; i < L::width; ++i) {
      a.push_back(any_int(random));
      b.push_back(any_int(random));
    }
    const auto x = L::load_int(a.data()), y = L::load_int(b.data());
    const std::vector<std::int32_t> least = integers<L>(L::min_int(x, y)), both = integers<L>(L::and_int(x, y));
    for (std::size_t i = 0; i < L::width; ++i) {
      ASSERT_EQ(least[i], a[i] < b[i] ? a[i] : b[i]);
      for (int bit = 0; bit < 32; ++bit) {
        const std::uint32_t mask = 1u << bit;
        const bool in_a = (static_cast<std::uint32_t>(a[i]) & mask) != 0,
                   in_b = (static_cast<std::uint32_t>(b[i]) & mask) != 0;
        ASSERT_EQ((static_cast<std::uint32_t>(both[i]) & mask) != 0, in_a && in_b);
      }
    }
    check_shift<L, 1>(a);
    check_shift<L, 13>(a);
    check_shift<L, 15>(a);
    check_shift<L, 17>(a);
    check_shift<L, 31>(a);
  }
}

TYPED_TEST(SketchLanes, SignMaskIsAllOnesForEverySignBit) {
  using L = TypeParam;
  std::vector<float> x = special_floats();
  x.resize((x.size() + 15) / 16 * 16, -0.0f);
  for (std::size_t i = 0; i < x.size(); i += L::width) {
    const std::vector<std::int32_t> got = integers<L>(L::sign_mask(L::load(&x[i])));
    for (std::size_t j = 0; j < L::width; ++j) ASSERT_EQ(got[j], std::signbit(x[i + j]) ? -1 : 0) << x[i + j];
  }
}

// What one value's slot must be, by division; `spare` stands for any of the slots below the window.
template <int shift, int spare>
std::int64_t expected_slot(float v, std::int32_t base, std::int32_t half) {
  const std::int64_t magnitude = std::int64_t{std::bit_cast<std::uint32_t>(std::fabs(v))};
  const std::int64_t in_window = magnitude / (std::int64_t{1} << shift) - base;
  return (std::signbit(v) ? 0 : half) + (in_window < 0 ? -1 : in_window + spare);
}

template <class L, int shift, int spare>
void check_slots(const std::vector<float>& x, Index n, std::int32_t base, std::int32_t half) {
  constexpr std::int32_t guard = -77;
  std::vector<std::int32_t> slots(static_cast<std::size_t>(n) + 2, guard);
  const Index nonzero = simd::sketch_slots<shift, spare, L>(x.data() + 1, n, base, half, slots.data() + 1);
  Index expected_nonzero = 0;
  for (Index i = 0; i < n; ++i) {
    const float v = x[usize(i) + 1];
    expected_nonzero += v != 0.0f ? 1 : 0;
    const std::int64_t expected = expected_slot<shift, spare>(v, base, half), got = slots[usize(i) + 1];
    if (expected == -1 || expected == half - 1) {
      ASSERT_GE(got, expected + 1) << v;
      ASSERT_LE(got, expected + spare) << v;
    } else {
      ASSERT_EQ(got, expected) << v;
    }
  }
  ASSERT_EQ(nonzero, expected_nonzero);
  ASSERT_EQ(slots.front(), guard);
  ASSERT_EQ(slots.back(), guard);
}

TYPED_TEST(SketchLanes, SlotsAreTheLeadingBitsAtEveryLength) {
  using L = TypeParam;
  std::vector<float> x = {7.0f};  // one off alignment
  for (const float v : mixed_floats(200, 5)) {
    if (std::isfinite(v)) x.push_back(v);
  }
  for (const float v : {0.0f, -0.0f, 0x1p-149f, -0x1p-149f, 0x1.fffffep-127f, 0x1p-126f}) x.insert(x.begin() + 3, v);
  ASSERT_GE(x.size(), 73u);
  for (Index n = 0; n <= 70; ++n) {
    ASSERT_NO_FATAL_FAILURE((check_slots<L, 15, 8>(x, n, 97 << 8, 8000)));
    ASSERT_NO_FATAL_FAILURE((check_slots<L, 17, 8>(x, n, 0, 16400)));
    ASSERT_NO_FATAL_FAILURE((check_slots<L, 17, 8>(x, n, 1, 16400)));
    ASSERT_NO_FATAL_FAILURE((check_slots<L, 13, 1>(x, n, 120 << 10, 40000)));
    ASSERT_NO_FATAL_FAILURE((check_slots<L, 22, 4>(x, n, 252, 1000)));
  }
}

TYPED_TEST(SketchLanes, ValuesBelowTheWindowTakeTheSpareSlotsInTurn) {
  const std::vector<float> zeros(64, 0.0f);
  std::vector<std::int32_t> slots(64);
  EXPECT_EQ((simd::sketch_slots<15, 8, TypeParam>(zeros.data(), 64, 100, 1000, slots.data())), 0);
  std::vector<int> used(8, 0);
  for (const std::int32_t slot : slots) ++used[usize(slot - 1000)];
  EXPECT_EQ(used, std::vector<int>(8, 8));
}

}  // namespace
}  // namespace quanta::test
