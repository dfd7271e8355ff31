// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/quant/params.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

TEST(QuantParams, AreBuiltFromNumbersAndRangesOfThem) {
  const QuantParams<PerTensor> one(0.5f, 3);
  EXPECT_EQ(one.size(), 1);
  EXPECT_EQ(one.scale(0), 0.5f);
  EXPECT_EQ(one.zero_point(0), 3);
  const QuantParams<PerChannel<0>> listed({0.5f, 0.25f}, {1, -1});
  EXPECT_EQ(listed.scale(1), 0.25f);
  EXPECT_EQ(listed.zero_point(1), -1);
  const std::vector<double> scales{0.5, 1.0 / 3.0};
  const std::vector<std::int8_t> zero_points{-128, 127};
  const QuantParams<PerChannel<0>> vectors(scales, zero_points);
  EXPECT_EQ(vectors.scale(1), 1.0f / 3.0f);
  EXPECT_EQ(vectors.zero_point(0), -128);
  const Eigen::VectorXf eigen = Eigen::VectorXf::Constant(4, 2.0f);
  const QuantParams<PerGroup<Dynamic>> groups(eigen, PerGroup<Dynamic>{7});
  EXPECT_EQ(groups.size(), 4);
  EXPECT_EQ(groups.granularity().size(), 7);
  EXPECT_EQ(groups.zero_point(3), 0);
}

TEST(QuantParams, StoreZeroPointsOnlyWhenOneIsNotZero) {
  const std::vector<float> scales(10, 1.0f);
  for (const bool zero : {true, false}) {
    const std::int64_t before = allocations().live_bytes;
    std::vector<int> zero_points(10, 0);
    zero_points[9] = zero ? 0 : 1;
    const std::int64_t own = allocations().live_bytes;
    const QuantParams<PerChannel<0>> params(scales, zero_points);
    EXPECT_EQ(params.bytes(), zero ? 40 : 80);
    EXPECT_EQ(allocations().live_bytes - own, params.bytes());
    EXPECT_EQ(params.data().zero_points == nullptr, zero);
    EXPECT_EQ(params.data().zero_point(9), zero ? 0 : 1);
    EXPECT_EQ(own - before, 40);
  }
}

TEST(QuantParams, CopyDeeply) {
  const QuantParams<PerChannel<0>> a({0.5f, 0.25f}, {1, 2});
  const QuantParams<PerChannel<0>> b = a;  // NOLINT: the copy is what is tested
  EXPECT_NE(a.data().scales, b.data().scales);
  EXPECT_NE(a.data().zero_points, b.data().zero_points);
  EXPECT_EQ(b.zero_point(1), 2);
}

TEST(QuantParams, RefuseScalesThatAreNotScales) {
  using Limits = std::numeric_limits<float>;
  for (const float scale : {0.0f, -0.0f, -1.0f, Limits::infinity(), -Limits::infinity(), Limits::quiet_NaN(), 1e-40f,
                            0x1.fffffcp-127f, Limits::denorm_min()}) {
    EXPECT_ERROR(QuantParams<PerTensor>(scale), "QuantParams: scale 0 is ", "2^-126");
    const std::vector<float> scales{1.0f, 1.0f, scale};
    EXPECT_ERROR(QuantParams<PerChannel<0>>(scales), "scale 2 is ", "finite", "at least 2^-126");
  }
  EXPECT_ERROR(QuantParams<PerTensor>(-0.5f), "scale 0 is -0.5");
  EXPECT_ERROR(QuantParams<PerTensor>(Limits::quiet_NaN()), "nan");
  const std::vector<double> underflows{1e-300};
  EXPECT_ERROR(QuantParams<PerTensor>(underflows), "scale 0 is 0");
  EXPECT_NO_THROW(QuantParams<PerTensor>(0x1p-126f));
  EXPECT_NO_THROW(QuantParams<PerTensor>{Limits::max()});
}

TEST(QuantParams, RefuseAnotherNumberOfZeroPoints) {
  EXPECT_ERROR((QuantParams<PerChannel<0>>({1.0f, 1.0f, 1.0f}, {1, 2})), "QuantParams", "2 zero points", "3 scales");
  const std::vector<float> scales(2, 1.0f);
  const std::vector<int> none, zeros(3, 0);
  EXPECT_ERROR((QuantParams<PerChannel<0>>(scales, none)), "0 zero points", "2 scales");
  EXPECT_ERROR((QuantParams<PerChannel<0>>(scales, zeros)), "3 zero points", "2 scales");
}

TEST(QuantParams, RefuseZeroPointsThatInt32CannotHold) {
  const std::vector<float> scales(2, 1.0f);
  const std::vector<std::int64_t> wraps{0, std::int64_t{1} << 32};
  EXPECT_ERROR((QuantParams<PerChannel<0>>(scales, wraps)), "zero point 1 is 4294967296");
  const std::vector<std::uint32_t> large{0xffffffffu, 0};
  EXPECT_ERROR((QuantParams<PerChannel<0>>(scales, large)), "zero point 0 is 4294967295");
}

TEST(QuantParams, PerTensorIsOneScale) {
  EXPECT_ERROR(QuantParams<PerTensor>(std::vector<float>{}), "0 scales", "expected one");
  EXPECT_ERROR(QuantParams<PerTensor>(std::vector<float>{0.1f, 0.2f}), "2 scales", "expected one");
  EXPECT_ERROR(AsymmetricQuantizer<UInt<8>>::fit(std::vector<Range>{}), "0 scales");
}

}  // namespace
}  // namespace quanta::test
