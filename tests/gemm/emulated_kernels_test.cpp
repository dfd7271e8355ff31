// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products with the tile of every kernel of every instruction set, emulated by PortableKernel: its layout and its way
// through the loop nest run on this CPU whatever this CPU is.
#include "tests/gemm/kernel_checks.hpp"

namespace quanta::test {
namespace {

template <class Kernel>
class EmulatedKernel : public testing::Test {};
TYPED_TEST_SUITE(EmulatedKernel, EmulatedKernels::Types);

TYPED_TEST(EmulatedKernel, IsExactForAllTails) { check_tails<TypeParam, UInt<8>, Int<8>>(); }
TYPED_TEST(EmulatedKernel, IsExactForAllExtremes) { check_extremes<TypeParam, Int<8>, Int<8>>(); }
TYPED_TEST(EmulatedKernel, IsExactForEveryGroupSize) { check_groups<TypeParam, Int<8>, UInt<8>>(); }

}  // namespace
}  // namespace quanta::test
