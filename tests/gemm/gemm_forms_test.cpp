// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products of vectors and of tensors of rank 3, with one rhs or with one for each matrix.
#include "tests/support/expect_error.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

constexpr Index kMatrices = 3, kRowsOfEach = 5, kInputs = 37, kOutputs = 21;

/// Rows of all matrices of a batch, one below the other, and weights for each matrix.
struct Batched {
  Random random{1};
  IntMatrix x = int_matrix<UInt<8>>(kMatrices * kRowsOfEach, kInputs, kOne, Fill::random, Fill::random, random);
  std::vector<IntMatrix> plain;
  std::vector<PackedRhs<Int<8>>> packed;

  Batched() {
    for (Index b = 0; b < kMatrices; ++b) {
      plain.push_back(int_matrix<Int<8>>(kOutputs, kInputs, kPerRow, Fill::random, Fill::random, random));
      packed.push_back(pack(quantized<Int<8>, PerChannel<0>>(plain.back())));
    }
  }

  template <class F = UInt<8>>
  QuantizedTensor<F, 3> lhs() const {
    RowTensor<typename F::Code, 3> codes(kMatrices, kRowsOfEach, kInputs);
    for (Index i = 0; i < codes.size(); ++i) codes.data()[i] = static_cast<typename F::Code>(x.codes[usize(i)]);
    return {codes, QuantParams<PerTensor>(x.scales, x.zeros)};
  }
  QuantizedTensor<UInt<8>, 1> row(Index i) const {
    Eigen::Vector<std::uint8_t, Eigen::Dynamic> codes(kInputs);
    for (Index k = 0; k < kInputs; ++k) codes[k] = static_cast<std::uint8_t>(x.code(i, k));
    return {codes, QuantParams<PerTensor>(x.scales, x.zeros)};
  }

  /// Is got[b, i, j] what matrix b of the batch times weights `rhs_of(b)` gives?
  template <class Dst, class Expected>
  void expect(const Dst& got, Expected expected) const {
    for (Index b = 0; b < kMatrices; ++b) {
      for (Index i = 0; i < kRowsOfEach; ++i) {
        for (Index j = 0; j < kOutputs; ++j) {
          ASSERT_EQ(got(b, i, j), expected(b, b * kRowsOfEach + i, j)) << b << ", " << i << ", " << j;
        }
      }
    }
  }
};

template <class T>
using ColTensor3 = Eigen::Tensor<T, 3, Eigen::ColMajor, Index>;

TEST(Gemm, BatchedWithOneRhsIsTheProductOfAllRows) {
  const Batched a;
  const auto expected = [&](Index, Index row, Index j) { return dot(a.x, row, a.plain[0], j); };
  RowTensor<std::int32_t, 3> rows(kMatrices, kRowsOfEach, kOutputs);
  gemm(a.lhs(), a.packed[0], rows);
  a.expect(rows, expected);
  ColTensor3<std::int32_t> columns(kMatrices, kRowsOfEach, kOutputs);
  gemm(a.lhs(), a.packed[0], columns);
  a.expect(columns, expected);
}

/// A stage that adds what depends on the place.
struct AddPlace {
  void apply(float* values, Index count, Index row, Index column) const {
    for (Index i = 0; i < count; ++i) values[i] += static_cast<float>(1000 * row + column + i);
  }
};

TEST(Gemm, StagesOfABatchCountItsRowsThrough) {
  const Batched a;
  Eigen::VectorXf bias = Eigen::VectorXf::LinSpaced(kOutputs, -1.0f, 1.0f);
  const auto expected = [&](Index, Index row, Index j) {
    return real_dot(a.x, row, a.plain[1], j, bias[j]) + static_cast<float>(1000 * row + j);
  };
  RowTensor<float, 3> rows(kMatrices, kRowsOfEach, kOutputs);
  gemm(a.lhs(), a.packed[1], rows, Dequantize{}, AddBias{bias}, AddPlace{});
  a.expect(rows, expected);
  ColTensor3<float> columns(kMatrices, kRowsOfEach, kOutputs);
  gemm(a.lhs(), a.packed[1], columns, Dequantize{}, AddBias{bias}, AddPlace{});
  a.expect(columns, expected);
}

TEST(Gemm, BatchedWithARhsForEachMatrix) {
  const Batched a;
  RowTensor<std::int32_t, 3> sums(kMatrices, kRowsOfEach, kOutputs);
  gemm(a.lhs(), a.packed, sums);
  a.expect(sums, [&](Index b, Index row, Index j) { return dot(a.x, row, a.plain[usize(b)], j); });
  ColTensor3<float> reals(kMatrices, kRowsOfEach, kOutputs);
  Context context;
  gemm(context, a.lhs(), a.packed, reals, Dequantize{});
  a.expect(reals, [&](Index b, Index row, Index j) { return real_dot(a.x, row, a.plain[usize(b)], j); });
}

TEST(Gemm, ChecksTheWholeBatchBeforeItTouchesDst) {
  Batched a;
  Random random(2);
  RowTensor<std::int32_t, 3> dst(kMatrices, kRowsOfEach, kOutputs);
  dst.setConstant(7);
  const auto untouched = [&] {
    for (Index i = 0; i < dst.size(); ++i) ASSERT_EQ(dst.data()[i], 7);
  };
  const auto narrow = int_matrix<Int<8>>(kOutputs - 1, kInputs, kPerRow, Fill::random, Fill::zero, random);
  a.packed.back() = pack(quantized<Int<8>, PerChannel<0>>(narrow));
  EXPECT_ERROR(gemm(a.lhs(), a.packed, dst), "gemm", "rhs 2", "20", "21");
  untouched();
  const auto shorter = int_matrix<Int<8>>(kOutputs, kInputs - 1, kPerRow, Fill::random, Fill::zero, random);
  a.packed.back() = pack(quantized<Int<8>, PerChannel<0>>(shorter));
  EXPECT_ERROR(gemm(a.lhs(), a.packed, dst), "gemm", "lhs", "36");
  untouched();
  a.packed.pop_back();
  EXPECT_ERROR(gemm(a.lhs(), a.packed, dst), "gemm", "2 rhs", "3");
  untouched();
  RowTensor<std::int32_t, 3> flat(kMatrices, kRowsOfEach, kOutputs + 1);
  EXPECT_ERROR(gemm(a.lhs(), a.packed[0], flat), "gemm", "dst", "(3, 5, 22)", "(3, 5, 21)");
}

TEST(Gemm, BatchesOfNothing) {
  const Batched a;
  const RowTensor<std::uint8_t, 3> none(0, kRowsOfEach, kInputs), no_rows(kMatrices, 0, kInputs);
  const QuantParams<PerTensor> params(a.x.scales, a.x.zeros);
  RowTensor<std::int32_t, 3> empty(0, kRowsOfEach, kOutputs), flat(kMatrices, 0, kOutputs);
  gemm(QuantizedTensor<UInt<8>, 3>(none, params), a.packed[0], empty);
  gemm(QuantizedTensor<UInt<8>, 3>(none, params), std::vector<PackedRhs<Int<8>>>(), empty);
  gemm(QuantizedTensor<UInt<8>, 3>(no_rows, params), a.packed, flat);
}

TEST(Gemm, PlainIntegersOfRankThreeInAnyOrder) {
  const Batched a;
  const RowTensor<std::uint8_t, 3> rows = a.lhs().codes();
  const ColTensor3<std::uint8_t> columns = rows.swap_layout().shuffle(Eigen::array<Index, 3>{2, 1, 0});
  const auto expected = [&](Index, Index row, Index j) { return dot(a.x, row, a.plain[0], j); };
  RowTensor<std::int32_t, 3> dst(kMatrices, kRowsOfEach, kOutputs);
  gemm(rows, ZeroPoint{a.x.zeros[0]}, a.packed[0], dst);
  a.expect(dst, expected);
  dst.setZero();
  gemm(columns, ZeroPoint{a.x.zeros[0]}, a.packed[0], dst);
  a.expect(dst, expected);
}

TEST(Gemv, IsTheProductOfOneRow) {
  const Batched a;
  for (const Index i : {Index{0}, kRowsOfEach}) {
    Eigen::Vector<std::int32_t, Eigen::Dynamic> sums(kOutputs);
    gemv(a.row(i), a.packed[0], sums);
    for (Index j = 0; j < kOutputs; ++j) EXPECT_EQ(sums[j], dot(a.x, i, a.plain[0], j));
    RowTensor<float, 1> reals(kOutputs);
    Context context;
    gemv(context, a.row(i), a.packed[0], reals, Dequantize{}, Relu{});
    for (Index j = 0; j < kOutputs; ++j) EXPECT_EQ(reals[j], std::max(0.0f, real_dot(a.x, i, a.plain[0], j)));
    Eigen::RowVectorX<std::uint8_t> plain(kInputs);
    for (Index k = 0; k < kInputs; ++k) plain[k] = static_cast<std::uint8_t>(a.x.code(i, k));
    Eigen::Matrix<std::int32_t, kOutputs, 2> two;
    auto strided = two.row(0);
    two.setConstant(-1);
    gemv(plain, ZeroPoint{a.x.zeros[0]}, a.packed[0], two.col(1));
    static_cast<void>(strided);
    for (Index j = 0; j < kOutputs; ++j) {
      EXPECT_EQ(two(j, 0), -1);
      EXPECT_EQ(two(j, 1), dot(a.x, i, a.plain[0], j));
    }
  }
}

TEST(Gemv, WritesAtAnyStride) {
  const Batched a;
  Eigen::Matrix<std::int32_t, 3, Eigen::Dynamic> frame =
      Eigen::Matrix<std::int32_t, 3, Eigen::Dynamic>::Constant(3, kOutputs, -1);
  gemv(a.row(2), a.packed[0], frame.row(1));
  for (Index j = 0; j < kOutputs; ++j) {
    EXPECT_EQ(frame(0, j), -1);
    EXPECT_EQ(frame(1, j), dot(a.x, 2, a.plain[0], j));
    EXPECT_EQ(frame(2, j), -1);
  }
}

}  // namespace
}  // namespace quanta::test
