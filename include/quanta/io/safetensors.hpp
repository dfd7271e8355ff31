// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reading safetensors, the usual file of trained weights. A file is data from a stranger: all it says is checked
// (io/safetensors_header.hpp), and a damaged or hostile one is a FileError that names the file, the tensor and what is
// wrong. Of its types F32, F64, F16 and BF16 become floats; tensors of others are handed out as bytes. Nothing is
// written here.
#pragma once

#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <span>

#include <quanta/core/eigen.hpp>
#include <quanta/io/safetensors_header.hpp>

QUANTA_NAMESPACE_BEGIN

/// A safetensors file in memory. Copies are cheap and share the data, which never changes.
///
///   const auto file = quanta::Safetensors::open("mlp.safetensors");
///   quanta::Linear layer(file.read<2>("fc1.weight"), file.read<1>("fc1.bias"));
class Safetensors {
 public:
  /// Reads a whole file. Throws FileError when it cannot be read or breaks the format's rules; all of them are checked
  /// here, so what this returns is sound.
  static Safetensors open(const std::filesystem::path& path);

  /// Takes a file that is in memory already. Its bytes are borrowed: they must outlive this object and its copies.
  /// `name` stands for the file in messages.
  static Safetensors from_memory(std::span<const std::byte> file, std::string name = "safetensors in memory");

  /// The tensors' names, in alphabetical order.
  std::vector<std::string> names() const;
  bool contains(std::string_view name) const { return header_.tensors.find(name) != header_.tensors.end(); }

  /// The file's notes about itself ("__metadata__").
  const std::map<std::string, std::string, std::less<>>& metadata() const { return header_.metadata; }

  /// A tensor's extents, outermost first; none for a scalar. This and all below throw FileError when there is no tensor
  /// of this name.
  const std::vector<Index>& shape(std::string_view name) const { return entry(name).shape; }

  /// A tensor's type as the file names it: "F32", "BF16", "I8", ...
  const std::string& dtype(std::string_view name) const { return entry(name).dtype; }

  /// A tensor's bytes as they are in the file: row-major, little-endian, and at any alignment.
  std::span<const std::byte> bytes(std::string_view name) const {
    const detail::SafetensorsEntry& e = entry(name);
    return data_.subspan(static_cast<std::size_t>(e.begin), static_cast<std::size_t>(e.end - e.begin));
  }

  /// A tensor as floats: F32, F16 and BF16 exactly, F64 rounded once (to infinity beyond float's range). A scalar is
  /// read as rank 1. Throws FileError when the tensor's rank or type is another.
  template <int rank>
  Tensor<float, rank> read(std::string_view name) const;

 private:
  Safetensors(std::string file, detail::SafetensorsHeader header, std::span<const std::byte> data,
              std::shared_ptr<const Buffer<std::byte>> owned)
      : file_(std::move(file)), header_(std::move(header)), owned_(std::move(owned)), data_(data) {}

  const detail::SafetensorsEntry& entry(std::string_view name) const {
    const auto found = header_.tensors.find(name);
    if (found == header_.tensors.end()) {
      detail::fail<FileError>(file_, ": has no tensor ", detail::in_quotes(name));
    }
    return found->second;
  }

  std::string file_;
  detail::SafetensorsHeader header_;
  std::shared_ptr<const Buffer<std::byte>> owned_;  // null when the bytes are borrowed
  std::span<const std::byte> data_;
};

// ---- bodies ----

namespace detail {

template <class Word>
Word load_little_endian(const std::byte* from) {
  std::array<std::byte, sizeof(Word)> bytes;
  std::memcpy(bytes.data(), from, sizeof(Word));
  if constexpr (std::endian::native == std::endian::big) std::reverse(bytes.begin(), bytes.end());
  return std::bit_cast<Word>(bytes);
}

/// IEEE 754 binary16, exactly.
constexpr float half_to_float(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000u) << 16, exponent = half >> 10 & 31u, fraction = half & 0x3ffu;
  if (exponent == 0) {  // subnormal: an integer times 2^-24
    const float magnitude = static_cast<float>(fraction) * 0x1p-24f;
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t biased = exponent == 31 ? 255 : exponent + (127 - 15);
  return std::bit_cast<float>(sign | biased << 23 | fraction << 13);
}

/// Converts the words of little-endian bytes. There are as many bytes as `to` has room for words.
template <class Word, class Convert>
void decode_words(std::span<const std::byte> bytes, float* to, Convert convert) {
  for (std::size_t i = 0; i < bytes.size(); i += sizeof(Word)) *to++ = convert(load_little_endian<Word>(&bytes[i]));
}

/// Reads n bytes of a file. Throws FileError when they do not come.
inline void read_bytes(std::ifstream& stream, const std::string& file, void* to, std::uint64_t n) {
  stream.read(static_cast<char*>(to), static_cast<std::streamsize>(n));
  if (!stream || static_cast<std::uint64_t>(stream.gcount()) != n) fail<FileError>(file, ": cannot be read");
}

/// Memory for a file's data. The one failure that depends on the machine is reported like those of the file.
inline std::shared_ptr<Buffer<std::byte>> file_buffer(const std::string& file, std::uint64_t n) {
#if QUANTA_HAS_EXCEPTIONS
  try {
    return std::make_shared<Buffer<std::byte>>(static_cast<Index>(n));
  } catch (const std::bad_alloc&) {
    fail<FileError>(file, ": there is no memory for its ", n, " bytes");
  }
#else
  static_cast<void>(file);
  return std::make_shared<Buffer<std::byte>>(static_cast<Index>(n));
#endif
}

}  // namespace detail

inline Safetensors Safetensors::open(const std::filesystem::path& path) {
  const std::string file = path.string();
  std::error_code error;
  const auto status = std::filesystem::status(path, error);
  if (!std::filesystem::exists(status)) detail::fail<FileError>(file, ": there is no such file");
  if (!std::filesystem::is_regular_file(status)) detail::fail<FileError>(file, ": is not a regular file");
  const std::uint64_t size = std::filesystem::file_size(path, error);
  std::ifstream stream(path, std::ios::binary);
  if (error || !stream) detail::fail<FileError>(file, ": cannot be opened");

  std::byte first[8] = {};
  if (size >= sizeof first) detail::read_bytes(stream, file, first, sizeof first);
  const std::uint64_t length = detail::safetensors_header_length(file, first, size);
  std::string json(static_cast<std::size_t>(length), '\0');
  detail::read_bytes(stream, file, json.data(), length);
  const std::uint64_t data_size = size - sizeof first - length;
  detail::SafetensorsHeader header = detail::parse_safetensors_header(file, json, data_size);
  const auto data = detail::file_buffer(file, data_size);
  detail::read_bytes(stream, file, data->data(), data_size);
  return Safetensors(file, std::move(header), {data->data(), data->bytes()}, data);
}

inline Safetensors Safetensors::from_memory(std::span<const std::byte> file, std::string name) {
  const std::uint64_t length = detail::safetensors_header_length(name, file.data(), file.size());
  const auto json = file.subspan(8, static_cast<std::size_t>(length));
  const auto data = file.subspan(8 + static_cast<std::size_t>(length));
  const std::string_view text(reinterpret_cast<const char*>(json.data()), json.size());
  detail::SafetensorsHeader header = detail::parse_safetensors_header(name, text, data.size());
  return Safetensors(std::move(name), std::move(header), data, nullptr);
}

inline std::vector<std::string> Safetensors::names() const {
  std::vector<std::string> result;
  for (const auto& tensor : header_.tensors) result.push_back(tensor.first);
  return result;
}

template <int rank>
Tensor<float, rank> Safetensors::read(std::string_view name) const {
  static_assert(rank >= 1 && rank <= kMaxRank, "quanta: tensors have rank 1 to 5");
  const detail::SafetensorsEntry& e = entry(name);
  const std::string where = detail::text(file_, ": tensor ", detail::in_quotes(name));
  Shape<rank> shape{1};
  if (e.shape.size() != shape.size() && !(rank == 1 && e.shape.empty())) {
    detail::fail<FileError>(where, " has ", e.shape.size(), " dimensions, expected ", rank);
  }
  std::copy(e.shape.begin(), e.shape.end(), shape.begin());
  if (e.dtype != "F32" && e.dtype != "F64" && e.dtype != "F16" && e.dtype != "BF16") {
    detail::fail<FileError>(where, " is of type ", detail::in_quotes(e.dtype), ", expected F32, F64, F16 or BF16");
  }
  Tensor<float, rank> result = detail::make_tensor<float, rank>(shape);
  const auto from = bytes(name);
  if (e.dtype == "F32") {
    detail::decode_words<std::uint32_t>(from, result.data(), [](std::uint32_t w) { return std::bit_cast<float>(w); });
  } else if (e.dtype == "F64") {
    detail::decode_words<std::uint64_t>(from, result.data(),
                                        [](std::uint64_t w) { return static_cast<float>(std::bit_cast<double>(w)); });
  } else if (e.dtype == "F16") {
    detail::decode_words<std::uint16_t>(from, result.data(), &detail::half_to_float);
  } else {
    detail::decode_words<std::uint16_t>(from, result.data(),
                                        [](std::uint16_t w) { return std::bit_cast<float>(std::uint32_t{w} << 16); });
  }
  return result;
}

QUANTA_NAMESPACE_END
