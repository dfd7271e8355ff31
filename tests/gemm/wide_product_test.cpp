// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// 16-bit codes times 8-bit weights: int64, or float, exactly.
#include <cstring>
#include <limits>

#include "tests/support/expect_error.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

using Weights = PerChannel<0>;

template <class Kernel>
class WideProduct : public testing::Test {};
using WideKernels = CompiledKernels::Plus<PortableKernel<5, 12, 3, S8, U8>, PortableTurningKernel<3, 8, 4>>::Types;
TYPED_TEST_SUITE(WideProduct, WideKernels);

template <class Kernel, class LhsFormat, class RhsFormat>
void check_wide(Index m, Index n, Index k, Fill codes, Fill zeros, Random& random) {
  const IntMatrix lhs = int_matrix<LhsFormat>(m, k, kPerRow, codes, zeros, random);
  const IntMatrix rhs = int_matrix<RhsFormat>(n, k, kPerRow, codes, zeros, random);
  const auto x = quantized<LhsFormat, PerChannel<0>>(lhs);
  const auto weights = pack<Kernel>(quantized<RhsFormat, Weights>(rhs));
  RowTensor<std::int64_t, 2> sums(m, n);
  gemm(x, weights, sums);
  ASSERT_TRUE(equals(sums, m, n, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }));
  Eigen::MatrixXf reals(m, n);
  const Eigen::VectorXf bias = Eigen::VectorXf::LinSpaced(n, -1e6f, 1e6f);
  gemm(x, weights, reals, Dequantize{}, AddBias{bias}, Relu{});
  ASSERT_TRUE(
      equals(reals, m, n, [&](Index i, Index j) { return std::max(0.0f, real_dot(lhs, i, rhs, j, bias[j]) + 0.0f); }))
      << m << " x " << k << " x " << n;
}

TYPED_TEST(WideProduct, IsExactForAllTails) {
  Random random(1);
  std::size_t turn = 0;
  for (const Index m : {0, 1, TypeParam::kMr + 1}) {
    for (const Index n : {0, 1, TypeParam::kNr, 2 * TypeParam::kNr + 1}) {
      for (const Index k : {0, 1, TypeParam::kKr, 3 * TypeParam::kKr + 1}) {
        const Fill codes = kCodeFills[turn % 4], zeros = kZeroFills[turn / 4 % 4];
        ++turn;
        check_wide<TypeParam, Int<16>, Int<8>>(m, n, k, codes, zeros, random);
        check_wide<TypeParam, UInt<16>, UInt<8>>(m, n, k, codes, zeros, random);
      }
    }
  }
}

TYPED_TEST(WideProduct, IsExactForTheLargestSums) {
  constexpr Index k = std::is_signed_v<typename TypeParam::Rhs> ? 60000 : 33000;
  for (const int x : {-32768, 32767, 255, -1}) {
    for (const int w : {-128, 127}) {
      RowTensor<std::int16_t, 2> codes(2, k);
      codes.setConstant(static_cast<std::int16_t>(x));
      RowTensor<std::int8_t, 2> weights(1, k);
      weights.setConstant(static_cast<std::int8_t>(w));
      const int zero = w > 0 ? -128 : 127;
      const auto rhs = pack<TypeParam>(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f, zero)));
      RowTensor<std::int64_t, 2> sums(2, 1);
      gemm(QuantizedTensor<Int<16>, 2>(codes, QuantParams<PerTensor>(1.0f, -5)), rhs, sums);
      const std::int64_t expected = k * std::int64_t{x + 5} * (w - zero);
      EXPECT_EQ(sums(0, 0), expected);
      EXPECT_EQ(sums(1, 0), expected);
    }
  }
}

// As of a file written by others; a sanitizer would tell.
TEST(WideProducts, ReadCodesThatAreNotAligned) {
  const std::int16_t values[3] = {-32768, 300, 32767};
  alignas(4) std::byte bytes[1 + sizeof values];
  std::memcpy(bytes + 1, values, sizeof values);
  const float one = 1.0f;
  const QuantizedView<Int<16>, 2> x(bytes + 1, {1, 3}, {&one, nullptr, 1});
  RowTensor<std::int8_t, 2> weights(1, 3);
  weights.setValues({{1, 2, 3}});
  RowTensor<std::int64_t, 2> sums(1, 1);
  gemm(x, pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f))), sums);
  EXPECT_EQ(sums(0, 0), -32768 + 2 * 300 + 3 * 32767);
}

TEST(WideProducts, RefuseMoreInputsThanInt32PartsHold) {
  const Index k = 65794;
  RowTensor<std::int16_t, 2> codes(1, k);
  codes.setZero();
  RowTensor<std::int8_t, 2> weights(1, k);
  weights.setZero();
  const QuantParams<PerTensor> one(1.0f);
  RowTensor<std::int64_t, 2> sums(1, 1);
  EXPECT_ERROR(gemm(QuantizedTensor<Int<16>, 2>(codes, one), pack(QuantizedTensor<Int<8>, 2>(weights, one)), sums),
               "65794", "65793");
}

}  // namespace
}  // namespace quanta::test
