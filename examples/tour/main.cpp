// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Six textbook demonstrations of quantization on their own inputs. Beside each figure of Quanta's stands the one that
// the textbook prints (computed by numpy and PyTorch), and after it what Quanta does better. tests/golden compares the
// same figures to all their digits.
#include <cstdio>

#include <quanta/io/npy.hpp>
#include <quanta/quanta.hpp>

#include "../support/expect.hpp"

using examples::expect, examples::expect_near;
using quanta::Int, quanta::UInt, quanta::PerChannel, quanta::ErrorMetrics, quanta::error_metrics;
template <int bits>
using Symmetric = quanta::SymmetricQuantizer<Int<bits>>;

namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// An .npy file as a tensor.
template <int rank>
quanta::Tensor<float, rank> input(const char* name) {
  return quanta::Npy::open(std::string(QUANTA_TOUR_DATA "/") + name + ".npy").read<float, rank>();
}

// A line of the tables: what was measured, and the SNR that the textbook has.
void line(const char* name, float scale, const ErrorMetrics& error, double textbook_db) {
  std::printf("   %-22s %10.6f %10.6f %10.6f %12.4g %9.2f %9.2f\n", name, static_cast<double>(scale), error.max_error,
              error.mean_error, error.mse, error.snr_db, textbook_db);
  expect_near(error.snr_db, textbook_db, 0.005, name);
}
void heading(const char* title) {
  std::printf("\n%s\n   %-22s %10s %10s %10s %12s %9s %9s\n", title, "", "scale", "max error", "mean error", "mse",
              "SNR, dB", "textbook");
}

void symmetric_int8_and_int4() {
  const auto x = input<1>("demo1_input");
  heading("1. Symmetric INT8 and INT4: a thousand normal values, standard deviation 10");
  const auto q8 = Symmetric<8>::fit(x);
  const auto q4 = Symmetric<4>::fit(x);
  line("int8", q8.params().scale(0), error_metrics(x, q8.fake_quantize(x)), 43.0655);
  line("int4", q4.params().scale(0), error_metrics(x, q4.fake_quantize(x)), 18.2343);
}

// After a ReLU nothing is negative: a symmetric quantizer never uses half of its codes.
void symmetric_and_asymmetric() {
  const auto x = input<1>("demo2_input");
  heading("2. Symmetric and asymmetric: activations after a ReLU");
  const auto symmetric = Symmetric<8>::fit(x);
  const auto asymmetric = quanta::AsymmetricQuantizer<UInt<8>>::fit(x);
  const auto a = error_metrics(x, symmetric.fake_quantize(x)), b = error_metrics(x, asymmetric.fake_quantize(x));
  line("symmetric int8", symmetric.params().scale(0), a, 43.6096);
  line("asymmetric uint8", asymmetric.params().scale(0), b, 49.7604);
  std::printf("   twice the codes for the same range: %.2f dB, one bit\n", b.snr_db - a.snr_db);
}

void per_tensor_and_per_channel() {
  const auto w = input<2>("demo3_weight");  // 256 channels: 64 of standard deviation 10, 64 of 0.1, 128 of 1
  heading("3. Per tensor and per channel: a weight (256, 512) whose channels are 0.1, 1 and 10 times as large");
  const auto tensor = Symmetric<8>::fit(w).quantize(w);
  const auto channel = quanta::SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(w).quantize(w);
  const auto of_tensor = tensor.dequantize(), of_channel = channel.dequantize();
  line("per tensor", tensor.params().scale(0), error_metrics(w, of_tensor), 34.0345);
  line("per channel (first's)", channel.params().scale(0), error_metrics(w, of_channel), 42.6180);

  // The SNR of all is that of the loud channels. What it hides: the quiet ones.
  const auto quiet_db = [&](const quanta::Tensor<float, 2>& approx) {
    const auto rows = [](const quanta::Tensor<float, 2>& t) {
      return Eigen::Map<const RowMajor>(t.data() + 64 * t.dimension(1), 64, t.dimension(1));
    };
    return error_metrics(rows(w), rows(approx)).snr_db;
  };
  std::printf("   better: of the 64 quiet channels alone, %.2f dB per tensor and %.2f dB per channel,\n",
              quiet_db(of_tensor), quiet_db(of_channel));
  std::printf("   for %d bytes instead of %d, scales and all\n", static_cast<int>(channel.bytes()),
              static_cast<int>(tensor.bytes()));
  expect(quiet_db(of_tensor) < 2.0 && quiet_db(of_channel) > 40.0, "per tensor leaves little of the quiet channels");
}

template <int bits>
void bit_depth(const quanta::Tensor<float, 1>& x, const quanta::MseCalibrator<>& seen, double textbook_kb,
               double textbook_db) {
  const auto quantized = Symmetric<bits>::fit(x).quantize(x);
  const double bytes = static_cast<double>(quantized.bytes()), float_bytes = 4.0 * static_cast<double>(x.size());
  const double snr_db = error_metrics(x, quantized.dequantize()).snr_db;
  const double mse_db = error_metrics(x, Symmetric<bits>::fit(seen).fake_quantize(x)).snr_db;
  std::printf("   %4d %10.4f %8.3f KB %12.2fx %9.2f %9.2f %14.2f\n", bits,
              static_cast<double>(quantized.params().scale(0)), bytes / 1024.0, float_bytes / bytes, snr_db,
              textbook_db, mse_db);
  expect_near(bytes / 1024.0, textbook_kb, 1e-6, "size");
  expect_near(snr_db, textbook_db, bits == 16 ? 0.02 : 0.005, "SNR");
  expect(mse_db >= snr_db - 0.01, "the range of least squared error is no worse");
}

void bit_depths() {
  const auto x = input<1>("demo4_input");
  std::printf("\n4. Bit depth: ten thousand normal values, 39.06 KB as float32\n   %4s %10s %11s %13s %9s %9s %14s\n",
              "bits", "scale", "size", "compression", "SNR, dB", "textbook", "MSE range, dB");
  quanta::MseCalibrator<> seen;
  seen.observe(x);
  bit_depth<2>(x, seen, 2.4453125, 0.458);
  bit_depth<4>(x, seen, 4.88671875, 15.203);
  bit_depth<8>(x, seen, 9.76953125, 40.346);
  bit_depth<16>(x, seen, 19.53515625, 88.606);
  std::printf(
      "   better: the sizes are those of the memory held, codes packed. A range that weighs clipping against\n"
      "   rounding, MseCalibrator's, gives few bits some dB more. (At 16 bits the textbook's noise has 1e-10\n"
      "   added to it, which costs 0.01 dB.)\n");
}

void calibration_with_outliers() {
  const auto tensor = input<1>("demo5_input");
  const Eigen::Map<const Eigen::ArrayXf> x(tensor.data(), tensor.size());
  std::printf(
      "\n5. Calibration with outliers: a thousand values of standard deviation 2, ten of them outliers of up to 153\n"
      "   %-22s %9s %9s %14s %14s\n   %-22s %9s %9s %14s %14s\n",
      "", "", "values", "SNR against", "SNR against", "", "range, +-", "clipped", "the original", "clipped data");
  const auto show = [&](const char* name, const auto& calibrator) {
    const auto quantizer = Symmetric<8>::fit(calibrator);
    const float clip = 127.0f * quantizer.params().scale(0);
    const auto approx = quantizer.fake_quantize(x);
    const double against_original = error_metrics(x, approx).snr_db;
    const double against_clipped = error_metrics(x.min(clip).max(-clip), approx).snr_db;
    std::printf("   %-22s %9.3f %9d %11.2f dB %11.2f dB\n", name, static_cast<double>(clip),
                static_cast<int>((x.abs() > 1.0001f * clip).count()), against_original, against_clipped);
    return std::pair{against_original, against_clipped};
  };
  // One sketch holds what they need; the moving average is about the order of batches and sees the data itself.
  quanta::CalibrationSketch<> seen;
  seen.observe(x);
  quanta::MovingAverageCalibrator<> average;
  for (Eigen::Index i = 0; i < x.size(); i += 100) average.observe(x.segment(i, 100));
  const auto min_max = show("min-max", quanta::MinMaxCalibrator<>(seen));
  show("moving average", average);
  const auto percentile = show("percentile, 99 % of |x|", quanta::PercentileCalibrator<>(quanta::Abs{99.0}, seen));
  const auto mse = show("MSE", quanta::MseCalibrator<>(seen));
  show("entropy", quanta::EntropyCalibrator<>(seen));
  const auto groups = quanta::SymmetricQuantizer<Int<8>, quanta::PerGroup<50>>::fit(x);
  const double groups_db = error_metrics(x, groups.fake_quantize(x)).snr_db;
  const double cost = min_max.first - percentile.first, seeming_gain = percentile.second - min_max.second;
  std::printf(
      "   Clipping at the 99th percentile costs %.1f dB. Measured against clipped data, as the textbook does,\n"
      "   it seems to gain %.1f: the outliers that are lost are lost on both sides. Quanta compares with the\n"
      "   original. (Entropy wants 2048 values and with fewer keeps the whole range.)\n"
      "   better: a scale for each 50 values, so that an outlier costs its neighbours alone, %.2f dB\n",
      cost, seeming_gain, groups_db);
  expect(groups_db > min_max.first + 2.0, "groups confine outliers");
  expect_near(cost, 25.91, 0.02, "what clipping costs");
  expect_near(seeming_gain, 16.95, 0.15, "what clipping seems to gain");
  expect_near(min_max.first, 26.760, 0.005, "SNR of min-max");
  expect(mse.first >= min_max.first - 0.01, "MSE is no worse than min-max");
}

void matrix_product() {
  const auto a_tensor = input<2>("demo6_a"), b_tensor = input<2>("demo6_b");
  const Eigen::Map<const RowMajor> a(a_tensor.data(), 64, 128), b(b_tensor.data(), 128, 256);
  const RowMajor c = a * b;

  const auto qa = Symmetric<8>::fit(a).quantize(a);
  const auto qb = Symmetric<8>::fit(b.transpose()).quantize(b.transpose());  // the rhs is (n, k), as weights are
  Eigen::Matrix<std::int32_t, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor> sums(64, 256);
  RowMajor approx(64, 256);
  quanta::gemm(qa, quanta::pack(qb), sums);  // exact
  quanta::gemm(qa, quanta::pack(qb), approx, quanta::Dequantize{});
  const ErrorMetrics error = error_metrics(c, approx);

  // A scale for each row of A and each column of B costs nothing: they leave the sum over k.
  const auto rows = quanta::SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(a).quantize(a);
  const auto columns = quanta::SymmetricQuantizer<Int<8>, PerChannel<0>>::fit(b.transpose()).quantize(b.transpose());
  RowMajor better(64, 256);
  quanta::gemm(rows, quanta::pack(columns), better, quanta::Dequantize{});
  const ErrorMetrics better_error = error_metrics(c, better);

  std::printf(
      "\n6. A matrix product, (64, 128) by (128, 256), symmetric INT8, results from %.1f to %.1f\n"
      "   %-22s %10s %10s %11s %15s\n",
      static_cast<double>(c.minCoeff()), static_cast<double>(c.maxCoeff()), "", "bytes", "max error", "mean error",
      "relative error");
  const auto row = [](const char* name, quanta::Index bytes, const ErrorMetrics& e) {
    std::printf("   %-22s %10d %10.4f %11.4f %13.3f %%\n", name, static_cast<int>(bytes), e.max_error, e.mean_error,
                100.0 * e.relative_error);
  };
  std::printf("   %-22s %10d\n", "float32", static_cast<int>(4 * (a.size() + b.size())));
  row("int8, per tensor", qa.bytes() + qb.bytes(), error);
  std::printf("   %-22s %10s %10.4f %11.4f\n", "  textbook", "", 3.5838852, 0.7345178);
  row("int8, rows and columns", rows.bytes() + columns.bytes(), better_error);
  const long long checksum = sums.cast<long long>().sum();
  std::printf("   sum of all int32 results: %lld, textbook -3131410\n", checksum);
  std::printf("   better: a scale for each row of A and column of B, %.0f %% of the error\n",
              100.0 * better_error.relative_error / error.relative_error);
  expect(checksum == -3131410, "integer results are exact");
  expect_near(error.max_error, 3.5838852, 2e-4, "largest error");  // of float32 products of up to 275
  expect_near(error.mean_error, 0.7345178, 1e-5, "mean error");
  expect(better_error.mse < error.mse, "more scales lose less");
}

}  // namespace

int main() {
  std::printf("Six textbook demonstrations. \"textbook\" is what numpy and PyTorch make of the same input.\n");
  symmetric_int8_and_int4();
  symmetric_and_asymmetric();
  per_tensor_and_per_channel();
  bit_depths();
  calibration_with_outliers();
  matrix_product();
}
