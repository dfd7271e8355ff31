// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Bits of calib/: sketches as bytes, and the ranges of every calibrator for several schemes and formats.
#include "tests/calib/calibrators.hpp"
#include "tests/support/golden.hpp"

namespace quanta::test {

namespace {

void add_bytes(Recorder& recorder, const std::string& name, const std::vector<std::byte>& bytes) {
  recorder.add(name, reinterpret_cast<const std::uint8_t*>(bytes.data()), static_cast<std::ptrdiff_t>(bytes.size()));
}

template <class G, class X>
void add_calibrators(Recorder& recorder, const std::string& name, const std::vector<X>& batches) {
  CalibrationSketch<G> seen;
  MovingAverageCalibrator<G> average(0.1f);
  for (const X& batch : batches) {
    seen.observe(batch);
    average.observe(batch);
  }
  add_bytes(recorder, name + ".sketch", seen.serialize());
  for_each_calibrator<G>(
      [&](const char* method, const auto& calibrator) {
        std::string entry = name + "." + method;
        for (char& c : entry) c = c == ' ' || c == ',' ? '_' : c;  // an entry is one word
        recorder.add(entry, all_ranges(calibrator));
      },
      seen);
  MovingAverageCalibrator<G> merged = average;
  average.observe(batches.front());
  merged.merge(average);
  Values averages;
  for (Index c = 0; c < merged.channels(); ++c) {
    for (const Range range : {average.seen(c), merged.seen(c)}) {
      averages.push_back(range.min);
      averages.push_back(range.max);
    }
  }
  recorder.add(name + ".average", averages);
}

using Batch = RowTensor<float, 2>;

}  // namespace

void golden_calibration(Recorder& recorder) {
  const Batch heavy = heavy_tensor<2>({100, 60}, 1), normal = random_tensor<2>({50, 60}, 2);
  Batch relu = heavy_tensor<2>({90, 60}, 3, 0.25f);
  for (Index i = 0; i < relu.size(); ++i) relu.data()[i] = std::max(relu.data()[i], 0.0f);
  const Batch negative = -relu, huge = heavy_tensor<2>({40, 60}, 4, 1e32f),
              tiny = random_tensor<2>({40, 60}, 5, 1e-38f);
  recorder.add("inputs", heavy);
  add_calibrators<PerTensor, Batch>(recorder, "heavy", {heavy, normal, heavy});
  add_calibrators<PerTensor, Batch>(recorder, "normal", {normal, random_tensor<2>({30, 60}, 6)});
  add_calibrators<PerTensor, Batch>(recorder, "relu", {relu, relu});
  add_calibrators<PerTensor, Batch>(recorder, "negative", {negative});
  add_calibrators<PerTensor, Batch>(recorder, "huge", {normal, huge});
  add_calibrators<PerTensor, Batch>(recorder, "tiny", {tiny, tiny});
  add_calibrators<PerTensor, Batch>(recorder, "all", {tiny, negative, normal, huge, heavy});
  add_calibrators<PerTensor, ColTensor<float, 2>>(recorder, "columns", {col_major(heavy), col_major(normal)});
  Batch few = heavy_tensor<2>({2500, 3}, 7);
  for (Index i = 0; i < few.size(); ++i) few.data()[i] *= i % 3 == 0 ? 0.0f : i % 3 == 1 ? 1e-3f : 7.0f;
  add_calibrators<PerChannel<1>, Batch>(recorder, "channels", {few, few});
  add_calibrators<PerChannel<0>, Batch>(recorder, "rows", {heavy_tensor<2>({5, 200}, 8)});
}

}  // namespace quanta::test
