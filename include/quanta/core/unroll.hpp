// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A loop whose counter is a constant expression. Micro-kernels use it so that every accumulator has a name the compiler
// can keep in a register; an ordinary loop over an array of accumulators spills with GCC 12.
#pragma once

#include <type_traits>
#include <utility>

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN

/// f(std::integral_constant<int, 0>{}), ..., f(std::integral_constant<int, n - 1>{}), in that order.
template <int n, class F>
QUANTA_ALWAYS_INLINE constexpr void unroll(F&& f) {
  [&]<int... i>(std::integer_sequence<int, i...>) QUANTA_INLINE_LAMBDA { (f(std::integral_constant<int, i>{}), ...); }
  (std::make_integer_sequence<int, n>{});
}

QUANTA_NAMESPACE_END
