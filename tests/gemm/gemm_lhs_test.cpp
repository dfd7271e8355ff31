// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What may stand as lhs: quantized tensors and views, and plain Eigen integers of any storage.
#include "tests/gemm/odd_sizes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

template <class T>
using RowMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
template <class T>
using ColMatrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::ColMajor>;

struct Rhs {
  Random random{1};
  IntMatrix plain = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::random, random);
  PackedRhs<Int<8>> packed = pack(quantized<Int<8>, PerChannel<0>>(plain));
};

template <class T>
class PlainLhs : public testing::Test, public Rhs {
 protected:
  using Format = std::conditional_t<std::is_signed_v<T>, Int<8>, UInt<8>>;
  IntMatrix codes = int_matrix<Format>(kM, kK, kOne, Fill::random, Fill::random, random);

  RowMatrix<T> matrix() const {
    RowMatrix<T> x(kM, kK);
    for (Index i = 0; i < x.size(); ++i) x.data()[i] = static_cast<T>(codes.codes[usize(i)]);
    return x;
  }

  template <class X>
  void expect_exact(const X& x, std::int32_t zero) {
    IntMatrix lhs = codes;
    lhs.zeros = {zero};
    RowTensor<std::int32_t, 2> dst(kM, kN);
    gemm(x, ZeroPoint{zero}, packed, dst);
    EXPECT_TRUE(equals(dst, kM, kN, [&](Index i, Index j) { return dot(lhs, i, plain, j); }));
  }
};
using ByteTypes = testing::Types<std::int8_t, std::uint8_t>;
TYPED_TEST_SUITE(PlainLhs, ByteTypes);

TYPED_TEST(PlainLhs, TakesEveryZeroPointOfItsType) {
  using Limits = std::numeric_limits<TypeParam>;
  for (const int zero : {int{Limits::min()}, 0, 3, int{Limits::max()}}) this->expect_exact(this->matrix(), zero);
}

TYPED_TEST(PlainLhs, TakesEveryStorage) {
  using T = TypeParam;
  const RowMatrix<T> rows = this->matrix();
  const ColMatrix<T> cols = rows;
  this->expect_exact(cols, 3);
  const Eigen::Array<T, Eigen::Dynamic, Eigen::Dynamic> array = rows;
  this->expect_exact(array, 3);
  const Eigen::Matrix<T, kM, kK> fixed = rows;
  this->expect_exact(fixed, 3);

  RowMatrix<T> apart(2 * kM, 3 * kK);
  apart.setConstant(T{77});
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::Map<RowMatrix<T>, 0, Strides> strided(apart.data(), kM, kK, Strides(2 * 3 * kK, 3));
  strided = rows;
  this->expect_exact(strided, 3);

  RowMatrix<T> frame(kM + 4, kK + 5);
  frame.setConstant(T{77});
  frame.block(2, 3, kM, kK) = rows;
  this->expect_exact(frame.block(2, 3, kM, kK), 3);
  const Eigen::Ref<const RowMatrix<T>> ref(frame.block(2, 3, kM, kK));
  this->expect_exact(ref, 3);

  ColMatrix<T> transposed = rows.transpose();
  this->expect_exact(transposed.transpose(), 3);
  RowMatrix<T> backwards = rows.rowwise().reverse();
  this->expect_exact(backwards.rowwise().reverse(), 3);  // an expression, which is evaluated
}

TYPED_TEST(PlainLhs, TakesTensors) {
  using T = TypeParam;
  RowMatrix<T> rows = this->matrix();
  const Eigen::TensorMap<RowTensor<T, 2>> map(rows.data(), kM, kK);
  this->expect_exact(map, 3);
  const RowTensor<T, 2> tensor = map;
  this->expect_exact(tensor, 3);
  this->expect_exact(col_major(tensor), 3);
}

TYPED_TEST(PlainLhs, RejectsAZeroPointThatIsNoValueOfItsType) {
  RowTensor<std::int32_t, 2> dst(kM, kN);
  dst.setConstant(5);
  const int above = std::numeric_limits<TypeParam>::max() + 1, below = std::numeric_limits<TypeParam>::min() - 1;
  const auto x = this->matrix();
  EXPECT_ERROR(gemm(x, ZeroPoint{above}, this->packed, dst), "zero point " + std::to_string(above));
  EXPECT_ERROR(gemm(x, ZeroPoint{below}, this->packed, dst), "zero point " + std::to_string(below));
  EXPECT_TRUE(equals(dst, kM, kN, [](Index, Index) { return 5; }));
}

TEST(QuantizedLhs, MayBeAView) {
  Rhs rhs;
  const IntMatrix lhs = int_matrix<UInt<8>>(kM, kK, kPerRow, Fill::random, Fill::random, rhs.random);
  const auto tensor = quantized<UInt<8>, PerChannel<0>>(lhs);
  RowTensor<std::int32_t, 2> dst(kM, kN);
  gemm(tensor.view(), rhs.packed, dst);
  EXPECT_TRUE(equals(dst, kM, kN, [&](Index i, Index j) { return dot(lhs, i, rhs.plain, j); }));
}

// A view of one's own bytes, 4 bits a code, that are not aligned to anything.
TEST(QuantizedLhs, MayBeAViewOfPackedBitsAtAnyAddress) {
  Rhs rhs;
  const IntMatrix lhs = int_matrix<UInt<4>>(kM, kK, kOne, Fill::random, Fill::random, rhs.random);
  std::vector<std::byte> bytes(1 + (kM * kK + 1) / 2);
  for (std::size_t i = 0; i < lhs.codes.size(); ++i) {
    bytes[1 + i / 2] |= static_cast<std::byte>(lhs.codes[i] << (i % 2 * 4));
  }
  const QuantizedView<UInt<4>, 2> view(bytes.data() + 1, {kM, kK}, {lhs.scales.data(), lhs.zeros.data(), 1});
  RowTensor<std::int32_t, 2> dst(kM, kN);
  gemm(view, rhs.packed, dst);
  EXPECT_TRUE(equals(dst, kM, kN, [&](Index i, Index j) { return dot(lhs, i, rhs.plain, j); }));
}

}  // namespace
}  // namespace quanta::test
