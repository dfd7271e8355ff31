// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Scales that are held as codes: how they are rounded, what they take, and that they are what quantizing uses.
#include <gtest/gtest.h>

#include <quanta/quant/any_quantized_tensor.hpp>
#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/quant/format_cases.hpp"
#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

/// The smallest level that is not below v.
double level_above(const std::vector<double>& levels, double v) {
  double best = kInfinity;
  for (const double level : levels) best = level >= v ? std::min(best, level) : best;
  return best;
}

std::vector<double> powers_of_two() {
  std::vector<double> powers;
  for (int k = -126; k <= 127; ++k) powers.push_back(std::ldexp(1.0, k));
  return powers;
}

template <class S>
void check_one_level(const std::vector<double>& levels, double least, double most) {
  std::vector<float> scales;
  Random random(1);
  while (scales.size() < 3000) {
    const float scale = std::fabs(random.any_finite_float());
    if (scale >= 0x1p-126f && static_cast<double>(scale) >= least && static_cast<double>(scale) <= most) {
      scales.push_back(scale);
    }
  }
  for (const double level : levels) {  // and those that can be held, and their neighbours
    const float v = static_cast<float>(level);
    for (const float scale : {std::nextafter(v, 0.0f), v, std::nextafter(v, kMax)}) {
      if (level > 0.0 && scale >= 0x1p-126f && static_cast<double>(scale) <= most) scales.push_back(scale);
    }
  }
  using G = WithScales<PerChannel<0>, S>;
  const QuantParams<G> params(scales);
  EXPECT_EQ(params.size(), static_cast<Index>(scales.size()));
  EXPECT_EQ(params.bytes(), params.size() * Index{sizeof(typename S::Code)});
  for (std::size_t i = 0; i < scales.size(); ++i) {
    const double expected = level_above(levels, static_cast<double>(scales[i]));
    ASSERT_EQ(static_cast<double>(params.scale(static_cast<Index>(i))), expected) << scales[i];
  }
}

TEST(HeldScales, AreTheSmallestThatIsNotBelow) {
  check_one_level<E8M0>(powers_of_two(), 0.0, 0x1p127);
  check_one_level<E4M3>(levels_of<E4M3>(), 0.0, 448.0);
  check_one_level<E5M2>(levels_of<E5M2>(), 0.0, 57344.0);
  // 16 bits have too many levels to look through all of them for every scale: those near one are enough.
  for (const float scale : {1e-30f, 6e-8f, 1e-5f, 0.1f, 1.0f, 1.00048828f, 3.14159f, 65504.0f}) {
    EXPECT_EQ(static_cast<double>(QuantParams<WithScales<PerTensor, Fp16>>(scale).scale(0)),
              level_above(levels_of<Fp16>(), static_cast<double>(scale)));
    EXPECT_EQ(static_cast<double>(QuantParams<WithScales<PerTensor, Bf16>>(scale).scale(0)),
              level_above(levels_of<Bf16>(), static_cast<double>(scale)));
  }
}

TEST(HeldScales, RejectWhatTheirTypeCannotHold) {
  EXPECT_ERROR((QuantParams<WithScales<PerChannel<0>, E4M3>>(std::vector<float>{1.0f, 449.0f})), "scale 1 is 449",
               "e4m3", "448");
  EXPECT_ERROR((QuantParams<WithScales<PerTensor, Fp16>>(65505.0f)), "fp16", "65504");
  EXPECT_ERROR((QuantParams<WithScales<PerTensor, E8M0>>(1.5e-39f)), "2^-126");
  EXPECT_ERROR((QuantParams<WithScales<PerTensor, Fp16>>(kNan)), "finite");
  // OCP's NaN, and a power below the smallest scale, in borrowed codes.
  for (const int code : {255, 0}) {
    const std::byte scale{static_cast<unsigned char>(code)}, element{0};
    const NarrowScales narrow{&scale, &detail::decode_levels<E8M0>};
    EXPECT_ERROR((QuantizedView<MXFP4, 1>(&element, {1}, ParamsData{nullptr, nullptr, 1, narrow})), "scale 0");
  }
}

// P28: of scales rounded to the nearest the lower half clip their group's largest value.
template <class Q>
void expect_nothing_is_clipped(std::uint64_t seed) {
  RowTensor<float, 2> x = random_tensor<2>({40, 77}, seed);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] *= i % 11 == 0 ? 5.0f : 1.0f;
  const Q quantizer = Q::fit(x);
  const double most = largest(levels_of<typename Q::FormatType>());
  const ParamMap map = param_map(quantizer.params().granularity().info(), Shape<2>{40, 77});
  for (Index i = 0; i < x.size(); ++i) {
    const double scale = static_cast<double>(quantizer.params().scale(map(i)));
    // Scales that need not be rounded are quotients rounded to float: half an ulp may be missing.
    ASSERT_LE(std::fabs(static_cast<double>(x.data()[i])), scale * most * (1.0 + 0x1p-24)) << i;
  }
}

TEST(HeldScales, ClipNothing) {
  expect_nothing_is_clipped<SymmetricQuantizer<Int<4>, WithScales<PerGroup<32>, Fp16>>>(1);
  expect_nothing_is_clipped<SymmetricQuantizer<NF4, WithScales<PerGroup<64>, Bf16>>>(2);
  expect_nothing_is_clipped<SymmetricQuantizer<NF4, DoubleQuantized<PerGroup<8>>>>(4);
  expect_nothing_is_clipped<SymmetricQuantizer<NVFP4>>(5);
}

// Quantizing divides by the scale as it is held: the same codes and reals as with floats of the same values.
template <class Q, class Plain>
void expect_same_as_plain(typename Plain::GranularityType granularity) {
  const RowTensor<float, 2> x = random_tensor<2>({19, 83}, 8);
  const Q quantizer = Q::fit(x);
  std::vector<float> scales;
  for (Index i = 0; i < quantizer.params().size(); ++i) scales.push_back(quantizer.params().scale(i));
  const Plain plain(QuantParams<typename Plain::GranularityType>(scales, granularity));
  const auto narrow = quantizer.quantize(x);
  const auto wide = plain.quantize(x);
  EXPECT_TRUE(same_bits(narrow.codes(), wide.codes()));
  EXPECT_TRUE(same_bits(narrow.dequantize(), wide.dequantize()));
  EXPECT_TRUE(same_bits(quantizer.fake_quantize(x), wide.dequantize()));
  EXPECT_TRUE(same_bits(Q::fit_quantize(x).codes(), wide.codes()));
}

TEST(HeldScales, AreWhatQuantizingAndDequantizingUse) {
  expect_same_as_plain<SymmetricQuantizer<Int<8>, WithScales<PerChannel<0>, Bf16>>,
                       SymmetricQuantizer<Int<8>, PerChannel<0>>>({});
  expect_same_as_plain<SymmetricQuantizer<Int<8>, WithScales<PerChannel<1>, Fp16>>,
                       SymmetricQuantizer<Int<8>, PerChannel<1>>>({});
  expect_same_as_plain<SymmetricQuantizer<E2M1, WithScales<PerGroup<4, 0>, E4M3>>,
                       SymmetricQuantizer<E2M1, PerGroup<4, 0>>>({});
  expect_same_as_plain<SymmetricQuantizer<NVFP4>, SymmetricQuantizer<NVFP4, PerGroup<16>>>({});
  expect_same_as_plain<SymmetricQuantizer<NF4, DoubleQuantized<PerGroup<8>>>, SymmetricQuantizer<NF4, PerGroup<8>>>({});
}

TEST(HeldScales, CanHaveZeroPointsBesideThem) {
  RowTensor<float, 2> x = random_tensor<2>({9, 50}, 9);
  for (Index i = 0; i < x.size(); ++i) x.data()[i] += 2.0f;
  const auto quantized = AsymmetricQuantizer<UInt<4>, WithScales<PerGroup<16>, Fp16>>::fit(x).quantize(x);
  EXPECT_EQ(quantized.bytes(), 9 * 50 / 2 + 9 * 4 * (2 + 4));
  const auto error = error_metrics(x, quantized.dequantize());
  EXPECT_LT(error.max_error, static_cast<double>(quantized.params().scale(0)));
}

// ---- two levels ----

// torchao's and NVIDIA's definition: the float32 is amax / (6 * 448), and a block's E4M3 its amax / 6 / that.
TEST(NVFP4Scales, AreE4m3OfAFloat) {
  const RowTensor<float, 2> x = random_tensor<2>({13, 100}, 10, 1e-3f);  // P31: blocks far below 2^-6
  const auto params = SymmetricQuantizer<NVFP4>::fit(x).params();
  float amax = 0.0f;
  for (Index i = 0; i < x.size(); ++i) amax = std::max(amax, std::fabs(x.data()[i]));
  const double outer = static_cast<double>(amax) / (6.0 * 448.0);
  ASSERT_EQ(params.size(), 13 * 7);
  EXPECT_EQ(params.bytes(), 13 * 7 + 4);
  for (Index row = 0; row < 13; ++row) {
    for (Index block = 0; block < 7; ++block) {
      float largest_of_block = 0.0f;
      for (Index i = block * 16; i < std::min<Index>(100, block * 16 + 16); ++i) {
        largest_of_block = std::max(largest_of_block, std::fabs(x(row, i)));
      }
      const double exact = static_cast<double>(largest_of_block) / 6.0 / outer;
      const double held = static_cast<double>(params.scale(row * 7 + block)) / outer;
      // Rounding of the quotients may decide between two neighbours, where one is all but exact.
      EXPECT_GE(held, exact * (1.0 - 1e-6));
      EXPECT_LE(held, level_above(levels_of<E4M3>(), exact * (1.0 + 1e-6)) * (1.0 + 1e-6));
    }
  }
}

TEST(NVFP4Scales, OfGroupsOfZerosAreNoStrangers) {
  RowTensor<float, 2> x = random_tensor<2>({4, 64}, 11, 1e-4f);
  for (Index i = 0; i < 64; ++i) x(1, i) = 0.0f;
  const auto quantized = SymmetricQuantizer<NVFP4>::fit(x).quantize(x);
  EXPECT_GT(error_metrics(x, quantized.dequantize()).snr_db, 18.0);  // with scales of 1 nothing would be left
  const RowTensor<float, 2> zeros = RowTensor<float, 2>(4, 64).setZero();
  const auto nothing = SymmetricQuantizer<NVFP4>::fit(zeros).quantize(zeros);
  EXPECT_TRUE(same_bits(nothing.dequantize(), zeros));
}

// QLoRA (Dettmers et al., 2023, section 3): 4 bits, 8 bits for 64 weights and 32 bits for 256 * 64.
TEST(DoubleQuantization, TakesTheBitsOfThePaper) {
  const RowTensor<float, 2> x = random_tensor<2>({1024, 1024}, 12);
  const std::int64_t before = allocations().live_bytes;
  const auto quantized = SymmetricQuantizer<NF4, DoubleQuantized<PerGroup<64>>>::fit(x).quantize(x);
  EXPECT_EQ(allocations().live_bytes - before, quantized.bytes());
  const double bits = 8.0 * static_cast<double>(quantized.bytes()) / static_cast<double>(x.size());
  EXPECT_NEAR(bits, 4.0 + 8.0 / 64 + 32.0 / (64 * 256), 32.0 / static_cast<double>(x.size()) + 1e-12);  // and the mean
  EXPECT_NEAR(bits, 4.127, 0.0005);
  const auto plain = SymmetricQuantizer<NF4>::fit(x).quantize(x);
  EXPECT_EQ(8 * plain.bytes(), x.size() * 9 / 2);
  const double lost = error_metrics(x, plain.dequantize()).snr_db - error_metrics(x, quantized.dequantize()).snr_db;
  EXPECT_LT(lost, 0.2);
}

TEST(DoubleQuantization, HoldsScalesThatAreAlikeExactly) {
  const std::vector<float> scales(700, 0.1f);
  const QuantParams<DoubleQuantized<PerChannel<0>>> params(scales);
  for (Index i = 0; i < 700; ++i) ASSERT_EQ(params.scale(i), 0.1f);
  EXPECT_EQ(params.bytes(), 700 + 3 * 4 + 4);
}

TEST(DoubleQuantization, KeepsScalesPositiveBesideOutliers) {
  std::vector<float> scales(600, 1e-3f);
  scales[5] = 10.0f;
  scales[300] = 0x1p-126f;
  const QuantParams<DoubleQuantized<PerChannel<0>>> params(scales);
  for (Index i = 0; i < 600; ++i) {
    ASSERT_GE(params.scale(i), scales[usize(i)]) << i;
    ASSERT_LE(params.scale(i), scales[usize(i)] + 0.01f * 10.0f) << i;  // the map's step, of the largest difference
  }
}

TEST(DoubleQuantization, TakesExtremeScales) {
  const std::vector<float> scales = {0x1p-126f, 1.0f, kMax, 0x1p100f};
  const QuantParams<DoubleQuantized<PerChannel<0>>> params(scales);
  for (Index i = 0; i < 4; ++i) {
    EXPECT_GE(params.scale(i), scales[usize(i)]);
    EXPECT_LE(params.scale(i), kMax);
  }
  EXPECT_EQ((QuantParams<DoubleQuantized<PerChannel<0>>>(std::vector<float>{}).bytes()), 4);
  const RowTensor<float, 2> empty(0, 64);
  EXPECT_EQ((SymmetricQuantizer<NF4, DoubleQuantized<PerGroup<64>>>::fit(empty).quantize(empty).size()), 0);
}

// The dynamic map as bitsandbytes makes it: the middles of equal parts of [0.1, 1], a power of ten apart.
TEST(Dynamic8Format, HoldsThePublishedMap) {
  std::vector<double> map = {0.0, 1.0};
  for (int i = 0; i < 7; ++i) {
    const int parts = 1 << i;
    for (int k = 0; k < parts; ++k) {
      const double low = 0.1 + 0.9 * k / parts, high = 0.1 + 0.9 * (k + 1) / parts;
      const double level = std::pow(10.0, i - 6) * (low + high) / 2.0;
      map.push_back(level);
      map.push_back(-level);
    }
  }
  std::sort(map.begin(), map.end());
  ASSERT_EQ(map.size(), 256u);
  for (std::size_t i = 0; i < 256; ++i) {
    EXPECT_NEAR(static_cast<double>(Dynamic8::levels[i]), map[i], 1e-7 * std::fabs(map[i]));
  }
  for (int i = 0; i < 255; ++i) EXPECT_EQ(E8M0::levels[static_cast<std::size_t>(i)], std::ldexp(1.0f, i - 127));
}

// ---- at run time ----

template <class F, class G = DefaultGranularity<F>>
void check_any(const std::string& description) {
  const RowTensor<float, 2> x = random_tensor<2>({6, 128}, 13);
  const auto typed = SymmetricQuantizer<F, G>::fit(x).quantize(x);
  const AnyQuantizedTensor any = typed;
  EXPECT_EQ(any.description(), description);
  EXPECT_EQ(any.bytes(), typed.bytes());
  EXPECT_TRUE((any.holds<F, 2, G>()));
  EXPECT_FALSE((any.holds<F, 2, PerTensor>()));
  EXPECT_TRUE(same_bits(any.template dequantize<2>(), typed.dequantize()));
  EXPECT_TRUE(same_bits(any.template view<F, 2, G>().dequantize(), typed.dequantize()));
  const auto copy = any.template get<F, 2, G>();
  EXPECT_EQ(copy.bytes(), typed.bytes());
  EXPECT_TRUE(same_bits(copy.dequantize(), typed.dequantize()));
}

TEST(AnyQuantizedTensor, HoldsEveryFormatAndKindOfScale) {
  check_any<Fp16>("fp16 (6, 128) unscaled");
  check_any<MXFP4>("mxfp4 (6, 128) per_group(32, axis 1), e8m0 scales");
  check_any<NVFP4>("nvfp4 (6, 128) per_group(16, axis 1), e4m3 scales with one scale");
  check_any<NF4, DoubleQuantized<PerGroup<64>>>(
      "nf4 (6, 128) per_group(64, axis 1), dynamic8 scales in blocks of 256, centered");
  using Sized = WithScales<PerGroup<Dynamic>, Bf16>;
  const RowTensor<float, 2> x = random_tensor<2>({6, 40}, 14);
  const AnyQuantizedTensor any = SymmetricQuantizer<NF4, Sized>::fit(x, Sized(24)).quantize(x);
  EXPECT_TRUE((any.holds<NF4, 2, Sized>()));
  EXPECT_FALSE((any.holds<NF4, 2, PerGroup<Dynamic>>()));
  EXPECT_EQ((any.get<NF4, 2, Sized>().params().granularity().size()), 24);
}

}  // namespace
}  // namespace quanta::test
