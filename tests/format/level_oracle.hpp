// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The oracle of formats that are not integers: what a code stands for, from the specification's formula, and the
// nearest level, looked for among all. It shares no code with the library.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/support/random.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {

/// A floating format as the specifications put it: (-1)^s 2^(E - bias) (1 + M / 2^m), and 2^(1 - bias) M / 2^m where E
/// is 0.
struct FloatSpec {
  enum Special { none, nan, ieee };
  int exponent_bits, fraction_bits, bias;
  Special special;

  int codes() const { return 2 << (exponent_bits + fraction_bits); }
  double level(int code) const {
    const int fractions = 1 << fraction_bits, exponents = 1 << exponent_bits;
    const int m = code % fractions, e = code / fractions % exponents;
    const double sign = code / fractions / exponents != 0 ? -1.0 : 1.0;
    if (special == ieee && e == exponents - 1) {
      return m == 0 ? sign * std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
    }
    if (special == nan && e == exponents - 1 && m == fractions - 1) return std::numeric_limits<double>::quiet_NaN();
    const double fraction = std::ldexp(m, -fraction_bits);
    return sign * (e == 0 ? std::ldexp(fraction, 1 - bias) : std::ldexp(1.0 + fraction, e - bias));
  }
};

/// Levels in ascending order with their codes. `prefer(a, b)`: of two levels as near as each other, is code a taken?
template <class Prefer>
class NearestOracle {
 public:
  NearestOracle(const std::vector<double>& levels, Prefer prefer) : prefer_(prefer) {
    for (std::size_t i = 0; i < levels.size(); ++i) {
      if (std::isfinite(levels[i])) sorted_.push_back({levels[i], static_cast<int>(i)});
    }
    std::stable_sort(sorted_.begin(), sorted_.end(), [](const Level& a, const Level& b) { return a.value < b.value; });
  }

  /// The code of the level nearest to x, which is not NaN. Levels of the same value count by `prefer` too.
  int code(float x) const {
    const double v = std::clamp(static_cast<double>(x), sorted_.front().value, sorted_.back().value);  // infinities too
    const auto above = std::lower_bound(sorted_.begin(), sorted_.end(), v,
                                        [](const Level& level, double value) { return level.value < value; });
    const std::size_t middle = static_cast<std::size_t>(above - sorted_.begin());
    int best = sorted_[middle].code;
    double distance = std::fabs(sorted_[middle].value - v);
    for (std::size_t i = middle < 3 ? 0 : middle - 3; i < std::min(middle + 4, sorted_.size()); ++i) {
      const double d = std::fabs(sorted_[i].value - v);
      if (d < distance || (d == distance && prefer_(sorted_[i].code, best))) {
        best = sorted_[i].code;
        distance = d;
      }
    }
    return best;
  }

  /// Floats where rounding may go wrong: every level and every point half way between two, with its neighbours.
  std::vector<float> critical_floats() const {
    std::vector<float> result;
    for (std::size_t i = 0; i < sorted_.size(); ++i) {
      const double next = sorted_[std::min(i + 1, sorted_.size() - 1)].value;
      for (const double v : {sorted_[i].value, (sorted_[i].value + next) / 2.0}) {
        const float x = static_cast<float>(v);
        const float infinity = std::numeric_limits<float>::infinity();
        for (const float y : {std::nextafter(x, -infinity), x, std::nextafter(x, infinity)}) result.push_back(y);
      }
    }
    return result;
  }

 private:
  struct Level {
    double value;
    int code;
  };
  std::vector<Level> sorted_;
  Prefer prefer_;
};

/// Floats of every sign, exponent and leading fraction, infinities and NaN, the other bits random.
inline std::vector<float> float_sweep(int full) {
  const std::uint32_t count = static_cast<std::uint32_t>(scaled(full, 4096)), step = 0xffffffffu / count;
  std::vector<float> result;
  Random random(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    result.push_back(std::bit_cast<float>(i * step + static_cast<std::uint32_t>(random.bits() % step)));
  }
  return result;
}

}  // namespace quanta::test
