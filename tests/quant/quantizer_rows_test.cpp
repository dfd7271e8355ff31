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

template <class Q, int rank>
void check_in_one_call(const Dims<rank>& shape, typename Q::GranularityType g = {}) {
  const RowTensor<float, rank> x = uneven_tensor<rank>(shape, 8);
  const auto expected = Q::fit(x, g).quantize(x), got = Q::fit_quantize(x, g), other = Q::fit_quantize(col_major(x), g);
  for (const auto* q : {&got, &other}) {
    ASSERT_EQ(q->params().size(), expected.params().size());
    for (Index p = 0; p < expected.params().size(); ++p) {
      ASSERT_EQ(q->params().scale(p), expected.params().scale(p));
      ASSERT_EQ(q->params().zero_point(p), expected.params().zero_point(p));
    }
    ASSERT_EQ(q->bytes(), expected.bytes());
    ASSERT_TRUE(std::equal(q->data(), q->data() + detail::packed_size(x.size(), Q::FormatType::bits), expected.data()));
  }
}

TEST(QuantizerRows, FitAndQuantizeInOneCall) {
  check_in_one_call<SymmetricQuantizer<Int<8>, PerTensor>, 2>({9, 50});
  check_in_one_call<SymmetricQuantizer<Int<8>, PerChannel<0>>, 2>({9, 50});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<0>>, 3>({3, 5, 7});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<1>>, 3>({3, 5, 7});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<1>>, 3>({1, 5, 7});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<1>>, 2>({9, 50});
  check_in_one_call<AsymmetricQuantizer<Int<16>, PerGroup<16>>, 2>({9, 50});
  check_in_one_call<SymmetricQuantizer<Int<4>, PerGroup<16>>, 2>({9, 50});
  check_in_one_call<SymmetricQuantizer<Int<8>, PerGroup<Dynamic, 0>>, 2>({9, 50}, PerGroup<Dynamic, 0>{4});
  check_in_one_call<SymmetricQuantizer<Int<8>, PerChannel<0>>, 2>({4, 0});
  RowTensor<float, 2> x = random_tensor<2>({4, 20}, 9);
  x.data()[33] = std::numeric_limits<float>::infinity();
  using Q = SymmetricQuantizer<Int<8>, PerChannel<0>>;
  EXPECT_ERROR(Q::fit_quantize(x), "fit", "element 33", "finite");
  EXPECT_EQ(
      Q::fit_quantize(random_tensor<2>({2, 3}, 1), {.full_range = true}, {.rounding = Rounding::half_away}).size(), 6);
}

// Data that is read from beginning to end is quantized from its end on: of several pieces, the first one shorter.
TEST(QuantizerRows, FitAndQuantizeManyRowsInOneCall) {
  check_in_one_call<SymmetricQuantizer<Int<8>, PerChannel<1>>, 2>({600, 1037});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<-1>>, 3>({7, 9000, 5});
  check_in_one_call<AsymmetricQuantizer<UInt<8>, PerChannel<1>>, 3>({2, 3, 100000});
  check_in_one_call<SymmetricQuantizer<Int<8>, PerChannel<1>>, 2>({2, 300000});
  const RowTensor<float, 2> x = uneven_tensor<2>({600, 501}, 8);
  using Q = SymmetricQuantizer<Int<8>, PerChannel<1>>;
  const QuantizeOptions stochastic{.rounding = Rounding::stochastic, .seed = 5};
  EXPECT_TRUE(same_bits(Q::fit_quantize(x, {}, stochastic).codes(), Q::fit(x).quantize(x, stochastic).codes()));
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
