// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The code that the documentation shows, as it stands there, with the least around it that makes it run.
#define EIGEN_USE_THREADS

#include <quanta/quanta.hpp>
#include <quanta/report.hpp>
#include <quanta/train.hpp>

#include "tests/support/tensors.hpp"

namespace quanta::test {
namespace {

TEST(Snippets, QuantizeAWeightAndLookAtTheDamage) {
  Eigen::Tensor<float, 2, Eigen::RowMajor> weight(256, 784);  // (out, in)
  weight = random_tensor<2>({256, 784}, 1);
  // clang-format off
  using WeightQuantizer = quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>;
  const auto quantizer = WeightQuantizer::fit(weight);                 // scales from the data's own range
  const auto quantized = quantizer.quantize(weight);                   // QuantizedTensor<Int<8>, 2, PerChannel<0>>
  const auto approx    = quantized.dequantize();                       // Eigen::Tensor<float, 2, RowMajor>
  const auto error     = quanta::error_metrics(weight, approx);        // max_error mean_error mse snr_db cosine relative_error
  quantized.codes();  quantized.params().scale(0);  quantized.params().zero_point(0);  quantized.bytes();
  WeightQuantizer::fit(weight, {.full_range = true}).quantize(weight, {.rounding = quanta::Rounding::half_away});
  // clang-format on

  static_assert(std::is_same_v<decltype(quantized), const QuantizedTensor<Int<8>, 2, PerChannel<0>>>);
  static_assert(std::is_same_v<decltype(approx), const Eigen::Tensor<float, 2, Eigen::RowMajor>>);
  float largest_scale = 0.0f;
  for (Index i = 0; i < 256; ++i) largest_scale = std::max(largest_scale, quantized.params().scale(i));
  EXPECT_GT(error.max_error, 0.0);
  EXPECT_LE(error.max_error, 0.5001 * static_cast<double>(largest_scale));
  EXPECT_GT(error.snr_db, 38.0);
  EXPECT_EQ(quantized.bytes(), 256 * 784 + 256 * 4);
  EXPECT_EQ(quantized.params().zero_point(0), 0);
}

TEST(Snippets, CalibrateAnActivationOverBatches) {
  const RowTensor<float, 2> batch = random_tensor<2>({40, 100}, 1);
  const std::vector<RowTensor<float, 2>> batches = {batch, random_tensor<2>({33, 100}, 2)};
  quanta::EntropyCalibrator<> other;
  other.observe(random_tensor<2>({21, 100}, 3));
  // clang-format off
  quanta::EntropyCalibrator<> calibrator;                              // MinMax, MovingAverage, Percentile, Mse, Entropy
  for (const auto& b : batches) calibrator.observe(b);                 // any shape; nothing of the data is kept
  calibrator.merge(other);                                             // exact: any split, any order, same result
  const auto activation = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(calibrator);
  const auto fake       = activation.fake_quantize(batch);             // quantize then dequantize, in float
  // clang-format on

  EXPECT_EQ(calibrator.sketch().sketch().count(), 94u * 100u);
  EXPECT_GT(error_metrics(batch, fake).snr_db, 35.0);
  EXPECT_TRUE(same_bits(fake, activation.quantize(batch).dequantize()));
}

TEST(Snippets, ExactIntegerProductsWithFusedOutputStages) {
  const Index m = 33, n = 256, k = 784;
  const RowTensor<float, 2> weight = random_tensor<2>({n, k}, 1), batch = random_tensor<2>({m, k}, 2);
  const RowTensor<float, 1> bias = random_tensor<1>({n}, 3);
  const auto quantized =
      quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>::fit(weight).quantize(weight);
  const auto activation = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(batch);
  const auto output_quantizer = quanta::SymmetricQuantizer<quanta::Int<8>>(1.0f);
  const Eigen::Matrix<std::uint8_t, -1, -1> eigen_uint8_matrix = Eigen::Matrix<std::uint8_t, -1, -1>::Constant(m, k, 5);
  Eigen::ThreadPool pool(2);
  Eigen::ThreadPoolDevice thread_pool_device(&pool, 2);
  // clang-format off
  const auto x   = activation.quantize(batch);                         // QuantizedTensor<UInt<8>, 2>
  const quanta::PackedRhs<quanta::Int<8>, quanta::PerChannel<0>> rhs = quanta::pack(quantized);   // once, for this unit's ISA
  Eigen::Tensor<std::int32_t, 2, Eigen::RowMajor> acc(m, n);
  quanta::gemm(x, rhs, acc);                                           // sum over k of (x - zero_x) * (w - zero_w), exact
  const auto first = acc;
  quanta::gemm(eigen_uint8_matrix, quanta::ZeroPoint{3}, rhs, acc);    // plain Eigen integers serve as lhs too
  Eigen::Tensor<float, 2, Eigen::RowMajor> y(m, n);
  quanta::gemm(x, rhs, y, quanta::Dequantize{}, quanta::AddBias{bias}, quanta::Relu{});
  const auto yq = quanta::gemm_requantized(x, rhs, output_quantizer, bias);           // int8 in, int8 out
  const auto fused = y;
  quanta::Context context{thread_pool_device};                         // threads and scratch; reused, no allocation once warm
  quanta::gemm(context, x, rhs, y, quanta::Dequantize{});              // same bits
  // clang-format on

  const auto codes_x = x.codes();
  const auto codes_w = quantized.codes();
  const std::int32_t zero = x.params().zero_point(0);
  for (const auto& [i, j] : {std::array<Index, 2>{0, 0}, {7, 100}, {32, 255}}) {
    std::int64_t sum = 0, plain = 0;
    double real = bias(j);
    for (Index l = 0; l < k; ++l) {
      sum += std::int64_t{codes_x(i, l) - zero} * codes_w(j, l);
      plain += std::int64_t{2} * codes_w(j, l);
      real += double{batch(i, l)} * double{weight(j, l)};
    }
    EXPECT_EQ(first(i, j), sum);
    EXPECT_EQ(acc(i, j), plain);
    EXPECT_NEAR(fused(i, j), std::max(real, 0.0), 1.5);  // 784 products, each off by up to a step or two of 0.03
    EXPECT_NEAR(yq.codes()(i, j), real, 2.0);
    const float scale = x.params().scale(0) * quantized.params().scale(j);
    EXPECT_EQ(y(i, j), std::fma(static_cast<float>(sum), scale, 0.0f));
  }
}

TEST(Snippets, Layers) {
  const RowTensor<float, 2> weight = random_tensor<2>({256, 784}, 1), batch = random_tensor<2>({7, 784}, 2);
  const RowTensor<float, 1> bias = random_tensor<1>({256}, 3);
  const auto activation = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(batch);
  Context context;
  // clang-format off
  quanta::DynamicLinear<>  fc1(weight, bias);                          // int8 weights; activations quantized per row at run time
  quanta::StaticLinear<>   fc2(weight, bias, activation);              // activation parameters from calibration
  quanta::WeightOnlyLinear<quanta::Int<4>, quanta::PerGroup<64>> fc3(weight, bias);   // float activations; also NF4, Int<8>, ...
  Eigen::Tensor<float, 2, Eigen::RowMajor> out = fc1(batch);           // or fc1(context, batch)
  // clang-format on

  EXPECT_TRUE(same_bits(fc1(context, batch), out));
  const auto expected = Linear(weight, bias)(batch);
  EXPECT_GT(error_metrics(expected, out).snr_db, 35.0);
  EXPECT_GT(error_metrics(expected, fc2(batch)).snr_db, 33.0);
  EXPECT_GT(error_metrics(expected, fc3(batch)).snr_db, 15.0);
}

TEST(Snippets, WholeModels) {
  const RowTensor<float, 2> w1 = random_tensor<2>({256, 784}, 1), w2 = random_tensor<2>({10, 256}, 2);
  const RowTensor<float, 1> b1 = random_tensor<1>({256}, 3), b2 = random_tensor<1>({10}, 4);
  const std::vector<RowTensor<float, 2>> calibration_batches = {random_tensor<2>({50, 784}, 6),
                                                                random_tensor<2>({50, 784}, 7)};
  // clang-format off
  quanta::Sequential model{quanta::Linear{w1, b1}, quanta::Relu{}, quanta::Linear{w2, b2}};
  auto dynamic = quanta::quantize_dynamic(model);
  auto fixed   = quanta::quantize_static(model, calibration_batches, quanta::EntropyCalibrator<>{});
  auto small   = quanta::quantize_weights<quanta::NF4>(model);
  std::puts(quanta::summary(fixed).text().c_str());                    // per layer: shape, format, granularity, parameters, bytes
  const auto losses = quanta::compare(model, fixed, calibration_batches);
  std::puts(losses.text().c_str());                                    // per layer: SNR and cosine, and the SNR of that layer alone
  // clang-format on

  const RowTensor<float, 2> x = random_tensor<2>({7, 784}, 5);
  EXPECT_GT(error_metrics(model(x), dynamic(x)).snr_db, 30.0);
  EXPECT_GT(error_metrics(model(x), fixed(x)).snr_db, 28.0);
  EXPECT_GT(error_metrics(model(x), small(x)).snr_db, 15.0);
  EXPECT_LT(dynamic.packed_bytes() * 3, model.packed_bytes());
  EXPECT_LT(small.packed_bytes() * 6, model.packed_bytes());
}

TEST(Snippets, QuantizationAwareTraining) {
  const RowTensor<float, 2> weight = random_tensor<2>({33, 70}, 1), gradient_of_used = random_tensor<2>({33, 70}, 2);
  const RowTensor<float, 1> bias = random_tensor<1>({33}, 3);
  const RowTensor<float, 2> hidden = quanta::Relu{}(random_tensor<2>({20, 70}, 4));
  const auto stepped = [](const Tensor<float, 1>& scales, const Tensor<float, 1>& slopes) -> Tensor<float, 1> {
    return scales - 0.001f * slopes;
  };
  // clang-format off
  using FakeWeight = quanta::FakeQuantize<quanta::Int<4>, quanta::PerChannel<0>>;
  auto fake   = FakeWeight::learned(weight);                           // LSQ's first scales; or FakeQuantize(quantizer)
  auto fake_x = quanta::FakeQuantize<quanta::UInt<4>>::learned(hidden, quanta::Role::activation);   // after a ReLU
  const auto used      = fake.forward(weight);                         // what to multiply with, in float
  const auto gradients = fake.backward(weight, gradient_of_used);      // .x, straight through, and .scales
  fake.set_scales(stepped(fake.scales(), gradients.scales));           // by your optimizer; or leave them as they are
  quanta::StaticLinear<quanta::Int<4>> frozen(fake.quantizer().quantize(weight), bias, fake_x.quantizer());   // integers
  // clang-format on

  EXPECT_GT(error_metrics(weight, used).snr_db, 15.0);
  EXPECT_GT(error_metrics(gradient_of_used, gradients.x).snr_db, 10.0);  // but for what is clipped
  const Linear in_float(fake.forward(weight), bias);
  EXPECT_GT(error_metrics(in_float(fake_x.forward(hidden)), frozen(hidden)).snr_db, 110.0);
}

TEST(Snippets, TheEigenWay) {
  const Eigen::MatrixXf dense_weight = Eigen::MatrixXf::Random(33, 70), X = Eigen::MatrixXf::Random(70, 9);
  // clang-format off
  quanta::QuantizedMatrix W(dense_weight);                             // from any Eigen dense expression
  Eigen::MatrixXf Y = W * X;                                           // X (in, batch); noalias(), +=, W * X + b work
  // clang-format on

  const Eigen::MatrixXf exact = dense_weight * X;
  EXPECT_GT(error_metrics(exact, Y).snr_db, 35.0);
}

}  // namespace
}  // namespace quanta::test
