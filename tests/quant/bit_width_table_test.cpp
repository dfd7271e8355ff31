// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <sstream>

#include <gtest/gtest.h>

#include <quanta/quant/bit_width_table.hpp>
#include <quanta/quant/block_formats.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(BitWidthTable, HoldsWhatEachFormatCostsAndLoses) {
  const RowTensor<float, 2> weight = random_tensor<2>({24, 96}, 1);
  const BitWidthTable table =
      bit_width_table(weight, {choice<Int<8>>(), choice<Int<4>>(PerGroup<Dynamic>(32)), choice<NF4>(),
                               choice<UInt<3>, PerTensor>(), choice<MXFP4>(), choice<Bf16>()});
  ASSERT_EQ(table.rows.size(), 6u);
  EXPECT_EQ(table.rows[0].format, "int8 per_channel(axis 0)");
  EXPECT_EQ(table.rows[1].format, "int4 per_group(32, axis 1)");
  EXPECT_EQ(table.rows[4].format, "mxfp4 per_group(32, axis 1), e8m0 scales");
  const auto int4 = SymmetricQuantizer<Int<4>, PerGroup<32>>::fit_quantize(weight);
  EXPECT_EQ(table.rows[1].bytes, int4.bytes());
  EXPECT_EQ(table.rows[1].bits_per_weight, 5.0);
  EXPECT_EQ(table.rows[5].bits_per_weight, 16.0);
  const ErrorMetrics error = error_metrics(weight, int4.dequantize());
  EXPECT_EQ(table.rows[1].error.snr_db, error.snr_db);
  EXPECT_EQ(table.rows[1].error.max_error, error.max_error);
  EXPECT_EQ(table.rows[1].error.cosine, error.cosine);
  const auto uint3 = AsymmetricQuantizer<UInt<3>>::fit_quantize(weight);
  EXPECT_EQ(table.rows[3].error.mse, error_metrics(weight, uint3.dequantize()).mse);
  EXPECT_GT(table.rows[0].error.snr_db, table.rows[1].error.snr_db);
}

TEST(BitWidthTable, PrintsColumns) {
  const RowTensor<float, 2> weight = random_tensor<2>({8, 64}, 2);
  const std::string text =
      bit_width_table(weight, {choice<Int<2>>(), choice<NF4, DoubleQuantized<PerGroup<64>>>()}).text();
  std::istringstream lines(text);
  std::string line;
  std::size_t width = 0, count = 0;
  while (std::getline(lines, line)) {
    EXPECT_TRUE(width == 0 || line.size() == width) << line;
    width = line.size();
    ++count;
  }
  EXPECT_EQ(count, 3u);
  EXPECT_EQ(text.rfind("format ", 0), 0u);
  EXPECT_NE(text.find("int2 per_channel(axis 0) "), std::string::npos);
  EXPECT_NE(text.find("4.250"), std::string::npos);  // 4 + 8 / 64, and two floats for 512 weights
  EXPECT_EQ(bit_width_table(weight, {}).rows.size(), 0u);
}

TEST(BitWidthTable, TakesAnyObjectOfOneOrTwoDimensions) {
  const RowTensor<float, 2> weight = random_tensor<2>({8, 64}, 3);
  const std::vector<FormatChoice> choices = {choice<E4M3>(), choice<Fp16>()};
  const auto expected = bit_width_table(weight, choices);
  const auto columns = bit_width_table(col_major(weight), choices);
  const Eigen::Map<const Eigen::Matrix<float, -1, -1, Eigen::RowMajor>> matrix(weight.data(), 8, 64);
  const auto doubles = bit_width_table(matrix.cast<double>(), choices);
  for (std::size_t i = 0; i < choices.size(); ++i) {
    EXPECT_EQ(columns.rows[i].error.mse, expected.rows[i].error.mse);
    EXPECT_EQ(doubles.rows[i].error.mse, expected.rows[i].error.mse);
  }
  const Eigen::VectorXf vector = Eigen::VectorXf::LinSpaced(9, -1.0f, 1.0f);
  EXPECT_EQ(bit_width_table(vector, choices).rows[0].bytes, 9 + 4);
  const Eigen::MatrixXf empty(0, 3);
  EXPECT_EQ(bit_width_table(empty, choices).rows[1].bits_per_weight, 0.0);
  RowTensor<float, 2> bad = weight;
  bad(1, 2) = kNan;
  EXPECT_ERROR(bit_width_table(bad, choices), "element 66", "nan");
}

}  // namespace
}  // namespace quanta::test
