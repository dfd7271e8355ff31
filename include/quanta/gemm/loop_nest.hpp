// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Walks a product tile by tile.
//
//   tasks                     one per thread: rows where there are enough, else panels
//     blocks of rows          prepared once (gemm/lhs.hpp); they stay in the second- or third-level cache
//       groups of panels      they stay in the second-level cache, read once per block of rows
//         tiles of rows       they stay in the first-level cache
//           panels            kernel, zero points, output: results are written along the rows of dst
//
// How many rows and panels go together follows from QUANTA_L2_KILOBYTES (config.hpp), below. k is walked in one go,
// however long it is: a block of k keeps the dot units busy for about as many cycles as the tile has rows, and what it
// reads meanwhile, kNr * kKr bytes of a panel and kKr of every row (128 and 56 in 14 cycles with AVX512-VNNI), comes
// along memory as fast from the third-level cache. Cut into pieces of 2048 to 8192 steps, products of k = 16384 to
// 60000 took 1 to 4 % longer (Zen 4): the sums of a tile wait in memory then, and are loaded again.
#pragma once

#include <new>
#include <utility>

#include <quanta/core/context.hpp>
#include <quanta/gemm/tile_product.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Of so many rows of the lhs, those that are walked together: they fill half of the second-level cache, or there are
/// 512 of them, since every such block reads all panels anew, and where these come from memory the products of fewer
/// rows do not hide it (4096 x 4096 weights, 128 rows: 7 % slower). Rows come along from the third-level cache in time,
/// where they take at most four times the second-level one; else they are fewer again.
inline Index rows_together(Index rows, Index k) {
  constexpr Index bytes = QUANTA_L2_KILOBYTES * Index{1024}, few = 128, many = 512;
  if (rows <= few || rows * k <= bytes / 2) return rows;  // small products spare the division
  return std::max(bytes / 2 / k, std::clamp(4 * bytes / k, few, many));
}

/// Calls f(first, last) for the fewest pieces of [0, size) of at most `most`, all nearly equal.
template <class F>
QUANTA_ALWAYS_INLINE void for_each_part(Index size, Index most, F f) {
  Index first = 0;
  for (Index left = size <= most ? 1 : ceil_div(size, most); first < size; --left) {
    const Index last = left == 1 ? size : first + (size - first) / left;
    f(first, last);
    first = last;
  }
}

/// A product below this many multiply-adds is not worth waking a thread for.
inline constexpr double kParallelWork = 250000.0;

/// Calls f(first, last) for the tiles of so many rows: nearly equal, since one of a row or two would be slow; of an odd
/// number the last of a high kernel has three, and no tile of a kernel for pairs of rows begins within one.
template <class Kernel, class F>
QUANTA_ALWAYS_INLINE void for_each_tile(Index rows, F f) {
  if constexpr (Kernel::kMr <= 4 && !HasPairedForm<Kernel>) {
    for_each_part(rows, Kernel::kMr, f);
  } else {
    const Index odd = rows % 2 == 0 ? 0 : std::min<Index>(rows, 3);
    for_each_part((rows - odd) / 2, Kernel::kMr / 2, [&](Index first, Index last) { f(2 * first, 2 * last); });
    if (odd > 0) f(rows - odd, rows);
  }
}

/// The outputs of some panels side by side, made once and used by all rows of a block.
template <class Output, class Rhs>
class PanelOutputs {
  static constexpr int nr = Rhs::KernelType::kNr;

 public:
  using Panel = typename Output::template Panel<Rhs, nr>;

  /// So many panels that they fill half of the second-level cache, where every tile of rows finds them again; one row
  /// does not come back to them.
  static Index most_panels(const Rhs& rhs, Index rows) {
    constexpr Index bytes = QUANTA_L2_KILOBYTES * Index{1024} / 2;
    if (rows == 1 || rhs.layout().size() <= bytes) return kMost;
    return std::clamp<Index>(bytes / rhs.layout().panel_size(), 1, kMost);
  }

  PanelOutputs(const Output& output, const Rhs& rhs, Index first, Index count) {
    static_assert(std::is_trivially_destructible_v<Panel>);
    for (Index p = 0; p < std::min(count, kMost); ++p) {  // count is no more: this is for the compiler to see
      const Index column = (first + p) * nr;
      new (&(*this)[p]) Panel(output, rhs, PanelColumns{output.dst, column, std::min<Index>(nr, rhs.n() - column)});
    }
  }
  Panel& operator[](Index p) { return reinterpret_cast<Panel*>(memory_)[p]; }

 private:
  static constexpr Index kMost = 16;
  alignas(Panel) std::byte memory_[kMost * sizeof(Panel)];
};

/// Computes one tile of the result, in place where the output lets it.
template <class Panel, class Product>
QUANTA_ALWAYS_INLINE void write_tile(const Panel& output, const Product& product) {
  constexpr int size = Product::Kernel::kMr * Product::nr;
  if constexpr (Panel::by_group) {
    alignas(kCacheLine) float sums[size];
    product.scaled_sums(sums);
    output.finish(product.row_of_result, product.rows, sums);
  } else {
    alignas(kCacheLine) std::int32_t sums[size];
    SumTile to = {sums, Product::nr};
    bool accumulate = false;
    if constexpr (requires { output.in_place(product.row_of_result); }) {
      const SumTile in_place = output.in_place(product.row_of_result);
      if (in_place.data != nullptr) {
        to = in_place;
        accumulate = output.accumulate;
      }
    }
    product.sums(to, accumulate);
    if (to.data == sums) output.finish(product.row_of_result, product.rows, sums);
  }
}

/// A result that does not stay in the second-level cache arrives while its sums are made; else stores hold up the
/// kernel after them.
template <class T>
bool is_far(const TensorView<T, 2>& dst) {
  return dst.size() * Index{sizeof(T)} > QUANTA_L2_KILOBYTES * Index{1024};
}

/// LhsRows, out of line: a block of rows has more to do.
template <class Rows, class Code>
QUANTA_NOINLINE Rows rows_of_block(const LhsOperand<Code>& lhs, const RhsLayout& layout, Index first, Index rows,
                                   std::int32_t rest_factor, std::byte* scratch) {
  return Rows(lhs, layout, first, rows, rest_factor, scratch);
}

/// The whole product of rows that are one tile: what these need of run_rows, and no more.
template <class Rhs, class Code, class Output>
QUANTA_ALWAYS_INLINE void run_tile(const LhsOperand<Code>& lhs, const Rhs& rhs, const Output& output,
                                   std::byte* scratch) {
  using Kernel = typename Rhs::KernelType;
  using Panel = typename PanelOutputs<Output, Rhs>::Panel;
  constexpr Index nr = Kernel::kNr;
  const Index rows = lhs.codes.extent(0), panels = rhs.layout().panels();
  const LhsRows<Kernel, Code> prepared(lhs, rhs.layout(), 0, rows, rhs.rest_factor(), scratch);
  for (Index p = 0; p < panels; ++p) {
    const Panel panel(output, rhs, PanelColumns{output.dst, p * nr, std::min(nr, rhs.n() - p * nr)});
    write_tile(panel, TileProduct<Rhs, Code>{prepared, rhs, 0, rows, 0, p, nullptr});
  }
}

/// Rows [first_row, last_row) times panels [first_panel, last_panel).
template <class Rhs, class Code, class Output>
void run_rows(const LhsOperand<Code>& lhs, const Rhs& rhs, const Output& output, Index first_row, Index last_row,
              Index first_panel, Index last_panel, std::byte* scratch) {
  using Kernel = typename Rhs::KernelType;
  using Outputs = PanelOutputs<Output, Rhs>;
  using Product = TileProduct<Rhs, Code>;
  std::byte* const room = std::exchange(scratch, scratch + Product::room_bytes(rhs));
  const Index together = Outputs::most_panels(rhs, last_row - first_row);
  const bool far = is_far(output.dst);
  // A thin last panel comes by itself: it is done so fast that its blocks must be in the first-level cache.
  const auto panels_from = [&](Index first) {
    const Index panels = std::min(together, last_panel - first), last = first + panels - 1;
    if constexpr (HasThinForm<typename Product::Reader>) {
      const bool thin = runs_thin<typename Product::Reader>(rhs.n() - last * Product::nr, last_row - first_row,
                                                            rhs.layout().group_blocks());
      if (thin && panels > 1) return panels - 1;
    }
    return panels;
  };
  // Blocks of nearly equal height: a low last one would fetch every panel for next to nothing.
  for_each_part(last_row - first_row, rows_together(last_row - first_row, rhs.k()), [&](Index from, Index to) {
    const Index row = first_row + from, rows = to - from;
    const auto prepared =
        rows_of_block<LhsRows<Kernel, Code>>(lhs, rhs.layout(), row, rows, rhs.rest_factor(), scratch);
    for (Index first = first_panel, panels = 0; first < last_panel; first += panels) {
      panels = panels_from(first);
      Outputs outputs(output, rhs, first, panels);
      for_each_tile<Kernel>(rows, [&](Index begin, Index end) {
        for (Index p = 0; p < panels; ++p) {
          const Product product{prepared, rhs, begin, end - begin, row + begin, first + p, room};
          if (far) outputs[p].to.fetch(row + begin, end - begin);
          write_tile(outputs[p], product);
        }
      });
    }
  });
}

/// The whole product.
template <class Rhs, class Code, class Output>
QUANTA_ALWAYS_INLINE void run_product(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs,
                                      const Output& output) {
  using Kernel = typename Rhs::KernelType;
  const Index m = lhs.codes.extent(0), panels = rhs.layout().panels();
  if (m == 0 || panels == 0) return;
  const double work = static_cast<double>(m) * static_cast<double>(rhs.n()) * static_cast<double>(rhs.k());
  const Index threads = work < kParallelWork ? 1 : context.threads();
  const bool by_rows = m >= threads * Kernel::kMr;
  const Index tasks = std::min(threads, by_rows ? m : panels);
  using Rows = LhsRows<Kernel, Code>;
  const Index bytes = Rows::scratch_bytes(lhs, rhs.layout(), rows_together(m, rhs.k()));
  if constexpr (!PanelOutputs<Output, Rhs>::Panel::by_group) {
    constexpr Index kFewBytes = 1024;
    const bool is_tile = m <= Kernel::kMr && is_tile_height(static_cast<int>(m));
    if (tasks == 1 && is_tile && bytes <= kFewBytes && !is_far(output.dst)) {
      alignas(kCacheLine) std::byte scratch[kFewBytes];
      return run_tile(lhs, rhs, output, scratch);
    }
  }
  context.reserve_scratch(tasks, TileProduct<Rhs, Code>::room_bytes(rhs) + bytes);
  if (tasks == 1) return run_rows(lhs, rhs, output, 0, m, 0, panels, context.scratch(0));
  const auto part = [&](Index size, Index task) { return size * task / tasks; };
  LhsOperand<Code> made = lhs;
  if (lhs.maker != nullptr && !by_rows) {  // every task reads all rows, so they are made first
    const double cycles = static_cast<double>(m) * static_cast<double>(rhs.k()) / static_cast<double>(tasks);
    context.parallel(tasks, cycles,
                     [&](Index task) { lhs.maker->make(part(m, task), part(m, task + 1), context.scratch(task)); });
    made.maker = nullptr;
  }
  context.parallel(tasks, work / static_cast<double>(tasks) / 16.0, [&](Index task) {
    const Index first_row = by_rows ? part(m, task) : 0, last_row = by_rows ? part(m, task + 1) : m;
    const Index first_panel = by_rows ? 0 : part(panels, task), last_panel = by_rows ? panels : part(panels, task + 1);
    run_rows(made, rhs, output, first_row, last_row, first_panel, last_panel, context.scratch(task));
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
