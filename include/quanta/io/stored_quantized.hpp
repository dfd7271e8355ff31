// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized tensor as it lies in a safetensors file: what its texts say (quant/tensor_list.hpp shows them), and where
// its bytes are. All of it is checked against the file's header here; codes, scales and zero points are checked by
// whoever takes them.
#pragma once

#include <optional>
#include <span>

#include <quanta/io/any_quantized_view.hpp>
#include <quanta/io/decode_floats.hpp>
#include <quanta/io/file_error.hpp>
#include <quanta/io/formats.hpp>
#include <quanta/io/safetensors_json.hpp>

QUANTA_NAMESPACE_BEGIN

/// What a file says of a quantized tensor.
struct QuantizedInfo {
  std::string format;           ///< "int4"
  std::vector<Index> shape;     ///< of the tensor, outermost first
  GranularityInfo granularity;  ///< its axis counts from 0

  /// "int4 (256, 784) per_group(64, axis 1)"
  std::string description() const { return detail::description(format, shape, granularity); }
};

namespace detail {

/// The version of the texts that tell of quantized tensors and models; a file has it as its text "quanta".
inline constexpr const char* kLayoutVersion = "1";

/// Throws FileError when the file has another version, and, where it is required, when it has none.
inline void check_layout_version(const std::string& file, const decltype(SafetensorsHeader::metadata)& texts,
                                 bool required) {
  const auto found = texts.find("quanta");
  if (found == texts.end()) {
    if (required) fail<FileError>(file, ": its metadata has no entry \"quanta\": it was not written by this library");
  } else if (found->second != kLayoutVersion) {
    fail<FileError>(file, ": has the layout ", in_quotes(found->second), " of quantized tensors, expected ",
                    kLayoutVersion);
  }
}

struct StoredQuantized : QuantizedInfo {
  std::string where;                                      ///< "mlp.safetensors: tensor "fc1.weight"", for messages
  std::span<const std::byte> codes, scales, zero_points;  ///< no zero points: all are 0
  const FormatInfo* scale_format = nullptr;               ///< of scales that are codes; then also
  std::span<const std::byte> outer_scales;
  float scale_mean = 0.0f;

  /// Throws FileError when the texts or tensors are not those of a quantized tensor.
  StoredQuantized(const std::string& file, const SafetensorsHeader& header, std::span<const std::byte> data,
                  std::string_view name);

  /// A copy. Throws FileError when scales, zero points or codes are not what they should be, as all below do.
  AnyQuantizedTensor copy(const FormatInfo& info) const;
  /// A copy with its type. Throws FileError when the type is another.
  template <Format F, int R, Granularity G>
  QuantizedTensor<F, R, G> copy() const;
  /// Codes where they lie, scales and zero points copied.
  AnyQuantizedView in_place(const FormatInfo& info) const;
  /// The same. Throws FileError when the type is another.
  template <Format F, int R, Granularity G>
  AnyQuantizedView in_place() const;
  /// Codes, scales and zero points where they lie. Throws FileError too where they are not aligned, as they may be in
  /// files of others.
  template <Format F, int R, Granularity G>
  QuantizedView<F, R, G> view() const;

 private:
  /// The granularity. Throws FileError unless the file says that this is a tensor of such a type.
  template <Format F, int R, Granularity G>
  G checked_granularity() const;
  template <int R>
  Shape<R> typed_shape() const;
  template <class T>
  static Buffer<T> copy_of(std::span<const std::byte> from);
  Index count_scales() const { return param_map(granularity, {shape.data(), static_cast<int>(shape.size())}).count; }
  /// Of `count` scales that are codes. Throws Error when there are not as many, or what goes with them is not finite.
  void check_narrow_scales(Index count) const;
  HeldScales held_scales() const;
};

/// A whole number from 0 to the largest Index in decimal digits, if it is one.
std::optional<Index> parse_index(std::string_view digits);

// ---- bodies ----

inline std::optional<Index> parse_index(std::string_view digits) {
  if (digits.empty()) return std::nullopt;
  Index value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return std::nullopt;
    if (value > (std::numeric_limits<Index>::max() - (c - '0')) / 10) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  return value;
}

inline StoredQuantized::StoredQuantized(const std::string& file, const SafetensorsHeader& header,
                                        std::span<const std::byte> data, std::string_view name)
    : where(text(file, ": tensor ", in_quotes(name))) {
  const std::string prefix = std::string(name) + ".";
  const auto text_of = [&](const char* key) -> const std::string& {
    const auto found = header.metadata.find(prefix + key);
    if (found == header.metadata.end()) fail<FileError>(where, " has no ", key, ": it is not a quantized tensor");
    return found->second;
  };
  const auto index_of = [&](const char* key) {
    const std::optional<Index> value = parse_index(text_of(key));
    if (!value) fail<FileError>(where, ": ", key, " is ", in_quotes(text_of(key)), ", expected a whole number");
    return *value;
  };
  const auto bytes_of = [&](const std::string& tensor, const char* dtype) -> std::span<const std::byte> {
    const auto found = header.tensors.find(tensor);
    if (found == header.tensors.end()) fail<FileError>(file, ": has no tensor ", in_quotes(tensor));
    const SafetensorsEntry& entry = found->second;
    if (dtype != nullptr && (entry.dtype != dtype || entry.shape.size() != 1)) {
      fail<FileError>(file, ": tensor ", in_quotes(tensor), " is ", in_quotes(entry.dtype), " of ", entry.shape.size(),
                      " dimensions, expected ", dtype, " of 1");
    }
    return data.subspan(static_cast<std::size_t>(entry.begin), static_cast<std::size_t>(entry.end - entry.begin));
  };

  check_layout_version(file, header.metadata, false);
  codes = bytes_of(std::string(name), nullptr);
  format = text_of("format");
  const std::string& dtype = header.tensors.find(name)->second.dtype;
  if (dtype != "I8" && dtype != "U8" && dtype != "I16" && dtype != "U16") {
    fail<FileError>(where, " is ", in_quotes(dtype), ", expected codes: I8, U8, I16 or U16");
  }
  std::string_view extents = text_of("shape");
  for (bool more = true; more;) {
    const std::size_t comma = extents.find(',');
    const std::optional<Index> extent = parse_index(extents.substr(0, comma));
    if (!extent || shape.size() == usize(kMaxRank)) {
      fail<FileError>(where, ": shape is ", in_quotes(text_of("shape")), ", expected 1 to ", kMaxRank, " extents");
    }
    shape.push_back(*extent);
    more = comma != extents.npos;
    if (more) extents.remove_prefix(comma + 1);
  }
  if (!are_valid_extents(shape)) {
    fail<FileError>(where, ": shape is ", in_quotes(text_of("shape")), ", which is too large");
  }
  const std::string& kind = text_of("granularity");
  if (kind == "per_channel" || kind == "per_group") {
    const Index axis = index_of("axis"), rank = static_cast<Index>(shape.size());
    if (axis >= rank) fail<FileError>(where, ": axis is ", axis, ", expected one of ", rank);
    granularity = {GranularityKind::per_channel, static_cast<int>(axis), 0};
    if (kind == "per_group") granularity = {GranularityKind::per_group, static_cast<int>(axis), index_of("group_size")};
  } else if (kind == "unscaled") {
    granularity = {GranularityKind::unscaled};
  } else if (kind != "per_tensor") {
    fail<FileError>(where, ": granularity is ", in_quotes(kind),
                    ", expected per_tensor, per_channel, per_group or unscaled");
  }
  if (header.metadata.find(prefix + "scale_format") == header.metadata.end()) {
    scales = bytes_of(prefix + "scales", "F32");
  } else {
    scale_format = find_scale_format(text_of("scale_format"));
    if (scale_format == nullptr) {
      fail<FileError>(where, ": scale_format is ", in_quotes(text_of("scale_format")), ", which is unknown here");
    }
    scales = bytes_of(prefix + "scales", scale_format->bits == 16 ? "U16" : "U8");
    granularity.scales = {scale_format->name, kNoScales, false};
    if (header.tensors.find(prefix + "outer_scales") != header.tensors.end() ||
        header.metadata.find(prefix + "scale_block") != header.metadata.end()) {
      outer_scales = bytes_of(prefix + "outer_scales", "F32");
      granularity.scales.shared = text_of("scale_block") == "all" ? Index{kAllScales} : index_of("scale_block");
      if (granularity.scales.shared == 0) fail<FileError>(where, ": scale_block is 0, expected at least 1, or all");
    }
    const auto mean = header.tensors.find(prefix + "scale_mean");
    if (mean != header.tensors.end()) {
      const SafetensorsEntry& entry = mean->second;
      if (entry.dtype != "F32" || !entry.shape.empty() || granularity.scales.shared == kNoScales) {
        fail<FileError>(where, ": scale_mean is ", in_quotes(entry.dtype), " of ", entry.shape.size(),
                        " dimensions, expected one number, F32, beside outer_scales");
      }
      granularity.scales.centered = true;
      scale_mean = std::bit_cast<float>(load_little_endian<std::uint32_t>(data.data() + entry.begin));
    }
  }
  if (header.tensors.find(prefix + "zero_points") != header.tensors.end()) {
    zero_points = bytes_of(prefix + "zero_points", "I32");
    if (scale_format == nullptr && zero_points.size() != scales.size()) {
      fail<FileError>(where, " has ", zero_points.size() / 4, " zero points for ", scales.size() / 4, " scales");
    }
  }
}

template <Format F, int R, Granularity G>
G StoredQuantized::checked_granularity() const {
  const int rank = static_cast<int>(shape.size());
  const std::optional<G> g = matching<G>(granularity, rank);
  if (format != F::name || rank != R || !g) {
    fail<FileError>(where, " is ", in_quotes(description()), ", asked for ", type_text<F, R, G>());
  }
  return *g;
}

template <int R>
Shape<R> StoredQuantized::typed_shape() const {
  Shape<R> result{};
  std::copy(shape.begin(), shape.end(), result.begin());
  return result;
}

template <class T>
Buffer<T> StoredQuantized::copy_of(std::span<const std::byte> from) {
  Buffer<T> to(static_cast<Index>(from.size() / sizeof(T)));
  if (!from.empty()) std::memcpy(to.data(), from.data(), from.size());
  return to;
}

inline void StoredQuantized::check_narrow_scales(Index count) const {
  const Index bytes = packed_size(count, scale_format->bits);
  check(scales.size() == usize(bytes), scales.size(), " bytes of scales, expected ", bytes, " for ", count, " of ",
        std::string(scale_format->name));
  const Index outer = HeldScales::count_floats(count, granularity.scales) - (granularity.scales.centered ? 1 : 0);
  check(outer_scales.size() == usize(outer) * sizeof(float), outer_scales.size() / sizeof(float),
        " outer scales, expected ", outer);
  check(fp::is_finite(scale_mean), "scale_mean is ", scale_mean, ", expected a finite value");
  for (Index i = 0; i < outer; ++i) {
    float value;
    std::memcpy(&value, outer_scales.data() + usize(i) * sizeof value, sizeof value);
    check(fp::is_finite(value), "outer scale ", i, " is ", value, ", expected a finite value");
  }
}

inline HeldScales StoredQuantized::held_scales() const {
  if (scale_format == nullptr) return HeldScales(copy_of<float>(scales));
  const Index count = count_scales(), outer = static_cast<Index>(outer_scales.size() / sizeof(float));
  check_narrow_scales(count);
  Buffer<float> floats(HeldScales::count_floats(count, granularity.scales));
  if (outer > 0) std::memcpy(floats.data(), outer_scales.data(), outer_scales.size());
  if (granularity.scales.centered) floats[outer] = scale_mean;
  return HeldScales(copy_of<std::byte>(scales), count, scale_format->bits, scale_format->decode, std::move(floats),
                    granularity.scales);
}

inline AnyQuantizedTensor StoredQuantized::copy(const FormatInfo& info) const {
  return as_file_error(where, [&] {
    check_codes("a quantized tensor", info, shape, codes);  // before they are copied
    return AnyQuantizedTensor(info, shape, granularity, copy_of<std::byte>(codes), held_scales(),
                              copy_of<std::int32_t>(zero_points));
  });
}

inline AnyQuantizedView StoredQuantized::in_place(const FormatInfo& info) const {
  return as_file_error(where, [&] {
    return AnyQuantizedView(info, shape, granularity, codes, held_scales(), copy_of<std::int32_t>(zero_points));
  });
}

template <Format F, int R, Granularity G>
AnyQuantizedView StoredQuantized::in_place() const {
  checked_granularity<F, R, G>();
  return in_place(format_info<F>);
}

template <Format F, int R, Granularity G>
QuantizedTensor<F, R, G> StoredQuantized::copy() const {
  checked_granularity<F, R, G>();
  return copy(format_info<F>).template get<F, R, G>();
}

template <Format F, int R, Granularity G>
QuantizedView<F, R, G> StoredQuantized::view() const {
  const auto aligned = [](const void* p) { return reinterpret_cast<std::uintptr_t>(p) % alignof(float) == 0; };
  static_assert(alignof(float) == alignof(std::int32_t));
  const bool float_scales = scale_format == nullptr;
  if ((float_scales && !aligned(scales.data())) || !aligned(zero_points.data()) || !aligned(outer_scales.data())) {
    fail<FileError>(where, " has scales or zero points that are not aligned, expected multiples of ", alignof(float),
                    " bytes to view them in place");
  }
  const auto* z = zero_points.empty() ? nullptr : reinterpret_cast<const std::int32_t*>(zero_points.data());
  ParamsData params{reinterpret_cast<const float*>(scales.data()), z,
                    static_cast<Index>(scales.size() / sizeof(float))};
  const G g = checked_granularity<F, R, G>();
  return as_file_error(where, [&] {
    check_codes("a quantized tensor", format_info<F>, shape, codes);
    if (!float_scales) {
      const Index count = count_scales();
      check_narrow_scales(count);
      check(zero_points.empty() || zero_points.size() == usize(count) * sizeof(std::int32_t), zero_points.size() / 4,
            " zero points for ", count, " scales");
      const ScaleInfo& info = granularity.scales;
      const Index shared = info.shared > 0 ? info.shared : std::max<Index>(count, 1);
      const auto* outer = info.shared == kNoScales ? nullptr : reinterpret_cast<const float*>(outer_scales.data());
      params = {
          nullptr, z, count, {scales.data(), scale_format->decode, outer, shared, scale_mean, scale_format->bits}};
    }
    return QuantizedView<F, R, G>(codes.data(), typed_shape<R>(), params, g);
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
