// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Rows whose parameters follow their elements, and short patterns of channels that are repeated: of every small number
// of channels, of so many that blocks and chunks end within a row, with and without zero points.
#include <gtest/gtest.h>

#include "tests/quant/oracle.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

template <int axis, int rank>
void check_channels(const Dims<rank>& shape) {
  SCOPED_TRACE(testing::Message() << "axis " << axis << " of " << shape[rank - 2] << " x " << shape[rank - 1]);
  const RowTensor<float, rank> x = uneven_tensor<rank>(shape, 5);
  using G = PerChannel<axis>;
  ASSERT_NO_FATAL_FAILURE(
      (expect_reference_results<SymmetricQuantizer<Int<8>, G>>(x, G{}, {Sharing::channel, axis, 0})));
  ASSERT_NO_FATAL_FAILURE(
      (expect_reference_results<AsymmetricQuantizer<UInt<8>, G>>(x, G{}, {Sharing::channel, axis, 0})));
}

TEST(QuantizerRows, OfEverySmallNumberOfChannels) {
  const int step = scaled(1, 7);
  for (Index channels = 1; channels <= 130; channels += step) {
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({5, channels})));
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({37, channels})));
  }
}

TEST(QuantizerRows, OfManyChannels) {
  for (const Index channels : {511, 1024, 1037, 2048, 2100, 4100}) {
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({1, channels})));
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({7, channels})));
  }
}

TEST(QuantizerRows, OfManyRowsOfFewChannels) {
  ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({1003, 3})));
  ASSERT_NO_FATAL_FAILURE((check_channels<1, 2>({300, 16})));
  ASSERT_NO_FATAL_FAILURE((check_channels<-1, 3>({20, 31, 5})));
}

TEST(QuantizerRows, OfChannelsThatHaveAFewElementsEach) {
  for (const Index inner : {2, 7, 49, 63, 64, 65}) {
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 3>({9, 6, inner})));
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 3>({2, 70, inner})));
    ASSERT_NO_FATAL_FAILURE((check_channels<1, 3>({1, 6, inner})));
  }
}

TEST(QuantizerRows, OfOtherFormatsAndGroups) {
  const RowTensor<float, 2> x = uneven_tensor<2>({45, 67}, 6);
  expect_reference_results<SymmetricQuantizer<Int<4>, PerChannel<1>>>(x, {}, {Sharing::channel, 1, 0});
  expect_reference_results<AsymmetricQuantizer<Int<16>, PerChannel<1>>>(x, {}, {Sharing::channel, 1, 0});
  expect_reference_results<SymmetricQuantizer<Int<8>, PerGroup<1>>>(x, {}, {Sharing::group, -1, 1});
  expect_reference_results<AsymmetricQuantizer<UInt<8>, PerGroup<8, 0>>>(x, {}, {Sharing::group, 0, 8});
  expect_reference_results<AsymmetricQuantizer<UInt<8>, PerGroup<100, 0>>>(x, {}, {Sharing::group, 0, 100});
}

// Found in the same pass, whichever row or part of a vector it is in.
TEST(QuantizerRows, NameTheFirstElementThatIsNotFinite) {
  using Q = SymmetricQuantizer<Int<8>, PerChannel<1>>;
  for (const Index channels : {3, 16, 21, 100}) {
    for (Index bad = 0; bad < 7 * channels; bad += 5) {
      RowTensor<float, 2> x = random_tensor<2>({7, channels}, 7);
      x.data()[bad] = bad % 2 == 0 ? std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
      x.data()[7 * channels - 1] = -std::numeric_limits<float>::infinity();
      const std::string element = "element " + std::to_string(bad) + " (row-major)";
      EXPECT_ERROR(Q::fit(x), "fit", element, "finite");
      EXPECT_ERROR(Q::fit(col_major(x)), "fit", element, "finite");
    }
  }
}

}  // namespace
}  // namespace quanta::test
