// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <cstdlib>
#include <type_traits>

#include <gtest/gtest.h>

#include <quanta/core/error.hpp>

#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

TEST(Error, JoinsItsPartsIntoOneMessage) {
  const std::array<Index, 3> shape{2, 0, 7};
  EXPECT_EQ(detail::text("gemm: lhs has shape ", shape, ", expected k = ", 5, std::string("!")),
            "gemm: lhs has shape (2, 0, 7), expected k = 5!");
  EXPECT_EQ(detail::text(std::int64_t{-9223372036854775807}, " ", std::array<Index, 1>{4}), "-9223372036854775807 (4)");
}

TEST(Error, PrintsFloatsThatReadBackAsTheSameNumber) {
  Random random(1);
  for (int i = 0; i < 10'000; ++i) {
    const float v = random.any_finite_float();
    ASSERT_EQ(std::strtof(detail::text(v).c_str(), nullptr), v);
    const double w = static_cast<double>(v) / 3.0;
    ASSERT_EQ(std::strtod(detail::text(w).c_str(), nullptr), w);
  }
  EXPECT_EQ(detail::text(0.5f), "0.5");
}

TEST(Error, IsThrownOnlyWhenTheCheckFails) {
  EXPECT_NO_THROW(detail::check(true, "unused"));
  EXPECT_THROW(detail::check(false, "n is ", 3), Error);
  EXPECT_THROW(detail::check<FileError>(false, "broken"), FileError);
  static_assert(std::is_base_of_v<std::invalid_argument, Error>);
  static_assert(std::is_base_of_v<std::runtime_error, FileError>);
  static_assert(!std::is_base_of_v<Error, FileError>);
}

void ignore(const char*) {}

TEST(Error, HandlerCanBeReplacedAndPutBack) {
  const ErrorHandler original = set_error_handler(&ignore);
  EXPECT_NE(original, nullptr);
  EXPECT_EQ(set_error_handler(original), &ignore);
  // Null stands for the default, never for no handler at all.
  set_error_handler(nullptr);
  EXPECT_EQ(set_error_handler(original), original);
}

}  // namespace
}  // namespace quanta::test
