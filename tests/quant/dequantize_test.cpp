// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes to reals, into any destination.
#include <gtest/gtest.h>

#include <quanta/quant/dequantize.hpp>
#include <quanta/quant/quantizer.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/reference.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

// 5 x 700, so that a pass takes several chunks.
struct Dequantize : testing::Test {
  RowTensor<float, 2> x = random_tensor<2>({5, 700}, 1);
  QuantizedTensor<Int<5>, 2, PerGroup<32>> quantized = SymmetricQuantizer<Int<5>, PerGroup<32>>::fit(x).quantize(x);
  RowTensor<float, 2> expected = quantized.dequantize();

  template <class M>
  void expect_equal(const M& m) {
    ASSERT_EQ(m.rows(), 5);
    ASSERT_EQ(m.cols(), 700);
    for (Index i = 0; i < 5; ++i) {
      for (Index j = 0; j < 700; ++j) ASSERT_EQ(bits_of(m(i, j)), bits_of(expected(i, j))) << i << ", " << j;
    }
  }
};

TEST_F(Dequantize, IsScaleTimesCodeMinusZeroPointForEveryCode) {
  for (const float scale : {0.1f, 0x1p-126f, 3.7e30f, 1.0f / 3.0f}) {
    for (const std::int32_t zero_point : {0, 1, 128, 255}) {
      RowTensor<std::uint8_t, 1> codes(256);
      for (Index i = 0; i < 256; ++i) codes(i) = static_cast<std::uint8_t>(i);
      const QuantizedTensor<UInt<8>, 1> tensor(codes, QuantParams<PerTensor>(scale, zero_point));
      const auto reals = tensor.dequantize();
      for (Index i = 0; i < 256; ++i) {
        ASSERT_EQ(bits_of(reals(i)), bits_of(reference::real(i, {scale, zero_point})));
      }
      ASSERT_EQ(bits_of(reals(zero_point)), bits_of(0.0f));  // zero is exact, and +0
    }
  }
}

TEST_F(Dequantize, SaturatesToTheLargestFloat) {
  RowTensor<std::int16_t, 1> codes(5);
  codes.setValues({-32768, -2, 0, 1, 32767});
  const auto reals = QuantizedTensor<Int<16>, 1>(codes, QuantParams<PerTensor>(kMax)).dequantize();
  EXPECT_EQ(logical_order(reals), (std::vector<float>{-kMax, -kMax, 0.0f, kMax, kMax}));
  const auto shifted = QuantizedTensor<Int<16>, 1>(codes, QuantParams<PerTensor>(kMax, -32768)).dequantize();
  EXPECT_EQ(logical_order(shifted), (std::vector<float>{0.0f, kMax, kMax, kMax, kMax}));
  const Eigen::VectorXf infinite = Eigen::VectorXf::Constant(3, std::numeric_limits<float>::infinity());
  EXPECT_EQ(SymmetricQuantizer<Int<8>>(1e38f).fake_quantize(infinite)(2), kMax);
}

TEST_F(Dequantize, ColumnMajorHoldsTheSameElements) {
  const ColTensor<float, 2> col = quantized.dequantize<Eigen::ColMajor>();
  EXPECT_EQ(logical_order(col), logical_order(expected));
  EXPECT_NE(std::vector<float>(col.data(), col.data() + 10), std::vector<float>(expected.data(), expected.data() + 10));
}

TEST_F(Dequantize, WritesIntoMatricesMapsAndTensors) {
  Eigen::MatrixXf matrix(5, 700);
  quantized.dequantize_into(matrix);
  expect_equal(matrix);
  Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> row(5, 700);
  quantized.dequantize_into(row);
  expect_equal(row);
  Eigen::ArrayXXf array(5, 700);
  quantized.view().dequantize_into(array);
  expect_equal(array);
  std::vector<float> memory(3500);
  quantized.dequantize_into(Eigen::Map<Eigen::MatrixXf>(memory.data(), 5, 700));
  expect_equal(Eigen::Map<Eigen::MatrixXf>(memory.data(), 5, 700));
  quantized.dequantize_into(Eigen::TensorMap<RowTensor<float, 2>>(memory.data(), 5, 700));
  EXPECT_TRUE(same_bits(memory, std::vector<float>(expected.data(), expected.data() + 3500)));
}

TEST_F(Dequantize, WritesABlockAndNothingAroundIt) {
  Eigen::MatrixXf frame = Eigen::MatrixXf::Constant(8, 705, -77.0f);
  quantized.dequantize_into(frame.block(2, 3, 5, 700));
  expect_equal(frame.block(2, 3, 5, 700));
  frame.block(2, 3, 5, 700).setConstant(-77.0f);
  EXPECT_TRUE((frame.array() == -77.0f).all());
  Eigen::MatrixXf transposed(700, 5);
  quantized.dequantize_into(transposed.transpose());
  expect_equal(transposed.transpose());
}

TEST_F(Dequantize, LeavesADestinationOfAnotherShapeUntouched) {
  Eigen::MatrixXf wrong = Eigen::MatrixXf::Constant(700, 5, -1.0f);
  EXPECT_ERROR(quantized.dequantize_into(wrong), "dequantize_into: the destination has shape (700, 5)",
               "expected (5, 700)");
  EXPECT_TRUE((wrong.array() == -1.0f).all());
  EXPECT_EQ(wrong.rows(), 700);
  Eigen::MatrixXf empty;
  EXPECT_ERROR(quantized.dequantize_into(empty), "(0, 0)", "(5, 700)");
}

TEST_F(Dequantize, ReadsAnyPieceOfATensor) {
  for (const Index first : {0, 1, 7, 31, 32, 699, 700, 3000}) {
    for (const Index count : {0, 1, 8, 33, 400, 500}) {
      std::vector<float> values(usize(count));
      const detail::FormatDecoder<Int<5>> decode{quantized.data()};
      decode(first, count, values.data());
      const auto view = quantized.view();
      detail::scale_elements(values.data(), first, count, view.map(), view.params());
      ASSERT_TRUE(same_bits(values.data(), expected.data() + first, count)) << first << '+' << count;
    }
  }
}

}  // namespace
}  // namespace quanta::test
