// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What each bit is worth: a signal in 8, 4 and 2 bits with its errors, and the error of normal weights in 2 to 8 bits.
//
//   example_bit_widths [DIRECTORY]
//
// prints, and draws two pictures into DIRECTORY.
#include <algorithm>
#include <array>

#include <quanta/io/npy.hpp>
#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "../support/expect.hpp"
#include "../support/plot.hpp"

namespace {

// One tensor in Int<bits>, symmetric, with one scale: the format is chosen at run time.
template <int bits>
quanta::FormatChoice integers() {
  return quanta::choice<quanta::Int<bits>, quanta::PerTensor>();
}
const std::vector<quanta::FormatChoice> kTwoToEight = {integers<2>(), integers<3>(), integers<4>(), integers<5>(),
                                                       integers<6>(), integers<7>(), integers<8>()};

// The signal beside what is left of it, and how often which error occurs.
void quantize_a_signal(const std::string& directory) {
  constexpr int kSamples = 1000, kBins = 20;
  constexpr std::array<int, 3> kBits = {8, 4, 2};
  Eigen::VectorXf x(kSamples);
  for (int i = 0; i < kSamples; ++i) {
    const double t = 2.0 * 3.14159265358979 * i / kSamples;
    x(i) = static_cast<float>(0.8 * std::sin(t) + 0.3 * std::sin(3.1 * t + 0.5));
  }
  std::printf("A signal of %d samples\n  %4s %9s %11s %9s\n", kSamples, "bits", "step", "max error", "SNR, dB");
  std::array<quanta::Tensor<float, 2>, 3> approx;
  std::array<double, 3> steps{};
  std::array<std::array<double, kBins>, 3> percent{};  // of the samples with an error from -1/2 to 1/2 step
  for (std::size_t d = 0; d < kBits.size(); ++d) {
    const auto quantized = kTwoToEight[static_cast<std::size_t>(kBits[d] - 2)].quantize(x);
    approx[d] = quantized.dequantize<2>();
    steps[d] = static_cast<double>(quantized.params().scale(0));
    const auto error = quanta::error_metrics(x, Eigen::Map<const Eigen::VectorXf>(approx[d].data(), x.size()));
    std::printf("  %4d %9.5f %11.6f %9.2f\n", kBits[d], steps[d], error.max_error, error.snr_db);
    examples::expect(error.max_error <= 0.5001 * steps[d], "rounding errs by half a step at most");
    for (int i = 0; i < kSamples; ++i) {
      const double in_steps = static_cast<double>(x(i) - approx[d].data()[i]) / steps[d] + 0.5;
      percent[d][static_cast<std::size_t>(std::clamp(in_steps * kBins, 0.0, kBins - 1.0))] += 100.0 / kSamples;
    }
  }

  examples::Plot plot(directory, "signal", 1000, 520);
  for (int i = 0; i < kSamples; ++i) {
    const auto at = [&](std::size_t d) { return static_cast<double>(approx[d].data()[i]); };
    plot.row("signal", {1.0 * i / kSamples, static_cast<double>(x(i)), at(0), at(1), at(2)});
  }
  for (std::size_t b = 0; b < kBins; ++b) {
    const double error = (static_cast<double>(b) + 0.5) / kBins - 0.5;
    plot.row("errors",
             {error * steps[0], error * steps[1], error * steps[2], percent[0][b], percent[1][b], percent[2][b]});
  }
  plot.draw(R"(
set multiplot layout 2,3 margins 0.08,0.985,0.12,0.92 spacing 0.06,0.19
set grid lc rgb '#dddddd'
set key bottom left samplen 1.5
set yrange [-1.5:1.2]; set ytics 0.5; set xtics 0.25
set xlabel 'time, s'
do for [i = 1:3] {
  set title word('8 4 2', i) . ' bits'
  if (i == 1) { set ylabel 'signal' } else { unset ylabel; unset key }
  plot $signal every 4 using 1:2 with lines lw 4 lc rgb '#a6cee3' title 'original', \
       $signal every 4 using 1:i+2 with steps lw 1.5 lc rgb '#d62728' title 'quantized'
}
unset title
set yrange [0:*]; set ytics auto; set xtics auto; set style fill solid 0.8; set boxwidth 0.9 relative
set xlabel 'error'
do for [i = 1:3] {
  if (i == 1) { set ylabel 'samples, %' } else { unset ylabel }
  if (i == 1) { set xtics 0.002 } else { if (i == 2) { set xtics 0.03 } else { set xtics 0.2 } }
  plot $errors using i:i+3 with boxes lc rgb '#1f77b4'
}
unset multiplot)");
}

// Twice the levels halve the error: 6.02 dB. From few bits it is more, since symmetric codes are 2^b - 1: 3, 7, 15, ...
void error_against_bits(const std::string& directory) {
  const auto x = quanta::Npy::open(QUANTA_BIT_WIDTHS_DATA).read<float, 1>();  // a thousand normal weights
  const quanta::BitWidthTable table = quanta::bit_width_table(x, kTwoToEight);
  std::printf("\nA thousand normal weights\n%s", table.text().c_str());

  // Computed by numpy in float64.
  constexpr double kMse[] = {0.8194849, 0.1426528, 0.02519702, 0.005198305, 0.001305727, 0.0003134453, 0.00007638163};
  examples::Plot plot(directory, "mse", 640, 420);
  double slope = 0.0;  // of the least squares line through 10 log10(mse) over bits, whose sum of squares is 28
  for (std::size_t i = 0; i < table.rows.size(); ++i) {
    const double bits = static_cast<double>(i) + 2.0, mse = table.rows[i].error.mse;
    plot.row("mse", {bits, mse});
    slope -= (bits - 5.0) * 10.0 * std::log10(mse) / 28.0;
    examples::expect_near(mse, kMse[i], 1e-6 * kMse[i], "mean squared error");
  }
  std::printf("%.2f dB per bit from 2 to 8 bits, %.2f from 7 to 8; twice the levels are 6.02\n", slope,
              10.0 * std::log10(table.rows[5].error.mse / table.rows[6].error.mse));
  examples::expect_near(slope, 6.68, 0.02, "dB per bit");
  char title[96];
  std::snprintf(title, sizeof title, "'measured, %.2f dB per bit'", slope);
  plot.draw(std::string("measured = ") + title + R"(
set logscale y; set yrange [2e-5:5]; set format y '%g'
set grid lc rgb '#dddddd'
set xlabel 'bits'; set ylabel 'mean squared error'
set xrange [1.7:8.3]; set key top right
set title 'Normal weights, symmetric, one scale'
plot $mse using 1:2 with linespoints pt 7 ps 1.2 lw 2 lc rgb '#1f77b4' title measured, \
     0.8194849 * 10**(-0.602 * (x - 2)) with lines dt 2 lw 1.5 lc rgb '#888888' title '6.02 dB per bit')");
}

}  // namespace

int main(int argc, char** argv) {
  const std::string directory = argc > 1 ? argv[1] : "";
  quantize_a_signal(directory);
  error_against_bits(directory);
}
