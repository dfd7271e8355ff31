// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which NaN an operation gives differs between CPUs. What leaves the library is the one quiet NaN.
#include <bit>
#include <limits>

#include <quanta/quanta.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

constexpr std::uint32_t kQuietNan = 0x7fc00000u;

// Both scales are finite and their product is not; where the sum is 0 the result is infinity times 0.
TEST(NanBits, OfAScaleProductThatOverflowsAreTheQuietOnes) {
  RowTensor<float, 2> weight(2, 2), x(1, 2);
  weight.setZero();
  weight(0, 0) = 3e38f;
  weight(1, 1) = 3e38f;
  x.setZero();
  x(0, 1) = 3e38f;
  const AsymmetricQuantizer<UInt<8>> activation = AsymmetricQuantizer<UInt<8>>::fit(x);
  for (const auto& y : {DynamicLinear<>(weight)(x), StaticLinear<>(weight, activation)(x)}) {
    EXPECT_EQ(std::bit_cast<std::uint32_t>(y(0, 0)), kQuietNan);
    EXPECT_EQ(y(0, 1), std::numeric_limits<float>::infinity());
  }
}

TEST(NanBits, OfMetricsAreTheQuietOnes) {
  RowTensor<float, 1> x(3);
  x.setConstant(std::numeric_limits<float>::infinity());
  const ErrorMetrics m = error_metrics(x, x);
  for (const double figure : {m.max_error, m.mean_error, m.mse, m.snr_db, m.cosine, m.relative_error}) {
    EXPECT_EQ(std::bit_cast<std::uint64_t>(figure), 0x7ff8000000000000u);
  }
}

}  // namespace
}  // namespace quanta::test
