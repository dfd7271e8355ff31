// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Tensors, numbers and texts by name, on their way to a file: what a layer's `save` fills. It knows no file format;
// io/save.hpp writes it.
//
// A quantized tensor "w" becomes
//
//   tensor w              its codes: I8, U8, I16 or U16 in its own shape where a code is 1 or 2 whole bytes, else U8 in
//                         one dimension, packed as in format/bits.hpp
//   tensor w.scales       F32, in the order of quant/granularity.hpp; or their packed codes, U8 or U16
//   tensor w.zero_points  I32, as many; none where all are 0
//   text w.format         "int4"
//   text w.shape          "256,784"
//   text w.granularity    "per_tensor", "per_channel", "per_group" or "unscaled"
//   text w.axis           of per_channel and per_group, from 0
//   text w.group_size     of per_group
//
// and where scales are codes (quant/scale_type.hpp)
//
//   text w.scale_format   "e8m0"
//   text w.scale_block    how many neighbours share an outer scale, or "all"; none without outer scales
//   tensor w.outer_scales F32; those
//   tensor w.scale_mean   F32 without dimensions, where they are centered
//
// and the list has the text "quanta", the version of this layout, "1".
#pragma once

#include <functional>
#include <string>
#include <utility>

#include <quanta/quant/any_quantized_tensor.hpp>

QUANTA_NAMESPACE_BEGIN

/// Tensors, numbers and texts by name, on their way to a file. In the order of the calls. That names are unique is
/// checked when the list is written, before the file is touched.
class TensorList {
 public:
  /// One tensor: little-endian, row-major. Its bytes are owned, borrowed, or made when they are asked for.
  class Entry {
   public:
    std::string name;          ///< as it was given, after the prefix
    const char* dtype;         ///< as safetensors names it: "F32", "I32", "I16", "U16", "I8" or "U8"
    std::vector<Index> shape;  ///< extents, outermost first; none of a number
    Index bytes;               ///< of the tensor's data

    /// Calls use(const std::byte*) with the tensor's bytes.
    template <class Use>
    void read(Use use) const {
      if (make_ == nullptr) return use(borrowed_ != nullptr ? borrowed_ : owned_.data());
      Buffer<std::byte> made(bytes);
      make_(made.data());
      use(static_cast<const std::byte*>(made.data()));
    }

   private:
    friend class TensorList;
    Entry(std::string name_, const char* dtype_, std::vector<Index> shape_, Index bytes_)
        : name(std::move(name_)), dtype(dtype_), shape(std::move(shape_)), bytes(bytes_) {}

    Buffer<std::byte> owned_;
    const std::byte* borrowed_ = nullptr;
    std::function<void(std::byte*)> make_;
  };

  /// A tensor as F32: copied.
  template <RealObject X>
  void add(const std::string& name, const X& x) {
    add(name, detail::Input<float, rank_of<X>>(x).view());
  }
  /// The same of a view.
  template <int R>
  void add(const std::string& name, const TensorView<const float, R>& x);
  /// One number, as a tensor without dimensions: F32.
  QUANTA_LAZY void add(const std::string& name, float value) { add_copy(name, "F32", {}, &value, sizeof value); }
  /// The same of an integer: I32.
  QUANTA_LAZY void add(const std::string& name, std::int32_t value) { add_copy(name, "I32", {}, &value, sizeof value); }

  /// A quantized tensor. A view's codes are borrowed: they must last until the list is written.
  template <Format F, int R, Granularity G>
  void add(const std::string& name, const QuantizedView<F, R, G>& view);
  /// A quantized tensor, taken over: as std::move(tensor) without a copy.
  template <Format F, int R, Granularity G>
  void add(const std::string& name, QuantizedTensor<F, R, G> tensor);
  /// Borrowed, as a view.
  QUANTA_LAZY void add(const std::string& name, const AnyQuantizedTensor& tensor);

  /// A tensor whose bytes are made while it is written, so that it never is in memory twice for long: make(to) fills
  /// them in.
  QUANTA_LAZY
  void add(const std::string& name, const char* dtype, std::vector<Index> shape, std::function<void(std::byte*)> make);
  /// The same for the codes of a quantized tensor. Scales and zero points are copied.
  QUANTA_LAZY
  void add(const std::string& name, const FormatInfo& format, std::vector<Index> shape,
           const GranularityInfo& granularity, const ParamsData& params, std::function<void(std::byte*)> make_codes);

  /// A word or two that the reader needs.
  QUANTA_LAZY void add_text(std::string_view name, std::string_view value) { texts_.emplace_back(name, value); }

  /// Takes over all of another list, with `prefix` before every name.
  QUANTA_LAZY void add_all(const std::string& prefix, TensorList other);

  const std::vector<Entry>& tensors() const { return tensors_; }  ///< in the order in which they were added
  /// Names and texts, in the order in which they were added.
  const std::vector<std::pair<std::string, std::string>>& texts() const { return texts_; }

 private:
  QUANTA_LAZY Entry& add_entry(std::string name, const char* dtype, std::vector<Index> shape, Index bytes) {
    tensors_.push_back(Entry(std::move(name), dtype, std::move(shape), bytes));
    return tensors_.back();
  }
  QUANTA_LAZY
  void add_copy(const std::string& name, const char* dtype, std::vector<Index> shape, const void* data, Index bytes);
  /// Scales that are codes, and what belongs to them.
  QUANTA_LAZY void add_narrow_scales(const std::string& name, const ScaleInfo& info, const ParamsData& params);
  /// All of a quantized tensor but the bytes of its codes.
  QUANTA_LAZY
  Entry& add_quantized(const std::string& name, const FormatInfo& format, std::vector<Index> shape,
                       const GranularityInfo& granularity, const ParamsData& params);

  std::vector<Entry> tensors_;
  std::vector<std::pair<std::string, std::string>> texts_;
};

// ---- bodies ----

template <int R>
void TensorList::add(const std::string& name, const TensorView<const float, R>& x) {
  const Index bytes = x.size() * Index{sizeof(float)};
  Entry& entry = add_entry(name, "F32", {x.shape().begin(), x.shape().end()}, bytes);
  entry.owned_ = Buffer<std::byte>(bytes);
  float* to = reinterpret_cast<float*>(entry.owned_.data());
  const float* from = x.read(0, x.size(), to);
  if (from != to) std::copy_n(from, x.size(), to);
}

template <Format F, int R, Granularity G>
void TensorList::add(const std::string& name, const QuantizedView<F, R, G>& view) {
  add_quantized(name, format_info<F>, {view.shape().begin(), view.shape().end()}, view.granularity().info(),
                view.params())
      .borrowed_ = view.data();
}

template <Format F, int R, Granularity G>
void TensorList::add(const std::string& name, QuantizedTensor<F, R, G> tensor) {
  Entry& entry = add_quantized(name, format_info<F>, {tensor.shape().begin(), tensor.shape().end()},
                               tensor.params().granularity().info(), tensor.params().data());
  entry.owned_ = std::move(tensor).release_codes();
}

QUANTA_LAZY_BODY
void TensorList::add(const std::string& name, const AnyQuantizedTensor& tensor) {
  add_quantized(name, tensor.format_info(), tensor.shape(), tensor.granularity(), tensor.params()).borrowed_ =
      tensor.data();
}

QUANTA_LAZY_BODY
void TensorList::add(const std::string& name, const char* dtype, std::vector<Index> shape,
                     std::function<void(std::byte*)> make) {
  const std::string_view type = dtype;
  const Index size = Extents(shape.data(), static_cast<int>(shape.size())).product(0, static_cast<int>(shape.size()));
  const Index each = type.ends_with("32") ? 4 : type.ends_with("16") ? 2 : 1;
  add_entry(name, dtype, std::move(shape), size * each).make_ = std::move(make);
}

QUANTA_LAZY_BODY
void TensorList::add(const std::string& name, const FormatInfo& format, std::vector<Index> shape,
                     const GranularityInfo& granularity, const ParamsData& params,
                     std::function<void(std::byte*)> make_codes) {
  add_quantized(name, format, std::move(shape), granularity, params).make_ = std::move(make_codes);
}

QUANTA_LAZY_BODY
void TensorList::add_all(const std::string& prefix, TensorList other) {
  for (Entry& entry : other.tensors_) {
    entry.name = prefix + entry.name;
    tensors_.push_back(std::move(entry));
  }
  for (auto& text : other.texts_) add_text(prefix + text.first, text.second);
}

QUANTA_LAZY_BODY
void TensorList::add_copy(const std::string& name, const char* dtype, std::vector<Index> shape, const void* data,
                          Index bytes) {
  Entry& entry = add_entry(name, dtype, std::move(shape), bytes);
  entry.owned_ = Buffer<std::byte>(bytes);
  if (bytes > 0) std::memcpy(entry.owned_.data(), data, usize(bytes));
}

QUANTA_LAZY_BODY
void TensorList::add_narrow_scales(const std::string& name, const ScaleInfo& info, const ParamsData& params) {
  const NarrowScales& narrow = params.narrow;
  const Index bytes = detail::packed_size(params.size, narrow.bits);
  const bool words = narrow.bits == 16;
  add_text(name + ".scale_format", std::string(info.format));
  add_copy(name + ".scales", words ? "U16" : "U8", {words ? params.size : bytes}, narrow.codes, bytes);
  if (narrow.outer == nullptr) return;
  const Index outer = ceil_div(params.size, narrow.shared);
  add_text(name + ".scale_block", info.shared > 0 ? detail::text(info.shared) : "all");
  add_copy(name + ".outer_scales", "F32", {outer}, narrow.outer, outer * Index{sizeof *narrow.outer});
  if (info.centered) add(name + ".scale_mean", narrow.mean);
}

QUANTA_LAZY_BODY
TensorList::Entry& TensorList::add_quantized(const std::string& name, const FormatInfo& format,
                                             std::vector<Index> shape, const GranularityInfo& granularity,
                                             const ParamsData& params) {
  const int rank = static_cast<int>(shape.size());
  const GranularityInfo info = detail::with_counted_axis(granularity, rank);
  constexpr const char* kKinds[] = {"per_tensor", "per_channel", "per_group", "unscaled"};
  std::string extents;
  for (const Index extent : shape) extents += detail::text(extents.empty() ? "" : ",", extent);
  add_text(name + ".format", std::string(format.name));
  add_text(name + ".shape", extents);
  add_text(name + ".granularity", kKinds[static_cast<int>(info.kind)]);
  const bool has_axis = info.kind == GranularityKind::per_channel || info.kind == GranularityKind::per_group;
  if (has_axis) add_text(name + ".axis", detail::text(info.axis));
  if (info.kind == GranularityKind::per_group) add_text(name + ".group_size", detail::text(info.group_size));

  constexpr Index kSize = 4;  // of a scale and of a zero point
  static_assert(sizeof *params.scales == kSize && sizeof *params.zero_points == kSize);
  if (info.scales == ScaleInfo{}) {
    add_copy(name + ".scales", "F32", {params.size}, params.scales, params.size * kSize);
  } else {
    add_narrow_scales(name, info.scales, params);
  }
  if (params.has_zero_points()) {
    add_copy(name + ".zero_points", "I32", {params.size}, params.zero_points, params.size * kSize);
  }
  const Index size = Extents(shape.data(), rank).product(0, rank), bytes = detail::packed_size(size, format.bits);
  if (format.bits == 8) return add_entry(name, format.is_signed ? "I8" : "U8", std::move(shape), bytes);
  if (format.bits == 16) return add_entry(name, format.is_signed ? "I16" : "U16", std::move(shape), bytes);
  return add_entry(name, "U8", {bytes}, bytes);
}

QUANTA_NAMESPACE_END
