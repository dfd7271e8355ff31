// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What precision costs: bytes for each parameter, a trained network's logits and accuracy against its size in every
// format, and the file and the time of a network in float and in int8.
//
//   example_precision [DIRECTORY]
//
// prints, and draws a picture into DIRECTORY.
#include <algorithm>
#include <chrono>
#include <map>

#include <quanta/io.hpp>
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "../support/digits.hpp"
#include "../support/expect.hpp"
#include "../support/plot.hpp"

namespace {

using examples::expect, examples::expect_near;
using quanta::choice, quanta::Int, quanta::PerGroup, quanta::Index;
using Matrix = quanta::Tensor<float, 2>;
using DoubleQuantized = quanta::DoubleQuantized<PerGroup<64>>;  // QLoRA's: the scales are quantized too
template <int size>
using HalfScales = quanta::WithScales<PerGroup<size>, quanta::Fp16>;

struct Named {
  const char* name;
  quanta::FormatChoice format;
  double label_side = 1.0;  // in the picture: 1 right, -1 left of the point, 0 below it
};

// A format costs its bits and its scales. Measured on a weight (1024, 1024), all the memory that is held.
void bytes_per_parameter() {
  const std::vector<Named> formats = {
      {"FP16", choice<quanta::Fp16>()},
      {"BF16", choice<quanta::Bf16>()},
      {"INT8, a scale per channel", choice<Int<8>>()},
      {"INT4, a scale per 64", choice<Int<4>>(PerGroup<quanta::Dynamic>(64))},
      {"NF4, a scale per 64", choice<quanta::NF4>()},
      {"NF4, double-quantized", choice<quanta::NF4, DoubleQuantized>()},
  };
  constexpr double kParameters[] = {2.0, 2.0, 1.00390625, 0.5625, 0.5625, 0.515869140625};
  const Eigen::MatrixXf weight = Eigen::MatrixXf::Random(1024, 1024);
  std::printf("%-27s %15s %22s\n%-27s %15.4f %19.1f MB\n", "", "bytes/parameter", "100 M parameters", "FP32", 4.0,
              400.0);
  for (std::size_t i = 0; i < formats.size(); ++i) {
    const double bytes = static_cast<double>(formats[i].format.quantize(weight).bytes()) / 0x1p20;
    std::printf("%-27s %15.4f %19.1f MB\n", formats[i].name, bytes, 100.0 * bytes);
    expect_near(bytes, kParameters[i], 1e-3, formats[i].name);
  }
}

void accuracy_against_size(const std::string& directory) {
  const std::vector<Named> formats = {
      {"FP16", choice<quanta::Fp16>()},
      {"BF16", choice<quanta::Bf16>(), -1.0},
      {"INT8/all", choice<Int<8>>(quanta::PerTensor{})},
      {"INT8", choice<Int<8>>()},
      {"MXINT8", choice<quanta::MXINT8>(), 0.0},
      {"E4M3", choice<quanta::E4M3>(), -1.0},
      {"E5M2", choice<quanta::E5M2>(), -1.0},
      {"MXFP8", choice<quanta::MXFP8>()},
      {"INT7", choice<Int<7>>(), -1.0},
      {"INT6", choice<Int<6>>()},
      {"MXFP6", choice<quanta::MXFP6>()},
      {"INT5", choice<Int<5>>()},
      {"INT4/all", choice<Int<4>>(quanta::PerTensor{})},
      {"INT4", choice<Int<4>>(), -1.0},
      {"INT4/64", choice<Int<4>, HalfScales<64>>(), -1.0},
      {"NF4/64", choice<quanta::NF4, HalfScales<64>>(), 0.0},
      {"INT4/32", choice<Int<4>, HalfScales<32>>()},
      {"NF4/32", choice<quanta::NF4, HalfScales<32>>()},
      {"NF4", choice<quanta::NF4>()},
      {"NF4 d.q.", choice<quanta::NF4, DoubleQuantized>(), -1.0},
      {"FP4/64", choice<quanta::FP4, HalfScales<64>>(), -1.0},
      {"MXFP4", choice<quanta::MXFP4>(), -1.0},
      {"NVFP4", choice<quanta::NVFP4>()},
      {"INT3/32", choice<Int<3>, HalfScales<32>>()},
      {"INT2/16", choice<Int<2>, HalfScales<16>>()},
  };
  const Eigen::MatrixXf images = digits::test_images();
  examples::Plot plot(directory, "accuracy", 860, 640);
  std::printf("\nA network 784-256-128-10, its weights in each format, on 10000 images\n%-10s %9s %12s %13s %10s\n", "",
              "KB", "bits/weight", "SNR of logits", "accuracy");
  struct Figures {
    double bits, snr_db, percent;  // for each weight, of the logits against those of FP32, of the images
  };
  Matrix logits_of_float;
  // A weight-only layer gives these outputs too, but for the rounding of floats.
  const auto measure = [&](const std::string& name, double label_side, const quanta::FormatChoice* format) {
    quanta::Sequential model;
    Index weights = 0, weight_bytes = 0, bias_bytes = 0;
    for (const int layer : {1, 2, 3}) {
      const Eigen::MatrixXf weight = digits::weight(layer);
      const Eigen::VectorXf bias = digits::bias(layer);
      if (layer > 1) model.push_back(quanta::Relu{});
      weights += weight.size();
      bias_bytes += 4 * bias.size();
      if (format == nullptr) {
        weight_bytes += 4 * weight.size();
        model.push_back(quanta::Linear(weight, bias));
      } else {
        const quanta::AnyQuantizedTensor quantized = format->quantize(weight);
        weight_bytes += quantized.bytes();
        model.push_back(quanta::Linear(quantized.dequantize<2>(), bias));
      }
    }
    const Matrix logits = model(images.transpose());
    if (format == nullptr) logits_of_float = logits;
    const Figures figures{8.0 * static_cast<double>(weight_bytes) / static_cast<double>(weights),
                          quanta::error_metrics(logits_of_float, logits).snr_db,
                          digits::accuracy(Eigen::Map<const Eigen::MatrixXf>(logits.data(), 10, images.cols()))};
    const double kb = static_cast<double>(weight_bytes + bias_bytes) / 1000.0;
    char snr[16] = "-";  // of float against itself
    if (format != nullptr) std::snprintf(snr, sizeof snr, "%.1f dB", figures.snr_db);
    std::printf("%-10s %9.1f %12.3f %13s %8.2f %%\n", name.c_str(), kb, figures.bits, snr, figures.percent);
    plot.row("points", {kb, figures.percent, label_side}, name);
    return figures;
  };
  const double of_float = measure("FP32", 1.0, nullptr).percent;
  expect_near(of_float, 97.89, 1e-9, "accuracy of float");
  std::map<std::string, Figures> of;
  for (const auto& [name, format, label_side] : formats) {
    of[name] = measure(name, label_side, &format);
    expect(of[name].percent > of_float - (of[name].bits < 3.5 ? 7.0 : 0.4), name);
  }
  expect(of["INT8"].snr_db > of["INT8/all"].snr_db, "a scale per output beats one for all in int8");
  expect(of["INT4"].snr_db > of["INT4/all"].snr_db + 2.0, "a scale per output beats one for all in int4");
  expect(of["INT4/64"].snr_db > of["INT4"].snr_db + 1.0, "scales per 64 beat scales per output");
  expect(of["INT4/32"].snr_db > of["INT4/64"].snr_db, "scales per 32 beat scales per 64");
  expect(of["NF4/64"].bits == of["INT4/64"].bits && of["NF4/32"].bits == of["INT4/32"].bits,
         "NF4 and int4 are compared at equal bits");
  plot.draw(R"(
set grid lc rgb '#dddddd'; unset key
set title 'A network 784-256-128-10 on 10 000 images of MNIST, its weights in each format'
set logscale x; set xtics (75, 100, 150, 200, 300, 400, 600, 800, 1000)
set xrange [75:1150]; set yrange [97.45:97.95]
set xlabel 'weights, scales and biases, KB'; set ylabel 'accuracy, %'
side(x, s) = x * (1 + 0.03 * s)
plot $points using 1:($2 < 97.45 ? NaN : $2) with points pt 7 ps 1.0 lc rgb '#1f77b4', \
     $points using (side($1, $3)):($3 > 0 && $2 > 97.45 ? $2 : NaN):4 with labels left, \
     $points using (side($1, $3)):($3 < 0 ? $2 : NaN):4 with labels right, \
     $points using 1:($3 == 0 ? $2 : NaN):4 with labels offset 0, -0.9, \
     $points using 1:($2 < 97.45 ? 97.47 : NaN) with points pt 11 ps 1.0 lc rgb '#d62728', \
     $points using (side($1, $3)):($2 < 97.45 ? 97.47 : NaN):(sprintf('%s, %.2f %%', strcol(4), $2)) with labels left offset 0.6, 0)");
}

// The bytes of the file, and the time of a thousand rows, one by one.
void file_and_time() {
  const Eigen::MatrixXf w1 = Eigen::MatrixXf::Random(256, 784), w2 = Eigen::MatrixXf::Random(10, 256);
  const Eigen::VectorXf b1 = Eigen::VectorXf::Random(256), b2 = Eigen::VectorXf::Random(10);
  const quanta::Sequential in_float{quanta::Linear{w1, b1}, quanta::Relu{}, quanta::Linear{w2, b2}};
  const quanta::Sequential in_int8 = quanta::quantize_dynamic(in_float);
  const Matrix x = Eigen::TensorMap<const Matrix>(Eigen::MatrixXf::Random(1000, 784).eval().data(), 1000, 784);

  std::printf("\n784-256-10, one row at a time, with the kernel %s\n%-8s %14s %14s\n", quanta::NativeKernel::name, "",
              "file, bytes", "1000 rows, ms");
  const std::filesystem::path path = "precision_example.safetensors";
  const auto measure = [&](const char* name, const quanta::Sequential& model) {
    quanta::save(path, model);
    const auto bytes = static_cast<double>(std::filesystem::file_size(path));
    quanta::Context context;  // keeps its memory from row to row
    Matrix y(1000, 10);
    double best = 1e9;  // milliseconds of the fastest turn
    for (int turn = 0; turn < 5; ++turn) {
      const auto start = std::chrono::steady_clock::now();
      for (Index i = 0; i < 1000; ++i) {
        const Matrix row = model(context, Eigen::TensorMap<const Matrix>(x.data() + i * 784, 1, 784));
        std::copy_n(row.data(), 10, y.data() + i * 10);
      }
      best =
          std::min(best, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
    }
    std::printf("%-8s %14.0f %14.2f\n", name, bytes, best);
    return std::pair{bytes, y};
  };
  const auto [float_bytes, float_outputs] = measure("float", in_float);
  const auto [int8_bytes, int8_outputs] = measure("int8", in_int8);
  std::filesystem::remove(path);
  const double snr_db = quanta::error_metrics(float_outputs, int8_outputs).snr_db;
  std::printf("%.2f times smaller, %.1f dB\n", float_bytes / int8_bytes, snr_db);
  expect(float_bytes > 3.9 * int8_bytes, "int8 is nearly four times smaller");
  expect(snr_db > 35.0, "int8 is close to float");
}

}  // namespace

int main(int argc, char** argv) {
  bytes_per_parameter();
  accuracy_against_size(argc > 1 ? argv[1] : "");
  file_and_time();
}
