// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which products are measured: sizes as models have them, and tables, one per form of product.
#pragma once

#include <string>
#include <vector>

#include "peers/problem.hpp"

namespace bench {

inline const std::vector<Size> kSizes = {
    // One token.
    {1, 768, 768},
    {1, 768, 3072},
    {1, 3072, 768},
    {1, 4096, 4096},
    {1, 4096, 4096, true},
    {1, 4096, 11008},
    {1, 4096, 11008, true},
    // A few.
    {8, 768, 768},
    {8, 768, 3072},
    {8, 4096, 4096},
    {32, 768, 768},
    {32, 768, 3072},
    {32, 4096, 4096},
    // A prompt.
    {128, 768, 3072},
    {512, 768, 3072},
    {512, 4096, 4096},
    {1024, 1024, 1024},
    {2048, 2048, 2048},
    // Convolutions as products.
    {3136, 576, 64},
    {784, 1152, 128},
    {196, 2304, 256},
    {49, 4608, 512},
    // A small network.
    {1, 784, 256},
    {1, 256, 128},
    {1, 128, 10},
    {128, 784, 256},
    {128, 256, 128},
    {128, 128, 10},
    // No multiple of anything.
    {17, 123, 45},
    {255, 511, 257},
    {1, 1001, 1003}};

struct Table {
  std::string name;
  Form form;
  bool signed_lhs = false;
  std::int32_t zero_x = 0, zero_w = 0;
  /// Weights of 7 bits, for kernels that multiply them faster.
  bool seven_bits = false;
};

inline const std::vector<Table> kTables = {{"int32", Form::kInt32},
                                           {"real", Form::kReal},
                                           {"codes", Form::kCodes},
                                           {"dynamic", Form::kDynamic},
                                           {"int32_zero_x", Form::kInt32, false, 3, 0},
                                           {"int32_zero_x_zero_w", Form::kInt32, false, 3, 5},
                                           {"int32_signed", Form::kInt32, true, 0, 0},
                                           {"int32_seven_bits", Form::kInt32, false, 0, 0, true}};

}  // namespace bench
