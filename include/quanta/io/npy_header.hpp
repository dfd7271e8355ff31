// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The header of a .npy file, versions 1 and 2 (NumPy's numpy/lib/format.py): written, and read. What is read is checked
// against the file's size, without memory for anything it claims.
//
//   6 bytes  \x93NUMPY
//   2 bytes  the version, 1 0 or 2 0
//   2 bytes  n, the length of the header, little-endian; 4 bytes in version 2
//   n bytes  {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, spaces, a line feed
//   the rest the elements, in C order or with the first index fastest
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

struct NpyHeader {
  std::string type;  ///< NumPy's name, "<f4" or "|i1"
  bool fortran_order = false;
  std::vector<Index> shape;
  std::size_t data = 0;     ///< where the elements begin
  Index element_bytes = 0;  ///< of one
};

/// Throws FileError unless the file is just what its header says. `file` is its name, for messages.
NpyHeader parse_npy_header(const std::string& file, std::span<const std::byte> bytes);

/// All that stands before the elements of an array in C order; they begin at a multiple of 64 bytes, as NumPy aligns
/// them. Throws Error when the version is neither 1 nor 2, or the header is too long for version 1.
std::string npy_head(const std::string& type, std::span<const Index> shape, int version);

// ---- bodies ----

/// Reads the literal of Python's in the header: three known keys, each once, in any order.
class NpyDictionary {
 public:
  NpyDictionary(const std::string& file, std::string_view text) : file_(file), text_(text) {}

  void parse(NpyHeader& header) {
    expect('{');
    unsigned seen = 0;
    while (!accept('}')) {
      const std::string_view key = quoted();
      const unsigned field = key == "descr" ? 1 : key == "fortran_order" ? 2 : key == "shape" ? 4 : 0;
      if (field == 0 || (seen & field) != 0) broken();
      seen |= field;
      expect(':');
      if (field == 1) header.type = quoted();
      if (field == 2) header.fortran_order = truth();
      if (field == 4) shape(header.shape);
      if (!accept(',')) {
        expect('}');
        break;
      }
    }
    skip_spaces();
    if (seen != 7 || at_ != text_.size()) broken();
  }

 private:
  /// Far above any real array's.
  static constexpr std::size_t kMaxRank = 32;

  [[noreturn]] void broken() const {
    fail<FileError>(file_, ": the header is not {'descr': ..., 'fortran_order': ..., 'shape': ...} at its character ",
                    at_);
  }
  void skip_spaces() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_spaces();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) broken();
  }
  std::string_view quoted() {
    const char quote = accept('"') ? '"' : '\'';
    if (quote == '\'') expect('\'');
    const std::size_t first = at_, last = text_.find(quote, first);
    if (last == text_.npos) broken();
    at_ = last + 1;
    return text_.substr(first, last - first);
  }
  bool truth() {
    skip_spaces();
    for (const std::string_view word : {"False", "True"}) {
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return word == "True";
      }
    }
    broken();
  }
  void shape(std::vector<Index>& shape) {
    expect('(');
    while (!accept(')')) {
      if (shape.size() == kMaxRank) broken();
      shape.push_back(number());
      if (!accept(',')) {
        if (shape.size() == 1) broken();  // (3) is no tuple
        expect(')');
        break;
      }
    }
  }
  Index number() {
    skip_spaces();
    const std::size_t first = at_;
    Index value = 0;
    for (; at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9'; ++at_) {
      const Index digit = text_[at_] - '0';
      if (value > (std::numeric_limits<Index>::max() - digit) / 10) broken();
      value = value * 10 + digit;
    }
    if (at_ == first) broken();
    return value;
  }

  const std::string& file_;
  std::string_view text_;
  std::size_t at_ = 0;
};

inline NpyHeader parse_npy_header(const std::string& file, std::span<const std::byte> bytes) {
  const auto byte = [&](std::size_t i) { return static_cast<std::size_t>(bytes[i]); };
  const std::string_view all(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (bytes.size() < 10 || !all.starts_with("\x93NUMPY")) fail<FileError>(file, ": is not a .npy file");
  const std::size_t version = byte(6), begin = version == 1 ? 10 : 12;
  if ((version != 1 && version != 2) || byte(7) != 0) {
    fail<FileError>(file, ": is of version ", version, ".", byte(7), ", expected 1.0 or 2.0");
  }
  if (bytes.size() < begin) fail<FileError>(file, ": is cut short");
  std::size_t length = byte(8) | byte(9) << 8;
  if (version == 2) length |= byte(10) << 16 | byte(11) << 24;
  if (length > bytes.size() - begin) {
    fail<FileError>(file, ": the header takes ", length, " bytes, but only ", bytes.size() - begin,
                    " follow: the file is damaged or cut short");
  }
  NpyHeader header;
  NpyDictionary(file, all.substr(begin, length)).parse(header);
  header.data = begin + length;

  const std::string& type = header.type;
  const bool number = type.size() == 3 && (type[0] == '<' || (type[0] == '|' && type[2] == '1')) &&
                      std::string_view("iuf").find(type[1]) != std::string_view::npos &&
                      std::string_view("1248").find(type[2]) != std::string_view::npos && type.substr(1) != "f1";
  if (!number && type != "<V2" && type != "|V2") {
    std::string shown;
    for (const char c : std::string_view(type).substr(0, 20)) shown += c < 32 || c == 127 ? '?' : c;
    fail<FileError>(file, ": holds elements of type '", shown,
                    "', expected little-endian integers of 1, 2, 4 or 8 bytes, floats of 2, 4 or 8, or '<V2'");
  }
  header.element_bytes = type[2] - '0';
  // Extents of 0 count as 1 in the products that must not overflow.
  constexpr Index kMost = std::numeric_limits<Index>::max() / 16;
  Index strides = 1, count = 1;
  for (const Index extent : header.shape) {
    if (extent > kMost / strides) fail<FileError>(file, ": has a shape of more elements than fit any memory");
    strides *= extent == 0 ? 1 : extent;
    count *= extent;
  }
  if (static_cast<std::uint64_t>(count * header.element_bytes) != bytes.size() - header.data) {
    fail<FileError>(file, ": holds ", bytes.size() - header.data, " bytes, but its shape takes ",
                    count * header.element_bytes, " bytes of ", type, ": it is damaged or cut short");
  }
  return header;
}

inline std::string npy_head(const std::string& type, std::span<const Index> shape, int version) {
  check(version == 1 || version == 2, "save_npy: version ", version, ", expected 1 or 2");
  std::string extents;
  for (const Index extent : shape) extents += text(extents.empty() ? "" : ", ", extent);
  std::string header =
      text("{'descr': '", type, "', 'fortran_order': False, 'shape': (", extents, shape.size() == 1 ? "," : "", "), }");
  const std::size_t begin = version == 1 ? 10 : 12;
  while ((begin + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  check(version == 2 || header.size() <= 65535, "save_npy: the header takes ", header.size(),
        " bytes, expected at most 65535 in version 1");
  std::string head = "\x93NUMPY";
  head += static_cast<char>(version);
  head += '\0';
  for (std::size_t i = 8; i < begin; ++i) head += static_cast<char>(header.size() >> (8 * (i - 8)) & 255);
  return head + header;
}

}  // namespace detail
QUANTA_NAMESPACE_END
