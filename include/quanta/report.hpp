// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What people read to choose a format and to see what it cost: tables of formats for one weight, of a model's layers,
// and of a quantized model's layers beside those of the float model.
#pragma once

#include <quanta/layers/compare.hpp>
#include <quanta/layers/summary.hpp>
#include <quanta/quant/bit_width_table.hpp>
