// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Blocks of ggml (GGUF's Q8_0 and Q4_0: 32 codes and a scale in 16 bits, which may be negative in Q4_0) as tensors
// here, as the README says: every weight is the one that ggml's definition gives.
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/quant/quantizer.hpp>

namespace quanta::test {
namespace {

using GgmlBlocks = WithScales<PerGroup<32>, Fp16>;

// Two rows of two blocks; these are halves exactly.
const std::vector<float> block_scales = {0.0625f, -0.8125f, -0.00341796875f, 1.5f};

TEST(ForeignBlocks, OfFourBitsHaveZeroPoint8OrAreTurned) {
  Tensor<std::uint8_t, 2> codes(2, 64);
  std::vector<float> scales;
  std::vector<int> zero_points;
  for (int block = 0; block < 4; ++block) {
    const float scale = block_scales[static_cast<std::size_t>(block)];
    scales.push_back(scale < 0.0f ? -scale : scale);
    zero_points.push_back(scale < 0.0f ? 7 : 8);
    for (int i = 0; i < 32; ++i) {
      const int code = i / 2;
      codes(block / 2, block % 2 * 32 + i) = static_cast<std::uint8_t>(scale < 0.0f ? 15 - code : code);
    }
  }
  const QuantizedTensor<UInt<4>, 2, GgmlBlocks> tensor(codes, QuantParams<GgmlBlocks>(scales, zero_points));
  const Tensor<float, 2> weights = tensor.dequantize();
  for (int block = 0; block < 4; ++block) {
    for (int i = 0; i < 32; ++i) {
      const float expected = block_scales[static_cast<std::size_t>(block)] * static_cast<float>(i / 2 - 8);
      EXPECT_EQ(weights(block / 2, block % 2 * 32 + i), expected) << block << ' ' << i;
    }
  }
  EXPECT_EQ(tensor.bytes(), 4 * (32 / 2 + 2) + 4 * 4);  // ggml's 18 bytes a block, and the zero points
}

TEST(ForeignBlocks, OfEightBitsAreAsTheyAre) {
  Tensor<std::int8_t, 2> codes(2, 64);
  for (int i = 0; i < 128; ++i) codes(i / 64, i % 64) = static_cast<std::int8_t>(2 * i - 127);
  const std::vector<float> scales = {0.0625f, 0.8125f, 0.00341796875f, 1.5f};
  const QuantizedTensor<Int<8>, 2, GgmlBlocks> tensor(codes, QuantParams<GgmlBlocks>(scales));
  const Tensor<float, 2> weights = tensor.dequantize();
  for (int i = 0; i < 128; ++i) {
    EXPECT_EQ(weights(i / 64, i % 64), scales[static_cast<std::size_t>(i / 32)] * static_cast<float>(2 * i - 127)) << i;
  }
  EXPECT_EQ(tensor.bytes(), 4 * 34);
}

}  // namespace
}  // namespace quanta::test
