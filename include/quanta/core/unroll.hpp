// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A loop whose counter is a constant expression, for intrinsics that take one (elsewhere QUANTA_UNROLL will do, and
// costs the compiler less). And what keeps a long loop body within the registers: values computed where they are
// written, which GCC would reorder until their results no longer fit, and constants that stay in memory.
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

/// v, a vector register; computed after every `in_order` above it and before every one below.
template <class T>
QUANTA_ALWAYS_INLINE T in_order(T v) {
#if defined(QUANTA_FLOAT_REGISTER)
  asm volatile("" : QUANTA_FLOAT_REGISTER(v));
#endif
  return v;
}

/// p; what is read from it is read anew each time, and holds no register in between.
template <class T>
QUANTA_ALWAYS_INLINE T* left_in_memory(T* p) {
#if defined(QUANTA_FLOAT_REGISTER)
  asm volatile("" : "+r"(p));
#endif
  return p;
}

QUANTA_NAMESPACE_END
