// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reading safetensors, the usual file of trained weights. A file is data from a stranger: all it says is checked
// (io/safetensors_header.hpp), and a damaged or hostile one is a FileError that names the file, the tensor and what is
// wrong. Of its types F32, F64, F16 and BF16 become floats; quantized tensors that this library wrote
// (quant/tensor_list.hpp) are what they were; all others are handed out as bytes. io/save.hpp writes.
#pragma once

#include <memory>

#include <quanta/core/eigen.hpp>
#include <quanta/io/decode_floats.hpp>
#include <quanta/io/file_bytes.hpp>
#include <quanta/io/formats.hpp>
#include <quanta/io/safetensors_header.hpp>
#include <quanta/io/stored_quantized.hpp>

QUANTA_NAMESPACE_BEGIN

/// A safetensors file. Copies are cheap and share the data, which never changes.
///
///   const auto file = quanta::Safetensors::open("mlp.safetensors");
///   quanta::Linear layer(file.read<2>("fc1.weight"), file.read<1>("fc1.bias"));
class Safetensors {
 public:
  /// Maps a file, or reads it where the system cannot map. Of a mapped file the header alone is read here: its pages
  /// come when they are used, and nobody may cut it short or write to it while this object lives (to replace it under
  /// its name is fine). Throws FileError when it cannot be read or breaks the format's rules; all of them are checked
  /// here.
  static Safetensors open(const std::filesystem::path& path);

  /// Takes a file that is in memory already. Its bytes are borrowed: they must outlive this object and its copies.
  /// `name` stands for the file in messages.
  static Safetensors from_memory(std::span<const std::byte> file, std::string name = "safetensors in memory");

  /// What it is called in messages: its path.
  const std::string& name() const { return file_; }

  /// The tensors' names, in alphabetical order; those that begin with `prefix`.
  std::vector<std::string> names(std::string_view prefix = {}) const;
  /// Is there a tensor of this name?
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

  /// Is this a tensor that was saved as a quantized one?
  bool is_quantized(std::string_view name) const {
    return contains(name) && metadata().find(std::string(name) + ".format") != metadata().end();
  }
  /// Its format, shape and granularity. Throws FileError when the file tells of none, or none that can be.
  QuantizedInfo quantized_info(std::string_view name) const { return stored(name); }
  /// A quantized tensor, copied. Own are formats that are not the library's. Throws FileError when the tensor is not
  /// quantized or what it holds is not sound.
  template <Format... Own>
  AnyQuantizedTensor quantized(std::string_view name) const;
  /// The same with its codes in place: it lives no longer than this object or a copy of it.
  template <Format... Own>
  AnyQuantizedView quantized_view(std::string_view name) const;
  /// The same, which view<F, R, G>() of it gives its type; throws FileError when that is another.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  AnyQuantizedView quantized_view(std::string_view name) const {
    return stored(name).template in_place<F, R, G>();
  }
  /// A copy with its type; throws FileError when that is another.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedTensor<F, R, G> quantized(std::string_view name) const {
    return stored(name).template copy<F, R, G>();
  }
  /// The same in place, without a copy: the view lives no longer than this object or a copy of it. Reads the scales, to
  /// check them, but no codes. Throws FileError also when scales are not aligned to 4 bytes; in files written by this
  /// library they are.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedView<F, R, G> view(std::string_view name) const {
    return stored(name).template view<F, R, G>();
  }

 private:
  Safetensors(std::string file, std::span<const std::byte> bytes, std::shared_ptr<const detail::FileBytes> owned);

  const detail::SafetensorsEntry& entry(std::string_view name) const {
    const auto found = header_.tensors.find(name);
    if (found == header_.tensors.end()) {
      detail::fail<FileError>(file_, ": has no tensor ", detail::in_quotes(name));
    }
    return found->second;
  }
  detail::StoredQuantized stored(std::string_view name) const { return {file_, header_, data_, name}; }
  /// Its format, among the library's and Own.
  template <Format... Own>
  static const FormatInfo& format_of(const detail::StoredQuantized& tensor);

  std::string file_;
  detail::SafetensorsHeader header_;
  std::shared_ptr<const detail::FileBytes> owned_;  // null when the bytes are borrowed
  std::span<const std::byte> data_;
};

// ---- bodies ----

inline Safetensors::Safetensors(std::string file, std::span<const std::byte> bytes,
                                std::shared_ptr<const detail::FileBytes> owned)
    : file_(std::move(file)), owned_(std::move(owned)) {
  const std::uint64_t length = detail::safetensors_header_length(file_, bytes.data(), bytes.size());
  const auto json = bytes.subspan(8, static_cast<std::size_t>(length));
  data_ = bytes.subspan(8 + static_cast<std::size_t>(length));
  const std::string_view text(reinterpret_cast<const char*>(json.data()), json.size());
  header_ = detail::parse_safetensors_header(file_, text, data_.size());
}

inline Safetensors Safetensors::open(const std::filesystem::path& path) {
  auto file = std::make_shared<const detail::FileBytes>(path);
  const std::span<const std::byte> bytes = file->bytes();
  return Safetensors(path.string(), bytes, std::move(file));
}

inline Safetensors Safetensors::from_memory(std::span<const std::byte> file, std::string name) {
  return Safetensors(std::move(name), file, nullptr);
}

inline std::vector<std::string> Safetensors::names(std::string_view prefix) const {
  std::vector<std::string> result;
  const auto& tensors = header_.tensors;
  for (auto at = tensors.lower_bound(prefix); at != tensors.end() && at->first.starts_with(prefix); ++at) {
    result.push_back(at->first);
  }
  return result;
}

template <int rank>
Tensor<float, rank> Safetensors::read(std::string_view name) const {
  static_assert(rank >= 1 && rank <= kMaxRank, "quanta: tensors have rank 1 to 5");
  const detail::SafetensorsEntry& e = entry(name);
  const std::string where = detail::text(file_, ": tensor ", detail::in_quotes(name));
  if (!detail::is_float_type(e.dtype)) {
    detail::fail<FileError>(where, " is of type ", detail::in_quotes(e.dtype), ", expected F32, F64, F16 or BF16",
                            is_quantized(name) ? "; it holds codes: read it by quantized(name)" : "");
  }
  Shape<rank> shape{1};
  if (e.shape.size() != shape.size() && !(rank == 1 && e.shape.empty())) {
    detail::fail<FileError>(where, " has ", e.shape.size(), " dimensions, expected ", rank);
  }
  std::copy(e.shape.begin(), e.shape.end(), shape.begin());
  Tensor<float, rank> result = detail::make_tensor<float, rank>(shape);
  detail::decode_floats(e.dtype, bytes(name), result.data());
  return result;
}

template <Format... Own>
const FormatInfo& Safetensors::format_of(const detail::StoredQuantized& tensor) {
  const FormatInfo* format = detail::find_format<Own...>(tensor.format);
  if (format == nullptr) {
    detail::fail<FileError>(tensor.where, " has the format ", detail::in_quotes(tensor.format),
                            ", which is none of the library's and none given to read it with");
  }
  return *format;
}

template <Format... Own>
AnyQuantizedTensor Safetensors::quantized(std::string_view name) const {
  const detail::StoredQuantized tensor = stored(name);
  return tensor.copy(format_of<Own...>(tensor));
}

template <Format... Own>
AnyQuantizedView Safetensors::quantized_view(std::string_view name) const {
  const detail::StoredQuantized tensor = stored(name);
  return tensor.in_place(format_of<Own...>(tensor));
}

QUANTA_NAMESPACE_END
