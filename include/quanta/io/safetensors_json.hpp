// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The JSON of a safetensors header, taken in as it is parsed: three levels, known keys, each once, and nothing else.
// What the numbers in it mean is checked by io/safetensors_header.hpp.
//
//   {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//    "__metadata__": {"key": "value", ...}}
#pragma once

#if !__has_include(<nlohmann/json.hpp>)
#error "<quanta/io.hpp> needs nlohmann-json (Debian: nlohmann-json3-dev); in CMake link quanta::io"
#endif

#include <algorithm>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <quanta/core/error.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Far above any real tensor's, and a bound on what a hostile shape can make us keep.
inline constexpr std::size_t kMaxSafetensorsRank = 32;

/// One tensor of the file: its bytes are [begin, end) of the data.
struct SafetensorsEntry {
  std::string dtype;
  std::vector<Index> shape;
  std::uint64_t begin = 0, end = 0;
};

struct SafetensorsHeader {
  std::map<std::string, SafetensorsEntry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

/// A word out of a file, for a message: in quotes, not too long, and without what would upset a terminal.
inline std::string in_quotes(std::string_view word) {
  constexpr std::size_t kLongest = 80;
  std::size_t length = std::min(word.size(), kLongest);
  while (length < word.size() && length > 0 && (static_cast<unsigned char>(word[length]) & 0xc0u) == 0x80u) --length;
  std::string result = "\"";
  for (const char c : word.substr(0, length)) result += static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
  return result + (length < word.size() ? "...\"" : "\"");
}

/// Receives the JSON piece by piece from nlohmann's parser. It knows three levels and no others, so that neither depth
/// nor width of hostile JSON costs anything; it throws at the first piece that is out of place.
class SafetensorsJson {
 public:
  using Json = nlohmann::json;

  SafetensorsJson(const std::string& file, SafetensorsHeader& header) : file_(file), header_(header) {}

  bool start_object(std::size_t) {
    if (place_ == Place::start) {
      place_ = Place::file;
    } else if (place_ == Place::file) {
      place_ = key_ == "__metadata__" ? Place::metadata : Place::tensor;
      if (place_ == Place::tensor) begin_tensor();
    } else {
      misplaced("an object");
    }
    return true;
  }
  bool end_object() {
    if (place_ == Place::tensor && seen_ != (kDtype | kShape | kOffsets)) {
      broken(tensor(), " lacks its ", !(seen_ & kDtype) ? "dtype" : !(seen_ & kShape) ? "shape" : "data_offsets");
    }
    place_ = Place::file;
    return true;
  }
  bool key(std::string& key) {
    if (place_ == Place::tensor) {
      field_ = key == "dtype" ? kDtype : key == "shape" ? kShape : key == "data_offsets" ? kOffsets : 0u;
      if (field_ == 0) broken(tensor(), " has ", in_quotes(key), ", expected dtype, shape and data_offsets alone");
      if ((seen_ & field_) != 0) broken(tensor(), " has two entries ", in_quotes(key));
      seen_ |= field_;
      return true;
    }
    if (place_ == Place::metadata) {
      if (header_.metadata.contains(key)) broken("__metadata__ has two entries ", in_quotes(key));
    } else if (key == "__metadata__" ? std::exchange(has_metadata_, true) : header_.tensors.contains(key)) {
      broken("two entries are named ", in_quotes(key));
    }
    key_ = std::move(key);
    return true;
  }
  bool string(std::string& value) {
    if (place_ == Place::metadata) {
      header_.metadata.emplace(std::move(key_), std::move(value));
    } else if (place_ == Place::tensor && field_ == kDtype) {
      entry_->dtype = std::move(value);
    } else {
      misplaced("a string");
    }
    return true;
  }
  bool start_array(std::size_t) {
    if (place_ != Place::tensor || field_ == kDtype) misplaced("an array");
    place_ = Place::array;
    count_ = 0;
    return true;
  }
  bool end_array() {
    if (field_ == kOffsets && count_ != 2) broken(tensor(), " has ", count_, " data_offsets, expected 2");
    place_ = Place::tensor;
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    if (place_ != Place::array) misplaced("a number");
    ++count_;
    if (field_ == kShape) {
      if (count_ > kMaxSafetensorsRank) broken(tensor(), " has more than ", kMaxSafetensorsRank, " dimensions");
      if (value > static_cast<std::uint64_t>(std::numeric_limits<Index>::max())) {
        broken(tensor(), " has an extent of ", value, ", which is beyond any memory");
      }
      entry_->shape.push_back(static_cast<Index>(value));
    } else if (count_ <= 2) {
      (count_ == 1 ? entry_->begin : entry_->end) = value;
    }
    return true;
  }
  bool number_integer(std::int64_t) { return misplaced("a negative number"); }
  bool number_float(double, const std::string&) { return misplaced("a fraction, or a number beyond 64 bits"); }
  bool boolean(bool) { return misplaced("true or false"); }
  bool null() { return misplaced("null"); }
  bool binary(Json::binary_t&) { return misplaced("binary data"); }
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) {
    broken("the header is not valid JSON at its byte ", position);
  }

 private:
  enum class Place { start, file, metadata, tensor, array };
  enum Field : unsigned { kDtype = 1, kShape = 2, kOffsets = 4 };

  void begin_tensor() {
    entry_ = &header_.tensors.emplace(key_, SafetensorsEntry{}).first->second;
    seen_ = 0;
  }
  std::string tensor() const { return "tensor " + in_quotes(key_); }

  template <class... Parts>
  [[noreturn]] void broken(const Parts&... parts) const {
    fail<FileError>(file_, ": ", parts...);
  }
  [[noreturn]] bool misplaced(const char* found) const {
    if (place_ == Place::start) broken("the header is ", found, ", expected an object");
    if (place_ == Place::metadata) broken("__metadata__ entry ", in_quotes(key_), " is ", found, ", expected a string");
    if (place_ == Place::file) broken("entry ", in_quotes(key_), " is ", found, ", expected an object");
    const char* field = field_ == kDtype ? "dtype" : field_ == kShape ? "shape" : "data_offsets";
    if (place_ == Place::array) broken(tensor(), ": ", field, " holds ", found, ", expected whole numbers from 0");
    broken(tensor(), ": ", field, " is ", found, ", expected ", field_ == kDtype ? "a string" : "an array");
  }

  const std::string& file_;
  SafetensorsHeader& header_;
  Place place_ = Place::start;
  std::string key_;                    // of the tensor or metadata entry at hand
  SafetensorsEntry* entry_ = nullptr;  // the tensor at hand, with the field at hand and those seen
  unsigned field_ = 0, seen_ = 0;
  std::size_t count_ = 0;  // numbers of the array at hand
  bool has_metadata_ = false;
};

}  // namespace detail
QUANTA_NAMESPACE_END
