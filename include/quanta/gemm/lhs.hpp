// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The lhs of a product: codes, scales and zero points, and how a kernel gets to read them. Rows that lie in memory as
// the kernel wants them are read where they are; only what must change is copied: other strides, a signedness that the
// kernel cannot read, rows whose addresses crowd into a few sets of the cache, rows that are read in pairs, and the
// last block of k where k does not fill it. Codes that layers make of floats are made block by block, just before they
// are read.
#pragma once

#include <algorithm>
#include <cstring>
#include <utility>

#include <quanta/core/tensor_view.hpp>
#include <quanta/gemm/layout.hpp>
#include <quanta/gemm/micro_kernel.hpp>
#include <quanta/quant/params.hpp>
#include <quanta/simd/sum_bytes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Makes codes of an lhs when they are wanted, by the thread that multiplies them, in whose cache they then are.
class RowMaker {
 public:
  explicit RowMaker(Index scratch_bytes) : scratch_bytes_(scratch_bytes) {}
  RowMaker(const RowMaker&) = delete;
  RowMaker& operator=(const RowMaker&) = delete;

  /// Makes the rows [first, last), parameters included. Called once for every row, from several threads at a time, each
  /// with scratch_bytes() of its own.
  virtual void make(Index first, Index last, std::byte* scratch) const = 0;
  Index scratch_bytes() const { return scratch_bytes_; }

 protected:
  ~RowMaker() = default;

 private:
  Index scratch_bytes_;
};

/// Scales and zero points of rows, borrowed; zero_points is null when all are 0.
struct RowParams {
  const float* scales;
  const std::int32_t* zero_points;

  float scale(Index i) const { return scales[i]; }
  std::int32_t zero_point(Index i) const { return zero_points != nullptr ? zero_points[i] : 0; }
};

/// Codes (m, k) as bytes. Row i has scale(i * step) and zero_point(i * step): step is 0 when all rows share them.
template <class Code>
struct LhsOperand {
  TensorView<const Code, 2> codes;
  RowParams params;
  Index step;
  std::int32_t min_code, max_code;
  const RowMaker* maker = nullptr;  ///< null where the codes are there

  float scale(Index row) const { return params.scale(row * step); }
  std::int32_t zero_point(Index row) const { return params.zero_point(row * step); }
};

/// The kernel that reads lhs codes of this type for `Kernel`. Codes of the wrong signedness become operands by a shift
/// of 128, which is added to the zero point too and so leaves the product as it was: added while they are copied, or by
/// the kernel while it reads.
template <class Kernel, class Code>
struct LhsReader {
  using Type = Kernel;
  static constexpr std::int32_t kCopyShift = std::is_same_v<Code, typename Kernel::Lhs> ? 0
                                             : std::is_signed_v<Code>                   ? 128
                                                                                        : -128;
  static constexpr std::int32_t kReadShift = 0;
};
template <ReadsBothSigns Kernel>
struct LhsReader<Kernel, typename Kernel::OtherSign::Lhs> {
  using Type = typename Kernel::OtherSign;
  static constexpr std::int32_t kCopyShift = 0;
  static constexpr std::int32_t kReadShift = Type::kLhsShift;
};

/// Are rows put in pairs for the kernel? One row is no pair; the copy takes about as long as the kernel takes to make
/// the pairs of one panel itself. A grouped form reads rows where they are.
template <class Kernel>
constexpr bool pairs_rows(Index rows, Index panels) {
  return HasPairedForm<Kernel> && !HasGroupedForm<Kernel> && rows > 1 && panels > 2;
}

/// The stride of rows that are written to be multiplied: an odd number of cache lines, so that they spread over all
/// sets of the cache.
inline Index spread_stride(Index k) { return (ceil_div(k, Index{kCacheLine}) | 1) * Index{kCacheLine}; }

/// Some rows made readable by a kernel. Lives in scratch memory of `scratch_bytes`.
template <class Kernel, class Code>
class LhsRows {
 public:
  using CodeType = Code;
  using Reader = LhsReader<Kernel, Code>;
  using Operand = typename Reader::Type::Lhs;
  /// What the kernel multiplies is the code and this.
  static constexpr std::int32_t shift = Reader::kCopyShift + Reader::kReadShift;

  /// Scratch for at most `rows` rows at a time and this rhs layout.
  static Index scratch_bytes(const LhsOperand<Code>& lhs, const RhsLayout& layout, Index rows) {
    const Index copied = must_copy(lhs.codes, layout, rows) ? rows * spread_stride(layout.k) : 0;
    const Index paired = must_pair(lhs.codes, layout, rows) ? ceil_div(rows, 2) * pair_stride(layout) : 0;
    constexpr Index one = sizeof(std::int32_t);
    const Index own = std::max(copied, paired) + rows * (one + layout.groups() * (Kernel::kKr + one));
    return std::max(own + 4 * Index{kCacheLine}, lhs.maker == nullptr ? 0 : lhs.maker->scratch_bytes());
  }

  /// rest_factor: what rests are multiplied by; 0 where none are needed, because the rhs has no zero points.
  QUANTA_ALWAYS_INLINE LhsRows(const LhsOperand<Code>& lhs, const RhsLayout& layout, Index first_row, Index rows,
                               std::int32_t rest_factor, std::byte* scratch)
      : layout_(layout) {
    if (lhs.maker != nullptr) lhs.maker->make(first_row, first_row + rows, scratch);
    const TensorView<const Code, 2>& codes = lhs.codes;
    const Index k = layout.k, groups = layout.groups();
    rests_ = reinterpret_cast<std::int32_t*>(scratch);
    zero_points_ = rests_ + rows * groups;
    tails_ = reinterpret_cast<Operand*>(zero_points_ + rows);
    const auto behind = [&] {  // at a multiple of a cache line, as scratch is
      const Index bytes = rows * (groups + 1) * Index{sizeof(std::int32_t)} + rows * groups * Kernel::kKr;
      return reinterpret_cast<Operand*>(scratch + round_up(bytes, kCacheLine));
    };
    const bool pair = must_pair(codes, layout, rows);
    if (pair || !must_copy(codes, layout, rows)) {
      data_ = reinterpret_cast<const Operand*>(codes.data() + first_row * codes.stride(0));
      stride_ = codes.stride(0);
    } else {
      Operand* const copy = behind();
      stride_ = spread_stride(k);
      data_ = copy;
      for (Index r = 0; r < rows; ++r) {
        const Code* from = codes.data() + (first_row + r) * codes.stride(0);
        Operand* to = copy + r * stride_;
        if (are_adjacent(codes)) {
          std::memcpy(to, from, usize(k));
        } else {
          for (Index i = 0; i < k; ++i) to[i] = static_cast<Operand>(from[i * codes.stride(1)] + Reader::kCopyShift);
        }
      }
    }
    if (lhs.step == 0 && lhs.zero_point(0) + shift == 0) {
      zero_points_ = nullptr;
    } else {
      std::int32_t any = 0;
      for (Index r = 0; r < rows; ++r) any |= zero_points_[r] = lhs.zero_point(first_row + r) + shift;
      if (any == 0) zero_points_ = nullptr;
    }
    for (Index g = 0; (layout.ragged() || rest_factor != 0) && g < groups; ++g) {
      const Index length = layout.group_length(g), whole = length - length % Kernel::kKr;
      const Operand* const group = data_ + g * layout.group;
      for (Index r = 0; whole != length && r < rows; ++r) {
        Operand* const tail = tails_ + (g * rows + r) * Kernel::kKr;
        std::memset(tail, 0, Kernel::kKr);
        std::memcpy(tail, group + r * stride_ + whole, usize(length - whole));
      }
      for (Index r = 0; rest_factor != 0 && r < rows; ++r) {
        const std::int32_t zero_point = zero_points_ == nullptr ? 0 : zero_points_[r];
        const auto sum = static_cast<std::uint32_t>(simd::sum_bytes(group + r * stride_, length));
        const auto rest = static_cast<std::uint32_t>(length * (Reader::kReadShift - zero_point));
        rests_[g * rows + r] = static_cast<std::int32_t>((sum + rest) * static_cast<std::uint32_t>(rest_factor));
      }
    }
    rows_ = rows;
    if (pair) {
      Operand* const pairs = behind();
      make_pairs(pairs);
      data_ = pairs;
      paired_ = true;
    }
  }

  /// How many they are.
  Index rows() const { return rows_; }
  /// What the kernel reads for group g of the rows from `row` on (counted from the first prepared row).
  LhsTile<Operand> tile(Index row, Index g) const {
    if (paired_) {  // row is even
      const Index stride = pair_stride(layout_);
      return {data_ + row / 2 * stride + 2 * Kernel::kKr * layout_.first_block(g), stride, nullptr};
    }
    const bool has_tail = layout_.ragged() && layout_.group_length(g) % Kernel::kKr != 0;
    return {data_ + row * stride_ + g * layout_.group, stride_,
            has_tail ? tails_ + (g * rows_ + row) * Kernel::kKr : nullptr};
  }
  /// Are they for the paired form of the kernel? Then a tile has whole blocks alone.
  bool paired() const { return paired_; }
  /// The same of all groups, which a grouped form walks.
  GroupedLhs<Operand> grouped(Index row) const {
    return {data_ + row * stride_, stride_, tails_ + row * Kernel::kKr, rows_ * Kernel::kKr, zero_points(row),
            rests_ + row,          rows_};
  }
  /// Of the rows from `row` on, in operand terms: zero points, null where all are 0; and the sums of group g's operands
  /// less the zero point, times rest_factor, modulo 2^32.
  const std::int32_t* zero_points(Index row) const { return zero_points_ == nullptr ? nullptr : zero_points_ + row; }
  const std::int32_t* rests(Index row, Index g) const { return rests_ + g * rows_ + row; }

 private:
  /// Are the operands of a row side by side, as they are wanted?
  static bool are_adjacent(const TensorView<const Code, 2>& codes) {
    return Reader::kCopyShift == 0 && (codes.stride(1) == 1 || codes.extent(1) <= 1);
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

  /// Pairs are made of rows that are operands as they lie.
  static bool must_pair(const TensorView<const Code, 2>& codes, const RhsLayout& layout, Index rows) {
    return pairs_rows<typename Reader::Type>(rows, layout.panels()) && are_adjacent(codes);
  }
  static Index pair_stride(const RhsLayout& layout) { return spread_stride(2 * Kernel::kKr * layout.blocks()); }
  void make_pairs(Operand* pairs) const {
    constexpr Index kr = Kernel::kKr;
    const Index groups = layout_.groups(), stride = pair_stride(layout_);
    for (Index r = 0; r < rows_; r += 2, pairs += stride) {
      Operand* to = pairs;
      for (Index g = 0; g < groups; ++g) {
        const Operand* const upper = data_ + r * stride_ + g * layout_.group;
        const Operand* const lower = r + 1 < rows_ ? upper + stride_ : upper;
        const Index length = layout_.group_length(g), whole = length - length % kr;
        for (Index i = 0; i < whole; i += kr, to += 2 * kr) {
          std::memcpy(to, upper + i, kr);
          std::memcpy(to + kr, lower + i, kr);
        }
        if (whole != length) {
          const Operand* const tail = tails_ + (g * rows_ + r) * kr;
          std::memcpy(to, tail, kr);
          std::memcpy(to + kr, r + 1 < rows_ ? tail + kr : tail, kr);
          to += 2 * kr;
        }
      }
    }
  }

  const RhsLayout& layout_;
  const Operand* data_;
  Index stride_;
  Index rows_ = 0;
  bool paired_ = false;
  Operand* tails_;
  std::int32_t* rests_;
  std::int32_t* zero_points_;
};

}  // namespace detail
QUANTA_NAMESPACE_END
