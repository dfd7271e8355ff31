// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The second header of the library, which has a target of its own.

#include <quanta/io.hpp>

bool io_works();
bool io_works() { return true; }
