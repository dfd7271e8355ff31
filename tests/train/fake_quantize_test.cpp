// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <quanta/calib/mse.hpp>

#include "tests/support/expect_error.hpp"
#include "tests/support/special_values.hpp"
#include "tests/train/oracle.hpp"

namespace quanta::test {
namespace {

using reference::Sharing;

// By hand, in each region of LSQ's equations 3 and 5, for codes -2 to 1 and a scale of 0.5.
TEST(FakeQuantize, HasThePublishedGradientsInEachRegion) {
  const FakeQuantize fake(SymmetricQuantizer<Int<2>>(0.5f, 0, {.full_range = true}));
  const struct {
    float x, y, dx, slope;
  } cases[] = {
      {-3.0f, -1.0f, 0.0f, -2.0f},                                      // below: u = -6
      {-1.0625f, -1.0f, 0.0f, -2.0f},                                   // below, though it rounds to the lowest code
      {-1.0f, -1.0f, 1.0f, 0.0f},                                       // the lowest code itself
      {-0.8125f, -1.0f, 1.0f, -0.375f},                                 // u = -1.625, down
      {-0.75f, -1.0f, 1.0f, -0.5f},                                     // a tie, to even
      {-0.1875f, 0.0f, 1.0f, 0.375f},                                   // u = -0.375, up
      {0.0f, 0.0f, 1.0f, 0.0f},         {0.3125f, 0.5f, 1.0f, 0.375f},  // u = 0.625, up
      {0.5f, 0.5f, 1.0f, 0.0f},                                         // the highest code itself
      {0.5625f, 0.5f, 0.0f, 1.0f},                                      // above, though it rounds to the highest code
      {100.0f, 0.5f, 0.0f, 1.0f},                                       // above
  };
  for (const auto& c : cases) {
    const RowTensor<float, 1> x = tensor_of({c.x}), dy = tensor_of({3.0f});
    EXPECT_EQ(fake.forward(x)(0), c.y) << c.x;
    const auto gradients = fake.backward(x, dy);
    EXPECT_EQ(gradients.x(0), 3.0f * c.dx) << c.x;
    EXPECT_EQ(gradients.scales(0), 3.0f * c.slope) << c.x;  // N and qmax are 1
  }
}

TEST(FakeQuantize, HasThemOfManyElementsAndScales) {
  const RowTensor<float, 2> x = random_tensor<2>({70, 131}, 1), dy = random_tensor<2>({70, 131}, 2);
  const auto tensor = FakeQuantize<Int<4>>::learned(x);
  expect_published_gradients(tensor, x, dy, {Sharing::tensor}, 1.0, 7.0);
  const auto rows = FakeQuantize<Int<3>, PerChannel<0>>::learned(x);
  expect_published_gradients(rows, x, dy, {Sharing::channel, 0}, 1.0, 3.0);
  const auto columns = FakeQuantize<Int<8>, PerChannel<-1>>::learned(x);
  expect_published_gradients(columns, x, dy, {Sharing::channel, 1}, 1.0, 127.0);
  const auto groups = FakeQuantize<Int<2>, PerGroup<32>>::learned(x);
  expect_published_gradients(groups, x, dy, {Sharing::group, 1, 32}, 1.0, 1.0);
  const auto features = FakeQuantize<UInt<4>>::learned(x, Role::activation);
  expect_published_gradients(features, x, dy, {Sharing::tensor}, 70.0, 15.0);
}

// Scales of a calibrated quantizer, with zero points.
TEST(FakeQuantize, CountsMinusZeroAsZero) {
  const Index n = 37;  // vectors, and a rest
  RowTensor<float, 2> x(1, n), dy(1, n);
  x.setConstant(-0.0f);
  dy.setConstant(3.0f);
  const auto expect_inside = [&](const auto& gradients) {
    for (Index i = 0; i < n; ++i) EXPECT_EQ(gradients.x(0, i), 3.0f) << i;
    for (Index i = 0; i < gradients.scales.size(); ++i) EXPECT_EQ(gradients.scales(i), 0.0f) << i;
  };
  for (const std::int32_t zero_point : {0, 1, 3}) {  // 0 is the lowest code, one between, the highest
    expect_inside(FakeQuantize(AsymmetricQuantizer<UInt<2>>(0.5f, zero_point)).backward(x, dy));
    const QuantParams<PerChannel<1>> params(std::vector<float>(usize(n), 0.5f),
                                            std::vector<std::int32_t>(usize(n), zero_point));
    expect_inside(FakeQuantize(AsymmetricQuantizer<UInt<2>, PerChannel<1>>(params)).backward(x, dy));
  }
}

TEST(FakeQuantize, TakesAnyQuantizer) {
  const RowTensor<float, 3> x = random_tensor<3>({5, 9, 101}, 3), dy = random_tensor<3>({5, 9, 101}, 4);
  MseCalibrator<PerChannel<1>> calibrator;
  calibrator.observe(x);
  const auto quantizer = AsymmetricQuantizer<UInt<4>, PerChannel<1>>::fit(calibrator);
  ASSERT_GT(quantizer.params().zero_point(0), 0);
  const FakeQuantize fake(quantizer, Role::activation);
  EXPECT_TRUE(same_bits(fake.forward(x), quantizer.fake_quantize(x)));
  expect_published_gradients(fake, x, dy, {Sharing::channel, 1}, 5.0, 15.0);
}

TEST(FakeQuantize, GivesTheQuantizersOwnBits) {
  const RowTensor<float, 2> x = random_tensor<2>({33, 65}, 7);
  const auto fake = FakeQuantize<Int<4>, PerChannel<0>>::learned(x);
  EXPECT_EQ(fake.quantizer().min_code(), -8);
  EXPECT_TRUE(same_bits(fake.forward(x), fake.quantizer().quantize(x).dequantize()));
  const auto narrow = FakeQuantize<Int<4>>::learned(x, Role::weight, {}, {.full_range = false});
  EXPECT_EQ(narrow.quantizer().min_code(), -7);
  EXPECT_TRUE(same_bits(narrow.forward(x), narrow.quantizer().quantize(x).dequantize()));
}

TEST(FakeQuantize, DoesNotDependOnHowElementsAreStored) {
  using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const RowTensor<float, 2> x = random_tensor<2>({61, 83}, 8), dy = random_tensor<2>({61, 83}, 9);
  const Eigen::MatrixXf columns = Eigen::Map<const RowMatrix>(x.data(), 61, 83);
  const Eigen::MatrixXd doubles = Eigen::Map<const RowMatrix>(dy.data(), 61, 83).cast<double>();
  const auto fake = FakeQuantize<Int<4>, PerChannel<1>>::learned(x);
  EXPECT_TRUE(same_bits((FakeQuantize<Int<4>, PerChannel<1>>::learned(columns).scales()), fake.scales()));
  EXPECT_TRUE(same_bits(fake.forward(columns), fake.forward(x)));
  const auto expected = fake.backward(x, dy), got = fake.backward(columns, doubles);
  EXPECT_TRUE(same_bits(got.x, expected.x));
  EXPECT_TRUE(same_bits(got.scales, expected.scales));
}

// 2 mean|x| / sqrt(qmax).
TEST(FakeQuantize, StartsFromThePublishedScale) {
  const RowTensor<float, 2> x = random_tensor<2>({7, 9000}, 10, 0.3f);
  const auto fake = FakeQuantize<Int<3>, PerChannel<0>>::learned(x);
  for (Index c = 0; c < 7; ++c) {
    std::vector<double> sizes;
    for (Index i = 0; i < 9000; ++i) sizes.push_back(std::fabs(static_cast<double>(x(c, i))));
    const double mean = reference::blocked_sum(sizes) / 9000.0;
    EXPECT_EQ(fake.scales()(c), static_cast<float>(2.0 * mean / std::sqrt(3.0)));
    EXPECT_EQ(fake.quantizer().params().zero_point(c), 0);
  }
  EXPECT_EQ(FakeQuantize<UInt<2>>::learned(tensor_of({1.0f, 0.0f, 0.0f, 5.0f})).scales()(0),
            static_cast<float>(3.0 / std::sqrt(3.0)));
  EXPECT_EQ(FakeQuantize<Int<8>>::learned(tensor_of({0.0f, -0.0f})).scales()(0), 1.0f);
  EXPECT_EQ(FakeQuantize<Int<8>>::learned(tensor_of({})).scales()(0), 1.0f);
  EXPECT_EQ(FakeQuantize<Int<8>>::learned(tensor_of({0x1p-149f})).scales()(0), 0x1p-126f);
  EXPECT_EQ(FakeQuantize<Int<2>>::learned(tensor_of({kMax, -kMax})).scales()(0), kMax);
}

TEST(FakeQuantize, TakesTheScalesOfAnOptimizer) {
  const RowTensor<float, 2> x = random_tensor<2>({3, 20}, 11);
  auto fake = FakeQuantize<Int<4>, PerChannel<0>>::learned(x);
  fake.set_scales(Eigen::Vector3f(0.5f, 0.0f, -1.0f));
  EXPECT_TRUE(same_bits(fake.scales(), tensor_of({0.5f, 0x1p-126f, 0x1p-126f})));
  EXPECT_EQ(fake.quantizer().min_code(), -8);
  // Everything is beyond the ends of the smallest scale, and its gradient is that of the ends.
  const RowTensor<float, 2> dy = random_tensor<2>({3, 20}, 12);
  expect_published_gradients(fake, x, dy, {Sharing::channel, 0}, 1.0, 7.0);
  const auto gradients = fake.backward(x, dy);
  for (Index i = 0; i < 20; ++i) EXPECT_EQ(gradients.x(1, i), 0.0f);
  EXPECT_NE(gradients.scales(1), 0.0f);

  auto zero_points = FakeQuantize(AsymmetricQuantizer<UInt<8>>(0.1f, 7));
  zero_points.set_scales(tensor_of({0.2f}));
  EXPECT_EQ(zero_points.quantizer().params().zero_point(0), 7);
  EXPECT_EQ(zero_points.quantizer().params().scale(0), 0.2f);
}

TEST(FakeQuantize, TakesEmptyTensors) {
  const RowTensor<float, 2> empty(0, 5);
  const auto fake = FakeQuantize<UInt<4>>::learned(random_tensor<2>({4, 5}, 13), Role::activation);
  EXPECT_EQ(fake.forward(empty).size(), 0);
  EXPECT_EQ(fake.backward(empty, empty).scales(0), 0.0f);
}

// A vector is one sample: its elements are features.
TEST(FakeQuantize, CountsAVectorAsOneSample) {
  const RowTensor<float, 1> x = random_tensor<1>({30}, 14), dy = random_tensor<1>({30}, 15);
  const auto fake = FakeQuantize<UInt<4>>::learned(x, Role::activation);
  expect_published_gradients(fake, x, dy, {Sharing::tensor}, 1.0, 15.0);
}

TEST(FakeQuantize, RefusesWhatDoesNotFit) {
  RowTensor<float, 2> x = random_tensor<2>({3, 4}, 16);
  const RowTensor<float, 2> other = random_tensor<2>({4, 3}, 17);
  auto fake = FakeQuantize<Int<4>, PerChannel<0>>::learned(x);
  EXPECT_ERROR(fake.forward(other), "fake_quantize: 3 scales", "shape (4, 3)");
  EXPECT_ERROR(fake.backward(x, other), "FakeQuantize::backward", "dy has shape (4, 3), expected (3, 4)");
  EXPECT_ERROR(fake.backward(other, other), "FakeQuantize::backward: 3 scales", "shape (4, 3)");
  EXPECT_ERROR(fake.set_scales(tensor_of({1.0f})), "FakeQuantize::set_scales: 1 scales, expected 3");
  EXPECT_ERROR(fake.set_scales(Eigen::Vector3f(1.0f, kNan, 1.0f)), "FakeQuantize::set_scales: element 1", "nan");
  const RowTensor<float, 1> scales = fake.scales();
  x(1, 2) = kInfinity;
  EXPECT_ERROR((FakeQuantize<Int<4>>::learned(x)), "FakeQuantize::learned: x: element 6", "inf", "expected finite");
  EXPECT_ERROR(fake.forward(x), "FakeQuantize::forward: x: element 6 (row-major) is inf");
  EXPECT_ERROR(fake.backward(x, x), "FakeQuantize::backward: x: element 6");
  const RowTensor<float, 2> finite = random_tensor<2>({3, 4}, 16);
  EXPECT_ERROR(fake.backward(finite, x), "FakeQuantize::backward: dy: element 6");
  EXPECT_TRUE(same_bits(fake.scales(), scales));
}

}  // namespace
}  // namespace quanta::test
