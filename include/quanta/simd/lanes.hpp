// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The lane type this unit is compiled for.
#pragma once

#include <type_traits>

#include <quanta/simd/avx2.hpp>
#include <quanta/simd/avx512.hpp>
#include <quanta/simd/neon.hpp>
#include <quanta/simd/scalar.hpp>
#include <quanta/simd/sse2.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

#if QUANTA_HAS_AVX512
using NativeLanes = Avx512Lanes;
#elif QUANTA_HAS_AVX2
using NativeLanes = Avx2Lanes;
#elif QUANTA_HAS_SSE2
using NativeLanes = Sse2Lanes;
#elif QUANTA_HAS_NEON
using NativeLanes = NeonLanes;
#else
using NativeLanes = ScalarLanes;
#endif

}  // namespace simd
QUANTA_NAMESPACE_END
