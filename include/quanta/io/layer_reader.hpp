// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a layer is made from when a model is loaded. A layer of one's own takes part with three members:
//
//   struct Scale : quanta::CallableLayer<Scale> {
//     static constexpr const char* kName = "Scale";           // what name() says, too
//     void save(quanta::TensorList& to) const { to.add("factor", factor); }
//     static Scale load(const quanta::LayerReader& from) { return Scale(from.number("factor")); }
//     ...
//   };
//
//   quanta::save("model.safetensors", model);
//   auto again = quanta::load<Scale>("model.safetensors");
#pragma once

#include <memory>
#include <set>

#include <quanta/io/safetensors.hpp>
#include <quanta/layers/sequential.hpp>

QUANTA_NAMESPACE_BEGIN

/// What one layer gave to its TensorList, by the names it used. Everything throws FileError when there is no such
/// thing, or it is of another type or shape; names in messages are the file's.
class LayerReader {
 public:
  /// The layer whose tensors and texts begin with `prefix`, "2." for the third of a model. The file must outlive this.
  LayerReader(const Safetensors& file, std::string prefix) : file_(file), prefix_(std::move(prefix)) {}

  /// A tensor of floats.
  template <int rank>
  Tensor<float, rank> read(const std::string& name) const {
    return file_.template read<rank>(full(name));
  }
  /// Is this a quantized tensor of this type?
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  bool holds(const std::string& name) const;
  /// A quantized tensor.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  QuantizedTensor<F, R, G> quantized(const std::string& name) const {
    return file_.template quantized<F, R, G>(full(name));
  }
  /// The same with its codes in the file, to be packed from there: view<F, R, G>() of it has the type.
  template <Format F, int R, Granularity G = DefaultGranularity<F>>
  AnyQuantizedView quantized_view(const std::string& name) const {
    return file_.template quantized_view<F, R, G>(full(name));
  }
  /// The same of any type; Own are formats that are not the library's.
  template <Format... Own>
  AnyQuantizedView any_quantized_view(const std::string& name) const {
    return file_.template quantized_view<Own...>(full(name));
  }
  /// A tensor of int8 or int32 of this shape, row-major.
  template <class T, int rank>
  Buffer<T> integers(const std::string& name, const Shape<rank>& shape) const;
  /// One number.
  float number(const std::string& name) const { return scalar<float>(name, "F32"); }
  /// One number of int32.
  std::int32_t integer(const std::string& name) const { return scalar<std::int32_t>(name, "I32"); }
  /// Has the layer such a text?
  bool has_text(const std::string& name) const { return file_.metadata().find(full(name)) != file_.metadata().end(); }
  /// A text of the layer's.
  const std::string& text(const std::string& name) const;

  /// Throws FileError, naming the first, when the layer has a tensor or text that was not asked for: it is another
  /// layer's then. What belongs to a quantized tensor is asked for with it.
  void check_all_read() const;

  /// "mlp.safetensors: layer 2", for messages.
  std::string where() const;
  const Safetensors& file() const { return file_; }      ///< the file that the layer is in
  const std::string& prefix() const { return prefix_; }  ///< what the layer's names begin with in the file

 private:
  template <class T>
  T scalar(const std::string& name, const char* dtype) const;
  /// The name in the file of what is asked for.
  std::string full(const std::string& name) const {
    asked_->insert(name);
    return prefix_ + name;
  }
  /// Was this asked for, or a quantized tensor that it belongs to?
  bool was_asked_for(const std::string& name) const;

  const Safetensors& file_;
  std::string prefix_;
  std::shared_ptr<std::set<std::string>> asked_ = std::make_shared<std::set<std::string>>();  ///< names, by all copies
};

/// A layer that a model can be loaded with: load<L>(path). Where several layers have one name, `can_load` says which of
/// them was saved: static bool can_load(const LayerReader&).
template <class L>
concept LoadableLayer = SavableLayer<L> && requires(const LayerReader& from) {
  { L::kName } -> std::convertible_to<std::string_view>;
  { L::load(from) } -> std::same_as<L>;
};

// ---- bodies ----

inline std::string LayerReader::where() const {
  if (prefix_.empty()) return file_.name();
  return detail::text(file_.name(), ": layer ", prefix_.substr(0, prefix_.size() - 1));
}

inline const std::string& LayerReader::text(const std::string& name) const {
  const auto found = file_.metadata().find(full(name));
  if (found == file_.metadata().end()) detail::fail<FileError>(where(), " has no entry ", detail::in_quotes(name));
  return found->second;
}

inline bool LayerReader::was_asked_for(const std::string& name) const {
  if (asked_->count(name) != 0) return true;
  for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
    const std::string owner = name.substr(0, dot);
    if (asked_->count(owner) != 0 && file_.is_quantized(prefix_ + owner)) return true;
  }
  return false;
}

inline void LayerReader::check_all_read() const {
  const auto check = [&](const char* kind, const std::string& in_file) {
    const std::string name = in_file.substr(prefix_.size());
    if (was_asked_for(name)) return;
    detail::fail<FileError>(where(), " is a ", detail::in_quotes(text("layer")), ", which has no ", kind, " ",
                            detail::in_quotes(name));
  };
  for (const std::string& name : file_.names(prefix_)) check("tensor", name);
  const auto& texts = file_.metadata();
  for (auto at = texts.lower_bound(prefix_); at != texts.end() && at->first.starts_with(prefix_); ++at) {
    check("entry", at->first);
  }
}

template <Format F, int R, Granularity G>
bool LayerReader::holds(const std::string& name) const {
  if (!file_.is_quantized(prefix_ + name)) return false;
  const QuantizedInfo info = file_.quantized_info(prefix_ + name);
  return info.format == F::name && info.shape.size() == usize(R) && detail::matching<G>(info.granularity, R);
}

template <class T, int rank>
Buffer<T> LayerReader::integers(const std::string& name, const Shape<rank>& shape) const {
  static_assert(std::is_same_v<T, std::int8_t> || std::is_same_v<T, std::int32_t>);
  const std::string in_file = full(name);
  const char* const dtype = sizeof(T) == 1 ? "I8" : "I32";
  const std::vector<Index>& found = file_.shape(in_file);
  if (file_.dtype(in_file) != dtype || !std::equal(shape.begin(), shape.end(), found.begin(), found.end())) {
    detail::fail<FileError>(where(), ": ", detail::in_quotes(name), " is a tensor ", detail::shape_text(found), " of ",
                            detail::in_quotes(file_.dtype(in_file)), ", expected ", shape, " of ", dtype);
  }
  const auto bytes = file_.bytes(in_file);
  Buffer<T> result(static_cast<Index>(bytes.size() / sizeof(T)));
  using Bits = std::make_unsigned_t<T>;
  for (Index i = 0; i < result.size(); ++i) {
    result[i] = static_cast<T>(detail::load_little_endian<Bits>(bytes.data() + usize(i) * sizeof(T)));
  }
  return result;
}

template <class T>
T LayerReader::scalar(const std::string& name, const char* dtype) const {
  const std::string in_file = full(name);
  if (file_.dtype(in_file) != dtype || !file_.shape(in_file).empty()) {
    detail::fail<FileError>(where(), ": ", detail::in_quotes(name), " is a tensor of ", file_.shape(in_file).size(),
                            " dimensions of ", detail::in_quotes(file_.dtype(in_file)), ", expected one number, ",
                            dtype);
  }
  static_assert(sizeof(T) == 4);
  return std::bit_cast<T>(detail::load_little_endian<std::uint32_t>(file_.bytes(in_file).data()));
}

QUANTA_NAMESPACE_END
