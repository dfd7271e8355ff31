// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The emitted networks on codes, in a unit that may have no floating point registers. Returns how many rows differ.

#include "cases.hpp"
#include "deep.hpp"
#include "deep_twice.hpp"
#include "detail.hpp"
#include "ends.hpp"
#include "run.hpp"
#include "tables.hpp"
#include "wide.hpp"
#include "wide_twice.hpp"

int wrong_codes();

int wrong_codes() {
  int wrong = 0;
#define CHECK(net)                                                                                   \
  {                                                                                                  \
    static std::int8_t scratch[net::kScratch];                                                       \
    for (int r = 0; r < ROWS; ++r) {                                                                 \
      std::int8_t y[net::kOutputs];                                                                  \
      net::run_codes(net##_codes + r * net::kInputs, y, scratch);                                    \
      int differ = 0;                                                                                \
      for (int i = 0; i < net::kOutputs; ++i) differ |= y[i] ^ net##_results[r * net::kOutputs + i]; \
      wrong += differ != 0;                                                                          \
    }                                                                                                \
  }
  NETWORKS(CHECK)
  return wrong;
}
