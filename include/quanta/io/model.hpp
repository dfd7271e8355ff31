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

#include <quanta/gemm/activations.hpp>
#include <quanta/io/layer_reader.hpp>
#include <quanta/io/loaded_layers.hpp>
#include <quanta/io/save.hpp>
#include <quanta/layers/flatten.hpp>
#include <quanta/layers/int8_outlier_linear.hpp>
#include <quanta/layers/integer_model.hpp>
#include <quanta/layers/layer_norm.hpp>
#include <quanta/layers/linear.hpp>
#include <quanta/layers/softmax.hpp>

QUANTA_NAMESPACE_BEGIN

/// Writes a model. Throws Error, before anything is written, when it has a layer that cannot be saved, naming it: one
/// without `save` (io/layer_reader.hpp), or one nested too deep. Else as save(path, TensorList).
void save(const std::filesystem::path& path, const Sequential& model);
/// A layer alone: a model of one layer.
template <SavableLayer L>
void save(const std::filesystem::path& path, const L& layer) {
  save(path, Sequential{layer});
}

/// Reads a model; its outputs are those of the one that was saved, to the bit, and all layers are packed for the native
/// kernel. Own are layers (LoadableLayer) and formats that are not the library's. Layers with quantized weights come
/// back with a format known at run time, as no type that AnyLayer::target could name; those named in Own, as in
/// load<DynamicLinear<>>, with their own type. Throws FileError when the file cannot be read, is damaged, or has a
/// layer of a name, format or granularity that is unknown here, layers that do not fit each other, or for a layer of
/// the library's what no such layer has.
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

/// The one place to name a new layer of the library's, but for those with a format in their type, which are in
/// io/loaded_layers.hpp.
using LibraryLayers = LayerList<Linear, Relu, Relu6, Clamp, Sigmoid, Tanh, Gelu, GeluTanh, Softmax, LayerNorm, Flatten,
                                IntegerModel, Int8OutlierLinear<>>;

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

/// Makes the layer of this name, if it is one of the list.
template <class... L>
std::optional<AnyLayer> load_one_of(LayerList<L...>, [[maybe_unused]] std::string_view name,
                                    [[maybe_unused]] const LayerReader& from) {
  std::optional<AnyLayer> layer;
  [[maybe_unused]] const auto try_one = [&]<class T>(std::type_identity<T>) {
    if (layer || name != T::kName) return;
    if constexpr (requires { T::can_load(from); }) {
      if (!T::can_load(from)) return;
    }
    layer.emplace(T::load(from));
  };
  (try_one(std::type_identity<L>{}), ...);
  return layer;
}

/// An integer layer with weights of this kind.
template <GranularityKind kind, int bits>
AnyLayer load_integer_layer(const AnyQuantizedView& weight, const LayerReader& from) {
  const Tensor<float, 1> bias = from.template read<1>("bias");
  if (from.text("layer") == StaticLinear<>::kName) {
    return LoadedStaticLinear<kind, bits>(weight, bias, load_activation(from));
  }
  // The schemes of DynamicLinear.
  if constexpr (kind != GranularityKind::per_group) {
    if (weight.bits() == 8) return LoadedDynamicLinear<kind, bits, Asymmetric, UInt<8>>(weight, bias);
  }
  return LoadedDynamicLinear<kind, bits, Symmetric, Int<8>>(weight, bias);
}

/// The kernels for weights of a format among the library's and Own.
template <Format... Own>
const LevelKernels& find_level_kernels(std::string_view name) {
  const LevelKernels* found = nullptr;
  const auto take = [&]<class F>(FormatList<F>) { found = &kLevelKernels<F>; };
  if (!with_format(name, FormatList<Own...>{}, take)) with_format(name, LibraryFormats{}, take);
  return *found;
}

/// One of the library's layers with quantized weights, if this is the name of one.
template <Format... Own>
std::optional<AnyLayer> load_quantized(FormatList<Own...>, std::string_view name, const LayerReader& from) {
  const bool weight_only = name == WeightOnlyLinear<>::kName;
  if (!weight_only && name != DynamicLinear<>::kName && name != StaticLinear<>::kName) return std::nullopt;
  const AnyQuantizedView weight = from.template any_quantized_view<Own...>("weight");
  const GranularityInfo& g = weight.granularity();
  const NarrowScales scales = weight.scales().codes();
  if (weight.rank() == 2 && weight_only) {
    return LoadedWeightOnlyLinear(find_level_kernels<Own...>(weight.format()), weight, from.read<1>("bias"));
  }
  const bool are_bytes = scales.bits % 8 == 0 && scales.outer == nullptr;
  const bool fit = scales.decode == nullptr || (g.kind == GranularityKind::per_group && are_bytes);
  if (weight.rank() == 2 && weight.format_info().unpack != nullptr && fit) {
    switch (g.kind) {
      case GranularityKind::per_tensor:
        return load_integer_layer<GranularityKind::per_tensor, 8>(weight, from);
      case GranularityKind::per_channel:
        if (g.axis == 0) return load_integer_layer<GranularityKind::per_channel, 8>(weight, from);
        break;
      case GranularityKind::per_group:
        if (g.axis == 1 && weight.bits() <= 2) {
          return load_integer_layer<GranularityKind::per_group, 2>(weight, from);
        }
        if (g.axis == 1 && weight.bits() <= 4) {
          return load_integer_layer<GranularityKind::per_group, 4>(weight, from);
        }
        if (g.axis == 1) return load_integer_layer<GranularityKind::per_group, 8>(weight, from);
        break;
      case GranularityKind::unscaled:
        break;
    }
  }
  fail<FileError>(from.where(), " is a ", std::string(name), " of ", in_quotes(weight.description()),
                  ", which it cannot have as its weight");
}

template <class... Own>
AnyLayer load_layer(const LayerReader& from, int depth);

template <class... Own>
Sequential load_layers(const LayerReader& from, int depth) {
  const std::optional<Index> count = parse_index(from.text("layers"));
  if (!count) {
    fail<FileError>(from.where(), " has ", in_quotes(from.text("layers")), " layers, expected a whole number");
  }
  if (from.has_text(text(*count, ".layer"))) {
    fail<FileError>(from.where(), " has ", *count, " layers, but there is a layer ", from.prefix(), *count);
  }
  if (depth > kMaxNesting) fail<FileError>(from.where(), " is nested more than ", kMaxNesting, " deep");
  Sequential model;
  for (Index i = 0; i < *count; ++i) {
    AnyLayer layer = load_layer<Own...>(LayerReader(from.file(), text(from.prefix(), i, ".")), depth);
    as_file_error(from.where(), [&] { model.push_back(std::move(layer)); });
  }
  return model;
}

template <class... Own>
AnyLayer load_layer(const LayerReader& from, int depth) {
  const std::string& name = from.text("layer");
  return as_file_error(from.where(), [&]() -> AnyLayer {
    if (name == Sequential::kName) return load_layers<Own...>(from, depth + 1);
    std::optional<AnyLayer> layer = load_one_of(typename OwnTypes<Own...>::Layers{}, name, from);
    const bool is_own = layer.has_value();
    if (!layer) layer = load_one_of(LibraryLayers{}, name, from);
    if (!layer) layer = load_quantized(typename OwnTypes<Own...>::Formats{}, name, from);
    if (layer && !is_own) from.check_all_read();  // own ones may leave what older ones saved
    if (!layer) {
      fail<FileError>(from.where(), " is a ", in_quotes(name),
                      ", which is none of the library's layers and none given to load it with");
    }
    return *std::move(layer);
  });
}

/// Throws FileError, saying what to call instead, when a file holds no model.
inline void check_is_model(const Safetensors& file) {
  check_layout_version(file.name(), file.metadata(), false);
  if (file.metadata().find("layers") != file.metadata().end()) {
    return check_layout_version(file.name(), file.metadata(), true);
  }
  fail<FileError>(file.name(),
                  ": holds no model: its metadata has no entry \"layers\"; read one quantized tensor with ",
                  "quanta::load_tensor, and tensors of other files with quanta::Safetensors");
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
  detail::check_is_model(file);
  return detail::load_layers<Own...>(LayerReader(file, ""), 0);
}

template <class... Own>
Sequential load(const std::filesystem::path& path) {
  return load<Own...>(Safetensors::open(path));
}

QUANTA_NAMESPACE_END
