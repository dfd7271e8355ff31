// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Weights laid out for a micro-kernel, with what the epilogue needs of them. Packed once, used by any number of
// products and threads at the same time. It is not a file format: the layout belongs to one kernel.
#pragma once

#include <algorithm>

#include <quanta/gemm/packed_operands.hpp>
#include <quanta/quant/quantized_tensor.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// What is added to a code from `min` to `max` to make it an operand of Kernel: 0 where that holds all codes.
template <class Kernel>
constexpr std::int32_t operand_shift(std::int32_t min, std::int32_t max) {
  using T = typename Kernel::Rhs;
  if (kRhsBits<Kernel> < 8) return -min;
  constexpr std::int32_t lowest = std::numeric_limits<T>::min(), highest = std::numeric_limits<T>::max();
  if (min < lowest) return 128;
  return max > highest ? -128 : 0;
}

/// Granularities a packed rhs can have: scales per tensor, per output, or per group of inputs of one output, which may
/// be codes of 8 or 16 bits.
template <class G>
inline constexpr bool is_rhs_granularity = false;
template <>
inline constexpr bool is_rhs_granularity<PerTensor> = true;
template <>
inline constexpr bool is_rhs_granularity<PerChannel<0>> = true;
template <>
inline constexpr bool is_rhs_granularity<PerChannel<-2>> = true;
template <int size>
inline constexpr bool is_rhs_granularity<PerGroup<size, -1>> = true;
template <int size>
inline constexpr bool is_rhs_granularity<PerGroup<size, 1>> = true;
template <int size, int axis, class S>
inline constexpr bool is_rhs_granularity<WithScales<PerGroup<size, axis>, S>> =
    is_rhs_granularity<PerGroup<size, axis>>&& S::bits % 8 == 0;

/// The kind of a granularity that a packed rhs can have.
template <class G>
inline constexpr GranularityKind kRhsKind = GranularityKind::per_group;
template <>
inline constexpr GranularityKind kRhsKind<PerTensor> = GranularityKind::per_tensor;
template <int axis>
inline constexpr GranularityKind kRhsKind<PerChannel<axis>> = GranularityKind::per_channel;

/// The kernel that multiplies codes of so many bits for Kernel: per group, where scales cost more than bits, those of 4
/// and fewer stay as small as they are.
template <class Kernel, GranularityKind kind, int bits>
constexpr auto pick_rhs_kernel() {
  if constexpr (kind == GranularityKind::per_group && bits <= 2 && HasCrumbs<Kernel>) {
    return std::type_identity<typename Kernel::Crumbs>{};
  } else if constexpr (kind == GranularityKind::per_group && bits <= 4 && HasNibbles<Kernel>) {
    return std::type_identity<typename Kernel::Nibbles>{};
  } else {
    return std::type_identity<Kernel>{};
  }
}
template <class Kernel, GranularityKind kind, int bits>
using RhsKernelFor = typename decltype(pick_rhs_kernel<Kernel, kind, bits>())::type;

}  // namespace detail

/// The rhs of a product, shape (n, k): n outputs, k inputs. F is an integer format of at most 8 bits. n() and k() are
/// its sizes, packed_bytes() is what it holds in bytes, padding included, layout() says where operands lie. Takes any
/// codes: whether sums fit int32 is checked by each product, which knows its lhs.
template <IntegerFormat F, Granularity G = PerChannel<0>, MicroKernel Kernel = NativeKernel>
class PackedRhs
    : public detail::PackedOperands<detail::kRhsKind<G>, detail::RhsKernelFor<Kernel, detail::kRhsKind<G>, F::bits>> {
  static_assert(F::bits <= 8, "quanta: gemm multiplies formats of at most 8 bits");
  static_assert(detail::is_rhs_granularity<G>,
                "quanta: the rhs of gemm is PerTensor, PerChannel<0>, or PerGroup along the last axis, whose scales "
                "may be codes of 8 or 16 bits");

 public:
  using FormatType = F;       ///< of the codes
  using GranularityType = G;  ///< of the scales
  /// What a product reads; the same type for all formats of 8 bits.
  using Operands =
      detail::PackedOperands<detail::kRhsKind<G>, detail::RhsKernelFor<Kernel, detail::kRhsKind<G>, F::bits>>;
  using Operands::per_group;
  using Operands::per_tensor;

  /// Packs weights (n, k), which are not needed any more then.
  explicit PackedRhs(const QuantizedView<F, 2, G>& weights)
      : Operands(
            weights.extent(0), weights.extent(1),
            per_group ? weights.granularity().info().group_size : std::max<Index>(weights.extent(1), 1),
            weights.params(),
            {weights.data(), F::bits, std::is_signed_v<typename F::Code>, &detail::unpack_bytes<F>, operand_shift}) {}

  /// What a product reads of it.
  const Operands& operands() const { return *this; }

  /// A code is an operand minus this.
  static constexpr std::int32_t operand_shift = detail::operand_shift<typename Operands::KernelType>(F::min, F::max);
  /// The code of output `column` and input `step`.
  std::int32_t code(Index column, Index step) const {
    return this->operand(this->layout_.position(column, step)) - operand_shift;
  }

  /// The weights it was packed from: the same codes, scales and zero points.
  QuantizedTensor<F, 2, G> unpack() const {
    Buffer<std::byte> codes(detail::packed_size(this->n() * this->k(), F::bits));
    unpack_codes(codes.data());
    return QuantizedTensor<F, 2, G>::from_packed({this->n(), this->k()}, std::move(codes), params());
  }
  /// Their scales and zero points alone.
  QuantParams<G> params() const {
    return QuantParams<G>(this->unpack_scales(), this->unpack_zero_points(operand_shift), granularity());
  }
  /// Their codes alone, packed as in format/bits.hpp. There is room for packed_size(n k, bits) bytes.
  void unpack_codes(std::byte* stream) const { Operands::unpack_codes(operand_shift, &detail::pack_bytes<F>, stream); }
  /// With its group size.
  G granularity() const {
    if constexpr (std::is_default_constructible_v<G>) {
      return G{};
    } else {
      return G(this->layout_.group);
    }
  }
};

/// Packs a (n, k) weight for this unit's kernel, or for a given one: pack<Kernel>(weights).
template <MicroKernel Kernel = NativeKernel, IntegerFormat F, Granularity G>
PackedRhs<F, G, Kernel> pack(const QuantizedView<F, 2, G>& weights) {
  return PackedRhs<F, G, Kernel>(weights);
}
/// The same, of the tensor that owns its codes.
template <MicroKernel Kernel = NativeKernel, IntegerFormat F, Granularity G>
PackedRhs<F, G, Kernel> pack(const QuantizedTensor<F, 2, G>& weights) {
  return PackedRhs<F, G, Kernel>(weights.view());
}
/// Of anything else this says what is packed, and does not compile.
template <MicroKernel Kernel = NativeKernel, class W>
auto pack(const W&) {
  static_assert(
      sizeof(W) == 0,
      "quanta: pack takes a QuantizedTensor or QuantizedView (n, k) of Int<b> or UInt<b>; floats are quantized "
      "first, and other formats, as NF4, are for WeightOnlyLinear");
}

QUANTA_NAMESPACE_END
