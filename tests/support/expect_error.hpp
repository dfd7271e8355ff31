// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// An assertion on bad input: the statement throws, and the message says what a reader of it needs.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>

#include <gtest/gtest.h>

#include <quanta/core/error.hpp>

namespace quanta::test {

/// The message of the E that the statement throws; nothing, and a failure, where it throws none.
template <class E, class F>
std::optional<std::string> message_of(F statement, const char* file, int line) {
  try {
    statement();
    ADD_FAILURE_AT(file, line) << "nothing was thrown";
  } catch (const E& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE_AT(file, line) << "an exception of another type: " << error.what();
  }
  return std::nullopt;
}

template <class E, class F>
void expect_error(F statement, std::initializer_list<std::string> parts, const char* file, int line) {
  const std::optional<std::string> message = message_of<E>(statement, file, line);
  if (!message) return;
  for (const std::string& part : parts) {
    if (message->find(part) == std::string::npos) {
      ADD_FAILURE_AT(file, line) << "the message does not say \"" << part << "\": " << *message;
    }
  }
}

template <class E, class F>
void expect_error_begins(F statement, const std::string& begin, const char* file, int line) {
  const std::optional<std::string> message = message_of<E>(statement, file, line);
  if (message && !message->starts_with(begin)) {
    ADD_FAILURE_AT(file, line) << "the message does not begin with \"" << begin << "\": " << *message;
  }
}

}  // namespace quanta::test

/// EXPECT_ERROR(statement, "part of the message", ...): throws quanta::Error with all these parts in its message.
#define EXPECT_ERROR(statement, ...)                                                                            \
  ::quanta::test::expect_error<::quanta::Error>([&] { static_cast<void>(statement); }, {__VA_ARGS__}, __FILE__, \
                                                __LINE__)

/// EXPECT_ERROR_BEGINS(statement, "how the message begins"): throws quanta::Error.
#define EXPECT_ERROR_BEGINS(statement, begin) \
  ::quanta::test::expect_error_begins<::quanta::Error>([&] { static_cast<void>(statement); }, begin, __FILE__, __LINE__)
