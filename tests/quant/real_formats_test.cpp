// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantizers of formats that are not integers: scales, codes and reals against oracles, element by element.
#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

#include "tests/quant/format_cases.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

using Share = reference::Sharing;

template <class F, class G, Share::Kind kind, int axis = 0, long size = 0>
struct RealCase {
  using Quantizer = SymmetricQuantizer<F, G>;
  static constexpr Share sharing{kind, axis, size};
};

template <class C>
class RealFormats : public testing::Test {};
using RealCases =
    testing::Types<RealCase<NF4, PerGroup<64>, Share::group, 1, 64>, RealCase<FP4, PerGroup<7>, Share::group, 1, 7>,
                   RealCase<E2M1, PerGroup<5, 0>, Share::group, 0, 5>, RealCase<E4M3, PerTensor, Share::tensor>,
                   RealCase<E5M2, PerChannel<1>, Share::channel, 1>, RealCase<Fp16, PerChannel<0>, Share::channel, 0>>;
TYPED_TEST_SUITE(RealFormats, RealCases);

/// Every result for x is the oracle's. Scales are those of the format's largest level.
template <class C, int rank>
void expect_oracle_results(const RowTensor<float, rank>& x) {
  using Q = typename C::Quantizer;
  using F = typename Q::FormatType;
  const std::vector<double> levels = levels_of<F>();
  Dims<rank> shape;
  for (std::size_t d = 0; d < shape.size(); ++d) shape[d] = x.dimension(d);
  std::size_t count = 0;
  const std::vector<std::size_t> numbers = reference::parameter_numbers(shape, C::sharing, count);
  std::vector<float> amax(count, 0.0f), scales;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    amax[numbers[i]] = std::max(amax[numbers[i]], std::fabs(x.data()[i]));
  }
  for (const float a : amax) {
    const float scale = reference::to_float(static_cast<double>(a) / largest(levels));
    scales.push_back(a == 0.0f ? 1.0f : reference::at_least_normal(scale));
  }
  const Q quantizer = Q::fit(x);
  ASSERT_EQ(quantizer.params().size(), static_cast<Index>(count));
  for (std::size_t p = 0; p < count; ++p) {
    ASSERT_EQ(quantizer.params().scale(static_cast<Index>(p)), scales[p]) << p;
  }
  const bool is_float = !CodebookFormat<F>;
  const auto prefer = [&](int a, int b) { return is_float ? a % 2 == 0 && b % 2 != 0 : a < b; };
  const NearestOracle oracle(levels, prefer);
  const auto quantized = quantizer.quantize(x);
  const auto codes = quantized.codes();
  const auto reals = quantized.dequantize();
  const int sign = static_cast<int>(levels.size() / 2);
  for (Index i = 0; i < x.size(); ++i) {
    const float scale = scales[numbers[static_cast<std::size_t>(i)]];
    const float quotient = reference::quotient(x.data()[i], scale);
    int code = oracle.code(is_float ? std::fabs(quotient) : quotient);
    if (is_float) code = code % sign + (std::signbit(quotient) ? sign : 0);
    ASSERT_EQ(int{codes.data()[i]}, code) << i << ": " << x.data()[i];
    const double exact = static_cast<double>(scale) * levels[static_cast<std::size_t>(code)];
    const double limit = std::numeric_limits<float>::max();
    ASSERT_EQ(bits_of(reals.data()[i]), bits_of(static_cast<float>(std::clamp(exact, -limit, limit)))) << i;
  }
  EXPECT_TRUE(same_bits(quantizer.fake_quantize(x), reals));
  const auto other_order = quantizer.quantize(col_major(x));
  EXPECT_TRUE(same_bits(other_order.codes(), codes));
  EXPECT_TRUE(same_bits(Q::fit_quantize(x).codes(), codes));
  const auto columns = other_order.template dequantize<Eigen::ColMajor>();
  EXPECT_TRUE(same_bits(logical_order(columns), logical_order(reals)));
}

TYPED_TEST(RealFormats, AreWhatTheOracleSays) {
  expect_oracle_results<TypeParam>(random_tensor<2>({23, 77}, 1));
  expect_oracle_results<TypeParam>(random_tensor<2>({1, 1}, 2));
  expect_oracle_results<TypeParam>(random_tensor<2>({3, 300}, 3, 1e-3f));
  expect_oracle_results<TypeParam>(RowTensor<float, 2>(0, 5));
}

TYPED_TEST(RealFormats, TakeZerosSubnormalAndHugeNumbers) {
  RowTensor<float, 2> x = random_tensor<2>({12, 70}, 4);
  const float sizes[] = {0.0f,     1e-45f, 0x1p-140f, 0x1p-126f, 1e-20f, 1e20f,
                         0x1p120f, 1.0f,   3e37f,     0x1p-120f, 7.0f,   0.0f};
  for (Index r = 0; r < 12; ++r) {
    for (Index c = 0; c < 70; ++c) x(r, c) *= sizes[r];
  }
  expect_oracle_results<TypeParam>(x);
}

TYPED_TEST(RealFormats, SaturateInfinityAndKeepOrZeroNan) {
  using Q = typename TypeParam::Quantizer;
  using F = typename Q::FormatType;
  RowTensor<float, 2> x = random_tensor<2>({20, 70}, 5);
  const Q quantizer = Q::fit(x);
  x(3, 4) = kInfinity;
  x(5, 69) = -kInfinity;
  x(6, 0) = kNan;
  const auto y = quantizer.quantize(x).dequantize();
  const ParamMap map = param_map(quantizer.params().granularity().info(), Shape<2>{20, 70});
  const float most = static_cast<float>(largest(levels_of<F>()));
  EXPECT_EQ(y(3, 4), quantizer.params().scale(map(3 * 70 + 4)) * most);
  EXPECT_EQ(y(5, 69), quantizer.params().scale(map(5 * 70 + 69)) * -most);
  if constexpr (FloatingFormat<F>) {
    EXPECT_EQ(std::isnan(y(6, 0)), F::specials != Specials::none);
  }
  EXPECT_TRUE(std::isnan(y(6, 0)) || y(6, 0) == 0.0f);
  EXPECT_ERROR(Q::fit(x), "fit", "element 214");
}

// Formats without a scale: the conversion itself.
template <class F>
void check_unscaled() {
  static_assert(std::is_same_v<DefaultGranularity<F>, Unscaled>);
  const SymmetricQuantizer<F> quantizer;
  RowTensor<float, 2> x = random_tensor<2>({31, 67}, 6);
  x(2, 3) = kInfinity;
  x(2, 4) = 1e-7f;
  x(2, 5) = -1e-40f;
  const auto y = quantizer.quantize(x);
  EXPECT_EQ(y.bytes(), 31 * 67 * 2);
  EXPECT_EQ(y.params().size(), 0);
  const NearestOracle oracle(levels_of<F>(), [](int a, int b) { return a % 2 == 0 && b % 2 != 0; });
  const std::vector<double> levels = levels_of<F>();
  const auto reals = y.dequantize();
  for (Index i = 0; i < x.size(); ++i) {
    const double level = levels[static_cast<std::size_t>(oracle.code(std::fabs(x.data()[i])))];
    ASSERT_EQ(static_cast<double>(reals.data()[i]), std::copysign(level, x.data()[i])) << i;
  }
  EXPECT_TRUE(same_bits(quantizer.fake_quantize(x), reals));
  EXPECT_ERROR(SymmetricQuantizer<F>::fit(x), "fit", "element 137", "inf");
  EXPECT_EQ(SymmetricQuantizer<F>::fit(random_tensor<1>({5}, 1)).params().size(), 0);
  // What a tensor from elsewhere holds comes through: infinity and NaN.
  const Eigen::Matrix<std::uint16_t, 1, 2> codes(F::exponent_bits == 5 ? 0x7c00 : 0x7f80, 0xffff);
  const auto specials = QuantizedTensor<F, 1>(codes, QuantParams<Unscaled>()).dequantize();
  EXPECT_EQ(specials(0), kInfinity);
  EXPECT_TRUE(std::isnan(specials(1)));
}

TEST(UnscaledFormats, AreConversions) {
  check_unscaled<Fp16>();
  check_unscaled<Bf16>();
}

// Scales and zero of formats that are not alike on both sides: nothing is clipped.
struct Lopsided {
  using Code = std::uint8_t;
  static constexpr int bits = 2;
  static constexpr std::string_view name = "lopsided";
  static constexpr std::array<float, 4> levels = {-1.0f, 0.0f, 2.0f, 4.0f};
  using DefaultGranularity = PerChannel<0>;
};
struct Positive : Lopsided {
  static constexpr std::array<float, 4> levels = {0.0f, 1.0f, 2.0f, 3.0f};
};

TEST(UserCodebooks, ReachOverTheRangeOnEverySideTheyHave) {
  Eigen::MatrixXf x(3, 2);
  x << 8, -1, 8, -3, -1, -2;
  const auto scales = SymmetricQuantizer<Lopsided>::fit(x).params();
  EXPECT_EQ(scales.scale(0), 2.0f);  // 8 / 4
  EXPECT_EQ(scales.scale(1), 3.0f);  // 3 / 1
  EXPECT_EQ(scales.scale(2), 2.0f);
  const auto positive = SymmetricQuantizer<Positive, PerTensor>::fit(x);
  EXPECT_EQ(positive.params().scale(0), 8.0f / 3.0f);
  EXPECT_EQ(positive.quantize(x).codes()(1, 1), 0);
}

TEST(RealQuantizers, RejectWhatTheyCannotDo) {
  const RowTensor<float, 1> x = random_tensor<1>({4}, 7);
  const SymmetricQuantizer<NF4, PerTensor> quantizer(0.5f);
  EXPECT_ERROR(quantizer.quantize(x, {.rounding = Rounding::stochastic}), "quantize", "rounding", "nf4");
  EXPECT_ERROR(quantizer.fake_quantize(x, {.rounding = Rounding::half_away}), "fake_quantize", "half_even");
  EXPECT_ERROR((SymmetricQuantizer<E4M3, PerTensor>(0.5f, 1)), "zero point", "expected 0");
  const Eigen::Matrix<std::uint8_t, 1, 2> codes(15, 16);
  EXPECT_ERROR((QuantizedTensor<NF4, 1, PerTensor>(codes, QuantParams<PerTensor>(1.0f))), "code 1 is 16", "0 to 15");
  EXPECT_ERROR((QuantizedTensor<Positive, 1, PerTensor>(codes, QuantParams<PerTensor>(1.0f))), "code 0 is 15", "3");
  EXPECT_ERROR((QuantParams<Unscaled>(std::vector<float>{1.0f})), "1 scales", "none");
}

}  // namespace
}  // namespace quanta::test
