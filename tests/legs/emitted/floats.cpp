// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The emitted networks on floats. Returns how many rows differ from the library's by a bit.

#include "cases.hpp"
#include "deep.hpp"
#include "deep_twice.hpp"
#include "detail.hpp"
#include "ends.hpp"
#include "run.hpp"
#include "tables.hpp"
#include "wide.hpp"
#include "wide_twice.hpp"

int wrong_floats();

int wrong_floats() {
  int wrong = 0;
#define CHECK(net)                                                                    \
  {                                                                                   \
    static std::int8_t workspace[net::kWorkspace];                                    \
    for (int r = 0; r < ROWS; ++r) {                                                  \
      float x[net::kInputs], y[net::kOutputs];                                        \
      __builtin_memcpy(x, net##_floats + r * net::kInputs, sizeof x);                 \
      net::run(x, y, workspace);                                                      \
      wrong += __builtin_memcmp(y, net##_outputs + r * net::kOutputs, sizeof y) != 0; \
    }                                                                                 \
  }
  NETWORKS(CHECK)
  return wrong;
}
