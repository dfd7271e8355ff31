// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Formats and granularities that are known only at run time: what files, tables and AnyQuantizedTensor know of them,
// the checks on their numbers, and the way back to types.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <quanta/quant/dequantize.hpp>

QUANTA_NAMESPACE_BEGIN

/// What there is to know of a format at run time: format_info<F>, whose address stands for F.
struct FormatInfo {
  std::string_view name;        ///< "int8", "uint4", ...
  int bits;                     ///< of a code in memory
  bool is_signed;               ///< codes are handed out in a signed type
  std::int32_t zero_point_min;  ///< the least zero point; 0 where codes are not integers
  std::int32_t zero_point_max;  ///< the largest zero point; 0 where codes are not integers
  /// levels[i] = the level of code first + i of a packed stream.
  void (*decode)(const std::byte* stream, Index first, Index count, float* levels);
  /// The codes [first, first + count) of a packed stream of `size`, a byte each; null unless they are integers of at
  /// most 8 bits.
  void (*unpack)(const std::byte* stream, Index size, Index first, Index count, std::uint8_t* codes) = nullptr;
  /// The other way round, for a first that is a multiple of 8, and all codes or a multiple of 8; null as unpack.
  void (*pack)(const std::uint8_t* codes, Index first, Index count, std::byte* stream) = nullptr;
  /// The index of the first of `count` packed codes that is outside the format, or count. Null where all are inside.
  Index (*first_bad_code)(const std::byte* stream, Index count) = nullptr;
};

namespace detail {

/// Bits that are no code of F, among packed ones: the index of the first, or count.
template <Format F>
Index first_bad_code(const std::byte* stream, Index count);

/// Is every pattern of F::bits bits a code?
template <Format F>
inline constexpr bool every_pattern_is_a_code = true;
template <IntegerFormat F>
inline constexpr bool every_pattern_is_a_code<F> = std::int64_t{F::max} - F::min + 1 == std::int64_t{1} << F::bits;
template <CodebookFormat F>
inline constexpr bool every_pattern_is_a_code<F> = F::levels.size() == std::size_t{1} << F::bits;

template <Format F>
constexpr FormatInfo make_format_info() {
  FormatInfo info{F::name,           F::bits,           std::is_signed_v<typename F::Code>,
                  zero_point_min<F>, zero_point_max<F>, &decode_levels<F>};
  if constexpr (IntegerFormat<F> && F::bits <= 8) {
    info.unpack = &unpack_bytes<F>;
    info.pack = &pack_bytes<F>;
  }
  if constexpr (!every_pattern_is_a_code<F>) info.first_bad_code = &first_bad_code<F>;
  return info;
}

}  // namespace detail

/// That of format F; two formats are the same where these have the same address.
template <Format F>
inline constexpr FormatInfo format_info = detail::make_format_info<F>();

namespace detail {

/// The granularity with an axis from 0 on, of a tensor of this rank; one without an axis as it is.
constexpr GranularityInfo with_counted_axis(GranularityInfo info, int rank) {
  const bool has_axis = info.kind == GranularityKind::per_channel || info.kind == GranularityKind::per_group;
  if (has_axis && info.axis < 0) info.axis += rank;
  return info;
}

/// The granularity as a G, if it is one. PerGroup<Dynamic> stands for groups of any size.
template <Granularity G>
std::optional<G> matching(const GranularityInfo& info, int rank);

/// Is it a shape, and would it be with extents of 1 in place of 0? Then no product of some of them can overflow either.
QUANTA_LAZY bool are_valid_extents(std::vector<Index> shape) {
  for (Index& extent : shape) extent += extent == 0 ? 1 : 0;
  return is_valid_shape(shape);
}

/// Throws Error unless these are the packed codes of a tensor of this shape. They are read only where not every pattern
/// of bits is a code. `where` begins the message.
QUANTA_LAZY
void check_codes(const char* where, const FormatInfo& format, const std::vector<Index>& shape,
                 std::span<const std::byte> codes);

/// "(256, 784)"
QUANTA_LAZY
std::string shape_text(const std::vector<Index>& shape);

/// "int4 (256, 784) per_group(64, axis 1)"
QUANTA_LAZY
std::string description(std::string_view format, const std::vector<Index>& shape, const GranularityInfo& granularity);

/// "int4 of rank 2, per_group(64, axis 1)", for messages: a type that was asked for.
template <Format F, int R, Granularity G>
QUANTA_COLD std::string type_text();

// ---- bodies ----

template <Format F, int R, Granularity G>
std::string type_text() {
  std::string granularity = "groups of any size";
  if constexpr (std::default_initializable<G>) granularity = quanta::description(G{}.info(), R);
  return text(std::string(F::name), " of rank ", R, ", ", granularity);
}

/// Is it one of the format's?
template <ValueFormat F>
constexpr bool is_code(std::int32_t code) {
  if constexpr (IntegerFormat<F>) {
    return code >= F::min && code <= F::max;
  } else {
    return code >= 0 && code <= last_code<F>;
  }
}

template <Format F>
Index first_bad_code(const std::byte* stream, Index count) {
  constexpr Index kChunk = 256;
  typename F::Code codes[kChunk];
  for (Index first = 0; first < count; first += kChunk) {
    const Index n = std::min(kChunk, count - first);
    unpack_bits<F>(stream, count, first, n, codes);
    for (Index i = 0; i < n; ++i) {
      if (!is_code<F>(codes[i])) return first + i;
    }
  }
  return count;
}

template <Granularity G>
std::optional<G> matching(const GranularityInfo& info, int rank) {
  const auto same = [&](const G& g) {
    return with_counted_axis(g.info(), rank) == info ? std::optional<G>(g) : std::nullopt;
  };
  if constexpr (std::is_constructible_v<G, Index> && !std::is_default_constructible_v<G>) {
    return info.group_size < 1 ? std::nullopt : same(G(info.group_size));
  } else {
    return same(G{});
  }
}

QUANTA_LAZY_BODY
void check_codes(const char* where, const FormatInfo& format, const std::vector<Index>& shape,
                 std::span<const std::byte> codes) {
  const int rank = static_cast<int>(shape.size());
  check(rank >= 1 && rank <= kMaxRank, where, ": rank ", rank, ", expected 1 to ", kMaxRank);
  check(are_valid_extents(shape), where, ": shape ", shape_text(shape), " has a negative extent or is too large");
  const Index size = Extents(shape.data(), rank).product(0, rank), expected = packed_size(size, format.bits);
  check(codes.size() == usize(expected), where, ": ", codes.size(), " bytes of codes for shape ", shape_text(shape),
        " of ", std::string(format.name), ", expected ", expected);
  if (format.first_bad_code == nullptr) return;
  const Index bad = format.first_bad_code(codes.data(), size);
  check(bad == size, where, ": code ", bad, " is none of ", std::string(format.name));
}

QUANTA_LAZY_BODY
std::string shape_text(const std::vector<Index>& shape) {
  std::string result = "(";
  for (std::size_t d = 0; d < shape.size(); ++d) result += text(d == 0 ? "" : ", ", shape[d]);
  return result + ")";
}

QUANTA_LAZY_BODY
std::string description(std::string_view format, const std::vector<Index>& shape, const GranularityInfo& granularity) {
  const int rank = static_cast<int>(shape.size());
  return std::string(format) + " " + shape_text(shape) + " " + quanta::description(granularity, rank);
}

}  // namespace detail
QUANTA_NAMESPACE_END
