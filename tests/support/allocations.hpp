// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the program has allocated with operator new. The counting operators are in allocations_test.cpp and replace
// those of the whole test program.
#pragma once

#include <cstdint>

namespace quanta::test {

struct Allocations {
  std::int64_t count;       ///< calls of operator new so far, of all threads
  std::int64_t live_bytes;  ///< bytes asked for and not given back
};

/// As of now; compare two.
Allocations allocations();

/// While it lives, the allocation of this number from now on (from 0) throws std::bad_alloc, of whichever thread.
class FailingAllocation {
 public:
  explicit FailingAllocation(std::int64_t number);
  ~FailingAllocation();
  FailingAllocation(const FailingAllocation&) = delete;
  FailingAllocation& operator=(const FailingAllocation&) = delete;
};

}  // namespace quanta::test
