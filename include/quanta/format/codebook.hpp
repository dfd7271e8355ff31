// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Codebooks: formats that are tables of levels. Where neighbouring levels meet is worked out by the compiler, exactly,
// so that a code is found by comparing with limits alone.
#pragma once

#include <algorithm>
#include <array>

#include <quanta/format/format.hpp>
#include <quanta/simd/levels.hpp>

QUANTA_NAMESPACE_BEGIN

/// The 4-bit NormalFloat of QLoRA (Dettmers et al., 2023, appendix E): quantiles of a normal distribution in [-1, 1],
/// with a 0.
struct NF4 {
  using Code = std::uint8_t;                       ///< a code as it is handed out
  static constexpr int bits = 4;                   ///< of a code in memory
  static constexpr std::string_view name = "nf4";  ///< in files and tables
  /// Ascending.
  static constexpr std::array<float, 16> levels = {
      -1.0f,
      -0.6961928009986877f,
      -0.5250730514526367f,
      -0.39491748809814453f,
      -0.28444138169288635f,
      -0.18477343022823334f,
      -0.09105003625154495f,
      0.0f,
      0.07958029955625534f,
      0.16093020141124725f,
      0.24611230194568634f,
      0.33791524171829224f,
      0.44070982933044434f,
      0.5626170039176941f,
      0.7229568362236023f,
      1.0f,
  };
};

/// The 4-bit float of bitsandbytes: a sign, then 0, 1/192, 2/3, 1, 1/3, 1/2, 1/6 and 1/4. Both zeros are level 0; reals
/// get the first.
struct FP4 {
  using Code = std::uint8_t;                       ///< a code as it is handed out
  static constexpr int bits = 4;                   ///< of a code in memory
  static constexpr std::string_view name = "fp4";  ///< in files and tables
  /// Bit 3 of a code is the sign.
  static constexpr std::array<float, 16> levels = {
      0.0f,  0.0625f / 12.0f,  8.0f / 12.0f,  1.0f,  4.0f / 12.0f,  0.5f,  2.0f / 12.0f,  0.25f,
      -0.0f, -0.0625f / 12.0f, -8.0f / 12.0f, -1.0f, -4.0f / 12.0f, -0.5f, -2.0f / 12.0f, -0.25f};
};

namespace detail {

/// The levels of a codebook in ascending order, each once, with its lowest code.
template <int size>
struct SortedLevels {
  std::array<float, usize(size)> levels;
  std::array<std::uint8_t, usize(size)> codes;
};

/// Are there only finite numbers among the levels, and another than 0?
template <CodebookFormat F>
constexpr bool are_levels() {
  constexpr float most = std::numeric_limits<float>::max();
  return std::all_of(F::levels.begin(), F::levels.end(), [](float v) { return v >= -most && v <= most; }) &&
         std::any_of(F::levels.begin(), F::levels.end(), [](float v) { return v != 0.0f; });
}

template <CodebookFormat F>
constexpr int count_levels() {
  auto levels = F::levels;
  std::sort(levels.begin(), levels.end());
  return static_cast<int>(std::unique(levels.begin(), levels.end()) - levels.begin());
}

template <CodebookFormat F>
constexpr auto sort_levels() {
  static_assert(are_levels<F>(), "quanta: the levels of a codebook are finite, and not all 0");
  std::array<std::uint8_t, F::levels.size()> order{};
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::uint8_t>(i);
  std::sort(order.begin(), order.end(), [](std::uint8_t a, std::uint8_t b) {
    return F::levels[a] < F::levels[b] || (F::levels[a] == F::levels[b] && a < b);
  });
  SortedLevels<count_levels<F>()> sorted{};
  std::size_t n = 0;
  for (const std::uint8_t code : order) {
    if (n > 0 && F::levels[code] == sorted.levels[n - 1]) continue;
    sorted.levels[n] = F::levels[code];
    sorted.codes[n++] = code;
  }
  return sorted;
}

template <CodebookFormat F>
inline constexpr auto kSorted = sort_levels<F>();

/// The neighbouring float above, or below, of a finite one.
constexpr float next_float(float v, bool above) {
  if (v == 0.0f) return above ? 0x1p-149f : -0x1p-149f;
  return std::bit_cast<float>(std::bit_cast<std::int32_t>(v) + ((v > 0.0f) == above ? 1 : -1));
}

/// The smallest float that is nearer to b than to a < b; as near is enough where ties go to b.
constexpr float limit_between(float a, float b, bool ties_go_up) {
  const double sum = double{a} + double{b}, part = sum - double{a};
  const double error = (double{a} - (sum - part)) + (double{b} - part);  // sum + error is a + b (Knuth's TwoSum)
  const auto goes_up = [&](float v) {
    const double twice = 2.0 * double{v};
    if (twice != sum) return twice > sum;
    return error == 0.0 ? ties_go_up : error < 0.0;
  };
  float limit = static_cast<float>(sum / 2.0);
  while (!goes_up(limit)) limit = next_float(limit, true);
  while (goes_up(next_float(limit, false))) limit = next_float(limit, false);
  return limit;
}

/// A codebook of one level needs a limit too: no real reaches it.
template <CodebookFormat F>
constexpr auto nearest_level() {
  constexpr int size = static_cast<int>(kSorted<F>.levels.size());
  simd::NearestLevel<(size > 1 ? size - 1 : 1)> nearest{{std::numeric_limits<float>::quiet_NaN()}};
  for (std::size_t i = 0; i + 1 < usize(size); ++i) {
    nearest.limits[i] = limit_between(kSorted<F>.levels[i], kSorted<F>.levels[i + 1],  //
                                      kSorted<F>.codes[i + 1] < kSorted<F>.codes[i]);
  }
  return nearest;
}

template <CodebookFormat F>
inline constexpr auto kNearestLevel = nearest_level<F>();

/// Are the levels in ascending order, so that codes are their numbers?
template <CodebookFormat F>
constexpr bool is_sorted() {
  for (std::size_t i = 0; i < kSorted<F>.codes.size(); ++i) {
    if (kSorted<F>.codes[i] != i) return false;
  }
  return true;
}

}  // namespace detail
QUANTA_NAMESPACE_END
