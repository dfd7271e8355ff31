// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The kernel of this translation unit: that of the best instruction set its flags allow and a kernel is there for.
#pragma once

#include <quanta/gemm/kernels/avx2.hpp>
#include <quanta/gemm/kernels/avx512_vnni.hpp>
#include <quanta/gemm/kernels/avx_vnni.hpp>
#include <quanta/gemm/kernels/avx_vnni_int8.hpp>
#include <quanta/gemm/kernels/neon.hpp>
#include <quanta/gemm/kernels/neon_dot.hpp>
#include <quanta/gemm/kernels/neon_i8mm.hpp>
#include <quanta/gemm/kernels/portable.hpp>
#include <quanta/gemm/kernels/sse2.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {
template <class Arch>
concept KernelIsThere = Arch::compiled && requires {
  Int8Kernel<Arch>::kMr;
};
template <class Arch>
struct HasKernel : std::bool_constant<KernelIsThere<Arch>> {};
}  // namespace detail

/// What products use unless they are told otherwise.
using NativeKernel = Int8Kernel<typename arch::First<detail::HasKernel, arch::All>::type>;

QUANTA_NAMESPACE_END
