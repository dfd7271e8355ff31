// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The unit without floats: compiled with -mgeneral-regs-only, it can hold none.
#include <quanta/integer/network.hpp>

#if defined(__ARM_FP) || defined(__ARM_NEON) || defined(__SSE__)
#error "this unit is for -mgeneral-regs-only"
#endif

extern "C" void firmware_run(const quanta::integer::Network* network, const std::int8_t* x, std::int8_t* y,
                             std::int8_t* scratch) {
  quanta::integer::run(*network, x, y, scratch);
}
