// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The one door to Eigen. Public functions turn any Eigen object into a TensorView here, once; behind this file no
// header names an Eigen expression type. Objects with strides are viewed in place; expressions, and double where float
// is wanted, are evaluated into a buffer of the library's own.
#pragma once

#include <type_traits>

#include <unsupported/Eigen/CXX11/Tensor>

#include <quanta/core/buffer.hpp>
#include <quanta/core/tensor_view.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

template <class T>
using Bare = std::remove_cvref_t<T>;

// By deduction, because some objects derive from another one's base: a VectorBlock from that of a Block.
template <class Derived>
void is_dense(const Eigen::DenseBase<Derived>*);
template <class X>
concept EigenDense = std::is_class_v<X> && requires(const X* x) {
  detail::is_dense(x);
};

template <class X>
concept EigenTensor = std::is_class_v<X> && std::is_base_of_v<Eigen::TensorBase<X, Eigen::ReadOnlyAccessors>, X>;

/// Is X a tensor that has its elements in memory, and are they stored row-major?
template <class X>
struct StoredTensor : std::false_type {};
template <class T, int rank, int options, class I>
struct StoredTensor<Eigen::Tensor<T, rank, options, I>> : std::true_type {};
template <class T, class Sizes, int options, class I>
struct StoredTensor<Eigen::TensorFixedSize<T, Sizes, options, I>> : std::true_type {};
template <class X, int options, template <class> class Pointer>
struct StoredTensor<Eigen::TensorMap<X, options, Pointer>> : std::true_type {};

template <class X>
struct EigenTraits;
template <EigenDense X>
struct EigenTraits<X> {
  using Scalar = std::remove_const_t<typename X::Scalar>;
  static constexpr int rank = X::IsVectorAtCompileTime ? 1 : 2;
  static constexpr bool stored = (int(X::Flags) & int(Eigen::DirectAccessBit)) != 0;
};
template <EigenTensor X>
struct EigenTraits<X> {
  using Scalar = std::remove_const_t<typename Eigen::internal::traits<X>::Scalar>;
  static constexpr int rank = int(Eigen::internal::traits<X>::NumDimensions);
  static constexpr bool stored = StoredTensor<X>::value;
};

}  // namespace detail

/// Any Eigen matrix, array, tensor, Map, Ref, block or expression of rank 1 to 5.
template <class X>
concept EigenObject = detail::EigenDense<detail::Bare<X>> || detail::EigenTensor<detail::Bare<X>>;

/// A vector known at compile time has rank 1, any other dense object 2, a tensor its own.
template <EigenObject X>
inline constexpr int rank_of = detail::EigenTraits<detail::Bare<X>>::rank;

/// The type of its elements, without const.
template <EigenObject X>
using ScalarOf = typename detail::EigenTraits<detail::Bare<X>>::Scalar;

/// An Eigen object of real values: float, or double, which is rounded to float once.
template <class X>
concept RealObject = EigenObject<X> &&(std::is_same_v<ScalarOf<X>, float> || std::is_same_v<ScalarOf<X>, double>);

/// An Eigen object of int8 or uint8.
template <class X>
concept ByteObject = EigenObject<X> &&
    (std::is_same_v<ScalarOf<X>, std::int8_t> || std::is_same_v<ScalarOf<X>, std::uint8_t>);

namespace detail {

/// The elements of an Eigen object as T, read-only: a view of them in place, or a copy held here. Move-only, because
/// the view may point into the copy.
template <class T, int rank>
class Input {
 public:
  template <EigenObject X>
  explicit Input(const X& x);
  Input(Input&&) noexcept = default;
  Input& operator=(Input&&) noexcept = default;

  const TensorView<const T, rank>& view() const { return view_; }

  /// Copies the elements here if they are not, so that the object they came from may go.
  void own() {
    if (!copy_.empty()) return;
    Buffer<T> copy(view_.size());
    const T* from = view_.read(0, view_.size(), copy.data());
    if (from != copy.data()) std::copy_n(from, view_.size(), copy.data());
    copy_ = std::move(copy);
    view_ = TensorView<const T, rank>(copy_.data(), view_.shape());
  }

 private:
  template <class X>
  void evaluate(const X& x);

  Buffer<T> copy_;
  TensorView<const T, rank> view_;
};

template <EigenDense X>
Shape<EigenTraits<X>::rank> shape_of(const X& x) {
  if constexpr (EigenTraits<X>::rank == 1) {
    return {x.size()};
  } else {
    return {x.rows(), x.cols()};
  }
}

template <class T, EigenDense X, class Pointer>
auto stored_view(const X& x, Pointer data) {
  constexpr int rank = EigenTraits<X>::rank;
  if constexpr (rank == 1) {
    return TensorView<T, 1>(data, {x.size()}, {x.innerStride()});
  } else {
    return TensorView<T, 2>(data, {x.rows(), x.cols()}, {x.rowStride(), x.colStride()});
  }
}

template <class T, EigenTensor X, class Pointer>
auto stored_view(const X& x, Pointer data) {
  constexpr int rank = EigenTraits<X>::rank;
  Shape<rank> shape;
  Shape<rank> strides;
  const Eigen::DSizes<Index, rank> sizes(x.dimensions());  // of any index type, or known at compile time
  for (std::size_t d = 0; d < usize(rank); ++d) shape[d] = sizes[d];
  if constexpr (int(X::Layout) == int(Eigen::RowMajor)) {
    return TensorView<T, rank>(data, shape);
  } else {
    Index stride = 1;
    for (int d = 0; d < rank; ++d) {
      strides[usize(d)] = stride;
      stride *= shape[usize(d)];
    }
    return TensorView<T, rank>(data, shape, strides);
  }
}

template <class T, int rank>
template <EigenObject X>
Input<T, rank>::Input(const X& x) {
  using Scalar = ScalarOf<X>;
  static_assert(rank_of<X> == rank, "quanta: the object's rank is not the one expected here");
  static_assert(rank >= 1 && rank <= kMaxRank, "quanta: tensors have rank 1 to 5");
  static_assert(std::is_same_v<Scalar, T> || (std::is_same_v<T, float> && std::is_same_v<Scalar, double>),
                "quanta: real tensors are float or double, integer tensors the very type asked for");
  if constexpr (EigenTraits<X>::stored && std::is_same_v<Scalar, T>) {
    view_ = stored_view<const T>(x, static_cast<const T*>(x.data()));
  } else {
    evaluate(x);
  }
}

template <class T, int rank>
template <class X>
void Input<T, rank>::evaluate(const X& x) {
  if constexpr (EigenDense<X>) {
    const Shape<rank> shape = shape_of(x);
    copy_ = Buffer<T>(element_count(shape));
    // A row-major matrix may not be a column vector by type, so vectors are evaluated as columns.
    constexpr int layout = X::ColsAtCompileTime == 1 ? Eigen::ColMajor : Eigen::RowMajor;
    constexpr int rows = X::RowsAtCompileTime == 1 ? 1 : Eigen::Dynamic;
    constexpr int cols = X::ColsAtCompileTime == 1 ? 1 : Eigen::Dynamic;
    constexpr int options = rows == 1 && cols == 1 ? int(Eigen::ColMajor) : layout;
    Eigen::Map<Eigen::Matrix<T, rows, cols, options>> target(copy_.data(), x.rows(), x.cols());
    target = x.matrix().template cast<T>();  // of arrays too
    view_ = TensorView<const T, rank>(copy_.data(), shape);
  } else {
    const auto cast = x.template cast<T>();
    using Cast = std::remove_cvref_t<decltype(cast)>;
    constexpr int layout = int(Eigen::internal::traits<X>::Layout);
    const Eigen::TensorEvaluator<const Cast, Eigen::DefaultDevice> evaluator(cast, Eigen::DefaultDevice());
    using I = typename Eigen::internal::traits<X>::Index;  // assigned to another one, chips and slices do not compile
    Eigen::DSizes<I, rank> sizes;
    for (int d = 0; d < rank; ++d) sizes[usize(d)] = evaluator.dimensions()[usize(d)];
    copy_ = Buffer<T>(sizes.TotalSize());
    Eigen::TensorMap<Eigen::Tensor<T, rank, layout, I>> target(copy_.data(), sizes);
    target = cast;
    view_ = stored_view<const T>(target, static_cast<const T*>(target.data()));
  }
}

/// An Eigen object's own elements, to be written. T is its scalar.
template <class X>
auto output_view(X&& x) {
  using Object = Bare<X>;
  static_assert(EigenObject<Object>,
                "quanta: the destination must be an Eigen tensor, TensorMap, matrix, Map or block");
  using T = ScalarOf<Object>;
  static_assert(EigenTraits<Object>::stored, "quanta: the destination must have its elements in memory");
  static_assert(std::is_same_v<decltype(x.data()), T*>, "quanta: the destination must be writable");
  return stored_view<T>(x, x.data());
}

}  // namespace detail

/// What the library returns: a dense float tensor, row-major unless said otherwise.
template <class T, int rank, int layout = Eigen::RowMajor>
using Tensor = Eigen::Tensor<T, rank, layout, Index>;

namespace detail {

/// A new tensor of this shape, its elements uninitialised.
template <class T, int rank, int layout = Eigen::RowMajor>
Tensor<T, rank, layout> make_tensor(const Shape<rank>& shape) {
  Eigen::DSizes<Index, rank> sizes;
  for (int d = 0; d < rank; ++d) sizes[usize(d)] = shape[usize(d)];
  return Tensor<T, rank, layout>(sizes);
}

/// Dense elements as an Eigen tensor, in place.
template <class T, int rank>
using MapOf = Eigen::TensorMap<
    std::conditional_t<std::is_const_v<T>, const Tensor<std::remove_const_t<T>, rank>, Tensor<T, rank>>>;
template <class T, int rank>
MapOf<T, rank> tensor_map(const TensorView<T, rank>& x) {
  Eigen::DSizes<Index, rank> sizes;
  for (int d = 0; d < rank; ++d) sizes[usize(d)] = x.extent(d);
  return MapOf<T, rank>(x.data(), sizes);
}

/// How much work a task is, as pools with Eigen::ThreadPoolDevice's interface are told: bytes loaded, stored, cycles.
using TaskCost = Eigen::TensorOpCost;

/// Throws unless the destination has the shape of the result.
template <std::size_t rank>
QUANTA_ALWAYS_INLINE void check_shape(const char* where, const char* what, const std::array<Index, rank>& got,
                                      const std::array<Index, rank>& expected) {
  bool same = true;  // one by one: they may just have been written so, and are read again soonest the same way
  for (std::size_t d = 0; d < rank; ++d) same = same && got[d] == expected[d];
  check(same, where, ": ", what, " has shape ", got, ", expected ", expected);
}

}  // namespace detail

QUANTA_NAMESPACE_END
