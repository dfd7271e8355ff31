// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// How the library reports bad input: an exception whose message names the argument, what was expected and what came.
// Checks run before any output is written. Without exceptions one handler is called instead.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <type_traits>

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN

/// Thrown on arguments that do not fit: shapes, ranges, non-finite data, integer capacity.
class Error : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Thrown on files that cannot be read or do not hold what they should.
class FileError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Called with the message in place of a throw when compiled with -fno-exceptions. It must not return; if it does, the
/// program is aborted. The default prints to stderr.
using ErrorHandler = void (*)(const char* message);

/// Sets the handler of this translation unit's ABI namespace and returns the one before.
ErrorHandler set_error_handler(ErrorHandler handler);

namespace detail {

inline void print_error(const char* message) { std::fprintf(stderr, "quanta: %s\n", message); }
inline ErrorHandler error_handler = &print_error;

/// Joins strings, numbers and shapes into one message. Floats are printed so that they read back as the same bits.
template <class... Parts>
std::string text(const Parts&... parts);

/// Throws E(text(parts...)), or calls the handler.
template <class E = Error, class... Parts>
[[noreturn]] QUANTA_COLD void fail(const Parts&... parts);

/// fail(parts...) unless ok holds. The parts are formatted only then.
template <class E = Error, class... Parts>
QUANTA_ALWAYS_INLINE void check(bool ok, const Parts&... parts) {
  if (!ok) [[unlikely]] {
    fail<E>(parts...);
  }
}

/// A value that is not finite, as messages show it: a double that was may be infinite as a float.
struct NotFinite {
  float value;
};

/// Calls f. An Error that it throws says change(message) in place of its message.
template <class Change, class F>
decltype(auto) change_errors([[maybe_unused]] Change change, F f);

/// Calls f. An Error that it throws begins with what where() says, which is asked only then.
template <class Where, class F>
decltype(auto) name_in_errors(Where where, F f);

// ---- bodies ----

inline void append(std::string& out, const char* part) { out += part; }
inline void append(std::string& out, const std::string& part) { out += part; }
inline void append(std::string& out, double part) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.17g", part);
  out += digits;
}
inline void append(std::string& out, float part) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.9g", static_cast<double>(part));
  out += digits;
}
inline void append(std::string& out, NotFinite part) {
  append(out, part.value);
  if (part.value == part.value) out += " as a float";
}
template <class T>
requires std::is_integral_v<T>
void append(std::string& out, T part) { out += std::to_string(part); }
template <std::size_t rank>
void append(std::string& out, const std::array<Index, rank>& shape) {
  out += '(';
  for (std::size_t i = 0; i < rank; ++i) {
    if (i != 0) out += ", ";
    out += std::to_string(shape[i]);
  }
  out += ')';
}

template <class... Parts>
std::string text(const Parts&... parts) {
  std::string out;
  (append(out, parts), ...);
  return out;
}

template <class E, class... Parts>
[[noreturn]] QUANTA_COLD void fail(const Parts&... parts) {
#if QUANTA_HAS_EXCEPTIONS
  throw E(text(parts...));
#else
  error_handler(text(parts...).c_str());
  std::abort();
#endif
}

template <class Change, class F>
decltype(auto) change_errors([[maybe_unused]] Change change, F f) {
#if QUANTA_HAS_EXCEPTIONS
  try {
    return f();
  } catch (const Error& error) {
    fail(change(std::string(error.what())));
  }
#else
  return f();
#endif
}

template <class Where, class F>
decltype(auto) name_in_errors(Where where, F f) {
  return change_errors([&](const std::string& message) { return text(where(), ": ", message); }, f);
}

}  // namespace detail

inline ErrorHandler set_error_handler(ErrorHandler handler) {
  const ErrorHandler before = detail::error_handler;
  detail::error_handler = handler != nullptr ? handler : &detail::print_error;
  return before;
}

QUANTA_NAMESPACE_END
