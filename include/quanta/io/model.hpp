// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Models in safetensors files. Tensors have the names that PyTorch gives those of its Sequential, "0.weight", "0.bias",
// "2.weight": a file with a float model is read by both. Codes are saved as they are, never in the packed order of a
// kernel, and packed again for this unit's instruction set when they are loaded.
//
//   text layers            "3"                  how many there are
//   text 0.layer           "DynamicLinear"      the name of each, and whatever it saves behind its number;
//   tensor 0.weight, ...                        quant/tensor_list.hpp shows a quantized tensor
//   text 1.layer           "Sequential"
//   text 1.layers          "2"
//   text 1.0.layer         "Relu"               and so on
//   text quanta            "1"                  the version of this layout
#pragma once

#include <quanta/io/layer_reader.hpp>
#include <quanta/io/save.hpp>
#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/linear.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/layers/weight_only_linear.hpp>

QUANTA_NAMESPACE_BEGIN

/// Writes a model. Throws Error, before anything is written, when it has a layer that cannot be saved, naming it: one
/// without `save` (io/layer_reader.hpp), or one nested too deep. Else as save(path, TensorList).
void save(const std::filesystem::path& path, const Sequential& model);

/// Reads a model; its outputs are those of the one that was saved, to the bit. Own are layers (LoadableLayer) and
/// formats that are not the library's. Weights per group come back as PerGroup<Dynamic> of the same size, all layers
/// for the native kernel. Throws FileError when the file cannot be read, is damaged, or has a layer of a name, format
/// or granularity that is unknown here.
template <class... Own>
Sequential load(const std::filesystem::path& path);
/// The same from a file that is open, or in memory.
template <class... Own>
Sequential load(const Safetensors& file);

// ---- bodies ----

namespace detail {

/// Models nest no deeper in a file.
inline constexpr int kMaxNesting = 32;

template <class... L>
struct LayerList {};

/// The one place to name a new layer of the library's that has no format in its type; those that have are in
/// load_layer.
using LibraryLayers = LayerList<Linear, Relu, Relu6, Clamp>;

/// Can integer products multiply this format?
template <class F>
inline constexpr bool is_multiplied = false;
template <IntegerFormat F>
inline constexpr bool is_multiplied<F> = F::bits <= 8;

/// Of a parameter pack of formats and layers, the layers; and the formats.
template <class... List>
struct OwnTypes {
  using Layers = LayerList<>;
  using Formats = FormatList<>;
};
template <class T, class... Rest>
struct OwnTypes<T, Rest...> {
  static_assert(LoadableLayer<T> || Format<T>,
                "quanta: load<Own...> takes layers with kName, save and load, and formats");
  template <class... L>
  static auto with(LayerList<L...>) {
    if constexpr (LoadableLayer<T>) {
      return LayerList<T, L...>{};
    } else {
      return LayerList<L...>{};
    }
  }
  template <class... F>
  static auto with(FormatList<F...>) {
    if constexpr (LoadableLayer<T>) {
      return FormatList<F...>{};
    } else {
      return FormatList<T, F...>{};
    }
  }
  using Layers = decltype(with(typename OwnTypes<Rest...>::Layers{}));
  using Formats = decltype(with(typename OwnTypes<Rest...>::Formats{}));
};

/// The library's layers with a format and a granularity in their type, and whether they multiply integers, which only
/// some of both can.
struct DynamicLinears {
  static constexpr const char* kName = DynamicLinear<>::kName;
  static constexpr bool multiply_integers = true;
  template <class F, class G>
  using Layer = DynamicLinear<F, G>;
};
struct StaticLinears {
  static constexpr const char* kName = StaticLinear<>::kName;
  static constexpr bool multiply_integers = true;
  template <class F, class G>
  using Layer = StaticLinear<F, G>;
};
struct WeightOnlyLinears {
  static constexpr const char* kName = WeightOnlyLinear<>::kName;
  static constexpr bool multiply_integers = false;
  template <class F, class G>
  using Layer = WeightOnlyLinear<F, G>;
};

/// Makes the layer of this name, if it is one of the list.
template <class... L>
void load_one_of(LayerList<L...>, [[maybe_unused]] std::string_view name, [[maybe_unused]] const LayerReader& from,
                 [[maybe_unused]] std::optional<AnyLayer>& layer) {
  static_cast<void>(((name == L::kName ? (layer.emplace(L::load(from)), true) : false) || ...));
}

/// Makes a layer of L with a weight of format F, at the granularity of the file, where there is one.
template <class L, class F>
void load_at_granularity(const GranularityInfo& g, const LayerReader& from, std::optional<AnyLayer>& layer) {
  const auto make = [&]<class G>(std::type_identity<G>) { layer.emplace(L::template Layer<F, G>::load(from)); };
  if (g.kind == GranularityKind::per_tensor) {
    make(std::type_identity<PerTensor>{});
  } else if (g.axis == (g.kind == GranularityKind::per_channel ? 0 : 1)) {
    if (g.kind == GranularityKind::per_channel) make(std::type_identity<PerChannel<0>>{});
    if (g.kind == GranularityKind::per_group) make(std::type_identity<PerGroup<Dynamic>>{});
  } else if constexpr (!L::multiply_integers) {
    if (g.kind == GranularityKind::per_channel) make(std::type_identity<PerChannel<1>>{});
    if (g.kind == GranularityKind::per_group) make(std::type_identity<PerGroup<Dynamic, 0>>{});
  }
}

/// Makes a layer of L, if this is its name, with a weight of one of these formats, or a library's.
template <class L, class Formats>
void load_quantized(std::string_view name, const LayerReader& from, std::optional<AnyLayer>& layer) {
  if (name != L::kName) return;
  const QuantizedInfo weight = from.file().quantized_info(from.prefix() + "weight");
  const auto take = [&]<class F>(FormatList<F>) {
    if constexpr (!L::multiply_integers || is_multiplied<F>) load_at_granularity<L, F>(weight.granularity, from, layer);
  };
  if (!with_format(weight.format, Formats{}, take)) with_format(weight.format, LibraryFormats{}, take);
  if (!layer) {
    fail<FileError>(from.where(), " is a ", L::kName, " of ", in_quotes(weight.description()),
                    ", which is none that can be loaded");
  }
}

template <class... Own>
AnyLayer load_layer(const LayerReader& from, int depth);

template <class... Own>
Sequential load_layers(const LayerReader& from, int depth) {
  const std::optional<Index> count = parse_index(from.text("layers"));
  if (!count) {
    fail<FileError>(from.where(), " has ", in_quotes(from.text("layers")), " layers, expected a whole number");
  }
  if (depth > kMaxNesting) fail<FileError>(from.where(), " is nested more than ", kMaxNesting, " deep");
  Sequential model;
  for (Index i = 0; i < *count; ++i) {
    model.push_back(load_layer<Own...>(LayerReader(from.file(), text(from.prefix(), i, ".")), depth));
  }
  return model;
}

template <class... Own>
AnyLayer load_layer(const LayerReader& from, int depth) {
  const std::string& name = from.text("layer");
  return as_file_error(from.where(), [&]() -> AnyLayer {
    if (name == Sequential::kName) return load_layers<Own...>(from, depth + 1);
    std::optional<AnyLayer> layer;
    load_one_of(typename OwnTypes<Own...>::Layers{}, name, from, layer);
    if (!layer) load_one_of(LibraryLayers{}, name, from, layer);
    using Formats = typename OwnTypes<Own...>::Formats;
    if (!layer) load_quantized<DynamicLinears, Formats>(name, from, layer);
    if (!layer) load_quantized<StaticLinears, Formats>(name, from, layer);
    if (!layer) load_quantized<WeightOnlyLinears, Formats>(name, from, layer);
    if (!layer) {
      fail<FileError>(from.where(), " is a ", in_quotes(name),
                      ", which is none of the library's layers and none given to load it with");
    }
    return *std::move(layer);
  });
}

/// Throws Error when a layer cannot be saved. `path` stands before its number.
inline void check_can_save(const Sequential& model, const std::string& path, int depth) {
  check(depth <= kMaxNesting, "save: layer ", path, " is nested more than ", kMaxNesting, " deep");
  for (Index i = 0; i < model.size(); ++i) {
    const AnyLayer& layer = model[i];
    if (const Sequential* nested = layer.target<Sequential>()) check_can_save(*nested, text(path, i, "."), depth + 1);
    check(layer.can_save(), "save: layer ", path, i, " (", layer.name(),
          ") cannot be saved: it has no save(quanta::TensorList&) const");
  }
}

}  // namespace detail

inline void save(const std::filesystem::path& path, const Sequential& model) {
  detail::check_can_save(model, "", 0);
  TensorList list;
  model.save(list);
  save(path, list);
}

template <class... Own>
Sequential load(const Safetensors& file) {
  detail::check_layout_version(file.name(), file.metadata(), true);
  return detail::load_layers<Own...>(LayerReader(file, ""), 0);
}

template <class... Own>
Sequential load(const std::filesystem::path& path) {
  return load<Own...>(Safetensors::open(path));
}

QUANTA_NAMESPACE_END
