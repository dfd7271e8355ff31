// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products of 16-bit codes with 8-bit weights: x = 256 h + l, where h is the high byte, signed as x is, and l the low
// one, unsigned. So
//
//   sum (x - zero_x) (w - zero_w) = 256 sum h w + sum l w - zero_x sum w - zero_w (sum x - k zero_x)
//
// Both sums of products are int32 and come from the kernels for bytes; the rest is int64.
#pragma once

#include <cstring>

#include <quanta/gemm/loop_nest.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// Int64 as it is.
struct WideOutput {
  TensorView<std::int64_t, 2> dst;

  void finish_row(Index row, const std::int64_t* sums) const {
    std::int64_t* to = dst.data() + row * dst.stride(0);
    for (Index c = 0; c < dst.extent(1); ++c) to[c * dst.stride(1)] = sums[c];
  }
};

/// Throws Error unless the sums of bytes fit int32.
template <class Rhs>
void check_wide_capacity(const Rhs& rhs) {
  static_assert(!Rhs::per_group, "quanta: a 16-bit lhs takes a rhs per tensor or per channel");
  using Operand = typename Rhs::KernelType::Rhs;  // signed in all kernels of the library: 65793 inputs
  constexpr Index most_inputs =
      std::numeric_limits<std::int32_t>::max() / (255 * (std::is_signed_v<Operand> ? 128 : 255));
  check(rhs.k() <= most_inputs, "gemm: the sum over k = ", rhs.k(),
        " of 16-bit lhs codes can leave int32 in its parts; ", "expected at most ", most_inputs, " inputs");
}

/// A rhs without its zero points: products of the operands as they are.
template <class Rhs>
struct BareRhs {
  using KernelType = typename Rhs::KernelType;
  static constexpr bool per_group = false, kHoldsSums = true;
  const Rhs& rhs;

  Index n() const { return rhs.n(); }
  Index k() const { return rhs.k(); }
  const RhsLayout& layout() const { return rhs.layout(); }
  auto panel(Index p) const { return rhs.panel(p); }
  static bool has_narrow_scales() { return false; }
  bool proven(Index p) const { return rhs.proven(p); }
  const std::int32_t* sums(Index p, Index g, Index groups, std::int32_t* room) const {
    return rhs.sums(p, g, groups, room);
  }
  const std::int32_t* zero_points(Index, Index) const { return nullptr; }
  std::int32_t rest_factor() const { return 0; }
  auto blocks(Index p, Index g) const { return rhs.blocks(p, g); }
};

/// Some rows of a 16-bit lhs times the whole rhs, in scratch memory of scratch_bytes().
template <class Rhs, class Code>
class WideRows {
  using Kernel = typename Rhs::KernelType;
  using High = std::conditional_t<std::is_signed_v<Code>, std::int8_t, std::uint8_t>;
  using Low = std::uint8_t;

 public:
  /// So many that their sums stay in a second-level cache of 256 KB or more.
  static Index most_rows(const Rhs& rhs) {
    return std::max<Index>(Kernel::kMr, 16384 / std::max<Index>(rhs.layout().padded_n(), 1));
  }
  static Index scratch_bytes(const Rhs& rhs) {
    const Index rows = most_rows(rhs), stride = spread_stride(rhs.k()), padded = rhs.layout().padded_n();
    return rows * (2 * stride + 2 * padded * Index{sizeof(std::int32_t)} + Index{sizeof(std::int64_t)}) +
           padded * Index{sizeof(std::int64_t)} + 5 * Index{kCacheLine} + scratch_of_bytes<High>(rhs) +
           scratch_of_bytes<Low>(rhs);
  }

  /// Multiplies the rows [first, first + rows) and calls finish(row, int64 sums of all columns) for each.
  template <class Finish>
  static void multiply(const LhsOperand<Code>& lhs, const Rhs& rhs, Index first, Index rows, std::byte* scratch,
                       Finish finish) {
    const Index k = rhs.k(), stride = spread_stride(k), padded = rhs.layout().padded_n();
    const auto take = [&scratch](Index bytes) {
      std::byte* taken = scratch;
      scratch += round_up(bytes, Index{kCacheLine});
      return taken;
    };
    auto* high = reinterpret_cast<High*>(take(rows * stride));
    auto* low = reinterpret_cast<Low*>(take(rows * stride));
    auto* high_sums = reinterpret_cast<std::int32_t*>(take(rows * padded * Index{sizeof(std::int32_t)}));
    auto* low_sums = reinterpret_cast<std::int32_t*>(take(rows * padded * Index{sizeof(std::int32_t)}));
    auto* row_sums = reinterpret_cast<std::int64_t*>(take(rows * Index{sizeof(std::int64_t)}));
    auto* sums = reinterpret_cast<std::int64_t*>(take(padded * Index{sizeof(std::int64_t)}));

    for (Index r = 0; r < rows; ++r) {
      // Codes of a mapped file need not be aligned.
      const auto* from = reinterpret_cast<const std::byte*>(lhs.codes.data()) +
                         (first + r) * lhs.codes.stride(0) * Index{sizeof(Code)};
      const Index step = lhs.codes.stride(1) * Index{sizeof(Code)};
      std::int64_t sum = 0;
      for (Index i = 0; i < k; ++i) {
        Code code;
        std::memcpy(&code, from + i * step, sizeof code);
        const std::int32_t x = code;
        high[r * stride + i] = static_cast<High>(x >> 8);
        low[r * stride + i] = static_cast<Low>(x & 255);
        sum += x;
      }
      row_sums[r] = sum;
    }
    multiply_bytes(high, stride, rhs, rows, high_sums, scratch);
    multiply_bytes(low, stride, rhs, rows, low_sums, scratch);

    if (k == 0) std::fill_n(sums, rhs.n(), 0);
    const std::int32_t* columns = rhs.sums(0, 0, rhs.layout().panels(), nullptr);
    const std::int32_t* zero_w = rhs.zero_points(0);
    for (Index r = 0; r < rows; ++r) {
      const std::int64_t zero_x = lhs.zero_point(first + r), rest = row_sums[r] - k * zero_x;
      for (Index c = 0; k > 0 && c < rhs.n(); ++c) {
        sums[c] = 256 * std::int64_t{high_sums[r * padded + c]} + low_sums[r * padded + c] - zero_x * columns[c] -
                  (zero_w != nullptr ? rest * zero_w[c] : 0);
      }
      finish(first + r, sums);
    }
  }

 private:
  template <class Byte>
  static LhsOperand<Byte> operand(const Byte* bytes, Index stride, const Rhs& rhs, Index rows) {
    static constexpr float scale = 1.0f;
    using Limits = std::numeric_limits<Byte>;
    const TensorView<const Byte, 2> view(bytes, {rows, rhs.k()}, {stride, 1});
    return {view, {&scale, nullptr}, 0, Limits::min(), Limits::max()};
  }
  template <class Byte>
  static Index scratch_of_bytes(const Rhs& rhs) {
    const Index rows = most_rows(rhs);
    const LhsOperand<Byte> bytes = operand<Byte>(nullptr, spread_stride(rhs.k()), rhs, rows);
    return LhsRows<Kernel, Byte>::scratch_bytes(bytes, rhs.layout(), rows);
  }
  template <class Byte>
  static void multiply_bytes(const Byte* bytes, Index stride, const Rhs& rhs, Index rows, std::int32_t* sums,
                             std::byte* scratch) {
    const TensorView<std::int32_t, 2> dst(sums, {rows, rhs.n()}, {rhs.layout().padded_n(), 1});
    const RawOutput output{dst};
    run_rows(operand(bytes, stride, rhs, rows), BareRhs<Rhs>{rhs}, output, 0, rows, 0, rhs.layout().panels(), scratch);
  }
};

/// Stores one row through an output for panels, given its int64 sums.
template <class Rhs, class Output>
void finish_wide_row(const Rhs& rhs, const Output& output, Index row, const std::int64_t* sums) {
  if constexpr (std::is_same_v<Output, WideOutput>) {
    output.finish_row(row, sums);
  } else {
    constexpr int nr = Rhs::KernelType::kNr;
    for (Index column = 0; column < rhs.n(); column += nr) {
      const Index count = std::min<Index>(nr, rhs.n() - column);
      alignas(kCacheLine) float values[nr] = {};
      for (Index c = 0; c < count; ++c) values[c] = static_cast<float>(sums[column + c]);  // rounded once
      typename Output::template Panel<Rhs, nr>(output, rhs, {output.dst, column, count}).finish(row, 1, values);
    }
  }
}

/// The whole product, split among threads by rows alone. Sizes have been checked.
template <class Rhs, class Code, class Output>
void run_wide_product(Context& context, const LhsOperand<Code>& lhs, const Rhs& rhs, const Output& output) {
  using Rows = WideRows<Rhs, Code>;
  const Index m = lhs.codes.extent(0);
  if (m == 0 || rhs.n() == 0) return;
  const double work = 2.0 * static_cast<double>(m) * static_cast<double>(rhs.n()) * static_cast<double>(rhs.k());
  const Index tasks = work < kParallelWork ? 1 : std::min<Index>(context.threads(), m);
  context.reserve_scratch(tasks, Rows::scratch_bytes(rhs));
  context.parallel(tasks, work / static_cast<double>(tasks) / 16.0, [&](Index task) {
    const Index first = m * task / tasks, last = m * (task + 1) / tasks, most = Rows::most_rows(rhs);
    for (Index row = first; row < last; row += most) {
      Rows::multiply(lhs, rhs, row, std::min(most, last - row), context.scratch(task),
                     [&](Index r, const std::int64_t* sums) { finish_wide_row(rhs, output, r, sums); });
    }
  });
}

}  // namespace detail
QUANTA_NAMESPACE_END
