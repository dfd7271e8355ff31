// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The last step of a tile: from the kernel's raw int32 to what is stored. An output is built once per product and used
// by all its threads; what it needs of a panel's columns is gathered once for all rows of a block. Micro-kernels know
// nothing of it.
//
//   RawOutput        int32 as it is
//   RealOutput       Dequantize, the bias, then the stages, to float
//   RequantizeOutput fixed point to codes (gemm/requantize.hpp)
#pragma once

#include <tuple>

#include <quanta/gemm/packed_rhs.hpp>
#include <quanta/gemm/stages.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The vector type for rows of nr values.
template <int nr>
using LanesFor = std::conditional_t<nr % simd::NativeLanes::width == 0, simd::NativeLanes, simd::ScalarLanes>;

/// sums(r, c) becomes sum (x - zero_x) (w - zero_w) for the columns of one panel, given the sum of operand products:
/// sum x w - zero_x sum w - zero_w (sum (x - zero_x)), all in operand terms and modulo 2^32. zero_x and rests, which
/// are those last sums, are those of the rows (gemm/lhs.hpp); zero_x is null where all are 0.
template <class Kernel, class Rhs>
void correct_zero_points(const Rhs& rhs, Index panel, Index group, const std::int32_t* zero_x,
                         const std::int32_t* rests, Index rows, const SumTile& sums) {
  constexpr int nr = Kernel::kNr;
  using L = LanesFor<nr>;
  const auto take_off = [&, first = sums.data, stride = sums.stride](
                            const std::int32_t* of_rows, const std::int32_t* of_columns) QUANTA_INLINE_LAMBDA {
    for (int c = 0; c < nr; c += L::width) {
      const typename L::I column = L::load_int(of_columns + c);
      for (Index r = 0; r < rows; ++r) {
        std::int32_t* const at = first + r * stride + c;
        L::store_int(at, L::sub(L::load_int(at), L::mul_low(L::set_int(of_rows[r]), column)));
      }
    }
  };
  alignas(kCacheLine) std::int32_t columns[nr];
  if (zero_x != nullptr) take_off(zero_x, rhs.sums(panel, group, 1, columns));
  const auto* const zero_w = rhs.zero_points(panel, Rhs::per_group ? group : 0);
  if (zero_w != nullptr) {
    std::copy_n(zero_w, nr, columns);
  } else if (rhs.rest_factor() != 0) {
    std::fill_n(columns, nr, -1);
  }
  if (zero_w != nullptr || rhs.rest_factor() != 0) take_off(rests, columns);
}

/// All lanes of a vector, counted by the compiler.
template <int width>
using AllLanes = std::integral_constant<Index, width>;

/// Loads and stores of lanes as for_each_vector counts them.
template <class L>
struct SomeLanes {
  static typename L::F load(const float* p, AllLanes<L::width>) { return L::load(p); }
  static typename L::F load(const float* p, Index lanes) { return L::load_first(p, lanes); }
  static void store(float* p, typename L::F v, AllLanes<L::width>) { L::store(p, v); }
  static void store(float* p, typename L::F v, Index lanes) { L::store_first(p, v, lanes); }
  static typename L::I load(const std::int32_t* p, AllLanes<L::width>) { return L::load_int(p); }
  static typename L::I load(const std::int32_t* p, Index lanes) { return L::load_int_first(p, lanes); }
  static void store(std::int32_t* p, typename L::I v, AllLanes<L::width>) { L::store_int(p, v); }
  static void store(std::int32_t* p, typename L::I v, Index lanes) { L::store_int_first(p, v, lanes); }
  template <class T>
  static void store_narrow(T* p, typename L::I v, AllLanes<L::width>) {
    L::store_narrow(p, v);
  }
  template <class T>
  static void store_narrow(T* p, typename L::I v, Index lanes) {
    L::store_narrow_first(p, v, lanes);
  }
};

/// The piece of a result's rows that one panel gives: `count` columns from `column` on.
template <class T>
struct PanelColumns {
  const TensorView<T, 2>& dst;
  Index column, count;

  T* row(Index r) const { return dst.data() + r * dst.stride(0) + column * dst.stride(1); }
  /// Do the values of a row lie side by side?
  bool adjacent() const { return dst.stride(1) == 1; }
  /// f(c, lanes) for every vector of a row: those from c on, of which the first `lanes` are wanted. Where that is all,
  /// it is an AllLanes.
  template <int width, class F>
  QUANTA_ALWAYS_INLINE void for_each_vector(F f) const {
    Index c = 0;
    for (; c + width <= count; c += width) f(c, AllLanes<width>{});
    if (c < count) f(c, count - c);
  }
  /// Asks for the cache lines of some rows, to write them.
  void fetch(Index first_row, Index rows) const {
    constexpr Index line = kCacheLine / Index{sizeof(T)};
    if (!adjacent()) return;
    for (Index r = first_row; r < first_row + rows; ++r) {
      for (Index c = 0; c < count; c += line) QUANTA_PREFETCH_TO_WRITE(row(r) + c);
    }
  }
  /// Writes row r, adjacent or not.
  void store(Index r, const T* values) const {
    T* to = row(r);
    const Index stride = dst.stride(1);
    if (stride == 1) {
      std::copy_n(values, count, to);
    } else {
      for (Index i = 0; i < count; ++i) to[i * stride] = values[i];
    }
  }
};
template <class T>
PanelColumns(TensorView<T, 2>, Index, Index) -> PanelColumns<T>;

/// Every output has `dst`, by reference, and a Panel<Rhs, nr>, made once for a panel and many rows, whose finish(row,
/// rows, sums) stores the rows from `row` on from their sums, nr of each. `by_group`: sums are floats, scale_w[g, n] *
/// float(acc_g) over the groups; else int32. Stores to memory that is far cost a kernel's time, so the sums themselves
/// need not pass through finish.
struct RawOutput {
  const TensorView<std::int32_t, 2>& dst;
  bool accumulate = false;  ///< add to what dst holds

  template <class Rhs, int nr>
  struct Panel {
    static constexpr bool by_group = false;
    PanelColumns<std::int32_t> to;
    bool accumulate;

    Panel(const RawOutput& output, const Rhs&, const PanelColumns<std::int32_t>& columns)
        : to(columns), accumulate(output.accumulate) {}
    /// Where kernels may write the sums of the rows from `row` on themselves (with `accumulate`); null if they may not.
    SumTile in_place(Index row) const {
      if (!to.adjacent() || to.count < nr) return {nullptr, 0};
      return {to.row(row), to.dst.stride(0)};
    }
    void finish(Index row, Index rows, const std::int32_t* sums) const {
      using L = LanesFor<nr>;
      const Index stride = to.dst.stride(0);
      std::int32_t* const first = to.row(row);
      if (!to.adjacent()) {
        for (Index r = 0; r < rows; ++r) {
          for (Index i = 0; i < to.count; ++i) {
            std::int32_t& value = first[r * stride + i * to.dst.stride(1)];
            value = accumulate ? value + sums[r * nr + i] : sums[r * nr + i];
          }
        }
        return;
      }
      to.template for_each_vector<L::width>([&](Index c, auto lanes) QUANTA_INLINE_LAMBDA {
        for (Index r = 0; r < rows; ++r) {
          std::int32_t* const values = first + r * stride + c;
          typename L::I sum = L::load_int(sums + r * nr + c);
          if (accumulate) sum = L::add(sum, SomeLanes<L>::load(values, lanes));
          SomeLanes<L>::store(values, sum, lanes);
        }
      });
    }
  };
};

/// Is S a stage that works on vectors (LaneStage)?
template <class S>
concept MapsLanes = requires(const S& stage, float v) {
  stage.template lanes<simd::ScalarLanes>(v);
};

/// Is S one that must know where its vectors belong?
template <class S>
concept MapsLanesAt = requires(const S& stage, float v, Index i) {
  stage.template lanes_at<simd::ScalarLanes>(v, i, i, i);
};

template <class L, class Stage>
QUANTA_ALWAYS_INLINE typename L::F map_lanes(const Stage& stage, typename L::F v, Index row, Index column,
                                             Index lanes) {
  if constexpr (MapsLanes<Stage>) {
    return stage.template lanes<L>(v);
  } else {
    return stage.template lanes_at<L>(v, row, column, lanes);
  }
}

/// The lhs gives scales of rows; bias may be null. Stages are kept by reference.
template <class Lhs, class... Stages>
struct RealOutput {
  const TensorView<float, 2>& dst;
  const Lhs& lhs;
  const AddBias* bias;
  std::tuple<const Stages&...> stages;

  template <class Rhs, int nr>
  struct Panel {
    static constexpr bool by_group = Rhs::per_group;
    using L = LanesFor<nr>;
    const RealOutput& output;
    PanelColumns<float> to;

    Panel(const RealOutput& out, const Rhs& rhs, const PanelColumns<float>& columns) : output(out), to(columns) {
      if constexpr (Rhs::per_tensor) {
        std::fill_n(same_scale_, nr, rhs.scale(0));
      } else if constexpr (!Rhs::per_group) {
        scales_ = rhs.scales(to.column / nr);
      }
      if (out.bias == nullptr) {
        std::fill_n(bias_copy_, nr, 0.0f);
        return;
      }
      const Index stride = out.bias->stride();
      const float* from = out.bias->data() + to.column * stride;
      if (stride == 1 && to.count == nr) {
        bias_ = from;
      } else if (stride == 1) {
        for (int c = 0; c < nr; c += L::width) {
          const Index lanes = std::min<Index>(to.count - c, L::width);
          L::store(bias_copy_ + c, lanes > 0 ? L::load_first(from + c, lanes) : L::set(0.0f));
        }
      } else {
        for (Index i = 0; i < nr; ++i) bias_copy_[i] = i < to.count ? from[i * stride] : 0.0f;
      }
    }
    Panel(const Panel&) = delete;
    Panel& operator=(const Panel&) = delete;

    template <class Sum>
    void finish(Index row, Index rows, const Sum* sums) const {
      if constexpr (((MapsLanes<Stages> || MapsLanesAt<Stages>)&&...)) {
        if (to.adjacent()) {
          const Index stride = to.dst.stride(0);
          float* const first = to.row(row);
          const RowScales of_rows = row_scales(row);
          to.template for_each_vector<L::width>([&](Index c, auto lanes) QUANTA_INLINE_LAMBDA {
            const Columns columns = load_columns(c);
            for (Index r = 0; r < rows; ++r) {
              typename L::F v = real(of_rows[r], columns, sums + r * nr + c);
              std::apply(
                  [&](const Stages&... stage) { ((v = map_lanes<L>(stage, v, row + r, to.column + c, lanes)), ...); },
                  output.stages);
              SomeLanes<L>::store(first + r * stride + c, v, lanes);
            }
          });
          return;
        }
      }
      for (Index r = 0; r < rows; ++r) {
        alignas(kCacheLine) float values[nr];
        const float scale = row_scales(row)[r];
        for (int c = 0; c < nr; c += L::width) {
          L::store(values + c, real(scale, load_columns(c), sums + r * nr + c));
        }
        std::apply([&](const Stages&... stage) { (stage.apply(values, to.count, row + r, to.column), ...); },
                   output.stages);
        to.store(row + r, values);
      }
    }

   private:
    /// Of the lhs, and of a vector of columns: held in registers, since for all that compilers know every store of a
    /// result may change them in memory.
    struct RowScales {
      const float* scales;
      Index step;
      float operator[](Index r) const { return scales[r * step]; }
    };
    struct Columns {
      typename L::F scales, bias;
    };
    RowScales row_scales(Index row) const {
      return {output.lhs.params.scales + row * output.lhs.step, output.lhs.step};
    }
    QUANTA_ALWAYS_INLINE Columns load_columns(Index c) const {
      return {Rhs::per_group ? L::set(1.0f) : L::load(scales_ + c), L::load(bias_ + c)};
    }

    /// Dequantize and the bias.
    template <class Sum>
    QUANTA_ALWAYS_INLINE static typename L::F real(float row_scale, const Columns& columns, const Sum* sums) {
      typename L::F scale = L::set(row_scale);
      if constexpr (!Rhs::per_group) scale = L::mul(scale, columns.scales);
      return L::one_nan(L::fma(load_as_float(sums), scale, columns.bias));
    }
    static typename L::F load_as_float(const float* sums) { return L::load(sums); }
    static typename L::F load_as_float(const std::int32_t* sums) { return L::to_float(L::load_int(sums)); }

    alignas(kCacheLine) float bias_copy_[nr];
    alignas(kCacheLine) float same_scale_[Rhs::per_tensor ? nr : 1];
    const float* bias_ = bias_copy_;
    const float* scales_ = same_scale_;  // of the rhs; not used per group, where they are in the sums
  };
};

}  // namespace detail
QUANTA_NAMESPACE_END
