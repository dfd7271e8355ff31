// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products with tiles that are not powers of two and with all pairs of operand types: what the micro-kernel contract
// allows, packing and loop nest must serve.
#include "tests/gemm/kernel_checks.hpp"

namespace quanta::test {
namespace {

template <class Kernel>
class OddKernel : public testing::Test {};
TYPED_TEST_SUITE(OddKernel, OddKernels::Types);

TYPED_TEST(OddKernel, IsExactForAllTailsWithUnsignedLhs) { check_tails<TypeParam, UInt<8>, Int<8>>(); }
TYPED_TEST(OddKernel, IsExactForAllTailsWithSignedLhs) { check_tails<TypeParam, Int<8>, UInt<8>>(); }
TYPED_TEST(OddKernel, IsExactForAllExtremes) { check_extremes<TypeParam, UInt<8>, UInt<8>>(); }
TYPED_TEST(OddKernel, IsExactForEveryGroupSize) { check_groups<TypeParam, Int<8>, Int<8>>(); }

}  // namespace
}  // namespace quanta::test
