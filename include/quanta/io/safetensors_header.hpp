// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The header of a safetensors file: what the file says it holds, checked against its real size before anything is
// allocated for it. Only what has passed every check gets out of here.
//
//   8 bytes  n, the length of the header, little-endian
//   n bytes  JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...,
//                   "__metadata__": {"key": "value", ...}}
//   the rest the data; offsets count from its start
//
// Refused are headers above 100 MB, anything but JSON of just this form, keys that occur twice, shapes and offsets that
// contradict each other, and data that tensors overlap in or leave unused (github.com/huggingface/safetensors, README).
#pragma once

#include <quanta/io/safetensors_json.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

inline constexpr std::uint64_t kMaxSafetensorsHeader = 100'000'000;

/// The length of the header, from the first 8 bytes of a file of `size` bytes. `file` is its name, for messages.
std::uint64_t safetensors_header_length(const std::string& file, const std::byte* first, std::uint64_t size);

/// Throws FileError unless the header is right in itself and describes exactly `data_size` bytes of data.
SafetensorsHeader parse_safetensors_header(const std::string& file, std::string_view json, std::uint64_t data_size);

// ---- bodies ----

/// Bits an element takes; 0 for a type this library has never heard of.
inline std::uint64_t safetensors_bits(std::string_view dtype) {
  constexpr std::pair<std::string_view, std::uint64_t> kTypes[] = {
      {"F4", 4},      {"F6_E2M3", 6}, {"F6_E3M2", 6}, {"BOOL", 8}, {"U8", 8},   {"I8", 8},    {"F8_E5M2", 8},
      {"F8_E4M3", 8}, {"F8_E8M0", 8}, {"U16", 16},    {"I16", 16}, {"F16", 16}, {"BF16", 16}, {"U32", 32},
      {"I32", 32},    {"F32", 32},    {"U64", 64},    {"I64", 64}, {"F64", 64}, {"C64", 64}};
  for (const auto& [name, bits] : kTypes) {
    if (name == dtype) return bits;
  }
  return 0;
}

/// How many bytes a shape of this type takes. Throws FileError when that is beyond any memory or not whole bytes.
inline std::uint64_t safetensors_bytes(const std::string& where, const SafetensorsEntry& entry, std::uint64_t bits) {
  // Extents of 0 are left out of the first product, so that strides of an empty tensor cannot overflow either.
  constexpr Index kMost = std::numeric_limits<Index>::max() / 16;
  Index strides = 1, count = 1;
  for (const Index extent : entry.shape) {
    if (extent > kMost / strides) fail<FileError>(where, " has a shape of more elements than fit any memory");
    strides *= std::max<Index>(extent, 1);
    count *= extent;
  }
  const std::uint64_t eights = static_cast<std::uint64_t>(count) / 8, rest = static_cast<std::uint64_t>(count) % 8;
  if (rest * bits % 8 != 0) fail<FileError>(where, ": ", count, " elements of ", entry.dtype, " are not whole bytes");
  return eights * bits + rest * bits / 8;
}

inline void check_safetensors_entry(const std::string& where, const SafetensorsEntry& entry, std::uint64_t data_size) {
  if (entry.begin > entry.end) {
    fail<FileError>(where, " has data_offsets [", entry.begin, ", ", entry.end, "], expected begin <= end");
  }
  if (entry.end > data_size) {
    fail<FileError>(where, " ends at byte ", entry.end, " of the data, but the file holds only ", data_size,
                    ": it is damaged or cut short");
  }
  const std::uint64_t bits = safetensors_bits(entry.dtype);
  const std::uint64_t bytes = safetensors_bytes(where, entry, bits);
  if (bits != 0 && bytes != entry.end - entry.begin) {
    fail<FileError>(where, " has data_offsets [", entry.begin, ", ", entry.end, "], ", entry.end - entry.begin,
                    " bytes, but its shape takes ", bytes, " bytes of ", entry.dtype);
  }
}

inline std::uint64_t safetensors_header_length(const std::string& file, const std::byte* first, std::uint64_t size) {
  if (size < 8) fail<FileError>(file, ": ", size, " bytes are too few for a safetensors file");
  std::uint64_t length = 0;
  for (int i = 8; i-- > 0;) length = length << 8 | static_cast<std::uint64_t>(first[i]);
  if (length > kMaxSafetensorsHeader) {
    fail<FileError>(file, ": is not a safetensors file: its header would take ", length, " bytes, expected at most ",
                    kMaxSafetensorsHeader);
  }
  if (length > size - 8) {
    fail<FileError>(file, ": the header takes ", length, " bytes, but only ", size - 8,
                    " follow: the file is damaged or cut short");
  }
  return length;
}

inline SafetensorsHeader parse_safetensors_header(const std::string& file, std::string_view json,
                                                  std::uint64_t data_size) {
  // nlohmann's parser takes a zero byte for the end and leading space for granted; the format does neither.
  if (json.empty() || json.front() != '{') fail<FileError>(file, ": the header does not begin with {");
  if (json.find('\0') != json.npos) fail<FileError>(file, ": the header holds a zero byte, which is not valid JSON");
  SafetensorsHeader header;
  SafetensorsJson handler(file, header);
  SafetensorsJson::Json::sax_parse(json.begin(), json.end(), &handler);

  using Tensor = std::pair<const std::string, SafetensorsEntry>;
  std::vector<const Tensor*> in_file;
  for (const Tensor& tensor : header.tensors) {
    check_safetensors_entry(text(file, ": tensor ", in_quotes(tensor.first)), tensor.second, data_size);
    in_file.push_back(&tensor);
  }
  std::sort(in_file.begin(), in_file.end(), [](const Tensor* a, const Tensor* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t at = 0;
  for (const Tensor* tensor : in_file) {
    const SafetensorsEntry& entry = tensor->second;
    if (entry.begin != at) {
      fail<FileError>(file, ": tensor ", in_quotes(tensor->first), " begins at byte ", entry.begin, " of the data, ",
                      entry.begin < at ? "inside another tensor" : "with a gap before it", "; expected ", at);
    }
    at = entry.end;
  }
  if (at != data_size) fail<FileError>(file, ": ", data_size - at, " bytes follow the last tensor");
  return header;
}

}  // namespace detail
QUANTA_NAMESPACE_END
