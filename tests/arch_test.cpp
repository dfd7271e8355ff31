// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <string>
#include <type_traits>

#include <gtest/gtest.h>

#include <quanta/arch.hpp>

namespace quanta::test {
namespace {

template <class Arch>
using IsScalar = std::is_same<Arch, arch::Scalar>;
template <class Arch>
using IsAny = std::true_type;

TEST(Arch, FirstTakesTheBestThatIsUsable) {
  static_assert(std::is_same_v<arch::First<IsScalar, arch::All>::type, arch::Scalar>);
  static_assert(std::is_same_v<arch::First<IsAny, arch::All>::type, arch::Avx512Vnni>);
  static_assert(arch::Native::compiled && arch::Scalar::compiled);
}

// The tags follow the flags, which this test reads for itself.
TEST(Arch, NativeIsTheBestThatTheFlagsAllow) {
  std::string expected = "Scalar";
#if !defined(QUANTA_FORCE_SCALAR)
#if defined(__AVX512VNNI__) && defined(__AVX512VL__) && defined(__AVX512BW__) && defined(__AVX512DQ__)
  expected = "Avx512Vnni";
#elif defined(__AVXVNNI__)
  expected = "AvxVnni";
#elif defined(__AVXVNNIINT8__)
  expected = "AvxVnniInt8";
#elif defined(__AVX2__)
  expected = "Avx2";
#elif defined(__SSE2__)
  expected = "Sse2";
#elif defined(__aarch64__) && defined(__ARM_FEATURE_MATMUL_INT8)
  expected = "NeonI8mm";
#elif defined(__aarch64__) && defined(__ARM_FEATURE_DOTPROD)
  expected = "NeonDot";
#elif defined(__aarch64__)
  expected = "Neon";
#endif
#endif
  EXPECT_EQ(arch::Native::name, expected);
}

TEST(Config, SwitchesAreZeroOrOne) {
  for (const int has :
       {QUANTA_HAS_FMA, QUANTA_HAS_SSE2, QUANTA_HAS_AVX2, QUANTA_HAS_AVX512, QUANTA_HAS_AVX512VNNI, QUANTA_HAS_AVXVNNI,
        QUANTA_HAS_AVXVNNIINT8, QUANTA_HAS_NEON, QUANTA_HAS_NEONDOT, QUANTA_HAS_NEONI8MM, QUANTA_HAS_EXCEPTIONS}) {
    EXPECT_TRUE(has == 0 || has == 1);
  }
}

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

TEST(Config, TheAbiTokenNamesVersionAndTarget) {
  const std::string token = TEXT(QUANTA_ABI);
  const std::string version = TEXT(QUANTA_VERSION_MAJOR) "_" TEXT(QUANTA_VERSION_MINOR) "_" TEXT(QUANTA_VERSION_PATCH);
  EXPECT_EQ(token.find("v" + version + "_"), 0u) << token;
  EXPECT_EQ(token.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_"), std::string::npos) << token;
#if defined(__x86_64__)
  EXPECT_NE(token.find("x86_"), std::string::npos) << token;
#elif defined(__aarch64__)
  EXPECT_NE(token.find("arm_"), std::string::npos) << token;
#endif
  EXPECT_NE(token.find("align" + std::to_string(EIGEN_MAX_ALIGN_BYTES)), std::string::npos) << token;
}

}  // namespace
}  // namespace quanta::test
