// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantizes a trained network in several ways and runs each on all of MNIST's test images: what it costs in accuracy,
// what it saves in bytes and time. Says at the end which way it would ship.
//
//   example_mnist [--quick] [DIRECTORY]
//
// --quick measures time only roughly. DIRECTORY holds the images, labels and the network; the default is data/ beside
// this file. Ends with 0 when every variant is as accurate as it should be, else with 1.

#include <algorithm>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "../support/command_line.hpp"
#include "idx.hpp"
#include "network.hpp"
#include "report.hpp"
#include "timing.hpp"

namespace mnist {
namespace {

constexpr Index kTimedImages = 128;

/// The logits of all images, in batches.
Matrix logits_of(const Variant& variant, const Matrix& images, const Progress& progress) {
  constexpr Index kBatch = 500;
  const Index count = images.dimension(0);
  Matrix logits(count, kDigits);
  for (Index first = 0; first < count; first += kBatch) {
    progress.show(variant.name + ": image " + std::to_string(first) + " of " + std::to_string(count));
    variant.run(images.data() + first * kPixels, std::min(kBatch, count - first), logits.data() + first * kDigits);
  }
  return logits;
}

/// The images in batches of 100, to calibrate with.
std::vector<Matrix> batches_of(const Matrix& images) {
  constexpr Index kBatch = 100;
  std::vector<Matrix> batches;
  for (Index first = 0; first < images.dimension(0); first += kBatch) {
    const Index count = std::min(kBatch, images.dimension(0) - first), pixels = images.dimension(1);
    batches.emplace_back(Eigen::TensorMap<const Matrix>(images.data() + first * pixels, count, pixels));
  }
  return batches;
}

/// The most likely digit of each image; the lower one of two alike.
std::vector<int> classes_of(const Matrix& logits) {
  std::vector<int> classes;
  for (Index i = 0; i < logits.dimension(0); ++i) {
    const float* row = logits.data() + i * kDigits;
    classes.push_back(static_cast<int>(std::max_element(row, row + kDigits) - row));
  }
  return classes;
}

int count_equal(const std::vector<int>& a, const std::vector<int>& b) {
  int equal = 0;
  for (std::size_t i = 0; i < a.size(); ++i) equal += a[i] == b[i] ? 1 : 0;
  return equal;
}

/// Microseconds per image of each variant, given `batch` images at a time.
std::vector<double> microseconds(const std::vector<Variant>& variants, const Matrix& images, Index batch, bool quick,
                                 const Progress& progress) {
  Matrix logits(kTimedImages, kDigits);
  std::vector<std::function<void()>> functions;
  for (const Variant& variant : variants) {
    functions.emplace_back([&] {
      for (Index i = 0; i < kTimedImages; i += batch) {
        variant.run(images.data() + i * kPixels, batch, logits.data() + i * kDigits);
      }
    });
  }
  const double budget = quick ? 0.0 : 4.0;
  std::vector<double> times = best_seconds(functions, budget, [&](double done) {
    const int percent = static_cast<int>(100.0 * done);
    progress.show("time at batch " + std::to_string(batch) + ": " + std::to_string(percent) + " %");
  });
  for (double& time : times) time *= 1e6 / static_cast<double>(kTimedImages);
  return times;
}

int run(bool quick, const std::string& directory) {
  const auto file = quanta::Safetensors::open(directory + "/mnist_mlp.safetensors");
  const Matrix images = read_images(directory + "/t10k-images-idx3-ubyte");
  const std::vector<int> labels = read_labels(directory + "/t10k-labels-idx1-ubyte");
  if (images.dimension(1) != kPixels || images.dimension(0) != static_cast<Index>(labels.size()) ||
      images.dimension(0) < kTimedImages) {
    throw std::runtime_error(directory + ": holds " + std::to_string(images.dimension(0)) + " images of " +
                             std::to_string(images.dimension(1)) + " pixels and " + std::to_string(labels.size()) +
                             " labels, expected at least 128 of 784, and a label for each");
  }

  // The ways to run the network; every further way is a line here. Sizes and times are compared with Eigen's, results
  // with those of Quanta's float model, which are the same on every machine.
  const quanta::Sequential model = read_network(file);
  const std::vector<Matrix> batches = batches_of(read_images(directory + "/calibration-images-idx3-ubyte"));
  using quanta::Int;
  using SmallGroups = quanta::WithScales<quanta::PerGroup<16>, quanta::Fp16>;
  using DoubleQuantized = quanta::DoubleQuantized<quanta::PerGroup<64>>;
  const auto calibrated = [&](const auto& calibrator) { return quanta::quantize_static(model, batches, calibrator); };
  const auto outlier_linear = [](const quanta::Linear& l) { return quanta::Int8OutlierLinear<>(l.weight(), l.bias()); };
  const quanta::MinMaxCalibrator<> min_max;
  const std::vector<Variant> variants = {
      eigen_variant("float, Eigen alone", file),
      quanta_variant("float", model),
      quanta_variant("dynamic int8 per channel", quanta::quantize_dynamic(model)),
      quanta_variant("dynamic int8 per tensor", quanta::quantize_dynamic<Int<8>, quanta::PerTensor>(model)),
      quanta_variant("static int8, min-max", calibrated(min_max)),
      quanta_variant("static int8, moving average", calibrated(quanta::MovingAverageCalibrator<>{})),
      quanta_variant("static int8, percentile", calibrated(quanta::PercentileCalibrator<>{})),
      quanta_variant("static int8, MSE", calibrated(quanta::MseCalibrator<>{})),
      quanta_variant("static int8, entropy", calibrated(quanta::EntropyCalibrator<>{})),
      quanta_variant("static int8 per tensor, min-max",
                     quanta::quantize_static<Int<8>, quanta::PerTensor>(model, batches, min_max)),
      quanta_variant("static int8, integer-only",
                     quanta::Sequential{quanta::quantize_static(model, batches, min_max, quanta::IntegerOnly{})}),
      quanta_variant("LLM.int8(), outliers in float", quanta::replace_linears(model, outlier_linear)),
      quanta_variant("weight-only int8 per channel", quanta::quantize_weights(model)),
      quanta_variant("weight-only int4, groups of 32", quanta::quantize_weights<Int<4>, quanta::PerGroup<32>>(model)),
      quanta_variant("weight-only int2, groups of 16", quanta::quantize_weights<Int<2>, SmallGroups>(model), 7.0),
      quanta_variant("weight-only FP16", quanta::quantize_weights<quanta::Fp16>(model)),
      quanta_variant("weight-only BF16", quanta::quantize_weights<quanta::Bf16>(model)),
      quanta_variant("weight-only NF4", quanta::quantize_weights<quanta::NF4>(model), 0.2),
      quanta_variant("weight-only NF4, double-quant.", quanta::quantize_weights<quanta::NF4, DoubleQuantized>(model),
                     0.2),
      quanta_variant("weight-only MXFP4", quanta::quantize_weights<quanta::MXFP4>(model), 0.2),
  };
  constexpr std::size_t kEigen = 0, kFloat = 1;

  std::printf("A trained network, %s with ReLU, on the %zu test images of MNIST\n\n", sizes_of(model).c_str(),
              labels.size());
  print_machine();
  std::fflush(stdout);

  const Progress progress;
  std::vector<Matrix> logits;
  for (const Variant& variant : variants) logits.push_back(logits_of(variant, images, progress));
  const std::vector<double> single = microseconds(variants, images, 1, quick, progress);
  const std::vector<double> batch = microseconds(variants, images, 128, quick, progress);
  progress.show("");

  const std::vector<int> float_classes = classes_of(logits[kFloat]);
  const int count = static_cast<int>(labels.size());
  std::vector<Row> rows;
  for (std::size_t i = 0; i < variants.size(); ++i) {
    const std::vector<int> classes = classes_of(logits[i]);
    Row row;
    row.name = variants[i].name;
    row.accuracy = 100.0 * count_equal(classes, labels) / count;
    row.changed = count - count_equal(classes, float_classes);
    row.snr_db = quanta::error_metrics(logits[kFloat], logits[i]).snr_db;
    row.bytes = variants[i].bytes;
    row.single_us = single[i];
    row.batch_us = batch[i];
    rows.push_back(row);
  }

  std::printf("\n");
  print_table(rows, rows[kEigen]);
  print_legend(rows[kEigen], rows[kFloat], quick);
  std::printf("\n");
  bool all_accurate = true;
  for (std::size_t i = kFloat + 1; i < rows.size(); ++i) {
    all_accurate &= print_verdict(rows[i], rows[kEigen], rows[kFloat], variants[i].tolerance);
  }
  std::printf("\n");
  print_choice(rows, rows[kEigen], kFloat, kTolerance);
  return all_accurate ? 0 : 1;
}

}  // namespace
}  // namespace mnist

int main(int argc, char** argv) {
  return examples::run_from_command_line("mnist", argc, argv, QUANTA_MNIST_DATA, &mnist::run);
}
