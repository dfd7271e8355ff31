// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// A quantized weight that is multiplied like an Eigen matrix, its columns of inputs being samples as Eigen has them. It
// plugs into Eigen's products the documented way (EigenBase and generic_product_impl), so that W * X is an expression
// like any other. This is the one header besides core/eigen.hpp that names Eigen's expression types.
#pragma once

#include <quanta/layers/dynamic_linear.hpp>

QUANTA_NAMESPACE_BEGIN

template <IntegerFormat F, Granularity G>
class QuantizedMatrix;

namespace detail {
/// How Eigen files a quantized matrix: no dense one, nor any of its own kinds.
struct QuantizedStorage {};
template <class D>
concept FloatMatrix = EigenDense<D> && std::is_same_v<typename D::Scalar, float>;
}  // namespace detail

QUANTA_NAMESPACE_END

namespace Eigen::internal {

template <quanta::IntegerFormat F, quanta::Granularity G>
struct traits<quanta::QuantizedMatrix<F, G>> {
  using Scalar = float;
  using StorageIndex = Eigen::Index;
  using StorageKind = quanta::detail::QuantizedStorage;
  using XprKind = MatrixXpr;
  enum {
    RowsAtCompileTime = Dynamic,
    ColsAtCompileTime = Dynamic,
    MaxRowsAtCompileTime = Dynamic,
    MaxColsAtCompileTime = Dynamic,
    Flags = NestByRefBit,
  };
};
template <>
struct storage_kind_to_shape<quanta::detail::QuantizedStorage> {
  using Shape = quanta::detail::QuantizedStorage;
};

}  // namespace Eigen::internal

QUANTA_NAMESPACE_BEGIN

/// W (out, in) as DynamicLinear holds it: int8 by default, and W * X, for X (in, samples) of float, is its layer
/// applied to every column: each sample is quantized by its own range at run time, and its result depends on it alone.
/// Throws Error where X has another number of rows than W has columns, or the weight is not finite. Assigning with
/// noalias() writes the results in place; without, and in larger expressions, Eigen puts a temporary
/// between.
template <IntegerFormat F = Int<8>, Granularity G = PerChannel<0>>
class QuantizedMatrix : public Eigen::EigenBase<QuantizedMatrix<F, G>> {
 public:
  using Scalar = float;               ///< of the products
  using RealScalar = float;           ///< for Eigen
  using StorageIndex = Eigen::Index;  ///< for Eigen
  /// For Eigen, as every dense expression has them: sizes are known at run time.
  enum {
    RowsAtCompileTime = Eigen::Dynamic,
    ColsAtCompileTime = Eigen::Dynamic,
    MaxRowsAtCompileTime = Eigen::Dynamic,
    MaxColsAtCompileTime = Eigen::Dynamic,
    IsRowMajor = false,
    IsVectorAtCompileTime = false,
  };

  /// Quantizes a matrix (out, in) of float or double, symmetrically (asymmetrically for unsigned formats), from its own
  /// range. Throws Error when an element is not finite, or the sums can leave int32.
  template <RealObject W>
  explicit QuantizedMatrix(const W& weight, G granularity = G{})
      : layer_(detail::quantize_weight<F>("QuantizedMatrix: weight", weight, granularity)) {}
  /// From weights already quantized.
  explicit QuantizedMatrix(const QuantizedTensor<F, 2, G>& weight) : layer_(weight) {}

  Index rows() const { return layer_.out_features(); }  ///< outputs
  Index cols() const { return layer_.in_features(); }   ///< inputs
  /// All memory held.
  Index packed_bytes() const { return layer_.weight_bytes(); }

  /// X is (in, samples) of float, or a column: one sample. Throws Error unless X has cols() rows.
  template <class X>
  auto operator*(const Eigen::MatrixBase<X>& x) const {
    static_assert(detail::FloatMatrix<X>, "quanta: QuantizedMatrix multiplies float; write X.cast<float>()");
    check_inputs(x.rows());
    return Eigen::Product<QuantizedMatrix, X>(*this, x.derived());
  }

  /// dst (out, samples) = W * X. dst is any writable float matrix of that shape; this is what noalias() does, with the
  /// context's threads and memory. Throws Error where dst overlaps X.
  template <detail::FloatMatrix X, class Dst>
  void multiply(Context& context, const Eigen::MatrixBase<X>& x, Dst&& dst) const;

 private:
  void check_inputs(Index rows) const {
    detail::check(rows == cols(), "QuantizedMatrix: X has ", rows, " rows, expected ", cols());
  }
  template <class T, class X>
  static TensorView<T, 2> transposed(const X& x, T* data) {
    return {data, {x.cols(), x.rows()}, {x.colStride(), x.rowStride()}};
  }

  DynamicLinear<F, G> layer_;
};

/// F and G by default.
template <RealObject W>
QuantizedMatrix(const W&) -> QuantizedMatrix<>;

// ---- bodies ----

namespace detail {
/// Throws Error unless dst of a product has the shape it should have.
inline void check_product_shape(const Shape<2>& dst, const Shape<2>& expected) {
  check(dst == expected, "QuantizedMatrix: dst has shape ", dst, ", expected ", expected);
}
}  // namespace detail

template <IntegerFormat F, Granularity G>
template <detail::FloatMatrix X, class Dst>
void QuantizedMatrix<F, G>::multiply(Context& context, const Eigen::MatrixBase<X>& x, Dst&& dst) const {
  check_inputs(x.rows());
  detail::check_product_shape({dst.rows(), dst.cols()}, {rows(), x.cols()});
  using Output = std::remove_cvref_t<Dst>;
  static_assert(detail::FloatMatrix<Output> && !std::is_const_v<std::remove_reference_t<Dst>>,
                "quanta: dst of a QuantizedMatrix's product is a writable matrix of float");
  if constexpr (!detail::EigenTraits<X>::stored) {
    const Eigen::Matrix<typename X::Scalar, Eigen::Dynamic, Eigen::Dynamic> evaluated = x;
    multiply(context, evaluated, dst);
  } else if constexpr (!detail::EigenTraits<Output>::stored) {
    Eigen::Matrix<typename X::Scalar, Eigen::Dynamic, Eigen::Dynamic> result(rows(), x.cols());
    multiply(context, x, result);
    dst = result;
  } else {
    const TensorView<const float, 2> samples = transposed<const float>(x.derived(), x.derived().data());
    const TensorView<float, 2> results = transposed(dst, dst.data());
    detail::check(!detail::may_overlap(samples, results),
                  "QuantizedMatrix: dst overlaps X, expected memory of its own");
    layer_.forward(context, samples, results);
  }
}

QUANTA_NAMESPACE_END

namespace Eigen::internal {

/// How Eigen evaluates W * X.
template <quanta::IntegerFormat F, quanta::Granularity G, class X, int tag>
struct generic_product_impl<quanta::QuantizedMatrix<F, G>, X, quanta::detail::QuantizedStorage, DenseShape, tag>
    : generic_product_impl_base<
          quanta::QuantizedMatrix<F, G>, X,
          generic_product_impl<quanta::QuantizedMatrix<F, G>, X, quanta::detail::QuantizedStorage, DenseShape, tag>> {
  using W = quanta::QuantizedMatrix<F, G>;

  template <class Dst>
  static void evalTo(Dst& dst, const W& w, const X& x) {
    quanta::Context context;
    w.multiply(context, x, dst);
  }
  /// dst += alpha * (W * X).
  template <class Dst>
  static void scaleAndAddTo(Dst& dst, const W& w, const X& x, float alpha) {
    quanta::detail::check_product_shape({dst.rows(), dst.cols()}, {w.rows(), x.cols()});
    Matrix<typename X::Scalar, Dynamic, Dynamic> product(w.rows(), x.cols());
    evalTo(product, w, x);
    dst += alpha * product;
  }
};

// Eigen turns s * (A * B) into (s * A) * B. A quantized matrix cannot be scaled, so here the product comes first.

template <quanta::IntegerFormat F, quanta::Granularity G, class X, class S1, class S2, class Plain>
struct evaluator<CwiseBinaryOp<scalar_product_op<S1, S2>, const CwiseNullaryOp<scalar_constant_op<S1>, Plain>,
                               const Product<quanta::QuantizedMatrix<F, G>, X, DefaultProduct>>>
    : binary_evaluator<CwiseBinaryOp<scalar_product_op<S1, S2>, const CwiseNullaryOp<scalar_constant_op<S1>, Plain>,
                                     const Product<quanta::QuantizedMatrix<F, G>, X, DefaultProduct>>> {
  using Expression = CwiseBinaryOp<scalar_product_op<S1, S2>, const CwiseNullaryOp<scalar_constant_op<S1>, Plain>,
                                   const Product<quanta::QuantizedMatrix<F, G>, X, DefaultProduct>>;
  explicit evaluator(const Expression& x) : binary_evaluator<Expression>(x) {}
};
template <class Dst, quanta::IntegerFormat F, quanta::Granularity G, class X, class Assign, class S2, class S1,
          class Plain>
struct Assignment<Dst,
                  CwiseBinaryOp<scalar_product_op<S1, S2>, const CwiseNullaryOp<scalar_constant_op<S1>, Plain>,
                                const Product<quanta::QuantizedMatrix<F, G>, X, DefaultProduct>>,
                  Assign, Dense2Dense> {
  using Expression = CwiseBinaryOp<scalar_product_op<S1, S2>, const CwiseNullaryOp<scalar_constant_op<S1>, Plain>,
                                   const Product<quanta::QuantizedMatrix<F, G>, X, DefaultProduct>>;
  static void run(Dst& dst, const Expression& x, const Assign& assign) {
    const Matrix<typename X::Scalar, Dynamic, Dynamic> product = x.rhs();
    call_assignment_no_alias(dst, x.lhs().functor().m_other * product, assign);
  }
};

}  // namespace Eigen::internal
