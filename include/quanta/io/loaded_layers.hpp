// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The layers with quantized weights as a file gives them: format and granularity known at run time, so that a few types
// hold all of them, and load compiles in seconds. Names, outputs, memory and what they save are those of the layers
// with the types.
#pragma once

#include <quanta/io/any_quantized_view.hpp>
#include <quanta/layers/dynamic_linear.hpp>
#include <quanta/layers/static_linear.hpp>
#include <quanta/layers/weight_only_linear.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// PackedRhs of a format known at run time: of at most so many bits, 8, 4 or 2.
template <GranularityKind kind, int bits>
class LoadedRhs : public PackedOperands<kind, RhsKernelFor<NativeKernel, kind, bits>> {
  using Operands = PackedOperands<kind, RhsKernelFor<NativeKernel, kind, bits>>;

 public:
  /// weight has rank 2, an integer format of at most 8 bits, and a granularity of this kind that a rhs can have.
  explicit LoadedRhs(const AnyQuantizedView& weight)
      : Operands(weight.shape()[0], weight.shape()[1],
                 Operands::per_group ? weight.granularity().group_size : std::max<Index>(weight.shape()[1], 1),
                 weight.params(),
                 {weight.data(), weight.bits(), weight.format_info().is_signed, weight.format_info().unpack,
                  shift(weight.format_info())}),
        format_(&weight.format_info()),
        granularity_(weight.granularity()) {}

  const Operands& operands() const { return *this; }
  std::string_view format() const { return format_->name; }
  const GranularityInfo& granularity() const { return granularity_; }
  void save(TensorList& to) const {
    save_operands(to, operands(), *format_, granularity_, shift(*format_), format_->pack);
  }

 private:
  static std::int32_t shift(const FormatInfo& format) {
    return operand_shift<typename Operands::KernelType>(format.zero_point_min, format.zero_point_max);
  }

  const FormatInfo* format_;
  GranularityInfo granularity_;
};

/// What the two layers below share: D is one of them.
template <class D, GranularityKind kind, int bits>
class LoadedLinear : public LinearBase<D> {
 public:
  Index in_features() const { return weights_.k(); }
  Index out_features() const { return weights_.n(); }
  Index weight_bytes() const { return weights_.packed_bytes(); }
  std::string_view weight_format() const { return weights_.format(); }
  std::string weight_granularity() const { return quanta::description(weights_.granularity(), 2); }

 protected:
  LoadedLinear(const AnyQuantizedView& weight, const Tensor<float, 1>& bias)
      : LinearBase<D>(weight.shape()[0], bias), weights_(weight) {}

  void save_weight_and_bias(TensorList& to) const {
    weights_.save(to);
    this->save_bias(to);
  }

  LoadedRhs<kind, bits> weights_;
};

template <GranularityKind kind, int bits, class Scheme, IntegerFormat A>
class LoadedDynamicLinear : public LoadedLinear<LoadedDynamicLinear<kind, bits, Scheme, A>, kind, bits> {
 public:
  static constexpr const char* kName = DynamicLinear<>::kName;

  LoadedDynamicLinear(const AnyQuantizedView& weight, const Tensor<float, 1>& bias)
      : LoadedLinear<LoadedDynamicLinear, kind, bits>(weight, bias) {
    check_sums_by_row<Scheme, A>(this->weights_.operands());
  }
  void save(TensorList& to) const { this->save_weight_and_bias(to); }
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    forward_by_row<Scheme, A>(context, x, y, this->weights_.operands(), this->bias_);
  }
};

template <GranularityKind kind, int bits>
class LoadedStaticLinear : public LoadedLinear<LoadedStaticLinear<kind, bits>, kind, bits> {
 public:
  static constexpr const char* kName = StaticLinear<>::kName;

  LoadedStaticLinear(const AnyQuantizedView& weight, const Tensor<float, 1>& bias, ActivationParams activation)
      : LoadedLinear<LoadedStaticLinear, kind, bits>(weight, bias), activation_(std::move(activation)) {
    check_activation(activation_, this->weights_.operands());
  }
  void save(TensorList& to) const {
    this->save_weight_and_bias(to);
    save_activation(to, activation_);
  }
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    forward_alike(context, x, y, activation_, this->weights_.operands(), this->bias_);
  }

 private:
  ActivationParams activation_;
};

class LoadedWeightOnlyLinear : public LinearBase<LoadedWeightOnlyLinear> {
 public:
  static constexpr const char* kName = WeightOnlyLinear<>::kName;

  /// `kernels` are those of the weight's format.
  LoadedWeightOnlyLinear(const LevelKernels& kernels, const AnyQuantizedView& weight, const Tensor<float, 1>& bias)
      : LinearBase(weight.shape()[0], bias),
        format_(&weight.format_info()),
        granularity_(weight.granularity()),
        weights_(kernels, weight.shape()[0], weight.shape()[1], granularity_, weight.data(), weight.scales(),
                 weight.params().zero_points) {}

  Index in_features() const { return weights_.k(); }
  Index out_features() const { return weights_.n(); }
  Index weight_bytes() const { return weights_.bytes(); }
  std::string_view weight_format() const { return format_->name; }
  std::string weight_granularity() const { return quanta::description(granularity_, 2); }
  void save(TensorList& to) const {
    save_packed(to, weights_, *format_, granularity_);
    save_bias(to);
  }
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    forward_in_float(context, weights_, bias_, x, y);
  }

 private:
  const FormatInfo* format_;
  GranularityInfo granularity_;
  PackedWeights weights_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
