// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One tile of a product: the form of the kernel that computes it, picked by what is known at run time, and its sums
// with zero points taken off.
#pragma once

#include <array>
#include <utility>

#include <quanta/gemm/lhs.hpp>
#include <quanta/gemm/outputs.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class Kernel>
using RunKernel = void (*)(const LhsTile<typename Kernel::Lhs>&, const typename Kernel::Rhs*, Index, const SumTile&,
                           bool);

/// Tiles of high kernels have up to 4 rows, or an even number: every height is compiled for itself, in every unit that
/// multiplies.
constexpr bool is_tile_height(int rows) { return rows <= 4 || rows % 2 == 0; }

/// form(rows), a function, for the heights of tiles up to kMr, at rows - 1.
template <class Kernel, class Function = RunKernel<Kernel>, class Form>
constexpr auto table_of(Form form) {
  return [=]<int... i>(std::integer_sequence<int, i...>) {
    const auto entry = [=](auto rows) -> Function {
      if constexpr (is_tile_height(rows)) return form(rows);
      return nullptr;
    };
    return std::array<Function, sizeof...(i)>{entry(std::integral_constant<int, i + 1>{})...};
  }
  (std::make_integer_sequence<int, Kernel::kMr>{});
}

/// The form of the kernel for a panel, by its columns in use and whether it is `proven`, and rows known at run time,
/// which may be `paired`.
template <class Kernel>
RunKernel<Kernel> pick_kernel(bool paired, bool proven, Index columns, Index rows) {
  if constexpr (HasPairedForm<Kernel>) {
    static constexpr auto table =
        table_of<Kernel>([](auto r) -> RunKernel<Kernel> { return &Kernel::template run_paired<decltype(r)::value>; });
    if (paired) return table[usize(rows - 1)];
  }
  if constexpr (HasProvenForm<Kernel>) {
    static constexpr auto table =
        table_of<Kernel>([](auto r) -> RunKernel<Kernel> { return &Kernel::template run_proven<decltype(r)::value>; });
    if (proven) return table[usize(rows - 1)];
  }
  if constexpr (HasNarrowForm<Kernel>) {
    static constexpr auto table =
        table_of<Kernel>([](auto r) -> RunKernel<Kernel> { return &Kernel::template run_narrow<decltype(r)::value>; });
    if (columns <= Kernel::kNarrow) return table[usize(rows - 1)];
  }
  static constexpr auto table =
      table_of<Kernel>([](auto r) -> RunKernel<Kernel> { return &Kernel::template run<decltype(r)::value>; });
  return table[usize(rows - 1)];
}

/// Is the thin form worth while, for as many columns in use, rows that are prepared together, and blocks?
template <HasThinForm Kernel>
constexpr bool runs_thin(Index columns, Index rows, Index blocks) {
  return columns <= Kernel::kThin && rows >= Kernel::kThinRows && blocks >= Kernel::kThinBlocks;
}

template <class Kernel>
using RunGrouped = void (*)(const GroupedLhs<typename Kernel::Lhs>&, const GroupedPanel<typename Kernel::Rhs>&, float*);

/// The grouped form of the kernel for rows known at run time.
template <HasGroupedForm Kernel>
RunGrouped<Kernel> pick_grouped(Index rows) {
  static constexpr auto table = table_of<Kernel, RunGrouped<Kernel>>(
      [](auto r) -> RunGrouped<Kernel> { return &Kernel::template run_grouped<decltype(r)::value>; });
  return table[usize(rows - 1)];
}

/// `rows` prepared rows from `row` on times one panel. row_of_result is where the first of the rows is in the result.
/// Where the rhs does not hold the sums of its columns, or holds scales as codes, they are made in `room`, of
/// room_bytes.
template <class Rhs, class Code>
struct TileProduct {
  using Kernel = typename Rhs::KernelType;
  using Rows = LhsRows<Kernel, Code>;
  static constexpr int nr = Kernel::kNr;

  const Rows& prepared;
  const Rhs& rhs;
  Index row, rows, row_of_result, panel;
  std::byte* room;

  using Reader = typename LhsReader<Kernel, Code>::Type;
  static constexpr bool kGrouped = HasGroupedForm<Reader>;
  static Index room_bytes(const Rhs& rhs) {
    if (!kGrouped) return 0;
    return (Rhs::kHoldsSums ? 0 : bytes_of_columns(rhs.layout())) +
           (rhs.has_narrow_scales() ? bytes_of_columns(rhs.layout()) : 0);
  }

  /// The int32 sums over all of k, zero points taken off; added to what the tile holds with `accumulate`.
  QUANTA_ALWAYS_INLINE void sums(const SumTile& to, bool accumulate) const {
    const Index groups = rhs.layout().groups();
    for (Index g = 0; g < groups; ++g) group_sums(g, to, accumulate || g > 0);
    if (groups > 0 || accumulate) return;
    for (Index r = 0; r < rows; ++r) std::fill_n(to.data + r * to.stride, nr, 0);  // k is 0
  }

  /// The float sums by_group (gemm/outputs.hpp), nr for each row.
  void scaled_sums(float* to) const {
    if constexpr (kGrouped) {
      if (rhs.layout().groups() > 0) return pick_grouped<Reader>(rows)(prepared.grouped(row), grouped_panel(), to);
    }
    using L = LanesFor<nr>;
    alignas(kCacheLine) std::int32_t group[Kernel::kMr * nr];
    alignas(kCacheLine) float decoded[nr];
    std::fill_n(to, rows * nr, 0.0f);
    for (Index g = 0; g < rhs.layout().groups(); ++g) {
      group_sums(g, {group, nr}, false);
      const float* const scales = rhs.scales(panel, g, 1, decoded);
      for (Index i = 0; i < rows * nr; i += L::width) {
        const typename L::F scale = L::load(scales + i % nr);
        L::store(to + i, L::fma(L::to_float(L::load_int(group + i)), scale, L::load(to + i)));
      }
    }
  }

 private:
  /// Of a number of 4 bytes for every column of a panel, in each group.
  static Index bytes_of_columns(const RhsLayout& layout) {
    return round_up(layout.groups() * nr * Index{sizeof(float)}, Index{kCacheLine});
  }
  /// What the grouped form reads.
  GroupedPanel<typename Kernel::Rhs> grouped_panel() const {
    const RhsLayout& layout = rhs.layout();
    const Index groups = layout.groups();
    const std::int32_t* sums = nullptr;
    std::byte* const behind = room + (Rhs::kHoldsSums ? 0 : bytes_of_columns(layout));
    if (prepared.zero_points(row) != nullptr) {
      sums = rhs.sums(panel, 0, groups, reinterpret_cast<std::int32_t*>(room));
    }
    std::pair<GroupScales, const void*> scales = rhs.held_scales(panel);
    const bool reads = scales.first == GroupScales::floats || (rows == 1 && Reader::row_reads(scales.first));
    if (scales.second == nullptr || !reads) {
      scales = {GroupScales::floats, rhs.scales(panel, 0, groups, reinterpret_cast<float*>(behind))};
    }
    return {rhs.panel(panel),      layout.group, groups, layout.group_length(groups - 1),
            scales.second,         scales.first, sums,   rhs.zero_points(panel),
            rhs.rest_factor() != 0};
  }
  QUANTA_ALWAYS_INLINE void group_sums(Index g, const SumTile& to, bool accumulate) const {
    const RhsLayout& layout = rhs.layout();
    const Index length = layout.group_length(g), kr = Kernel::kKr, columns = rhs.n() - panel * nr;
    const Index blocks = prepared.paired() ? ceil_div(length, kr) : length / kr;
    bool done = false;
    if constexpr (HasThinForm<Reader>) {
      done = runs_thin<Reader>(columns, prepared.rows(), layout.group_blocks());
      if (done) Reader::run_thin(prepared.tile(row, g), rows, rhs.blocks(panel, g), blocks, columns, to, accumulate);
    }
    if (!done) {
      pick_kernel<Reader>(prepared.paired(), rhs.proven(panel), columns, rows)(
          prepared.tile(row, g), rhs.blocks(panel, g), blocks, to, accumulate);
    }
    if (prepared.zero_points(row) != nullptr || rhs.rest_factor() != 0) {
      correct_zero_points<Kernel>(rhs, panel, g, prepared.zero_points(row), prepared.rests(row, g), rows, to);
    }
  }
};

}  // namespace detail
QUANTA_NAMESPACE_END
