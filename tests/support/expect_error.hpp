// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// An assertion on bad input: the statement throws, and the message says what a reader of it needs.
#pragma once

#include <initializer_list>
#include <string>

#include <gtest/gtest.h>

#include <quanta/core/error.hpp>

namespace quanta::test {

template <class E, class F>
void expect_error(F statement, std::initializer_list<std::string> parts, const char* file, int line) {
  std::string message;
  try {
    statement();
    ADD_FAILURE_AT(file, line) << "nothing was thrown";
    return;
  } catch (const E& error) {
    message = error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE_AT(file, line) << "an exception of another type: " << error.what();
    return;
  }
  for (const std::string& part : parts) {
    if (message.find(part) == std::string::npos) {
      ADD_FAILURE_AT(file, line) << "the message does not say \"" << part << "\": " << message;
    }
  }
}

}  // namespace quanta::test

/// EXPECT_ERROR(statement, "part of the message", ...): throws quanta::Error with all these parts in its message.
#define EXPECT_ERROR(statement, ...)                                                                            \
  ::quanta::test::expect_error<::quanta::Error>([&] { static_cast<void>(statement); }, {__VA_ARGS__}, __FILE__, \
                                                __LINE__)
