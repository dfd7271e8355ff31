// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products added to what dst holds.
#include <limits>

#include "tests/gemm/odd_sizes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

class AccumulateTest : public testing::Test {
 protected:
  Random random{1};
  IntMatrix x = int_matrix<UInt<8>>(kM, kK, kPerRow, Fill::random, Fill::random, random);
  IntMatrix w = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::random, random);
  QuantizedTensor<UInt<8>, 2, PerChannel<0>> lhs = quantized<UInt<8>, PerChannel<0>>(x);
  PackedRhs<Int<8>> rhs = pack(quantized<Int<8>, PerChannel<0>>(w));

  template <class Dst>
  static void fill(Dst& dst) {
    for (Index i = 0; i < dst.rows(); ++i) {
      for (Index j = 0; j < dst.cols(); ++j) dst(i, j) = static_cast<typename Dst::Scalar>(100 * i - j);
    }
  }
};

template <class T>
using Rows = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using Columns = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

TEST_F(AccumulateTest, AddsInt32InAnyOrder) {
  const auto expected = [&](Index i, Index j) { return 100 * i - j + dot(x, i, w, j); };
  Rows<std::int32_t> rows(kM, kN);
  fill(rows);
  gemm(lhs, rhs, rows, Accumulate{});
  EXPECT_TRUE(equals(rows, kM, kN, expected));
  Columns<std::int32_t> columns(kM, kN);
  fill(columns);
  gemm(lhs, rhs, columns, Accumulate{});
  EXPECT_TRUE(equals(columns, kM, kN, expected));
}

TEST_F(AccumulateTest, ScalesAndAddsFloatsInAnyOrder) {
  Eigen::VectorXf bias = Eigen::VectorXf::LinSpaced(kN, -1.0f, 1.0f);
  for (const float beta : {1.0f, 0.5f, -3.0f, 0.0f}) {
    const auto expected = [&](Index i, Index j) {
      return std::max(0.0f, std::fma(beta, static_cast<float>(100 * i - j), real_dot(x, i, w, j, bias[j])) + 0.0f);
    };
    Rows<float> rows(kM, kN);
    fill(rows);
    gemm(lhs, rhs, rows, Dequantize{}, AddBias{bias}, Accumulate{beta}, Relu{});
    EXPECT_TRUE(equals(rows, kM, kN, expected)) << beta;
    Columns<float> columns(kM, kN);
    fill(columns);
    gemm(lhs, rhs, columns, Dequantize{}, AddBias{bias}, Accumulate{beta}, Relu{});
    EXPECT_TRUE(equals(columns, kM, kN, expected)) << beta;
  }
}

/// A stage of a user's that works on rows, so that the results pass through memory.
struct Negate {
  void apply(float* values, Index count, Index, Index) const {
    for (Index i = 0; i < count; ++i) values[i] = -values[i];
  }
};

TEST_F(AccumulateTest, StandsAnywhereAfterDequantize) {
  Rows<float> dst(kM, kN);
  fill(dst);
  gemm(lhs, rhs, dst, Dequantize{}, Negate{}, Accumulate{2.0f}, Negate{});
  EXPECT_TRUE(equals(dst, kM, kN, [&](Index i, Index j) {
    return -std::fma(2.0f, static_cast<float>(100 * i - j), -real_dot(x, i, w, j));
  }));
}

TEST_F(AccumulateTest, ABetaOfZeroDoesNotReadDst) {
  Rows<float> dst = Rows<float>::Constant(kM, kN, std::numeric_limits<float>::quiet_NaN());
  gemm(lhs, rhs, dst, Dequantize{}, Accumulate{0.0f});
  EXPECT_TRUE(equals(dst, kM, kN, [&](Index i, Index j) { return real_dot(x, i, w, j); }));
}

// Stored column by column, matrices of one row lie evenly in spite of their strides.
TEST_F(AccumulateTest, IntoMatricesOfOneRowEach) {
  Eigen::Tensor<std::uint8_t, 3, Eigen::RowMajor> codes(4, 1, kK);
  codes.setConstant(3);
  const QuantParams<PerTensor> one(1.0f);
  const QuantizedTensor<UInt<8>, 3> threes(codes, one);
  for (const Index n : {Index{1}, kN}) {
    RowTensor<std::int8_t, 2> weights(n, kK);
    weights.setConstant(1);
    Eigen::Tensor<float, 3> y(4, 1, n);
    y.setConstant(100.0f);
    gemm(threes, pack(QuantizedTensor<Int<8>, 2>(weights, one)), y, Dequantize{}, Accumulate{});
    for (Index i = 0; i < y.size(); ++i) ASSERT_EQ(y.data()[i], 100.0f + 3.0f * static_cast<float>(kK));
  }
}

TEST_F(AccumulateTest, IntoARankThreeDst) {
  Eigen::Tensor<std::uint8_t, 3, Eigen::RowMajor> codes(1, 2, 3);
  codes.setConstant(2);
  Eigen::Tensor<std::int8_t, 2, Eigen::RowMajor> weights(1, 3);
  weights.setConstant(5);
  Eigen::Tensor<std::int32_t, 3> dst(1, 2, 1);
  dst.setConstant(7);
  const QuantParams<PerTensor> one(1.0f);
  const std::vector<PackedRhs<Int<8>, PerTensor>> packed(1, pack(QuantizedTensor<Int<8>, 2>(weights, one)));
  gemm(QuantizedTensor<UInt<8>, 3>(codes, one), packed[0], dst, Accumulate{});
  EXPECT_EQ(dst(0, 1, 0), 37);
  gemm(QuantizedTensor<UInt<8>, 3>(codes, one), packed, dst, Accumulate{});
  EXPECT_EQ(dst(0, 1, 0), 67);
}

// One weight of 1: results lie in 0 to 255.
TEST(Accumulate, RefusesWhatCouldLeaveInt32) {
  RowTensor<std::int8_t, 2> weight(1, 1);
  weight.setConstant(1);
  const auto rhs = pack(QuantizedTensor<Int<8>, 2>(weight, QuantParams<PerTensor>(1.0f)));
  Rows<std::uint8_t> lhs = Rows<std::uint8_t>::Constant(2, 1, 255);
  Rows<std::int32_t> dst(2, 1);
  dst << 5, std::numeric_limits<std::int32_t>::max() - 255;
  gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{});
  EXPECT_EQ(dst(0, 0), 260);
  EXPECT_EQ(dst(1, 0), std::numeric_limits<std::int32_t>::max());
  dst << 5, std::numeric_limits<std::int32_t>::max() - 254;
  EXPECT_ERROR(gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{}), "int32");
  EXPECT_EQ(dst(0, 0), 5);
  dst << std::numeric_limits<std::int32_t>::min(), 0;
  gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{});
  EXPECT_EQ(dst(0, 0), std::numeric_limits<std::int32_t>::min() + 255);
  dst << std::numeric_limits<std::int32_t>::min(), 0;
  EXPECT_ERROR(gemm(lhs, ZeroPoint{1}, rhs, dst, Accumulate{}), "int32");
  EXPECT_EQ(dst(0, 0), std::numeric_limits<std::int32_t>::min());
  EXPECT_ERROR(gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{0.5f}), "beta", "0.5", "1");
}

TEST(Accumulate, LooksAtEveryColumnByItself) {
  RowTensor<std::int8_t, 2> weights(2, 1);
  weights.setValues({{0}, {1}});
  const auto rhs = pack(QuantizedTensor<Int<8>, 2>(weights, QuantParams<PerTensor>(1.0f)));
  const Rows<std::uint8_t> lhs = Rows<std::uint8_t>::Constant(1, 1, 3);
  Rows<std::int32_t> dst(1, 2);
  dst << std::numeric_limits<std::int32_t>::max(), 0;
  gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{});
  EXPECT_EQ(dst(0, 0), std::numeric_limits<std::int32_t>::max());
  EXPECT_EQ(dst(0, 1), 3);
  dst << 0, std::numeric_limits<std::int32_t>::max();
  EXPECT_ERROR(gemm(lhs, ZeroPoint{0}, rhs, dst, Accumulate{}), "output 1", "dst");
}

}  // namespace
}  // namespace quanta::test
