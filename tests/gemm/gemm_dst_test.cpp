// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Where results may go: any writable Eigen object of the right shape, which is written wholly and nothing around it.
#include "tests/gemm/odd_sizes.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

// int32 and float results share all checks: T says which.
template <class T>
class Dst : public testing::Test {
 protected:
  template <class D>
  void multiply(D&& dst) {
    if constexpr (std::is_same_v<T, float>) {
      gemm(x, packed, dst, Dequantize{});
    } else {
      gemm(x, packed, dst);
    }
  }
  T expected(Index i, Index j) const {
    if constexpr (std::is_same_v<T, float>) return real_dot(lhs, i, rhs, j);
    return static_cast<T>(dot(lhs, i, rhs, j));
  }
  template <class D>
  testing::AssertionResult is_product(const D& dst) const {
    return equals(dst, kM, kN, [&](Index i, Index j) { return expected(i, j); });
  }

  Random random{1};
  IntMatrix lhs = int_matrix<UInt<8>>(kM, kK, kOne, Fill::random, Fill::random, random);
  IntMatrix rhs = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::random, random);
  QuantizedTensor<UInt<8>, 2> x = quantized<UInt<8>, PerTensor>(lhs);
  PackedRhs<Int<8>> packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
};
using ResultTypes = testing::Types<std::int32_t, float>;
TYPED_TEST_SUITE(Dst, ResultTypes);

template <class T, int layout>
using Matrix = Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, layout>;

TYPED_TEST(Dst, MayBeAMatrixOrArrayOfEitherOrder) {
  Matrix<TypeParam, Eigen::RowMajor> rows(kM, kN);
  this->multiply(rows);
  EXPECT_TRUE(this->is_product(rows));
  Matrix<TypeParam, Eigen::ColMajor> cols(kM, kN);
  this->multiply(cols);
  EXPECT_TRUE(this->is_product(cols));
  Eigen::Array<TypeParam, kM, kN> array;
  this->multiply(array);
  EXPECT_TRUE(this->is_product(array));
}

TYPED_TEST(Dst, MayBeATensorOrTensorMapOfEitherOrder) {
  ColTensor<TypeParam, 2> cols(kM, kN);
  this->multiply(cols);
  EXPECT_TRUE(this->is_product(cols));
  std::vector<TypeParam> memory(kM * kN + 2, TypeParam{77});
  Eigen::TensorMap<RowTensor<TypeParam, 2>> map(memory.data() + 1, kM, kN);
  this->multiply(map);
  EXPECT_TRUE(this->is_product(map));
  EXPECT_EQ(memory.front(), TypeParam{77});
  EXPECT_EQ(memory.back(), TypeParam{77});
  Eigen::TensorFixedSize<TypeParam, Eigen::Sizes<kM, kN>> fixed;
  this->multiply(fixed);
  EXPECT_TRUE(this->is_product(fixed));
}

template <class T>
void expect_frame_untouched(const Matrix<T, Eigen::ColMajor>& frame, Index top, Index left) {
  for (Index i = 0; i < frame.rows(); ++i) {
    for (Index j = 0; j < frame.cols(); ++j) {
      const bool inside = i >= top && i < top + kM && j >= left && j < left + kN;
      if (!inside) {
        ASSERT_EQ(frame(i, j), T{77}) << i << ',' << j;
      }
    }
  }
}

TYPED_TEST(Dst, MayBeABlockWhoseSurroundingsStay) {
  Matrix<TypeParam, Eigen::ColMajor> frame(kM + 4, kN + 5);
  frame.setConstant(TypeParam{77});
  this->multiply(frame.block(2, 3, kM, kN));  // an rvalue
  EXPECT_TRUE(this->is_product(frame.block(2, 3, kM, kN)));
  expect_frame_untouched(frame, 2, 3);
  auto block = frame.topLeftCorner(kM, kN);
  frame.setConstant(TypeParam{77});
  this->multiply(block);
  EXPECT_TRUE(this->is_product(block));
  expect_frame_untouched(frame, 0, 0);
}

TYPED_TEST(Dst, MayBeATransposedMatrix) {
  Matrix<TypeParam, Eigen::ColMajor> columns(kN, kM);
  this->multiply(columns.transpose());
  EXPECT_TRUE(this->is_product(columns.transpose()));
}

TYPED_TEST(Dst, MayBeAMapWithStridesBetweenWhichNothingChanges) {
  constexpr Index outer = 3 * kN + 4, inner = 3;
  std::vector<TypeParam> memory(kM * outer, TypeParam{77});
  using Strides = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;
  Eigen::Map<Matrix<TypeParam, Eigen::RowMajor>, 0, Strides> map(memory.data(), kM, kN, Strides(outer, inner));
  this->multiply(map);
  EXPECT_TRUE(this->is_product(map));
  for (Index at = 0; at < kM * outer; ++at) {
    if (at % outer % inner != 0 || at % outer / inner >= kN) {
      ASSERT_EQ(memory[usize(at)], TypeParam{77}) << at;
    }
  }
}

TYPED_TEST(Dst, OfAnotherShapeIsRejectedAndNotTouched) {
  for (const auto& [rows, cols] : {std::array<Index, 2>{kM + 1, kN}, {kM, kN - 1}, {kN, kM}, {0, 0}}) {
    RowTensor<TypeParam, 2> dst(rows, cols);
    dst.setConstant(TypeParam{77});
    EXPECT_ERROR(this->multiply(dst), "dst", "(" + std::to_string(rows) + ", " + std::to_string(cols) + ")",
                 "(11, 37)");
    EXPECT_TRUE(equals(dst, rows, cols, [](Index, Index) { return TypeParam{77}; }));
  }
}

TYPED_TEST(Dst, IsNotTouchedWhenTheOperandsDoNotFit) {
  const IntMatrix narrow = int_matrix<UInt<8>>(kM, kK - 1, kOne, Fill::random, Fill::random, this->random);
  this->x = quantized<UInt<8>, PerTensor>(narrow);
  RowTensor<TypeParam, 2> dst(kM, kN);
  dst.setConstant(TypeParam{77});
  EXPECT_ERROR(this->multiply(dst), "lhs", "(11, 29)", "(37, 30)");
  EXPECT_TRUE(equals(dst, kM, kN, [](Index, Index) { return TypeParam{77}; }));
}

// The lhs and dst in one piece of memory.
TEST(DstInTheMemoryOfTheLhs, IsRejectedAndNotTouched) {
  Random random(2);
  const IntMatrix rhs = int_matrix<Int<8>>(kN, kK, kPerRow, Fill::random, Fill::random, random);
  const PackedRhs<Int<8>> packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  std::vector<std::int32_t> memory(kM * (kK + kN), 1);
  using Codes = Eigen::Map<const Matrix<std::uint8_t, Eigen::RowMajor>, 0, Eigen::OuterStride<>>;
  using Sums = Eigen::Map<Matrix<std::int32_t, Eigen::RowMajor>, 0, Eigen::OuterStride<>>;
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(memory.data());
  Sums dst(memory.data(), kM, kN, Eigen::OuterStride<>(kN));
  const std::vector<std::int32_t> before = memory;
  for (const Index at : {Index{0}, Index{1}, Index{4 * kM * kN - 1}}) {
    const Codes lhs(bytes + at, kM, kK, Eigen::OuterStride<>(kK));
    EXPECT_ERROR(gemm(lhs, ZeroPoint{0}, packed, dst), "dst overlaps the lhs");
    EXPECT_EQ(memory, before) << at;
  }
  // Behind each other they are fine, and row by row, too.
  Context context;
  const Codes behind(bytes + 4 * kM * kN, kM, kK, Eigen::OuterStride<>(kK));
  Matrix<std::int32_t, Eigen::RowMajor> expected(kM, kN);
  gemm(context, Matrix<std::uint8_t, Eigen::RowMajor>(behind), ZeroPoint{0}, packed, expected);
  gemm(context, behind, ZeroPoint{0}, packed, dst);
  EXPECT_EQ(dst, expected);
  Sums rows(memory.data(), kM, kN, Eigen::OuterStride<>(kN + kK));
  const Codes beside(bytes + 4 * kN, kM, kK, Eigen::OuterStride<>(4 * (kN + kK)));
  gemm(context, Matrix<std::uint8_t, Eigen::RowMajor>(beside), ZeroPoint{0}, packed, expected);
  gemm(context, beside, ZeroPoint{0}, packed, rows);
  EXPECT_EQ(rows, expected);
}

}  // namespace
}  // namespace quanta::test
