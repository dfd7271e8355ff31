// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Data for the tests of calibration: families of batches that have given histograms trouble, and ways to split and to
// merge them.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "tests/support/random.hpp"
#include "tests/support/tensors.hpp"

namespace quanta::test {

using Values = std::vector<float>;

/// As an Eigen vector, without a copy.
inline Eigen::Map<const Eigen::VectorXf> as_eigen(const Values& x) {
  return {x.data(), static_cast<Eigen::Index>(x.size())};
}

inline Values normal_values(std::size_t n, std::uint64_t seed, float deviation = 1.0f) {
  Random random(seed);
  Values x(n);
  for (float& v : x) v = random.normal(deviation);
  return x;
}

/// Heavy tails on both sides: u / (1 - u^2), with exact operations alone, so that it is the same everywhere.
inline Values heavy_values(std::size_t n, std::uint64_t seed, float scale = 1.0f) {
  Random random(seed);
  Values x(n);
  for (float& v : x) {
    const float u = random.uniform();
    const float below = (1.0f - u) * (1.0f + u);
    v = u / std::max(below, 0x1p-20f) * scale;
  }
  return x;
}

template <int rank>
RowTensor<float, rank> heavy_tensor(const Dims<rank>& shape, std::uint64_t seed, float scale = 1.0f) {
  RowTensor<float, rank> x(shape);
  const Values values = heavy_values(static_cast<std::size_t>(x.size()), seed, scale);
  std::copy(values.begin(), values.end(), x.data());
  return x;
}

inline Values laplace_cubed_values(std::size_t n, std::uint64_t seed) {
  Random random(seed);
  Values x(n);
  for (float& v : x) {
    const double u = (static_cast<double>(random.bits() >> 11) + 0.5) * 0x1p-53;
    const double laplace = u < 0.5 ? std::log(2.0 * u) : -std::log(2.0 - 2.0 * u);
    v = static_cast<float>(laplace * laplace * laplace);
  }
  return x;
}

inline Values scaled_values(Values x, float factor) {
  for (float& v : x) v *= factor;
  return x;
}

inline Values absolute_values(Values x) {
  for (float& v : x) v = std::fabs(v);
  return x;
}

inline Values joined(const std::vector<Values>& batches) {
  Values all;
  for (const Values& batch : batches) all.insert(all.end(), batch.begin(), batch.end());
  return all;
}

struct Family {
  const char* name;
  std::vector<Values> batches;
};

inline std::vector<Family> families() {
  constexpr float most = std::numeric_limits<float>::max();
  const Values zeros(40, 0.0f), minus_zeros(33, -0.0f), nearly_constant = [] {
    Values x(50, 1.0f);
    x[7] = std::nextafter(1.0f, 2.0f);
    return x;
  }();
  const Values subnormal = scaled_values(normal_values(60, 1), 0x1p-135f);
  Values any;
  Random random(2);
  for (int i = 0; i < 200; ++i) any.push_back(random.any_finite_float());
  return {
      {"normal", {normal_values(100, 3), normal_values(1, 4), normal_values(77, 5)}},
      {"heavy", {heavy_values(200, 6), heavy_values(100, 7)}},
      {"maximum grows late",
       {normal_values(60, 8, 1e-9f), normal_values(60, 9), normal_values(60, 10, 1e9f), {-3e30f}}},
      {"maximum first", {{3e30f}, normal_values(60, 8, 1e-9f), normal_values(60, 9)}},
      {"zeros first", {zeros, zeros, normal_values(50, 11)}},
      {"zeros alone", {zeros, zeros}},
      {"zeros of both signs", {minus_zeros, zeros, minus_zeros}},
      {"minus zero with data", {{-0.0f, 0.0f, -0.0f}, normal_values(20, 12), minus_zeros}},
      {"nearly constant first", {nearly_constant, nearly_constant, normal_values(50, 13, 100.0f)}},
      {"constant", {Values(30, -2.75f), Values(5, -2.75f)}},
      {"subnormal", {subnormal, zeros, {0x1p-149f, -0x1p-149f}}},
      {"subnormal, then normal", {subnormal, scaled_values(normal_values(40, 14), 1e-37f), normal_values(9, 15)}},
      {"1e-38", {scaled_values(normal_values(70, 16), 1e-38f), zeros}},
      {"1e38", {scaled_values(normal_values(70, 17), 3e37f), normal_values(20, 18)}},
      {"largest floats", {{most, -most, 1.0f}, {most}, normal_values(20, 19)}},
      {"smallest beside largest", {{0x1p-149f, -0x1p-149f, 0x1p-126f}, {most}, zeros}},
      {"positive", {absolute_values(normal_values(90, 20)), absolute_values(heavy_values(30, 21))}},
      {"negative", {scaled_values(absolute_values(heavy_values(90, 22)), -1.0f), {-1e-20f}}},
      {"any finite", {Values(any.begin(), any.begin() + 90), Values(any.begin() + 90, any.end())}},
  };
}

/// The same values in another order, cut into batches at random.
inline std::vector<Values> shuffled(Values values, Random& random) {
  for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[random.bits() % i]);
  std::vector<Values> batches;
  for (std::size_t at = 0; at < values.size();) {
    const std::size_t n = std::min<std::size_t>(values.size() - at, 1 + random.bits() % 64);
    batches.emplace_back(values.begin() + static_cast<std::ptrdiff_t>(at),
                         values.begin() + static_cast<std::ptrdiff_t>(at + n));
    at += n;
  }
  return batches;
}

/// One of all: any two are merged until one is left.
template <class Mergeable>
Mergeable merged_at_random(std::vector<Mergeable> parts, Random& random) {
  while (parts.size() > 1) {
    const std::size_t from = random.bits() % parts.size();
    std::swap(parts[from], parts.back());
    const Mergeable last = parts.back();
    parts.pop_back();
    parts[random.bits() % parts.size()].merge(last);
  }
  return parts.front();
}

}  // namespace quanta::test
