// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Parameters from data and from ranges, and data that is hard on them.
#include <gtest/gtest.h>

#include "tests/quant/oracle.hpp"
#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"

namespace quanta::test {
namespace {

using Sym8 = SymmetricQuantizer<Int<8>>;
using Asym8 = AsymmetricQuantizer<UInt<8>>;

void check_data(const RowTensor<float, 1>& x) {
  expect_reference_results<Sym8>(x, {}, {});
  expect_reference_results<Sym8>(x, {}, {}, {.full_range = true}, true);
  expect_reference_results<Asym8>(x, {}, {});
  expect_reference_results<AsymmetricQuantizer<Int<8>>>(x, {}, {});
}

TEST(QuantizerFit, FollowsTheReferenceAtEveryLength) {
  for (Index n = 1; n <= 70; ++n) check_data(random_tensor<1>({n}, static_cast<std::uint64_t>(n)));
  check_data(random_tensor<1>({10'000}, 1, 3.0f));  // several chunks
}

TEST(QuantizerFit, FollowsTheReferenceOnTinyAndHugeData) {
  for (const float size : {0x1p-149f, 1e-44f, 1e-40f, 1e-38f, 1e-36f, 1e-30f, 1e30f, 1e37f, 1e38f}) {
    SCOPED_TRACE(size);
    RowTensor<float, 1> x = random_tensor<1>({100}, 3);
    for (Index i = 0; i < x.size(); ++i) x(i) = std::min(std::max(x(i), -3.0f), 3.0f) * size;
    check_data(x);
  }
  check_data(tensor_of({-kMax, 1.0f, kMax}));
  check_data(tensor_of({0.0f, kMax}));
  check_data(tensor_of({-kMax, -1.0f}));
  check_data(tensor_of({0x1p-149f}));
  check_data(tensor_of({-0x1p-126f, 0x1p-126f}));
}

TEST(QuantizerFit, FollowsTheReferenceOnOneSidedAndConstantData) {
  check_data(tensor_of({3.0f, 5.0f, 4.0f}));
  check_data(tensor_of({-3.0f, -5.0f, -4.0f}));
  check_data(tensor_of({7.0f, 7.0f, 7.0f}));
  check_data(tensor_of({-7.0f}));
}

TEST(QuantizerFit, AllZerosHaveScaleOneAndComeBackAsZeros) {
  const auto x = tensor_of({0.0f, -0.0f, 0.0f});
  EXPECT_EQ(Sym8::fit(x).params().scale(0), 1.0f);
  EXPECT_EQ(Asym8::fit(x).params().scale(0), 1.0f);
  const auto quantized = Asym8::fit(x).quantize(x);
  for (Index i = 0; i < 3; ++i) {
    EXPECT_EQ(quantized.codes()(i), quantized.params().zero_point(0));
    EXPECT_EQ(bits_of(quantized.dequantize()(i)), bits_of(0.0f));  // +0
  }
}

TEST(QuantizerFit, EmptyTensorsHaveScaleOneAndNoCodes) {
  const RowTensor<float, 2> empty(0, 5);
  EXPECT_EQ(Sym8::fit(empty).params().scale(0), 1.0f);
  EXPECT_EQ(Asym8::fit(empty).params().scale(0), 1.0f);
  const auto quantized = Sym8::fit(empty).quantize(empty);
  EXPECT_EQ(quantized.shape(), (Shape<2>{0, 5}));
  EXPECT_EQ(quantized.codes().size(), 0);
  EXPECT_EQ(quantized.dequantize().dimension(1), 5);
  EXPECT_EQ(Sym8::fit(empty).fake_quantize(empty).size(), 0);
  using PerColumn = AsymmetricQuantizer<UInt<8>, PerChannel<1>>;
  const auto columns = PerColumn::fit(empty);
  ASSERT_EQ(columns.params().size(), 5);
  EXPECT_EQ(columns.params().scale(4), 1.0f);
  EXPECT_EQ((SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(empty).params().size()), 0);
  EXPECT_EQ((SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(empty).quantize(empty).size()), 0);
  EXPECT_EQ((SymmetricQuantizer<Int<8>, PerGroup<4>>::fit(empty).quantize(empty).size()), 0);
  const Eigen::MatrixXf matrix(4, 0);
  EXPECT_EQ(Sym8::fit(matrix).quantize(matrix).size(), 0);
}

TEST(QuantizerFit, AcceptsAnyEigenObject) {
  const RowTensor<float, 2> x = random_tensor<2>({6, 9}, 8);
  const Eigen::Map<const Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>> map(x.data(), 6, 9);
  const Eigen::MatrixXf m = map;
  const Eigen::MatrixXd d = m.cast<double>();
  const auto codes = Asym8::fit(x).quantize(x).codes();
  EXPECT_TRUE(same_bits(Asym8::fit(map).quantize(map).codes(), codes));
  EXPECT_TRUE(same_bits(Asym8::fit(m).quantize(m).codes(), codes));
  EXPECT_TRUE(same_bits(Asym8::fit(d).quantize(d).codes(), codes));
  EXPECT_TRUE(same_bits(Asym8::fit(m.array()).quantize(m.array()).codes(), codes));
  EXPECT_TRUE(same_bits(Asym8::fit(m * 2.0f).quantize(m * 2.0f).codes(), codes));
  EXPECT_TRUE(same_bits(Asym8::fit(x * 0.5f).quantize(x * 0.5f).codes(), codes));
  const Eigen::VectorXf v = m.row(2);
  EXPECT_TRUE(same_bits(Asym8::fit(m.row(2)).quantize(m.row(2)).codes(), Asym8::fit(v).quantize(v).codes()));
  EXPECT_TRUE(same_bits(Asym8::fit(m.block(1, 2, 3, 4)).quantize(m.block(1, 2, 3, 4)).codes(),
                        Asym8::fit(m.block(1, 2, 3, 4).eval()).quantize(m.block(1, 2, 3, 4).eval()).codes()));
}

TEST(QuantizerFit, TakesRanges) {
  EXPECT_EQ(Sym8::fit(Range{-2.0f, 1.0f}).params().scale(0), 2.0f / 127.0f);
  EXPECT_EQ(Sym8::fit({-2.0f, 1.0f}).params().scale(0), 2.0f / 127.0f);
  EXPECT_EQ(Asym8::fit(Range{0.0f, 255.0f}).params().scale(0), 1.0f);
  using PerRow = AsymmetricQuantizer<UInt<8>, PerChannel<0>>;
  const std::vector<Range> ranges{{0.0f, 255.0f}, {-255.0f, 255.0f}};
  for (const auto& quantizer : {PerRow::fit(ranges), PerRow::fit({Range{0.0f, 255.0f}, Range{-255.0f, 255.0f}})}) {
    ASSERT_EQ(quantizer.params().size(), 2);
    EXPECT_EQ(quantizer.params().scale(1), 2.0f);
    EXPECT_EQ(quantizer.params().zero_point(1), 128);  // 127.5 to even
  }
  EXPECT_ERROR(Sym8::fit(Range{0.0f, kInfinity}), "fit: range [0, inf]");
  EXPECT_ERROR(PerRow::fit({Range{0.0f, 1.0f}, Range{1.0f, 0.0f}}), "fit: range 1 is [1, 0]");
}

TEST(QuantizerFit, NamesTheFirstElementThatIsNotFinite) {
  for (const Index n : {1, 5, 16, 33, 70, 5000}) {
    for (const Index where : {Index{0}, n / 2, n - 1}) {
      for (const float bad : {kInfinity, -kInfinity, kNan}) {
        RowTensor<float, 1> x = random_tensor<1>({n}, 1);
        x(n - 1) = kNan;
        x(where) = bad;
        const std::string element = "element " + std::to_string(where) + " (row-major)";
        EXPECT_ERROR(Sym8::fit(x), "fit: " + element, "finite", detail::text(bad));
        EXPECT_ERROR(Asym8::fit(x), element);
        EXPECT_ERROR((SymmetricQuantizer<Int<4>, PerGroup<3>>::fit(x)), element);
      }
    }
  }
}

TEST(QuantizerFit, NamesTheRowMajorIndexInAnyStorageOrder) {
  Eigen::MatrixXf m = Eigen::MatrixXf::Ones(4, 7);  // column-major
  m(1, 5) = kInfinity;
  m(2, 0) = kNan;  // earlier in memory, later in logical order
  EXPECT_ERROR(Sym8::fit(m), "element 12 (row-major) is inf as a float at (1, 5), expected");
  EXPECT_ERROR((SymmetricQuantizer<Int<8>, PerChannel<1>>::fit(m)), "element 12 (row-major) is inf");
  EXPECT_ERROR(Sym8::fit(m.transpose()), "element 2 (row-major) is nan at (0, 2), expected");
  Eigen::MatrixXd d = Eigen::MatrixXd::Ones(2, 2);
  d(1, 0) = 1e300;  // finite, but not as float
  EXPECT_ERROR(Sym8::fit(d), "element 2 (row-major) is inf as a float at (1, 0), expected");
}

}  // namespace
}  // namespace quanta::test
