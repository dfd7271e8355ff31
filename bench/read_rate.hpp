// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The limit of a product with one row: its weights are read once, so it cannot be faster than reading as many bytes
// from where they lie, be it cache or memory.
#pragma once

#include <cstdint>

#include <benchmark/benchmark.h>

#include <quanta/quanta.hpp>

namespace bench {

/// Reads `bytes` with nothing else to do, asking for the bytes `ahead` of them where that is not 0.
template <int ahead>
void read_once(const float* data, std::int64_t bytes) {
  using L = quanta::simd::NativeLanes;
  constexpr std::int64_t kStep = 8 * L::width;
  typename L::I sums[8];
  QUANTA_UNROLL for (int j = 0; j < 8; ++j) sums[j] = L::set_int(0);
  const std::int64_t count = bytes / 4;
  for (std::int64_t i = 0; i + kStep <= count; i += kStep) {
#if defined(__GNUC__)
    if constexpr (ahead != 0) {
      for (int line = 0; line < kStep / 16; ++line) __builtin_prefetch(data + i + ahead / 4 + 16 * line);
    }
#endif
    QUANTA_UNROLL for (int j = 0; j < 8; ++j) {
      sums[j] = L::add(sums[j], L::magnitude_bits(L::load(data + i + j * L::width)));
    }
  }
  benchmark::DoNotOptimize(sums);
}

/// As many bytes as a product's weights, from one place or from `copies` places in turn, by all threads.
class ReadRate {
 public:
  ReadRate(std::int64_t bytes, std::int64_t copies, quanta::Context& context)
      : bytes_((bytes + 63) / 64 * 64), copies_(copies), context_(context), data_(bytes_ * copies / 4, 0.0f) {}

  template <int ahead>
  void read() {
    const float* from = data_.data() + next_ * bytes_ / 4;
    next_ = (next_ + 1) % copies_;
    const std::int64_t tasks = context_.threads(), part = bytes_ / tasks / 64 * 64;
    context_.parallel(tasks, static_cast<double>(part),
                      [&](std::int64_t task) { read_once<ahead>(from + task * part / 4, part); });
  }

 private:
  std::int64_t bytes_, copies_, next_ = 0;
  quanta::Context& context_;
  quanta::Buffer<float> data_;  // in such pages as packed weights are
};

}  // namespace bench
