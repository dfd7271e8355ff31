// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A micro-kernel of the tests' own that counts: what goes through it was multiplied as integers, and what does not is
// missing from the count.
#pragma once

#include <atomic>
#include <cstdint>

#include <quanta/gemm/kernels/portable.hpp>

namespace quanta::test {

inline std::atomic<std::int64_t> integer_multiply_adds{0};

template <class Kernel>
struct CountingKernel : Kernel {
  static constexpr const char* name = "Counting";

  template <int rows>
  static void run(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                  const SumTile& tile, bool accumulate) {
    count(lhs, blocks, rows);
    Kernel::template run<rows>(lhs, panel, blocks, tile, accumulate);
  }

  template <int rows>
  static void run_proven(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                         const SumTile& tile, bool accumulate) requires HasProvenForm<Kernel> {
    count(lhs, blocks, rows);
    Kernel::template run_proven<rows>(lhs, panel, blocks, tile, accumulate);
  }

  template <int rows>
  static void run_paired(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                         const SumTile& tile, bool accumulate) requires HasPairedForm<Kernel> {
    count(lhs, blocks, rows);
    Kernel::template run_paired<rows>(lhs, panel, blocks, tile, accumulate);
  }

 private:
  static void count(const LhsTile<typename Kernel::Lhs>& lhs, Index blocks, int rows) {
    integer_multiply_adds += (blocks + (lhs.tail != nullptr ? 1 : 0)) * rows * Kernel::kNr * Kernel::kKr;
  }
};

/// What a product of (m, k) by (n, k) in groups of k costs: rows as they are, columns in whole panels, each group in
/// whole blocks.
template <class Kernel>
std::int64_t expected_multiply_adds(Index m, Index n, Index k, Index group) {
  std::int64_t steps = 0;
  for (Index first = 0; first < k; first += group) {
    steps += (std::min(group, k - first) + Kernel::kKr - 1) / Kernel::kKr * Kernel::kKr;
  }
  return m * ((n + Kernel::kNr - 1) / Kernel::kNr * Kernel::kNr) * steps;
}

}  // namespace quanta::test
