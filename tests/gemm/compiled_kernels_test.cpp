// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products with every kernel this build's flags allow (include/quanta/gemm/kernels).
#include "tests/gemm/kernel_checks.hpp"

namespace quanta::test {
namespace {

template <class Kernel>
class CompiledKernel : public testing::Test {};
TYPED_TEST_SUITE(CompiledKernel, CompiledKernels::Types);

TYPED_TEST(CompiledKernel, IsExactForAllTailsWithUnsignedLhs) { check_tails<TypeParam, UInt<8>, Int<8>>(); }
TYPED_TEST(CompiledKernel, IsExactForAllTailsWithSignedLhs) { check_tails<TypeParam, Int<8>, Int<8>>(); }
TYPED_TEST(CompiledKernel, IsExactForAllExtremesWithUnsignedLhs) { check_extremes<TypeParam, UInt<8>, Int<8>>(); }
TYPED_TEST(CompiledKernel, IsExactForAllExtremesWithSignedLhs) { check_extremes<TypeParam, Int<8>, Int<8>>(); }
TYPED_TEST(CompiledKernel, IsExactForAllExtremesOfUnsignedWeights) { check_extremes<TypeParam, UInt<8>, UInt<8>>(); }
TYPED_TEST(CompiledKernel, IsExactForEveryGroupSize) { check_groups<TypeParam, UInt<8>, Int<8>>(); }

}  // namespace
}  // namespace quanta::test
