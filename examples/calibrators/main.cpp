// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Which range each calibrator chooses for a real activation, the outputs of a trained network's first layer for a
// thousand images, and what that range costs in 8 bits and in 4.
//
//   example_calibrators [DIRECTORY]
//
// prints, and draws a picture into DIRECTORY.
#include <algorithm>
#include <array>

#include <quanta/quanta.hpp>

#include "../support/digits.hpp"
#include "../support/expect.hpp"
#include "../support/plot.hpp"

namespace {

using Activation = quanta::Tensor<float, 2>;

// What a calibrator chose, and the error against the activation as it was.
struct Choice {
  quanta::Range range;
  double snr_db;
};

template <int bits, class Calibrator>
Choice choose(const Calibrator& calibrator, const Activation& x) {
  using Quantizer = quanta::AsymmetricQuantizer<quanta::UInt<bits>>;
  const auto quantizer = Quantizer::fit(calibrator);
  return {calibrator.template range<Quantizer>(), quanta::error_metrics(x, quantizer.fake_quantize(x)).snr_db};
}

void draw(examples::Plot& plot, const Activation& x) {
  constexpr int kBins = 160;
  constexpr float kEnd = 10.0f;
  std::array<int, kBins> histogram{};
  for (quanta::Index i = 0; i < x.size(); ++i) {
    const float bin = (x.data()[i] + kEnd) / (2.0f * kEnd) * kBins;
    ++histogram[static_cast<std::size_t>(std::clamp(bin, 0.0f, kBins - 1.0f))];
  }
  for (std::size_t b = 0; b < kBins; ++b) {
    plot.row("histogram", {static_cast<double>((static_cast<float>(b) + 0.5f) * 2.0f * kEnd / kBins - kEnd),
                           static_cast<double>(histogram[b])});
  }
  plot.draw(R"(
set multiplot
set lmargin at screen 0.18; set rmargin at screen 0.97
set xrange [-10:12]; set grid lc rgb '#dddddd'; unset key
set tmargin at screen 0.92; set bmargin at screen 0.50
set title "256 000 outputs of a network's first layer, the range each calibrator keeps, and its SNR"
set logscale y; set yrange [0.7:*]; set format y '%g'; set format x ''
set ylabel 'values per 0.125'; set style fill solid 0.8; set boxwidth 0.125
plot $histogram using 1:2 with boxes lc rgb '#888888'
unset title; unset logscale y; unset ylabel
set tmargin at screen 0.48; set bmargin at screen 0.13
set format x '%g'; set xlabel 'value'; set yrange [5.6:0.4]; set grid noytics
set ytics scale 0 ('min-max' 1, 'moving average' 2, 'percentile' 3, 'MSE' 4, 'entropy' 5)
plot $ranges using (($2 + $3) / 2):($1 - 0.17):2:3:($1 - 0.31):($1 - 0.03) with boxxyerror lc rgb '#1f77b4', \
     $ranges using (($5 + $6) / 2):($1 + 0.17):5:6:($1 + 0.03):($1 + 0.31) with boxxyerror lc rgb '#ff7f0e', \
     $ranges using ($3 + 0.2):($1 - 0.17):(sprintf('8 bits: %.1f dB', $4)) with labels left, \
     $ranges using ($6 + 0.2):($1 + 0.17):(sprintf('4 bits: %.1f dB', $7)) with labels left
unset multiplot)");
}

}  // namespace

int main(int argc, char** argv) {
  const Activation x = quanta::Linear(digits::weight(1), digits::bias(1))(digits::calibration_images().transpose());
  // One sketch serves all but the moving average, which is about the order of batches, and wants those.
  quanta::CalibrationSketch<> seen;
  seen.observe(x);
  quanta::MovingAverageCalibrator<> average;
  constexpr quanta::Index kBatch = 10;
  for (quanta::Index i = 0; i < x.dimension(0); i += kBatch) {
    average.observe(Eigen::TensorMap<const Activation>(x.data() + i * x.dimension(1), kBatch, x.dimension(1)));
  }

  std::printf("%d outputs of the first layer of 784-256-128-10, unsigned and asymmetric\n\n%-15s %-28s %-28s\n",
              static_cast<int>(x.size()), "", "8 bits", "4 bits");
  examples::Plot plot(argc > 1 ? argv[1] : "", "calibrators", 860, 600);
  double row = 0.0;
  const auto show = [&](const char* name, const auto& calibrator) {
    const Choice eight = choose<8>(calibrator, x), four = choose<4>(calibrator, x);
    std::printf("%-15s", name);
    for (const Choice& choice : {eight, four}) {
      std::printf(" %7.3f ... %6.3f  %5.2f dB ", static_cast<double>(choice.range.min),
                  static_cast<double>(choice.range.max), choice.snr_db);
    }
    std::printf("\n");
    plot.row("ranges", {++row, static_cast<double>(eight.range.min), static_cast<double>(eight.range.max), eight.snr_db,
                        static_cast<double>(four.range.min), static_cast<double>(four.range.max), four.snr_db});
    return std::array<double, 2>{eight.snr_db, four.snr_db};
  };
  const auto min_max = show("min-max", quanta::MinMaxCalibrator<>(seen));
  const auto moving = show("moving average", average);
  const auto percentile = show("percentile", quanta::PercentileCalibrator<>(seen));
  const auto mse = show("MSE", quanta::MseCalibrator<>(seen));
  const auto entropy = show("entropy", quanta::EntropyCalibrator<>(seen));
  std::printf(
      "\nMin-max, moving average and percentile (99.99 %%) choose one range for all formats; MSE and entropy are\n"
      "told the format. Rounding to 15 steps costs more than losing the tails.\n");
  quanta::CalibrationSketch<quanta::PerChannel<1>> seen_by_channel;
  seen_by_channel.observe(x);
  const auto show_sketch = [](const char* name, const auto& sketch) {
    using Sketch = std::decay_t<decltype(sketch)>;
    std::printf("A sketch %-12s %6d bytes, bins of %.1f %% of their value\n", name, static_cast<int>(sketch.bytes()),
                100.0 * Sketch::kResolution);
  };
  show_sketch("per tensor:", seen.sketch());
  show_sketch("of a channel:", seen_by_channel.sketch(0));

  for (std::size_t bits = 0; bits < 2; ++bits) {
    for (const auto& other : {min_max, moving, percentile, entropy}) {
      examples::expect(mse[bits] >= other[bits] - 0.05, "of all, MSE's range has the least squared error");
    }
  }
  examples::expect_near(min_max[0], 35.54, 0.02, "SNR of min-max in 8 bits");
  examples::expect_near(mse[0], 36.83, 0.02, "SNR of MSE in 8 bits");
  examples::expect_near(min_max[1], 10.94, 0.02, "SNR of min-max in 4 bits");
  examples::expect_near(mse[1], 17.34, 0.02, "SNR of MSE in 4 bits");
  draw(plot, x);
}
