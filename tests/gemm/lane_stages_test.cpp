// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Relu, Clamp and Relu6: on vectors of every kind, as a stage in registers and in memory, and as layers.
#include <cmath>

#include <gtest/gtest.h>

#include <quanta/quanta.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/lane_types.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class L>
class LaneStages : public testing::Test {};
TYPED_TEST_SUITE(LaneStages, AllLanes);

/// NaN as it is; +0 for both zeros.
float clamped(float v, float low, float high) {
  if (std::isnan(v)) return v;
  const float limited = v < low ? low : (v > high ? high : v);
  return limited == 0.0f ? 0.0f : limited;
}

TYPED_TEST(LaneStages, MapEveryLaneAsDefined) {
  using L = TypeParam;
  const std::vector<float> x = mixed_floats(320, 1);
  const auto check = [&](const auto& stage, float low, float high) {
    for (std::size_t i = 0; i < x.size(); i += L::width) {
      float y[L::width];
      L::store(y, stage.template lanes<L>(L::load(&x[i])));
      for (std::size_t j = 0; j < L::width; ++j) ASSERT_EQ(bits_of(y[j]), bits_of(clamped(x[i + j], low, high)));
    }
  };
  check(Relu{}, 0.0f, kInfinity);
  check(Relu6{}, 0.0f, 6.0f);
  check(Clamp(-0.75f, 127.5f), -0.75f, 127.5f);
  check(Clamp(0.5f, 0.5f), 0.5f, 0.5f);
}

TEST(LaneStage, AppliesToEveryLengthAndNoFurther) {
  for (Index n = 0; n <= 70; ++n) {
    const std::vector<float> x = mixed_floats(usize(n) + 1, static_cast<std::uint64_t>(n));
    std::vector<float> y = x;
    Relu6{}.apply(y.data(), n);
    for (Index i = 0; i < n; ++i) ASSERT_EQ(bits_of(y[usize(i)]), bits_of(clamped(x[usize(i)], 0.0f, 6.0f)));
    ASSERT_EQ(bits_of(y[usize(n)]), bits_of(x[usize(n)]));
  }
}

// A stage of which gemm knows nothing but `apply`: with it, those before and after work in memory.
struct Unchanged {
  void apply(float*, Index, Index, Index) const {}
};

TEST(LaneStage, GivesTheSameInRegistersAndInMemory) {
  for (const Index n : {1, 15, 32, 77}) {
    const RowTensor<float, 2> w = random_tensor<2>({n, 30}, 1), x = random_tensor<2>({17, 30}, 2, 20.0f);
    const RowTensor<float, 1> bias = random_tensor<1>({n}, 3, 10.0f);
    const auto rhs = pack(SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(w).quantize(w));
    const auto lhs = AsymmetricQuantizer<UInt<8>>::fit(x).quantize(x);
    RowTensor<float, 2> plain(17, n), registers(17, n), memory(17, n);
    gemm(lhs, rhs, plain, Dequantize{}, AddBias{bias});
    gemm(lhs, rhs, registers, Dequantize{}, AddBias{bias}, Clamp(-9.0f, 50.0f), Relu6{});
    gemm(lhs, rhs, memory, Dequantize{}, AddBias{bias}, Clamp(-9.0f, 50.0f), Unchanged{}, Relu6{});
    EXPECT_TRUE(same_bits(registers, memory));
    for (Index i = 0; i < plain.size(); ++i) plain.data()[i] = clamped(plain.data()[i], 0.0f, 6.0f);
    EXPECT_TRUE(same_bits(registers, plain));
  }
}

TEST(LaneStage, IsALayerToo) {
  const RowTensor<float, 2> x = random_tensor<2>({3, 21}, 4, 10.0f);
  const Sequential model{Clamp(-3.0f, 4.0f), Relu6{}};
  const auto y = model(x);
  for (Index i = 0; i < x.size(); ++i) EXPECT_EQ(y.data()[i], clamped(x.data()[i], 0.0f, 4.0f));
  EXPECT_EQ(Clamp(-3.0f, 4.0f).name(), "Clamp");
  EXPECT_EQ(Relu6{}.name(), "Relu6");
}

TEST(ClampStage, RefusesBoundsThatAreTheWrongWayRound) {
  EXPECT_ERROR(Clamp(1.0f, -1.0f), "Clamp", "1", "-1");
  EXPECT_ERROR(Clamp(kNan, 1.0f), "Clamp", "nan");
}

}  // namespace
}  // namespace quanta::test
