// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What goes wrong with the contents of a file is the file's error, wherever it is found.
#pragma once

#include <new>
#include <string>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Calls f. An Error that it throws becomes a FileError that begins with `where`; so does a lack of memory, which is
/// the one failure that depends on the machine.
template <class F>
auto as_file_error(const std::string& where, F f) {
#if QUANTA_HAS_EXCEPTIONS
  try {
    return f();
  } catch (const Error& error) {
    fail<FileError>(where, ": ", error.what());
  } catch (const std::bad_alloc&) {
    fail<FileError>(where, ": there is no memory for it");
  }
#else
  static_cast<void>(where);
  return f();
#endif
}

}  // namespace detail
QUANTA_NAMESPACE_END
