// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Tensors and views made from codes that came from elsewhere.
#include <gtest/gtest.h>

#include <quanta/quant/quantized_tensor.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

template <class F>
class QuantizedTensorOf : public testing::Test {};
using Formats = testing::Types<Int<2>, Int<3>, Int<4>, Int<5>, Int<6>, Int<7>, Int<8>, Int<16>,  //
                               UInt<2>, UInt<3>, UInt<4>, UInt<5>, UInt<6>, UInt<7>, UInt<8>, UInt<16>>;
TYPED_TEST_SUITE(QuantizedTensorOf, Formats);

template <class F>
RowTensor<typename F::Code, 1> all_codes() {
  RowTensor<typename F::Code, 1> codes(F::max - F::min + 1);
  for (Index i = 0; i < codes.size(); ++i) codes(i) = static_cast<typename F::Code>(F::min + i);
  return codes;
}

TYPED_TEST(QuantizedTensorOf, TakesEveryCodeOfTheFormatTheMostNegativeIncluded) {
  using F = TypeParam;
  const auto codes = all_codes<F>();
  const std::int32_t zero_point = F::min / 2 + 1;
  const QuantizedTensor<F, 1> tensor(codes, QuantParams<PerTensor>(0.3f, zero_point));
  EXPECT_TRUE(same_bits(tensor.codes(), codes));
  const auto reals = tensor.dequantize();
  for (Index i = 0; i < codes.size(); ++i) {
    ASSERT_EQ(bits_of(reals(i)), bits_of(reference::real(F::min + i, {0.3f, zero_point})));
  }
}

TYPED_TEST(QuantizedTensorOf, RefusesCodesOutsideTheFormatAndNamesThem) {
  using F = TypeParam;
  using Code = typename F::Code;
  if constexpr (F::bits != 8 && F::bits != 16) {  // of those every value of Code is a code
    for (const int bad : {F::min - 1, F::max + 1}) {
      if (bad < 0 && !F::is_signed) continue;
      RowTensor<Code, 2> codes(3, 2);
      codes.setZero();
      codes(2, 0) = static_cast<Code>(bad);
      const QuantParams<PerTensor> params(1.0f);
      EXPECT_ERROR((QuantizedTensor<F, 2>(codes, params)), "QuantizedTensor: code 4 is " + std::to_string(bad),
                   std::to_string(F::min) + " to " + std::to_string(F::max));
      EXPECT_ERROR((QuantizedTensor<F, 2>(col_major(codes), params)), "code 4 is " + std::to_string(bad));
    }
  } else {
    EXPECT_EQ(F::min, std::numeric_limits<Code>::min());
    EXPECT_EQ(F::max, std::numeric_limits<Code>::max());
  }
}

TEST(QuantizedTensor, KeepsLogicalOrderWhateverCameIn) {
  Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic> m(2, 3);
  m << -8, 1, 2, 3, 4, 7;
  const QuantParams<PerChannel<0>> params(std::vector<float>{0.5f, 2.0f});
  const QuantizedTensor<Int<4>, 2, PerChannel<0>> tensor(m, params);
  EXPECT_EQ(tensor.shape(), (Shape<2>{2, 3}));
  EXPECT_EQ(tensor.extent(1), 3);
  EXPECT_EQ(tensor.size(), 6);
  const RowTensor<std::int8_t, 2> codes = tensor.codes();
  EXPECT_EQ(codes(0, 0), -8);
  EXPECT_EQ(codes(1, 0), 3);
  EXPECT_EQ(tensor.dequantize()(0, 0), -4.0f);
  EXPECT_EQ(tensor.dequantize()(1, 2), 14.0f);
  // 1000 x 3: more than one chunk of a matrix that is not in logical order
  Eigen::Matrix<std::int8_t, Eigen::Dynamic, Eigen::Dynamic> large(1000, 3);
  for (Index i = 0; i < 3000; ++i) large(i / 3, i % 3) = static_cast<std::int8_t>(i % 16 - 8);
  const QuantizedTensor<Int<4>, 2> stored(large, QuantParams<PerTensor>(1.0f));
  for (Index i = 0; i < 3000; ++i) ASSERT_EQ(stored.codes().data()[i], i % 16 - 8);
}

TEST(QuantizedTensor, CopiesDeeplyAndConvertsToItsView) {
  const QuantizedTensor<Int<8>, 1> a(all_codes<Int<8>>(), QuantParams<PerTensor>(0.5f));
  const QuantizedTensor<Int<8>, 1> b = a;  // NOLINT: the copy is what is tested
  EXPECT_NE(a.data(), b.data());
  EXPECT_TRUE(same_bits(a.codes(), b.codes()));
  const QuantizedView<Int<8>, 1> view = a;
  EXPECT_EQ(view.data(), a.data());
  EXPECT_EQ(view.size(), 256);
  EXPECT_TRUE(same_bits(view.codes(), a.codes()));
}

TEST(QuantizedTensor, RefusesParametersThatDoNotFitTheShape) {
  RowTensor<std::int8_t, 2> codes(3, 4);
  codes.setZero();
  const QuantParams<PerChannel<0>> two(std::vector<float>{1.0f, 1.0f});
  EXPECT_ERROR((QuantizedTensor<Int<8>, 2, PerChannel<0>>(codes, two)), "QuantizedTensor: 2 scales", "shape (3, 4)",
               "has 3");
  const QuantParams<PerGroup<3>> three(std::vector<float>(3, 1.0f));
  EXPECT_ERROR((QuantizedTensor<Int<8>, 2, PerGroup<3>>(codes, three)), "3 scales", "(3, 4)", "has 6");
  const QuantParams<PerTensor> far(1.0f, 8);
  EXPECT_ERROR((QuantizedTensor<Int<4>, 2>(codes, far)), "zero point 0 is 8", "-8 to 7");
}

TEST(QuantizedTensor, FromPackedChecksTheNumberOfBytes) {
  const QuantParams<PerTensor> params(1.0f);
  using Q = QuantizedTensor<Int<3>, 2>;
  EXPECT_NO_THROW(Q::from_packed({3, 3}, Buffer<std::byte>(4, std::byte{0}), params));  // 27 bits
  EXPECT_ERROR(Q::from_packed({3, 3}, Buffer<std::byte>(3, std::byte{0}), params), "3 bytes", "shape (3, 3)",
               "expected 4");
  EXPECT_ERROR(Q::from_packed({3, 3}, Buffer<std::byte>(9, std::byte{0}), params), "9 bytes", "expected 4");
  EXPECT_ERROR(Q::from_packed({-1, -1}, Buffer<std::byte>(1, std::byte{0}), params), "(-1, -1)");
}

TEST(QuantizedView, ReadsAUsersBuffer) {
  // Int<4>, two codes a byte, the first in the low half: 1, -1, 7, -8, 3
  const unsigned char bytes[] = {0xf1, 0x87, 0x03};
  const float scales[] = {0.5f, 2.0f};
  const std::int32_t zero_points[] = {1, 0};
  using G = PerGroup<3>;
  const QuantizedView<Int<4>, 1, G> view(reinterpret_cast<const std::byte*>(bytes), {5}, {scales, zero_points, 2});
  EXPECT_EQ(logical_order(view.codes()), (std::vector<std::int8_t>{1, -1, 7, -8, 3}));
  EXPECT_EQ(logical_order(view.dequantize()), (std::vector<float>{0.0f, -1.0f, 3.0f, -16.0f, 6.0f}));
  EXPECT_EQ(view.params().scale(1), 2.0f);
  // 16-bit codes at an odd address
  const unsigned char words[] = {0xff, 0x00, 0x80, 0x02, 0x01};
  const QuantizedView<Int<16>, 1> odd(reinterpret_cast<const std::byte*>(words + 1), {2}, {scales, nullptr, 1});
  EXPECT_EQ(logical_order(odd.codes()), (std::vector<std::int16_t>{-32768, 258}));
  EXPECT_EQ(odd.dequantize()(1), 129.0f);
}

TEST(QuantizedView, RefusesWhatDoesNotFit) {
  const std::byte bytes[16] = {};
  const float scales[] = {0.5f, 2.0f};
  const std::int32_t zero_points[] = {0, 300};
  using View = QuantizedView<UInt<8>, 2, PerChannel<0>>;
  EXPECT_ERROR(View(bytes, {3, 2}, {scales, nullptr, 2}), "QuantizedView", "2 scales", "(3, 2)", "has 3");
  EXPECT_ERROR(View(bytes, {2, 2}, {scales, zero_points, 2}), "zero point 1 is 300", "0 to 255");
  const float bad_scales[] = {0.5f, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_ERROR(View(bytes, {2, 2}, {bad_scales, nullptr, 2}), "scale 1 is ", "2^-126");
  EXPECT_ERROR(View(bytes, {2, -2}, {scales, nullptr, 2}), "shape (2, -2)", "negative");
}

TEST(QuantizedView, NamesTheFirstBadScaleOfMany) {
  constexpr float kLargest = std::numeric_limits<float>::max(), kInfinity = std::numeric_limits<float>::infinity();
  const std::vector<std::byte> bytes(1000);
  const auto view = [&](const std::vector<float>& scales) {
    return QuantizedView<Int<8>, 2, PerChannel<0>>(bytes.data(), {1000, 1}, {scales.data(), nullptr, 1000});
  };
  std::vector<float> scales(1000, 0x1p-126f);
  scales[3] = kLargest;
  EXPECT_NO_THROW(view(scales));
  for (const Index at : {0, 255, 256, 700, 999}) {
    for (const float bad : {0.0f, -0.0f, -1.0f, 0x1p-127f, kInfinity, -kInfinity, kInfinity - kInfinity}) {
      std::vector<float> some = scales;
      some[usize(at)] = some.back() = bad;
      EXPECT_ERROR(view(some), "QuantizedView: scale " + std::to_string(at) + " is ", "at least 2^-126");
    }
  }
}

TEST(QuantizedView, RefusesShapesWhoseSizeOverflows) {
  const float scale = 1.0f;
  const std::byte none{};
  const Index large = Index{1} << 33;
  EXPECT_ERROR((QuantizedView<Int<8>, 2>(&none, {large, large}, {&scale, nullptr, 1})), "too large");
  EXPECT_ERROR((QuantizedView<Int<8>, 2>(&none, {-1, 2}, {&scale, nullptr, 1})), "negative extent");
  EXPECT_ERROR((QuantizedTensor<Int<4>, 3>::from_packed({large, large, 2}, {}, QuantParams<PerTensor>(1.0f))),
               "too large");
  EXPECT_EQ((QuantizedView<Int<8>, 2>(&none, {0, large}, {&scale, nullptr, 1}).size()), 0);
}

}  // namespace
}  // namespace quanta::test
