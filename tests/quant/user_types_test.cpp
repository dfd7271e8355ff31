// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A user's own integer format and granularity, without a change to the library.
#include <gtest/gtest.h>

#include "tests/quant/oracle.hpp"

namespace quanta::test {
namespace {

// -1, 0 and 1 in two bits.
struct Ternary {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1;
  static constexpr std::int32_t max = 1;
  static constexpr std::string_view name = "ternary";
};

struct PerRow {
  template <int rank>
  static constexpr bool fits_rank = rank == 2;
  GranularityInfo info() const { return {GranularityKind::per_channel, 0, 0}; }
};

TEST(UserTypes, AnIntegerFormatWorksLikeTheLibrarysOwn) {
  const RowTensor<float, 2> x = random_tensor<2>({9, 37}, 1);
  expect_reference_results<SymmetricQuantizer<Ternary>>(x, {}, {});
  expect_reference_results<SymmetricQuantizer<Ternary, PerGroup<8>>>(x, {}, {Sharing::group, -1, 8});
  EXPECT_EQ(SymmetricQuantizer<Ternary>::fit(x).quantize(x).bytes(), (9 * 37 * 2 + 7) / 8 + 4);
}

TEST(UserTypes, AGranularityWorksLikeTheLibrarysOwn) {
  const RowTensor<float, 2> x = uneven_tensor<2>({9, 37}, 2);
  expect_reference_results<SymmetricQuantizer<Int<8>, PerRow>>(x, {}, {Sharing::channel, 0, 0});
  expect_reference_results<AsymmetricQuantizer<UInt<5>, PerRow>>(x, {}, {Sharing::channel, 0, 0});
}

}  // namespace
}  // namespace quanta::test
