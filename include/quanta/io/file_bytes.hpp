// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A file's bytes: mapped, where the system can, so that opening a file of gigabytes takes no time and no memory until
// its pages are used; else read as a whole.
#pragma once

#include <filesystem>
#include <fstream>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <quanta/core/buffer.hpp>
#include <quanta/io/file_error.hpp>

#if QUANTA_HAS_POSIX_FILES
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#endif

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Owns the bytes; they never move. A mapped file must not be cut short or written to by others while this lives;
/// replacing it under its name, as FileWriter does, is fine.
class FileBytes {
 public:
  /// Throws FileError when there is no such regular file or it cannot be read.
  explicit FileBytes(const std::filesystem::path& path);
  ~FileBytes();
  FileBytes(const FileBytes&) = delete;
  FileBytes& operator=(const FileBytes&) = delete;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  void read(const std::filesystem::path& path, std::uint64_t size);

  std::span<const std::byte> bytes_;
  Buffer<std::byte> read_;  // where they are not mapped
};

// ---- bodies ----

inline FileBytes::FileBytes(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) fail<FileError>(file, ": there is no such file");
  if (!std::filesystem::is_regular_file(status)) fail<FileError>(file, ": is not a regular file");
#if QUANTA_HAS_POSIX_FILES
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail<FileError>(file, ": cannot be opened");
  struct ::stat found {};
  const bool known = ::fstat(descriptor, &found) == 0 && found.st_size >= 0;
  const std::uint64_t size = known ? static_cast<std::uint64_t>(found.st_size) : 0;
  void* mapped = MAP_FAILED;
  if (size > 0 && size <= std::numeric_limits<std::size_t>::max()) {
    mapped = ::mmap(nullptr, static_cast<std::size_t>(size), PROT_READ, MAP_PRIVATE, descriptor, 0);
  }
  ::close(descriptor);
  if (mapped != MAP_FAILED) {
    bytes_ = {static_cast<const std::byte*>(mapped), static_cast<std::size_t>(size)};
    return;
  }
  if (!known) fail<FileError>(file, ": cannot be read");
#else
  const std::uint64_t size = std::filesystem::file_size(path, error);
  if (error) fail<FileError>(file, ": cannot be opened");
#endif
  read(path, size);
}

inline FileBytes::~FileBytes() {
#if QUANTA_HAS_POSIX_FILES
  if (read_.empty() && !bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
#endif
}

inline void FileBytes::read(const std::filesystem::path& path, std::uint64_t size) {
  const std::string file = path.string();
  std::ifstream stream(path, std::ios::binary);
  if (!stream || !std::in_range<Index>(size)) fail<FileError>(file, ": cannot be opened");
  read_ = as_file_error(file, [&] { return Buffer<std::byte>(static_cast<Index>(size)); });
  stream.read(reinterpret_cast<char*>(read_.data()), static_cast<std::streamsize>(size));
  if (!stream || static_cast<std::uint64_t>(stream.gcount()) != size) fail<FileError>(file, ": cannot be read");
  bytes_ = {read_.data(), read_.bytes()};
}

}  // namespace detail
QUANTA_NAMESPACE_END
