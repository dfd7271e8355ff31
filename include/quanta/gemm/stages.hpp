// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What happens to a product's results before they are stored, as small steps given to gemm in order:
//
//   gemm(x, rhs, y, Dequantize{}, AddBias{bias}, Relu{})
//
// Dequantize comes first and turns the exact int32 into float; every further stage maps floats to floats. A stage of
// one's own is any type with `apply` as below, and `check` if it has something to check; one that maps every float by
// itself derives from LaneStage. Where results are codes, Relu, Relu6 and Clamp are bounds of those
// (gemm/requantize.hpp).
#pragma once

#include <concepts>
#include <string>

#include <quanta/core/layer.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN

/// What is done to the results of a product before they are stored. apply(values, count, row, column): values[i] is the
/// result at (row, column + i), to be changed in place. check(m, n), where a stage has it, throws before any work when
/// the stage does not fit a result of m x n.
template <class S>
concept EpilogueStage = requires(const S& stage, float* values, Index count, Index row, Index column) {
  stage.apply(values, count, row, column);
};

namespace detail {

/// `lanes` values at a distance of `stride`.
template <class L>
typename L::F load_columns(const float* from, Index stride, Index lanes) {
  if (stride == 1) return L::load_first(from, lanes);
  float values[L::width] = {};
  for (Index i = 0; i < lanes; ++i) values[i] = from[i * stride];
  return L::load_first(values, lanes);
}

}  // namespace detail

/// y = fma(float(acc), scale_x * scale_w[n], 0). Per group of the rhs: f = fma(float(acc_g), scale_w[g, n], f) for g
/// ascending, then y = fma(f, scale_x, 0).
struct Dequantize {};

/// Adds bias[n]. Right after Dequantize the two are one operation, y = fma(float(acc), scale_x * scale_w[n], bias[n]);
/// elsewhere it is a plain add. Of an lvalue it keeps a view, which must outlive the stage; of anything else a copy.
class AddBias {
 public:
  /// Any Eigen vector or rank-1 tensor of float or double.
  template <class B>
  // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): never of an AddBias
  requires RealObject<B> &&(!std::same_as<std::remove_cvref_t<B>, AddBias>)explicit AddBias(B&& bias) : bias_(bias) {
    static_assert(rank_of<B> == 1, "quanta: a bias is a vector or a rank-1 tensor");
    if constexpr (!std::is_lvalue_reference_v<B>) bias_.own();
  }

  /// Throws Error unless there is an element for each of n outputs.
  void check(Index, Index n) const {
    detail::check(size() == n, "AddBias: bias has ", size(), " elements, expected one per output, ", n);
  }
  /// Adds to `count` results of a row from `column` on: see EpilogueStage.
  void apply(float* values, Index count, Index row, Index column) const {
    for (Index i = 0; i < count; ++i) values[i] = lanes_at<simd::ScalarLanes>(values[i], row, column + i, 1);
  }
  /// For the columns [column, column + lanes).
  template <class L>
  typename L::F lanes_at(typename L::F v, Index, Index column, Index lanes) const {
    return L::one_nan(L::add_real(v, detail::load_columns<L>(data() + column * stride(), stride(), lanes)));
  }

  Index size() const { return bias_.view().size(); }         ///< elements
  const float* data() const { return bias_.view().data(); }  ///< the first element
  Index stride() const { return bias_.view().stride(0); }    ///< from an element to the next, in floats

 private:
  detail::Input<float, 1> bias_;
};

/// Adds what dst held. To floats, anywhere after Dequantize: y = fma(beta, dst, y); with a beta of 0 dst is not read.
/// To int32, as the only stage and with a beta of 1: dst + acc, exactly; throws Error before dst is touched where such
/// a sum could leave int32.
struct Accumulate {
  float beta = 1.0f;  ///< what dst is multiplied by
};

namespace detail {

/// Accumulate with the dst it reads.
struct AccumulateFrom {
  TensorView<const float, 2> dst;
  float beta;

  void apply(float* values, Index count, Index row, Index column) const {
    for (Index i = 0; i < count; ++i) values[i] = lanes_at<simd::ScalarLanes>(values[i], row, column + i, 1);
  }
  template <class L>
  typename L::F lanes_at(typename L::F v, Index row, Index column, Index lanes) const {
    if (beta == 0.0f) return v;
    const float* from = dst.data() + row * dst.stride(0) + column * dst.stride(1);
    return L::one_nan(L::fma(L::set(beta), load_columns<L>(from, dst.stride(1), lanes), v));
  }
};

/// A stage as the product of this dst uses it.
template <class Stage>
const Stage& stage_for(const TensorView<float, 2>&, const Stage& stage) {
  return stage;
}
inline AccumulateFrom stage_for(const TensorView<float, 2>& dst, const Accumulate& stage) { return {dst, stage.beta}; }

}  // namespace detail

/// Makes a stage, and a layer of any number of features, of a function D::lanes on floats: derive D from
/// LaneStage<D>. `template <class L> typename L::F lanes(typename L::F v) const` maps each lane of v by itself; as the
/// only kind of stage after Dequantize it works in registers (gemm/outputs.hpp).
template <class D>
struct LaneStage : CallableLayer<D> {
  /// values[i] becomes lanes(values[i]).
  void apply(float* values, Index count, Index = 0, Index = 0) const { map(values, count, values); }

  Index output_size(Index features) const { return features; }  ///< as many as there are
  /// y (batch, features) from x (batch, features): see Layer.
  void forward(Context& context, const TensorView<const float, 2>& x, const TensorView<float, 2>& y) const {
    const Index features = x.extent(1);
    detail::for_each_row(context, x, y, static_cast<double>(features),
                         [&](const float* from, float* to) { map(from, features, to); });
  }
  std::string name() const { return D::kName; }  ///< in tables, messages and files
  Index packed_bytes() const { return 0; }       ///< nothing beside itself

 private:
  void map(const float* from, Index count, float* to) const {
    using L = simd::NativeLanes;
    const D& self = static_cast<const D&>(*this);
    Index i = 0;
    for (; i + L::width <= count; i += L::width) L::store(to + i, self.template lanes<L>(L::load(from + i)));
    if (i < count) L::store_first(to + i, self.template lanes<L>(L::load_first(from + i, count - i)), count - i);
  }
};

/// The rectifier max(x, 0) (Nair & Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010),
/// exact, with Relu(NaN) = NaN and Relu(-0) = +0. Each value by itself, of any shape. A stage and a layer.
struct Relu : LaneStage<Relu> {
  static constexpr const char* kName = "Relu";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    const typename L::F zero = L::set(0.0f);
    return L::add_real(L::max(zero, v), zero);
  }
};

/// min(max(x, low), high), exact, NaN staying NaN and -0 becoming +0; low and high in units of x. Each value by itself,
/// of any shape. A stage and a layer. Throws Error unless low <= high.
struct Clamp : LaneStage<Clamp> {
  static constexpr const char* kName = "Clamp";  ///< what name() says
  /// Throws Error unless least <= most.
  Clamp(float least, float most) : low(least), high(most) {
    detail::check(least <= most, "Clamp: bounds ", least, " and ", most, ", expected the lower one first");
  }

  /// What a file takes: the numbers "low" and "high".
  template <class List>
  void save(List& to) const {
    to.add("low", low);
    to.add("high", high);
  }
  /// From what `save` gave; Reader is a LayerReader (io/layer_reader.hpp).
  template <class Reader>
  static Clamp load(const Reader& from) {
    return Clamp{from.number("low"), from.number("high")};
  }

  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return L::add_real(L::min(L::set(high), L::max(L::set(low), v)), L::set(0.0f));
  }

  float low;   ///< the least result
  float high;  ///< the largest result
};

/// min(max(x, 0), 6), as in MobileNets (Howard et al., 2017), exact, NaN staying NaN. Each value by itself, of any
/// shape. A stage and a layer.
struct Relu6 : LaneStage<Relu6> {
  static constexpr const char* kName = "Relu6";  ///< what name() says
  /// Of every lane of v.
  template <class L>
  typename L::F lanes(typename L::F v) const {
    return Clamp(0.0f, 6.0f).lanes<L>(v);
  }
};

QUANTA_NAMESPACE_END
