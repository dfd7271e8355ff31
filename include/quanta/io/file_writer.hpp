// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Writing a file that is whole or not there: the bytes go to another name beside it, are flushed to the disk, and only
// then take the file's name. Whatever happens on the way, the path holds what it held before, or all of the new file.
// A link goes on to lead to the file, which keeps its permissions; what is no file is not replaced.
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>

#include <quanta/core/error.hpp>

#if QUANTA_HAS_POSIX_FILES
#include <fcntl.h>
#include <unistd.h>
#endif

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Every member throws FileError, naming the file and what the system said.
class FileWriter {
 public:
  /// Makes the temporary file, in the same directory.
  explicit FileWriter(const std::filesystem::path& path);
  /// Removes the temporary file unless `finish` was reached.
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(const void* data, std::size_t bytes) {
    if (bytes > 0 && std::fwrite(data, 1, bytes, stream_) != bytes) fail("cannot be written");
  }
  /// Gives the file its name. The last call.
  void finish();

 private:
  [[noreturn]] void fail(const char* what) const {
    detail::fail<FileError>(path_.string(), ": ", what, ": ", std::generic_category().message(errno));
  }

  std::filesystem::path path_, target_, temporary_;  // as it was given, where links lead, beside that
  std::FILE* stream_ = nullptr;
};

// ---- bodies ----

inline FileWriter::FileWriter(const std::filesystem::path& path) : path_(path) {
  std::error_code error;
  target_ = std::filesystem::weakly_canonical(path, error);
  if (error) target_ = path;
  // What is left then are links to files that are not there yet; of a circle the system says so below.
  for (int i = 0; i < 40 && std::filesystem::is_symlink(target_, error); ++i) {
    const std::filesystem::path to = std::filesystem::read_symlink(target_, error);
    target_ = std::filesystem::weakly_canonical(target_.parent_path() / to, error);
    if (error) target_ = path;
  }
  const std::filesystem::file_status old = std::filesystem::status(target_, error);
  if (!std::filesystem::status_known(old)) {  // as of a name that is too long
    detail::fail<FileError>(path_.string(), ": cannot be written: ", error.message());
  }
  if (std::filesystem::exists(old) && !std::filesystem::is_regular_file(old)) {
    detail::fail<FileError>(path_.string(), ": cannot be replaced: it is no regular file");
  }
  // A short name, whatever the file's: that may be as long as names can be. Those of other processes' files, and of
  // those that a crash left, are avoided by the time, and told apart by "x", for exclusive.
  static std::atomic<std::int64_t> count{std::chrono::system_clock::now().time_since_epoch().count()};
  for (int attempt = 0; attempt < 100 && stream_ == nullptr; ++attempt) {
    temporary_ = target_.parent_path() / text("quanta.", count++, ".partial");
    errno = 0;
    stream_ = std::fopen(temporary_.string().c_str(), "wbx");
    if (stream_ == nullptr && errno != EEXIST) break;
  }
  if (stream_ == nullptr) fail("cannot be written");
  // As far as the system lets it: nobody may read the new file who could not read the old one.
  if (std::filesystem::exists(old)) std::filesystem::permissions(temporary_, old.permissions(), error);
}

inline FileWriter::~FileWriter() {
  if (stream_ != nullptr) std::fclose(stream_);
  std::error_code ignored;
  if (!temporary_.empty()) std::filesystem::remove(temporary_, ignored);
}

inline void FileWriter::finish() {
  if (std::fflush(stream_) != 0) fail("cannot be written");
#if QUANTA_HAS_POSIX_FILES
  if (::fsync(::fileno(stream_)) != 0) fail("cannot be written to the disk");
#endif
  if (std::fclose(std::exchange(stream_, nullptr)) != 0) fail("cannot be written");
  std::error_code error;
  std::filesystem::rename(temporary_, target_, error);
  if (error) detail::fail<FileError>(path_.string(), ": cannot be replaced: ", error.message());
  temporary_.clear();
#if QUANTA_HAS_POSIX_FILES
  // The name itself is on the disk once the directory is. Not every file system can do that; the file is whole anyway.
  const std::filesystem::path parent = target_.parent_path();
  const int directory = ::open(parent.empty() ? "." : parent.c_str(), O_RDONLY | O_CLOEXEC);
  if (directory >= 0) {
    ::fsync(directory);
    ::close(directory);
  }
#endif
}

}  // namespace detail
QUANTA_NAMESPACE_END
