// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Six things that Quanta does not have, added without touching it: a ternary format, a codebook, a floating format, a
// calibrator that clips at three standard deviations, a stage for a leaky ReLU, and a micro-kernel that counts what it
// multiplies. Each needs no registration: it has the members that a concept of the library names, and is used like the
// library's own.
#include <cmath>
#include <cstdio>

#include <quanta/quanta.hpp>
#include <quanta/report.hpp>

#include "../support/expect.hpp"

using examples::expect;
using quanta::Index;

// ---- A format (quanta::IntegerFormat): -1, 0 and 1 in two bits ----

struct Ternary {
  using Code = std::int8_t;
  static constexpr int bits = 2;
  static constexpr std::int32_t min = -1, max = 1;
  static constexpr std::string_view name = "ternary";
};

// ---- A codebook (quanta::CodebookFormat): powers of two, and 0 ----

struct PowersOfTwo {
  using Code = std::uint8_t;
  static constexpr int bits = 3;
  static constexpr std::string_view name = "powers of two";
  static constexpr std::array<float, 7> levels = {-4.0f, -2.0f, -1.0f, 0.0f, 1.0f, 2.0f, 4.0f};
  using DefaultGranularity = quanta::PerGroup<32>;  // where none is named
};

// ---- A floating format (quanta::FloatingFormat): 3 bits of exponent, 1 of fraction, no special codes ----

struct E3M1 : quanta::Floating<3, 1, quanta::Specials::none> {
  static constexpr std::string_view name = "e3m1";
};

// ---- A calibrator (quanta::Calibrator): the mean and three standard deviations to either side ----

class ThreeSigmaCalibrator {
 public:
  using GranularityType = quanta::PerTensor;

  /// Of objects that have their elements in memory, as those that quantize_static shows.
  template <quanta::RealObject X>
  void observe(const X& x) {
    seen_ += static_cast<double>(x.size());
    for (Index i = 0; i < x.size(); ++i) {
      const double v = static_cast<double>(x.data()[i]);
      sum_ += v;
      squares_ += v * v;
    }
  }
  void merge(const ThreeSigmaCalibrator& other) {
    seen_ += other.seen_;
    sum_ += other.sum_;
    squares_ += other.squares_;
  }
  /// 0 before anything was seen.
  Index channels() const { return seen_ > 0.0 ? 1 : 0; }

  template <class Quantizer>
  quanta::Range range(Index, const typename Quantizer::FitOptions&) const {
    const double mean = sum_ / seen_, deviation = std::sqrt(std::max(0.0, squares_ / seen_ - mean * mean));
    return {static_cast<float>(mean - 3.0 * deviation), static_cast<float>(mean + 3.0 * deviation)};
  }

 private:
  double seen_ = 0.0, sum_ = 0.0, squares_ = 0.0;
};
static_assert(quanta::Calibrator<ThreeSigmaCalibrator>);

// ---- A stage (quanta::EpilogueStage): x or slope * x, on each piece of a row while it is in cache ----

struct LeakyRelu {
  float slope = 0.01f;

  void apply(float* values, Index count, Index /*row*/, Index /*column*/) const {
    for (Index i = 0; i < count; ++i) values[i] = values[i] < 0.0f ? slope * values[i] : values[i];
  }
};

// ---- A kernel (quanta::MicroKernel): 2 x 4 results from 2 steps of k at a time ----

struct CountingKernel {
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  static constexpr const char* name = "Counting";
  static constexpr int kMr = 2, kNr = 4, kKr = 2;
  inline static long multiply_adds = 0;

  template <int rows>
  static void run(const quanta::LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const quanta::SumTile& tile,
                  bool accumulate) {
    const Index all = blocks + (lhs.tail != nullptr ? 1 : 0);
    for (int r = 0; r < rows; ++r) {
      for (int c = 0; c < kNr; ++c) {
        std::int32_t sum = accumulate ? tile.data[r * tile.stride + c] : 0;
        for (Index b = 0; b < all; ++b) {
          const Lhs* x = b < blocks ? lhs.data + r * lhs.stride + b * kKr : lhs.tail + r * kKr;
          for (int k = 0; k < kKr; ++k) sum += std::int32_t{x[k]} * panel[(b * kNr + c) * kKr + k];
        }
        tile.data[r * tile.stride + c] = sum;
      }
    }
    multiply_adds += all * rows * kNr * kKr;
  }
};

// ---- All at once ----

int main() {
  const Eigen::MatrixXf weight = Eigen::MatrixXf::Random(30, 50);
  Eigen::MatrixXf x = Eigen::MatrixXf::Random(7, 50);
  x(3, 4) = 1000.0f;

  ThreeSigmaCalibrator calibrator;
  calibrator.observe(x);
  const auto quantizer = quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(calibrator);
  const auto codes = quantizer.quantize(x);
  const float scale = quantizer.params().scale(0);
  std::printf("three sigma: a scale of %g where min-max has %g\n", static_cast<double>(scale),
              static_cast<double>(quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(x).params().scale(0)));
  expect(scale < 0.5f * quanta::AsymmetricQuantizer<quanta::UInt<8>>::fit(x).params().scale(0),
         "the calibrator clips what min-max does not");

  const auto ternary = quanta::SymmetricQuantizer<Ternary, quanta::PerChannel<0>>::fit(weight).quantize(weight);
  std::printf("ternary weights: %ld bytes for %ld values\n", static_cast<long>(ternary.bytes()),
              static_cast<long>(weight.size()));
  expect(ternary.bytes() < weight.size() / 2, "the format is held in its two bits");

  const auto table =
      quanta::bit_width_table(weight, {quanta::choice<PowersOfTwo>(),
                                       quanta::choice<E3M1, quanta::WithScales<quanta::PerGroup<32>, quanta::E8M0>>(),
                                       quanta::choice<quanta::NF4>()});
  std::printf("%s", table.text().c_str());
  expect(table.rows[0].error.snr_db > 10.0 && table.rows[1].error.snr_db > 15.0, "the real formats hold the weights");

  quanta::Tensor<float, 2> usual(7, 30), own(7, 30);
  gemm(codes, quanta::pack(ternary), usual, quanta::Dequantize{}, LeakyRelu{0.1f});
  gemm(codes, quanta::pack<CountingKernel>(ternary), own, quanta::Dequantize{}, LeakyRelu{0.1f});
  std::printf("%s and %s: %ld multiply-adds counted\n", quanta::NativeKernel::name, CountingKernel::name,
              CountingKernel::multiply_adds);
  bool equal = true, leaks = false;
  for (Index i = 0; i < own.size(); ++i) {
    equal = equal && own.data()[i] == usual.data()[i];
    leaks = leaks || own.data()[i] < 0.0f;
  }
  expect(equal && leaks, "both kernels give the same bits, and the stage runs");
  return 0;
}
