// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The sizes of a product that fills no kernel's tiles.
#pragma once

#include <quanta/core/types.hpp>

namespace quanta::test {

inline constexpr Index kM = 11, kN = 37, kK = 30;

}  // namespace quanta::test
