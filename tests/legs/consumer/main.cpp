// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Quantizes a small weight, as a first program would.

#include <cstdio>

#include <quanta/quanta.hpp>

#ifdef CONSUMER_HAS_IO
bool io_works();
#else
bool io_works() { return true; }
#endif

int main() {
  Eigen::Tensor<float, 2, Eigen::RowMajor> weight(3, 5);
  for (int i = 0; i < 15; ++i) weight.data()[i] = 0.25f * static_cast<float>(i - 7);
  const auto quantizer = quanta::SymmetricQuantizer<quanta::Int<8>, quanta::PerChannel<0>>::fit(weight);
  const auto quantized = quantizer.quantize(weight);
  const auto error = quanta::error_metrics(weight, quantized.dequantize());
  std::printf("%.1f dB on %s\n", static_cast<double>(error.snr_db), quanta::arch::Native::name);
  return error.snr_db > 40 && io_works() ? 0 : 1;
}
