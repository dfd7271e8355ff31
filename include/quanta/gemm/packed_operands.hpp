// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a product reads of packed weights, whatever their format: operands in a kernel's order, and with them what the
// epilogue and the capacity check need. gemm/packed_rhs.hpp is what users hold.
#pragma once

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <quanta/gemm/capacity.hpp>
#include <quanta/gemm/kernels/native.hpp>
#include <quanta/gemm/pack_panel.hpp>
#include <quanta/gemm/unpack_panels.hpp>
#include <quanta/quant/params.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// What a product reads of a packed rhs: operands, sums, scales and zero points in the kernel's order. The format is no
/// longer in the type, so that all formats share one product.
template <GranularityKind kind, MicroKernel Kernel>
class PackedOperands {
 public:
  using KernelType = Kernel;
  static constexpr bool per_tensor = kind == GranularityKind::per_tensor;
  static constexpr bool per_group = kind == GranularityKind::per_group;
  /// Are the sums of columns held? In groups of operands of fewer than 8 bits they would take as much as scales do, and
  /// only an lhs with zero points needs them: they are made then.
  static constexpr bool kHoldsSums = !per_group || kRhsBits<Kernel> == 8;
  /// Groups have zero points of their own in a byte each: they are operands.
  using ZeroPoint = std::conditional_t<per_group, typename Kernel::Rhs, std::int32_t>;

  /// Outputs and inputs.
  Index n() const { return layout_.n; }
  Index k() const { return layout_.k; }
  const RhsLayout& layout() const { return layout_; }
  /// The operands in the kernel's order.
  const typename Kernel::Rhs* panel(Index p) const { return first_operand() + p * layout_.panel_size() / kInAByte; }
  /// The first block of a group of a panel.
  const typename Kernel::Rhs* blocks(Index p, Index g) const {
    return panel(p) + layout_.first_block(g) * layout_.block_size() / kInAByte;
  }
  /// The operand at a position of the layout.
  std::int32_t operand(Index position) const {
    if constexpr (kInAByte == 1) return first_operand()[position];
    return first_operand()[byte_of(position)] >> shift_in_byte(position) & kMask;
  }

  /// May the kernel's faster form multiply this panel? False where it has none (gemm/micro_kernel.hpp).
  bool proven(Index p) const {
    if constexpr (HasProvenForm<Kernel>) return *part<std::uint8_t>(proven_at_, p) != 0;
    return false;
  }

  /// For the columns of a panel, in a group: the scales; the zero points in operand terms, null where all are the same.
  /// Those of the next group, or panel where there is one group, follow. The scale per tensor is a single value.
  const float* scales(Index p, Index g = 0) const { return part<float>(scales_at_, row(p, g)); }
  const ZeroPoint* zero_points(Index p, Index g = 0) const {
    return has_zero_points_ ? part<ZeroPoint>(zero_points_at_, row(p, g)) : nullptr;
  }
  /// Of groups: the scales of `groups` groups from g on; where they are held as codes, in `room` for as many.
  const float* scales(Index p, Index g, Index groups, float* room) const {
    if (!has_narrow_scales()) return scales(p, g);
    decode_scales_(scale_codes(p), g * Kernel::kNr, groups * Kernel::kNr, room);
    return room;
  }
  /// Are they held as codes?
  bool has_narrow_scales() const { return decode_scales_ != nullptr; }
  /// As they are held, if that has a name in GroupScales; else null.
  std::pair<GroupScales, const void*> held_scales(Index p) const {
    if (decode_scales_ == nullptr) return {GroupScales::floats, scales(p)};
    if (decode_scales_ == &decode_levels<Fp16>) return {GroupScales::halves, scale_codes(p)};
    if (decode_scales_ == &decode_levels<Bf16>) return {GroupScales::upper_halves, scale_codes(p)};
    if (decode_scales_ == &decode_levels<E8M0>) return {GroupScales::powers, scale_codes(p)};
    return {GroupScales::floats, nullptr};
  }
  /// The same of the sums of their operands, made in `room` where these are not held.
  const std::int32_t* sums(Index p, Index g, Index groups, std::int32_t* room) const {
    if constexpr (kHoldsSums) return part<std::int32_t>(sums_at_, row(p, g));
    make_sums(p, g, groups, room);
    return room;
  }
  /// How far apart what is held for panels is.
  Index next_panel() const { return layout_.panel_size() / kInAByte; }
  Index next_params() const { return row(1, 0); }
  /// What rests are multiplied by when rows are prepared: by minus the zero point that all share, where they do; their
  /// product is what sums start from.
  std::int32_t rest_factor() const { return has_zero_points_ ? 1 : -zero_point_; }
  float scale(Index column, Index g = 0) const { return *part<float>(scales_at_, per_tensor ? 0 : place(column, g)); }

  /// What no column exceeds, and no group of any: what the capacity check starts from. Columns of so many operands that
  /// their number does not say enough were looked at.
  const Extremes& column_extremes() const { return column_; }
  const Extremes& group_extremes() const { return group_; }
  /// The exact sums of one column, or of one of its groups.
  Extremes extremes(Index column, Index first_group, Index last_group) const;

  /// All memory held: operands with their padding, scales, zero points, sums where they are held, and flags.
  Index packed_bytes() const { return memory_.size(); }

  /// The scales and zero points of the weights, as QuantParams orders and holds them: no zero points where all are 0.
  /// `shift` is operand - code, here and below.
  HeldScales unpack_scales() const;
  Buffer<std::int32_t> unpack_zero_points(std::int32_t shift) const;
  /// Their codes: `pack` is pack_bytes of the format.
  void unpack_codes(std::int32_t shift, void (*pack)(const std::uint8_t*, Index first, Index count, std::byte* stream),
                    std::byte* stream) const {
    unpack_panels<Kernel>(layout_, first_operand(), shift, pack, stream);
  }

 protected:
  /// There is a parameter for every output or group.
  PackedOperands(Index n, Index k, Index group, const ParamsData& params, const CodeStream& codes);

  /// The exact ones of a group of all columns of a panel.
  std::array<Extremes, usize(Kernel::kNr)> extremes_of_panel(Index p, Index g) const;
  /// Makes group_extremes() and column_extremes() exact.
  QUANTA_COLD void find_extremes();

  std::int32_t zero_point_of(Index column, Index g) const {
    return has_zero_points_ ? *part<ZeroPoint>(zero_points_at_, place(column, per_group ? g : 0)) : zero_point_;
  }
  /// Where what is held for each column and group lies.
  Index row(Index p, Index g) const { return (p * (per_group ? layout_.groups() : 1) + g) * Kernel::kNr; }
  Index place(Index column, Index g) const { return row(column / Kernel::kNr, g) + column % Kernel::kNr; }

  static constexpr Index kInAByte = PanelPacker<Kernel>::kInAByte, kBlockBytes = PanelPacker<Kernel>::kBlockBytes;
  static constexpr int kMask = (1 << kRhsBits<Kernel>)-1;  ///< of an operand
  static Index byte_of(Index position) {
    return position / (kBlockBytes * kInAByte) * kBlockBytes + position % kBlockBytes;
  }
  static int shift_in_byte(Index position) {
    return static_cast<int>(position / kBlockBytes % kInAByte) * kRhsBits<Kernel>;
  }

  /// Is the kernel's faster form exact for all weights that have such codes? It is when it is for those of the largest
  /// magnitude.
  static bool proves_all_of(const CodeStream& codes) {
    if constexpr (HasProvenForm<Kernel>) {
      const std::int32_t lowest = codes.shift - (codes.is_signed ? 1 << (codes.bits - 1) : 0);
      typename Kernel::Rhs block[Kernel::kNr * Kernel::kKr];
      const auto proves = [&](std::int32_t operand) {
        std::fill_n(block, Kernel::kNr * Kernel::kKr, static_cast<typename Kernel::Rhs>(operand));
        return Kernel::proves(block, 1);
      };
      return proves(lowest) && proves(lowest + (1 << codes.bits) - 1);
    }
    return false;
  }
  /// Sums of operands, from the packed ones.
  void make_sums(Index p, Index g, Index groups, std::int32_t* sums) const;
  /// Of a panel's columns; those filled up have scales and zero points of 0. `room` is for as many zero points.
  void pack_params(Index panel, const ParamsData& params, std::int32_t shift, ZeroPoint* room);
  /// Parameters (columns, rows) to (rows, kNr), filled up with zeros.
  template <class T>
  static void turn_params(const T* params, Index columns, Index rows, T* turned);
  /// f(column, group) for all parameters as QuantParams orders them.
  template <class F>
  void for_each_param(F f) const {
    for (Index column = 0; column < (per_tensor ? 1 : layout_.n); ++column) {
      for (Index g = 0; g < next_params() / Kernel::kNr; ++g) f(column, g);
    }
  }

  /// An element of what begins at a byte of the memory.
  template <class T>
  const T* part(Index at, Index i = 0) const {
    return reinterpret_cast<const T*>(memory_.data() + at) + i;
  }
  template <class T>
  T* part(Index at, Index i = 0) {
    return reinterpret_cast<T*>(memory_.data() + at) + i;
  }
  const std::byte* scale_codes(Index p) const { return part<std::byte>(scales_at_, row(p, 0) * scale_bytes_); }
  const typename Kernel::Rhs* first_operand() const { return part<typename Kernel::Rhs>(0); }

  RhsLayout layout_;
  /// All in one: the system gives its large pages to large memory alone, and they are much faster to fill.
  Buffer<std::byte> memory_;
  Index sums_at_, scales_at_, zero_points_at_, proven_at_;
  bool has_zero_points_;
  NarrowScales::Decode decode_scales_ = nullptr;  ///< null where they are floats
  Index scale_bytes_ = sizeof(float);
  std::int32_t zero_point_ = 0;
  Extremes column_, group_;
};

// ---- bodies ----

template <GranularityKind kind, MicroKernel Kernel>
PackedOperands<kind, Kernel>::PackedOperands(Index n, Index k, Index group, const ParamsData& params,
                                             const CodeStream& codes) {
  check(std::max(n, k) <= std::numeric_limits<Index>::max() / (Index{64} * Kernel::kNr * Kernel::kKr), "PackedRhs: ", n,
        " outputs of ", k, " inputs are beyond any memory");  // where one is 0: their codes take none
  layout_ = {n, k, group, Kernel::kNr, Kernel::kKr};
  // Codes that are shifted to be operands have zero points that are shifted too, and then are no longer 0.
  has_zero_points_ = params.zero_points != nullptr || (codes.shift != 0 && !per_group);
  if (!has_zero_points_) zero_point_ = codes.shift;
  const NarrowScales& narrow = params.narrow;
  if (narrow.decode != nullptr) {
    check(per_group && narrow.outer == nullptr && (narrow.bits == 8 || narrow.bits == 16),
          "PackedRhs: scales that are codes are of groups, of 8 or 16 bits, and have no outer scales");
    decode_scales_ = narrow.decode;
    scale_bytes_ = narrow.bits / 8;
  }
  const Index padded = layout_.padded_n(), rows = per_group ? layout_.groups() : 1;
  Index bytes = 0;
  const auto make_room = [&](Index count, Index size) {
    return std::exchange(bytes, bytes + round_up(count * size, 4));
  };
  make_room(layout_.size() / kInAByte, 1);
  sums_at_ = make_room(kHoldsSums ? layout_.groups() * padded : 0, sizeof(std::int32_t));
  scales_at_ = make_room(per_tensor ? 1 : rows * padded, scale_bytes_);
  zero_points_at_ = make_room(has_zero_points_ ? rows * padded : 0, sizeof(ZeroPoint));
  proven_at_ = make_room(HasProvenForm<Kernel> ? layout_.panels() : 0, 1);
  memory_ = Buffer<std::byte>(bytes);

  if constexpr (per_tensor) *part<float>(scales_at_) = params.scale(0);
  PanelPacker<Kernel> packer(layout_, codes);
  Buffer<ZeroPoint> zeros_of_panel(has_zero_points_ ? rows * Kernel::kNr : 0);
  // What groups have of their own can take a quarter of what operands of 4 bits take: it is asked for as codes are.
  const void* const scales = decode_scales_ == nullptr ? static_cast<const void*>(params.scales) : params.narrow.codes;
  const Index columns_with_groups = per_group ? n : 0;
  ReadAhead scales_ahead(static_cast<const std::byte*>(scales), columns_with_groups, rows,
                         8 * static_cast<int>(scale_bytes_), Kernel::kNr);
  ReadAhead zeros_ahead(reinterpret_cast<const std::byte*>(params.zero_points),
                        params.zero_points != nullptr ? columns_with_groups : 0, rows, 32, Kernel::kNr);
  [[maybe_unused]] const bool proves_all = proves_all_of(codes);
  for (Index p = layout_.panels(); p-- > 0;) {
    scales_ahead.advance(next_params() * scale_bytes_);
    zeros_ahead.advance(next_params() * Index{sizeof(std::int32_t)});
    pack_params(p, params, codes.shift, zeros_of_panel.data());
    auto* const operands = part<typename Kernel::Rhs>(0, p * next_panel());
    std::int32_t* const sums = kHoldsSums ? part<std::int32_t>(sums_at_, p * layout_.groups() * Kernel::kNr) : nullptr;
    packer.pack(p, operands, sums);
    if constexpr (kHoldsSums && !PanelPacker<Kernel>::kTakesSums) make_sums(p, 0, layout_.groups(), sums);
    if constexpr (HasProvenForm<Kernel>) {
      *part<std::uint8_t>(proven_at_, p) = proves_all || Kernel::proves(operands, layout_.blocks()) ? 1 : 0;
    }
  }
  group_ = extremes_of_any(std::min(group, k), codes.bits);
  column_ = extremes_of_any(k, codes.bits);
  if (!fit_any_product(column_)) find_extremes();
}

template <GranularityKind kind, MicroKernel Kernel>
void PackedOperands<kind, Kernel>::pack_params(Index panel, const ParamsData& params, std::int32_t shift,
                                               ZeroPoint* room) {
  constexpr Index kNr = Kernel::kNr;
  const Index rows = next_params() / kNr, first = panel * kNr, columns = std::min(kNr, layout_.n - first);
  if constexpr (!per_tensor) {
    const auto turn_scales = [&]<class T>(const T* scales) {
      turn_params(scales + first * rows, columns, rows, part<T>(scales_at_, row(panel, 0)));
    };
    if (decode_scales_ == nullptr) turn_scales(params.scales);
    if (scale_bytes_ == 2) turn_scales(reinterpret_cast<const std::uint16_t*>(params.narrow.codes));
    if (scale_bytes_ == 1) turn_scales(reinterpret_cast<const std::uint8_t*>(params.narrow.codes));
  }
  if (!has_zero_points_) return;
  if (per_tensor || params.zero_points == nullptr) {
    std::fill_n(room, columns * rows, static_cast<ZeroPoint>(params.zero_point(0) + shift));
  } else {
    const std::int32_t* const zero_points = params.zero_points + first * rows;
    QUANTA_VECTORIZE_LOOP
    for (Index i = 0; i < columns * rows; ++i) room[i] = static_cast<ZeroPoint>(zero_points[i] + shift);
  }
  turn_params(room, columns, rows, part<ZeroPoint>(zero_points_at_, row(panel, 0)));
}

template <GranularityKind kind, MicroKernel Kernel>
template <class T>
void PackedOperands<kind, Kernel>::turn_params(const T* params, Index columns, Index rows, T* turned) {
  if (columns == Kernel::kNr && rows > 1) {
    const std::byte* of[Kernel::kNr];
    for (Index c = 0; c < columns; ++c) of[c] = reinterpret_cast<const std::byte*>(params + c * rows);
    return interleave<sizeof(T)>(of, columns, rows, reinterpret_cast<std::byte*>(turned));
  }
  for (Index g = 0; g < rows; ++g, turned += Kernel::kNr) {
    for (Index c = 0; c < Kernel::kNr; ++c) turned[c] = c < columns ? params[c * rows + g] : T{0};
  }
}

template <class Lhs, std::size_t size>
constexpr std::array<Lhs, size> row_of_ones() {
  std::array<Lhs, size> row{};
  for (Lhs& one : row) one = 1;
  return row;
}

// What a row of ones gives, 64 blocks at a time.
template <GranularityKind kind, MicroKernel Kernel>
void PackedOperands<kind, Kernel>::make_sums(Index p, Index g, Index groups, std::int32_t* sums) const {
  constexpr Index kBlocks = 64;
  static constexpr auto ones = row_of_ones<typename Kernel::Lhs, usize(kBlocks * Kernel::kKr)>();
  for (Index i = 0; i < groups; ++i) {
    const Index count = ceil_div(layout_.group_length(g + i), Kernel::kKr);
    const auto* const first = blocks(p, g + i);
    for (Index b = 0; b < count; b += kBlocks) {
      Kernel::template run<1>({ones.data(), 0, nullptr}, first + b * kBlockBytes, std::min(kBlocks, count - b),
                              {sums + i * Kernel::kNr, Kernel::kNr}, b > 0);
    }
  }
}

template <GranularityKind kind, MicroKernel Kernel>
HeldScales PackedOperands<kind, Kernel>::unpack_scales() const {
  const Index rows = next_params() / Kernel::kNr, size = (per_tensor ? 1 : layout_.n) * rows;
  if (decode_scales_ == nullptr) {
    Buffer<float> scales(size);
    for_each_param([&](Index column, Index g) { scales[column * rows + g] = scale(column, g); });
    return HeldScales(std::move(scales));
  }
  Buffer<std::byte> codes(size * scale_bytes_);
  for_each_param([&](Index column, Index g) {
    std::memcpy(codes.data() + (column * rows + g) * scale_bytes_, scale_codes(0) + place(column, g) * scale_bytes_,
                usize(scale_bytes_));
  });
  return HeldScales(std::move(codes), size, static_cast<int>(8 * scale_bytes_), decode_scales_, {}, {});
}

template <GranularityKind kind, MicroKernel Kernel>
Buffer<std::int32_t> PackedOperands<kind, Kernel>::unpack_zero_points(std::int32_t shift) const {
  if (!has_zero_points_) return {};
  const Index rows = next_params() / Kernel::kNr;
  Buffer<std::int32_t> zero_points((per_tensor ? 1 : layout_.n) * rows);
  std::int32_t any = 0;
  for_each_param(
      [&](Index column, Index g) { any |= zero_points[column * rows + g] = zero_point_of(column, g) - shift; });
  return any == 0 ? Buffer<std::int32_t>() : std::move(zero_points);
}

template <GranularityKind kind, MicroKernel Kernel>
auto PackedOperands<kind, Kernel>::extremes_of_panel(Index p, Index g) const
    -> std::array<Extremes, usize(Kernel::kNr)> {
  using Operand = typename Kernel::Rhs;
  constexpr int kNr = Kernel::kNr, kKr = Kernel::kKr, kSize = kNr * kKr;
  constexpr Index kMostBlocks = 128;  // whose differences int16 can add up
  std::int16_t zeros[kSize];
  for (int i = 0; i < kSize; ++i) zeros[i] = static_cast<std::int16_t>(zero_point_of(p * kNr + i / kKr, g));
  std::array<Extremes, usize(kNr)> result;
  const Index blocks = ceil_div(layout_.group_length(g), kKr);
  Index at = p * layout_.panel_size() + layout_.first_block(g) * kSize;
  for (Index first = 0; first < blocks; first += kMostBlocks) {
    std::int16_t positive[kSize] = {}, negative[kSize] = {};
    for (Index b = first; b < std::min(first + kMostBlocks, blocks); ++b, at += kSize) {
      Operand held_apart[kSize];
      const Operand* block = held_apart;
      if constexpr (kInAByte == 1) {
        block = first_operand() + at;
      } else {
        for (int i = 0; i < kSize; ++i) held_apart[i] = static_cast<Operand>(operand(at + i));
      }
      QUANTA_VECTORIZE_LOOP
      for (int i = 0; i < kSize; ++i) {
        const std::int16_t one = block[i], zero = zeros[i], larger = std::max(one, zero);
        positive[i] = static_cast<std::int16_t>(positive[i] + (larger - zero));
        negative[i] = static_cast<std::int16_t>(negative[i] + (larger - one));
      }
    }
    for (int i = 0; i < kSize; ++i) {
      result[usize(i / kKr)].positive += positive[i];
      result[usize(i / kKr)].negative += negative[i];
    }
  }
  const Index filled = blocks * kKr - layout_.group_length(g);  // with zeros, which do not count
  for (int c = 0; c < kNr; ++c) {
    result[usize(c)].positive -= filled * std::max(-zeros[c * kKr], 0);
    result[usize(c)].negative -= filled * std::max<int>(zeros[c * kKr], 0);
  }
  return result;
}

template <GranularityKind kind, MicroKernel Kernel>
void PackedOperands<kind, Kernel>::find_extremes() {
  group_ = column_ = {};
  for (Index p = 0; p < layout_.panels(); ++p) {
    Extremes columns[Kernel::kNr];
    for (Index g = 0; g < layout_.groups(); ++g) {
      const auto of_group = extremes_of_panel(p, g);
      for (Index c = 0; c < std::min<Index>(Kernel::kNr, layout_.n - p * Kernel::kNr); ++c) {
        group_.cover(of_group[usize(c)]);
        columns[c].positive += of_group[usize(c)].positive;
        columns[c].negative += of_group[usize(c)].negative;
      }
    }
    for (const Extremes& column : columns) column_.cover(column);
  }
}

template <GranularityKind kind, MicroKernel Kernel>
Extremes PackedOperands<kind, Kernel>::extremes(Index column, Index first_group, Index last_group) const {
  Extremes sum;
  for (Index g = first_group; g < last_group; ++g) {
    const Extremes e = extremes_of_panel(column / Kernel::kNr, g)[usize(column % Kernel::kNr)];
    sum.positive += e.positive;
    sum.negative += e.negative;
  }
  return sum;
}

}  // namespace detail
QUANTA_NAMESPACE_END
