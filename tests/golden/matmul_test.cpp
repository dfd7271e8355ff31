// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products that other programs have computed.
#include "tests/support/golden_json.hpp"
#include "tests/support/npy.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

// Both references give the rhs as (k, n); weights here are (n, k).
template <class T>
RowTensor<T, 2> transposed(const RowTensor<T, 2>& x) {
  RowTensor<T, 2> result(x.dimension(1), x.dimension(0));
  for (Index i = 0; i < x.size(); ++i) result(i % x.dimension(1), i / x.dimension(1)) = x.data()[i];
  return result;
}

TEST(GoldenMatMul, OnnxRuntimesMatMulIntegerToTheBit) {
  const auto a = read_npy<std::uint8_t>("golden/onnxruntime/mmi_a.npy").tensor<2>();
  const auto b = read_npy<std::int8_t>("golden/onnxruntime/mmi_b.npy").tensor<2>();
  const auto y = read_npy<std::int32_t>("golden/onnxruntime/mmi_y.npy").tensor<2>();
  const std::int32_t zero_a = read_npy<std::uint8_t>("golden/onnxruntime/mmi_za.npy").data.at(0);
  const std::int32_t zero_b = read_npy<std::int8_t>("golden/onnxruntime/mmi_zb.npy").data.at(0);
  ASSERT_GT(y.size(), 0);
  const QuantizedTensor<Int<8>, 2> weights(transposed(b), QuantParams<PerTensor>(1.0f, zero_b));
  RowTensor<std::int32_t, 2> dst(y.dimension(0), y.dimension(1));
  gemm(a, ZeroPoint{zero_a}, pack(weights), dst);
  EXPECT_TRUE(same_bits(dst, y));
  gemm(QuantizedTensor<UInt<8>, 2>(a, QuantParams<PerTensor>(1.0f, zero_a)), pack(weights), dst);
  EXPECT_TRUE(same_bits(dst, y));
}

#if QUANTA_TEST_HAS_JSON
// C = A B in float32, and C' from symmetric int8 of A and B, per tensor, by PyTorch.
TEST(GoldenTextbook, Demo6MatMul) {
  const nlohmann::json expected = figures("demo6");
  const auto a = read_npy<float>("golden/demo6_a.npy").tensor<2>();
  const auto b = transposed(read_npy<float>("golden/demo6_b.npy").tensor<2>());
  using Int8 = SymmetricQuantizer<Int<8>>;
  const auto qa = Int8::fit(a).quantize(a), qb = Int8::fit(b).quantize(b);
  const Index m = a.dimension(0), n = b.dimension(0);

  RowTensor<std::int32_t, 2> sums(m, n);
  gemm(qa, pack(qb), sums);
  std::int64_t checksum = 0;
  for (Index i = 0; i < sums.size(); ++i) checksum += sums.data()[i];
  EXPECT_EQ(checksum, expected["int32_checksum"].get<std::int64_t>());

  RowTensor<float, 2> approx(m, n);
  gemm(qa, pack(qb), approx, Dequantize{});
  double max_error = 0.0, mean_error = 0.0, c_min = 0.0, c_max = 0.0, cq_min = 0.0, cq_max = 0.0;
  for (Index i = 0; i < m; ++i) {
    for (Index j = 0; j < n; ++j) {
      double c = 0.0;
      for (Index k = 0; k < a.dimension(1); ++k) c += double{a(i, k)} * double{b(j, k)};
      const double cq = approx(i, j);
      max_error = std::max(max_error, std::fabs(c - cq));
      mean_error += std::fabs(c - cq);
      c_min = std::min(c_min, c);
      c_max = std::max(c_max, c);
      cq_min = std::min(cq_min, cq);
      cq_max = std::max(cq_max, cq);
    }
  }
  EXPECT_TRUE(relative(c_min, expected["c_min"]));
  EXPECT_TRUE(relative(c_max, expected["c_max"]));
  EXPECT_TRUE(relative(cq_min, expected["cq_min"]));
  EXPECT_TRUE(relative(cq_max, expected["cq_max"]));
  EXPECT_TRUE(relative(mean_error / static_cast<double>(m * n), expected["mean_error"]));
  // A small difference of two numbers of up to 275, which PyTorch has in float32: half a unit in the last place of
  // each is 2^-16, and no less can be asked for.
  EXPECT_NEAR(max_error, expected["max_error"].get<double>(), 0x1p-15);
}
#endif

}  // namespace
}  // namespace quanta::test
