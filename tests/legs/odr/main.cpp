// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Runs the same work in every unit and compares the bits.

#include <cstdio>
#include <cstring>
#include <vector>

#include "work.hpp"

namespace {

// Numbers in [-1, 1) that look random and are the same everywhere.
std::vector<float> numbers(int count, std::uint32_t state) {
  std::vector<float> result;
  for (int i = 0; i < count; ++i) {
    state = state * 1664525u + 1013904223u;
    result.push_back(static_cast<float>(state >> 8) / 8388608.0f - 1.0f);
  }
  return result;
}

bool same(const odr::Results& a, const odr::Results& b) {
  return std::memcmp(a.y, b.y, sizeof a.y) == 0 && std::memcmp(a.acc, b.acc, sizeof a.acc) == 0 &&
         std::memcmp(a.weight_scales, b.weight_scales, sizeof a.weight_scales) == 0;
}

}  // namespace

int main() {
  const auto x = numbers(odr::kM * odr::kK, 1), weight = numbers(odr::kN * odr::kK, 2), bias = numbers(odr::kN, 3);
  static odr::Results baseline, native, no_exceptions;
  odr::work_baseline(x.data(), weight.data(), bias.data(), baseline);
  odr::work_native(x.data(), weight.data(), bias.data(), native);
  odr::work_no_exceptions(x.data(), weight.data(), bias.data(), no_exceptions);

  bool something = false;
  for (const std::int32_t value : native.acc) something = something || value != 0;
  if (!something || !same(baseline, native) || !same(baseline, no_exceptions)) {
    std::puts("the units of one program disagree");
    return 1;
  }
  std::printf("equal bits from %s, %s and, without exceptions, %s\n", baseline.isa, native.isa, no_exceptions.isa);
  return 0;
}
