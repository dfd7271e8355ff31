// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Layers one after the other, of types chosen at run time.
#pragma once

#include <optional>
#include <utility>
#include <vector>

#include <quanta/core/layer.hpp>
#include <quanta/quant/tensor_list.hpp>

QUANTA_NAMESPACE_BEGIN

/// A layer that can go to a file: it gives its tensors, numbers and texts to the list, which lives no longer than the
/// layer. Its name() is saved with them. To be read again it needs `kName`, the same name, and a static load
/// (io/layer_reader.hpp).
template <class L>
concept SavableLayer = Layer<L> && requires(const L& layer, TensorList& to) {
  layer.save(to);
};

/// Any layer (core/layer.hpp), of the library or of your own, by value; copies deeply. Shapes and errors are the
/// layer's.
class AnyLayer {
 public:
  /// Any type that is a Layer; so layers turn into an AnyLayer where one is asked for.
  template <class L>
  requires(!std::same_as<L, AnyLayer> && Layer<L>) AnyLayer(L layer)
      : held_(new Holder<L>(std::move(layer))) {}  // NOLINT: a layer is an AnyLayer
  /// Copies the layer.
  AnyLayer(const AnyLayer& other) : held_(other.held_ != nullptr ? other.held_->copy() : nullptr) {}
  /// Takes the layer; the other can only be assigned to or destroyed then.
  AnyLayer(AnyLayer&& other) noexcept : held_(std::exchange(other.held_, nullptr)) {}
  /// Copies first, so that nothing is lost when that fails.
  AnyLayer& operator=(const AnyLayer& other) { return *this = AnyLayer(other); }
  /// As the constructor.
  AnyLayer& operator=(AnyLayer&& other) noexcept {
    AnyLayer taken(std::move(other));
    std::swap(held_, taken.held_);
    return *this;
  }
  ~AnyLayer() { delete held_; }

  Index output_size(Index features) const { return held_->output_size(features); }  ///< as the layer's own
  /// As the layer's own.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    held_->forward(context, x, y);
  }
  /// How many features the layer gives, where it has a member out_features() that says so.
  std::optional<Index> out_features() const { return held_->out_features(); }
  std::string name() const { return held_->name(); }            ///< the layer's own
  Index packed_bytes() const { return held_->packed_bytes(); }  ///< the layer's own
  LayerInfo info() const { return held_->info(); }              ///< the layer's own; empty where it does not tell
  /// What the layer is made of, where it has a member `std::vector<AnyLayer> parts() const`: layers that, one after the
  /// other, give what it gives. Tables show these in its place. Empty for all others; a Sequential is one of those.
  std::vector<AnyLayer> parts() const { return held_->parts(); }

  /// Is it a SavableLayer?
  bool can_save() const { return held_->can_save(); }
  /// As the layer's own. Throws Error unless it is one.
  void save(TensorList& to) const { held_->save(to); }

  /// The layer if it is an L, else null.
  template <class L>
  const L* target() const {
    return held_->type() == &kTypeTag<L> ? &static_cast<const Holder<L>&>(*held_).layer : nullptr;
  }

 private:
  // The address of a variable of one's own stands for the type, so that the library works without RTTI.
  template <class L>
  static inline const char kTypeTag = 0;

  struct Base {
    virtual ~Base() = default;
    virtual Base* copy() const = 0;
    virtual const char* type() const = 0;
    virtual Index output_size(Index features) const = 0;
    virtual void forward(Context&, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const = 0;
    virtual std::optional<Index> out_features() const = 0;
    virtual std::string name() const = 0;
    virtual Index packed_bytes() const = 0;
    virtual LayerInfo info() const = 0;
    virtual std::vector<AnyLayer> parts() const = 0;
    virtual bool can_save() const = 0;
    virtual void save(TensorList& to) const = 0;
  };
  template <class L>
  struct Holder final : Base {
    explicit Holder(L l) : layer(std::move(l)) {}
    Base* copy() const override { return new Holder(layer); }
    const char* type() const override { return &kTypeTag<L>; }
    Index output_size(Index features) const override { return layer.output_size(features); }
    void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const override {
      layer.forward(context, x, y);
    }
    std::optional<Index> out_features() const override {
      if constexpr (requires { std::optional<Index>(layer.out_features()); }) {
        return layer.out_features();
      } else {
        return std::nullopt;
      }
    }
    std::string name() const override { return layer.name(); }
    Index packed_bytes() const override { return layer.packed_bytes(); }
    LayerInfo info() const override {
      if constexpr (requires { layer.info(); }) {
        return layer.info();
      } else {
        return {};
      }
    }
    std::vector<AnyLayer> parts() const override {
      if constexpr (requires { layer.parts(); }) {
        return layer.parts();
      } else {
        return {};
      }
    }
    bool can_save() const override { return SavableLayer<L>; }
    void save(TensorList& to) const override {
      if constexpr (SavableLayer<L>) {
        layer.save(to);
      } else {
        detail::fail("save: a layer ", layer.name(), " has no save(quanta::TensorList&) const");
      }
    }
    L layer;
  };

  Base* held_;  // owned
};

namespace detail {

/// "layer 2 (Linear)", for messages.
inline std::string layer_text(Index number, const AnyLayer& layer) {
  return text("layer ", number, " (", layer.name(), ")");
}

/// Calls f. An Error that it throws begins with layer_text, in the place of the layer's name where it begins with that.
template <class F>
decltype(auto) name_layer_in_errors(Index number, const AnyLayer& layer, F f) {
  const auto change = [&](const std::string& message) {
    const std::string own = layer.name() + ": ";
    return text(layer_text(number, layer), ": ", message.substr(message.starts_with(own) ? own.size() : 0));
  };
  return change_errors(change, f);
}

}  // namespace detail

/// Layers one after the other: Sequential{Linear{w1, b1}, Relu{}, Linear{w2, b2}}. Itself a layer: y (batch, out of the
/// last) of x (batch, in of the first); without layers it gives back its input. Layers that do not fit each other make
/// no model: that is known as soon as one is added, from the first on that tells its out_features() (core/layer.hpp).
/// What the first layer takes, data must show. Every Error begins with the number and name of the layer.
class Sequential : public CallableLayer<Sequential> {
 public:
  static constexpr const char* kName = "Sequential";  ///< what name() says

  /// Without layers.
  Sequential() = default;
  /// The layers, in the order in which data passes them. Throws Error as push_back does.
  template <class... L>
  requires(sizeof...(L) >= 1 && !(sizeof...(L) == 1 && (std::same_as<L, Sequential> && ...)) &&
           (Layer<L> && ...)) explicit Sequential(L... layers) {
    (push_back(std::move(layers)), ...);
  }

  /// Adds a layer behind the others. Throws Error, and stays as it was, when that cannot take as many features as they
  /// give; the message names it, and the layer before it: "layer 2 (Linear): x has 20 features, expected 21; layer 1
  /// (Relu) gives 20".
  QUANTA_LAZY void push_back(AnyLayer layer);
  Index size() const { return static_cast<Index>(layers_.size()); }  ///< how many layers
  /// Throws Error when there is no layer i.
  const AnyLayer& operator[](Index i) const {
    detail::check(i >= 0 && i < size(), "Sequential: layer ", i, " of ", size());
    return layers_[usize(i)];
  }
  auto begin() const { return layers_.begin(); }  ///< iterates over const AnyLayer
  auto end() const { return layers_.end(); }      ///< behind the last layer

  /// Throws Error when the layers cannot take so many features. The message begins with the number and name of the
  /// layer that cannot, "layer 2 (Linear): "; so do those of `forward`.
  Index output_size(Index features) const {
    for (Index i = 0; i < size(); ++i) {
      const AnyLayer& layer = layers_[usize(i)];
      detail::name_layer_in_errors(i, layer, [&] { features = layer.output_size(features); });
    }
    return features;
  }
  /// How many features the last layer gives, where the layers tell: see core/layer.hpp.
  std::optional<Index> out_features() const { return layers_.empty() ? std::nullopt : given_[layers_.size() - 1]; }
  /// y (batch, out) from x (batch, in): see Layer.
  QUANTA_LAZY
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const;
  std::string name() const { return kName; }  ///< in tables, messages and files
  /// The sum over the layers.
  Index packed_bytes() const {
    Index bytes = 0;
    for (const AnyLayer& layer : layers_) bytes += layer.packed_bytes();
    return bytes;
  }
  /// The text "layers", how many there are; then, each behind its number from 0 as in "0.weight", all that the layers
  /// give, and the text "layer", their name(). Throws Error when one cannot be saved.
  QUANTA_LAZY void save(TensorList& to) const;

 private:
  std::vector<AnyLayer> layers_;
  std::vector<std::optional<Index>> given_;  ///< features that each of them gives, where that is known
};

namespace detail {

/// Adds the layers of a model to a vector of const AnyLayer*, in the order in which data passes them, those of nested
/// Sequentials one by one.
template <class Layers>
void flatten(const Sequential& model, Layers& layers);

}  // namespace detail

// ---- bodies ----

template <class Layers>
void detail::flatten(const Sequential& model, Layers& layers) {
  for (const AnyLayer& layer : model) {
    if (const Sequential* nested = layer.target<Sequential>()) {
      flatten(*nested, layers);
    } else {
      layers.push_back(&layer);
    }
  }
}

QUANTA_LAZY_BODY void Sequential::push_back(AnyLayer layer) {
  std::optional<Index> features = out_features();
  if (features) {
    const auto refuse = [&](const std::string& message) {
      return detail::text(message, "; ", detail::layer_text(size() - 1, layers_.back()), " gives ", *features);
    };
    const auto take = [&] {
      return detail::name_layer_in_errors(size(), layer, [&] { return layer.output_size(*features); });
    };
    features = detail::change_errors(refuse, take);
  } else {
    features = layer.out_features();
  }
  given_.resize(layers_.size());  // where memory ran out below, it has one too many
  given_.push_back(features);
  layers_.push_back(std::move(layer));
}

QUANTA_LAZY_BODY
void Sequential::forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
  const Index rows = x.extent(0);
  if (layers_.empty()) {
    for (Index r = 0; r < rows; ++r) {
      for (Index i = 0; i < x.extent(1); ++i) {
        y.data()[r * y.stride(0) + i * y.stride(1)] = x.data()[r * x.stride(0) + i * x.stride(1)];
      }
    }
    return;
  }
  Buffer<float> held[2] = {context.take_buffer(), context.take_buffer()};  // what the last layer gave, the next writes
  TensorView<const float, 2> from = x;
  for (Index i = 0; i < size(); ++i) {
    const AnyLayer& layer = layers_[usize(i)];
    TensorView<float, 2> to = y;
    const auto run = [&] {
      const Index features = layer.output_size(from.extent(1));
      if (i + 1 < size()) to = {held[i % 2].reserve(rows * features), {rows, features}};
      layer.forward(context, from, to);
    };
    detail::name_layer_in_errors(i, layer, run);
    from = to;
  }
  context.give_back(std::move(held[1]));
  context.give_back(std::move(held[0]));
}

QUANTA_LAZY_BODY void Sequential::save(TensorList& to) const {
  to.add_text("layers", std::to_string(size()));
  for (Index i = 0; i < size(); ++i) {
    const AnyLayer& layer = layers_[usize(i)];
    TensorList part;
    layer.save(part);
    part.add_text("layer", layer.name());
    to.add_all(std::to_string(i) + ".", std::move(part));
  }
}

QUANTA_NAMESPACE_END
