// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The lhs of a product: codes, scales and zero points, and how a kernel gets to read them. Rows that lie in memory as
// the kernel wants them are read where they are; only what must change is copied: other strides, other signedness, rows
// whose addresses crowd into a few sets of the cache, and the last block of k where k does not fill it.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/tensor_view.hpp>
#include <quanta/gemm/layout.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/quant/params.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Codes (m, k) as bytes. Row i has scale(i * step) and zero_point(i * step): step is 0 when all rows share them.
template <class Code>
struct LhsOperand {
  TensorView<const Code, 2> codes;
  ParamsData params;
  Index step;
  std::int32_t min_code, max_code;

  float scale(Index row) const { return params.scale(row * step); }
  std::int32_t zero_point(Index row) const { return params.zero_point(row * step); }
};

/// Some rows made readable by a kernel. Lives in scratch memory of `scratch_bytes`.
template <class Kernel, class Code>
class LhsRows {
 public:
  using Operand = typename Kernel::Lhs;
  /// A code of the other signedness is shifted by 128, and so is its zero point, which leaves the product as it was.
  static constexpr std::int32_t shift = std::is_same_v<Code, Operand> ? 0 : (std::is_signed_v<Code> ? 128 : -128);

  /// Scratch for at most `rows` rows at a time and this rhs layout.
  static Index scratch_bytes(const LhsOperand<Code>& lhs, const RhsLayout& layout, Index rows) {
    const Index copied = must_copy(lhs.codes, layout, rows) ? copy_stride(layout.k) : 0;
    return rows * (copied + layout.groups() * (Kernel::kKr + Index{sizeof(std::int32_t)})) + 3 * Index{kCacheLine};
  }

  /// with_sums: the sum of each row's operands is needed, because the rhs has zero points.
  LhsRows(const LhsOperand<Code>& lhs, const RhsLayout& layout, Index first_row, Index rows, bool with_sums,
          std::byte* scratch)
      : layout_(layout) {
    const TensorView<const Code, 2>& codes = lhs.codes;
    const Index k = layout.k, groups = layout.groups();
    sums_ = reinterpret_cast<std::int32_t*>(scratch);
    tails_ = reinterpret_cast<Operand*>(scratch + round_up(rows * groups * Index{sizeof(std::int32_t)}, kCacheLine));
    if (!must_copy(codes, layout, rows)) {
      data_ = reinterpret_cast<const Operand*>(codes.data() + first_row * codes.stride(0));
      stride_ = codes.stride(0);
    } else {
      Operand* copy = tails_ + round_up(rows * groups * Kernel::kKr, kCacheLine);
      stride_ = copy_stride(k);
      data_ = copy;
      for (Index r = 0; r < rows; ++r) {
        const Code* from = codes.data() + (first_row + r) * codes.stride(0);
        Operand* to = copy + r * stride_;
        if (are_adjacent(codes)) {
          std::memcpy(to, from, usize(k));
        } else {
          for (Index i = 0; i < k; ++i) to[i] = static_cast<Operand>(from[i * codes.stride(1)] + shift);
        }
      }
    }
    for (Index g = 0; g < groups; ++g) {
      const Index length = layout.group_length(g), whole = length - length % Kernel::kKr;
      for (Index r = 0; r < rows; ++r) {
        const Operand* from = data_ + r * stride_ + g * layout.group;
        if (whole != length) {
          Operand* tail = tails_ + (g * rows + r) * Kernel::kKr;
          std::memset(tail, 0, Kernel::kKr);
          std::memcpy(tail, from + whole, usize(length - whole));
        }
        if (with_sums) {
          std::uint32_t sum = 0;
          for (Index i = 0; i < length; ++i) sum += static_cast<std::uint32_t>(std::int32_t{from[i]});
          sums_[g * rows + r] = static_cast<std::int32_t>(sum);
        }
      }
    }
    rows_ = rows;
  }

  /// What the kernel reads for group g of the rows from `row` on (counted from the first prepared row).
  LhsTile<Operand> tile(Index row, Index g) const {
    const bool has_tail = layout_.group_length(g) % Kernel::kKr != 0;
    return {data_ + row * stride_ + g * layout_.group, stride_,
            has_tail ? tails_ + (g * rows_ + row) * Kernel::kKr : nullptr};
  }
  std::int32_t sum(Index row, Index g) const { return sums_[g * rows_ + row]; }

 private:
  /// Are the operands of a row side by side, as they are wanted?
  static bool are_adjacent(const TensorView<const Code, 2>& codes) {
    return shift == 0 && (codes.stride(1) == 1 || codes.extent(1) <= 1);
  }
  /// A copy for the cache's sake is not worth while for a single panel. More rows never need a copy less.
  static bool must_copy(const TensorView<const Code, 2>& codes, const RhsLayout& layout, Index rows) {
    return !are_adjacent(codes) || (layout.panels() > 1 && crowds_cache(codes.stride(0), rows));
  }
  /// A first-level cache finds its set by 12 bits of the address. Rows whose starts differ by a multiple of a large
  /// power of two share few sets, and a tile of them does not stay in cache.
  static bool crowds_cache(Index stride, Index rows) {
    constexpr Index kWay = 4096, kLinesOfASet = 3;
    const Index step = stride & -stride;  // the largest power of two that divides it
    return step > Index{kCacheLine} && std::min<Index>(rows, Kernel::kMr) * std::min(step, kWay) > kLinesOfASet * kWay;
  }
  /// An odd number of cache lines: copied rows spread over all sets.
  static Index copy_stride(Index k) { return (ceil_div(k, Index{kCacheLine}) | 1) * Index{kCacheLine}; }

  RhsLayout layout_;
  const Operand* data_;
  Index stride_;
  Index rows_ = 0;
  Operand* tails_;
  std::int32_t* sums_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
