// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What survives quantization: codes exactly, reals to half a step, 6.02 dB a bit.
#include <gtest/gtest.h>

#include <quanta/quant/error_metrics.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/scale.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// Of every size that a scale can have, and so that the largest real does not overflow.
std::vector<float> scales(std::uint64_t seed, int most) {
  Random random(seed);
  std::vector<float> result = {0x1p-126f, 1.0f, 0.1f, 0x1.fffffep-1f,
                               std::numeric_limits<float>::max() / (2.0f * static_cast<float>(most))};
  for (int i = 0; i < scaled(50, 5); ++i) {
    result.push_back(std::ldexp(1.0f + std::fabs(random.uniform()) * 0.5f, random.between(-126, 108)));
  }
  return result;
}

template <class F>
void check_codes_survive() {
  SCOPED_TRACE(F::name);
  RowTensor<typename F::Code, 1> codes(F::max - F::min + 1);
  for (Index i = 0; i < codes.size(); ++i) codes(i) = static_cast<typename F::Code>(F::min + i);
  std::vector<float> tried = scales(1, F::max - F::min);
  if (F::bits == 16 && test_scale() < 1.0) tried.resize(3);  // of 65536 codes each
  for (const float scale : tried) {
    for (const std::int32_t zero_point : {F::min, F::max, (F::min + F::max + 1) / 2}) {
      const QuantizedTensor<F, 1> tensor(codes, QuantParams<PerTensor>(scale, zero_point));
      const auto again = AsymmetricQuantizer<F>(scale, zero_point).quantize(tensor.dequantize());
      ASSERT_TRUE(same_bits(again.codes(), codes)) << scale << ' ' << zero_point;
    }
  }
}

template <int... bits>
void check_codes_survive_in(std::integer_sequence<int, bits...>) {
  (check_codes_survive<Int<bits>>(), ...);
  (check_codes_survive<UInt<bits>>(), ...);
}

TEST(RoundTrip, EveryCodeOfEveryFormatSurvives) {
  check_codes_survive_in(std::integer_sequence<int, 2, 3, 4, 5, 6, 7, 8, 16>{});
}

template <class Q>
void check_idempotent(const RowTensor<float, 2>& x, typename Q::FitOptions options = {}) {
  const Q quantizer = Q::fit(x, options);
  const auto once = quantizer.quantize(x);
  const auto twice = quantizer.quantize(once.dequantize());
  EXPECT_TRUE(same_bits(twice.codes(), once.codes()));
  EXPECT_TRUE(same_bits(twice.dequantize(), once.dequantize()));
  EXPECT_TRUE(same_bits(quantizer.fake_quantize(x), once.dequantize()));
}

TEST(RoundTrip, QuantizingTwiceChangesNothing) {
  for (const float size : {1e-44f, 1e-38f, 1e-6f, 1.0f, 1e6f, 1e37f}) {
    SCOPED_TRACE(size);
    RowTensor<float, 2> x = random_tensor<2>({20, 50}, 2);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] *= size;
    check_idempotent<SymmetricQuantizer<Int<8>>>(x);
    check_idempotent<SymmetricQuantizer<Int<8>>>(x, {.full_range = true});
    check_idempotent<AsymmetricQuantizer<UInt<8>>>(x);
    check_idempotent<SymmetricQuantizer<Int<4>, PerChannel<1>>>(x);
    check_idempotent<AsymmetricQuantizer<UInt<3>, PerGroup<16>>>(x);
    check_idempotent<AsymmetricQuantizer<Int<16>, PerChannel<0>>>(x);
  }
}

// Half a step, and a millionth of the range for the rounding of scale, quotient and product to float.
template <class Q>
void check_half_step(const RowTensor<float, 2>& x, typename Q::FitOptions options = {}) {
  const Q quantizer = Q::fit(x, options);
  const double scale = static_cast<double>(quantizer.params().scale(0));
  const auto approx = quantizer.fake_quantize(x);
  double largest = 0.0;
  for (Index i = 0; i < x.size(); ++i) {
    const double value = static_cast<double>(x.data()[i]);
    const double error = std::fabs(value - static_cast<double>(approx.data()[i]));
    ASSERT_LE(error, 0.5 * scale + 1e-6 * std::fabs(value) + 0x1p-149) << value;
    largest = std::max(largest, error / scale);
  }
  EXPECT_GT(largest, 0.4);  // of a thousand random numbers some are close to the bound
}

TEST(RoundTrip, NoErrorExceedsHalfAStep) {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    for (const float shift : {0.0f, 5.0f, -5.0f}) {
      RowTensor<float, 2> x = random_tensor<2>({20, 50}, seed);
      for (Index i = 0; i < x.size(); ++i) x.data()[i] += shift;
      check_half_step<SymmetricQuantizer<Int<8>>>(x);
      check_half_step<SymmetricQuantizer<Int<8>>>(x, {.full_range = true});
      check_half_step<SymmetricQuantizer<Int<3>>>(x);
      check_half_step<SymmetricQuantizer<Int<3>>>(x, {.full_range = true});
      check_half_step<SymmetricQuantizer<Int<2>>>(x, {.full_range = true});
      check_half_step<AsymmetricQuantizer<UInt<8>>>(x);
      check_half_step<AsymmetricQuantizer<Int<4>>>(x);
      check_half_step<AsymmetricQuantizer<UInt<2>>>(x);
    }
  }
}

// Of uniform numbers in [-1, 1) and steps of 1 / qmax: signal 1/3, noise 1 / (12 qmax^2).
template <int bits>
double uniform_snr() {
  Random random(5);
  RowTensor<float, 1> x(40'000);
  for (Index i = 0; i < x.size(); ++i) x(i) = random.uniform();
  const auto quantizer = SymmetricQuantizer<Int<bits>>::fit(x);
  const double snr = error_metrics(x, quantizer.fake_quantize(x)).snr_db;
  EXPECT_NEAR(snr, 20.0 * std::log10(2.0 * Int<bits>::max), 0.15) << bits;
  return snr;
}

TEST(RoundTrip, EveryBitIsWorthSixDecibels) {
  const double snr[] = {uniform_snr<2>(), uniform_snr<3>(), uniform_snr<4>(), uniform_snr<5>(),
                        uniform_snr<6>(), uniform_snr<7>(), uniform_snr<8>()};
  // With few bits narrow range costs much of a bit, so the gain per bit begins above 6.02 dB and comes down to it.
  for (int i = 3; i < 6; ++i) EXPECT_NEAR(snr[i + 1] - snr[i], 6.02, 0.5) << i + 2;
  EXPECT_NEAR(uniform_snr<16>() - snr[6], 8 * 6.02, 0.3);
}

}  // namespace
}  // namespace quanta::test
