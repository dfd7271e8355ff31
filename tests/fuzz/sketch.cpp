// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// libFuzzer: any bytes are a sound calibration sketch, which all calibrators can be asked about, and which goes on as
// one that data made; or Error.
#include <cstdlib>

#include <quanta/quanta.hpp>

namespace {

using Bytes = std::vector<std::byte>;

void expect(bool holds) {
  if (!holds) std::abort();
}

/// A quantizer can be made of what the calibrator says.
template <class Calibrator>
void ask(const Calibrator& calibrator, quanta::Index channel) {
  using G = typename Calibrator::GranularityType;
  const quanta::Range wide = calibrator.template range<quanta::AsymmetricQuantizer<quanta::UInt<8>, G>>(channel);
  const quanta::Range narrow = calibrator.template range<quanta::SymmetricQuantizer<quanta::Int<2>, G>>(channel);
  for (const quanta::Range range : {wide, narrow}) {
    expect(range.min <= range.max);
    static_cast<void>(quanta::AsymmetricQuantizer<quanta::UInt<4>>::fit(range));
  }
}

template <class G>
void read(const Bytes& bytes) {
  using Sketch = quanta::CalibrationSketch<G>;
  Sketch sketch;
  try {
    sketch = Sketch::deserialize(bytes);
  } catch (const quanta::Error&) {
    return;
  }
  expect(sketch.serialize() == bytes);
  for (quanta::Index c = 0; c < std::min<quanta::Index>(sketch.channels(), 2); ++c) {
    ask(quanta::MinMaxCalibrator<G>(sketch), c);
    ask(quanta::PercentileCalibrator<G>(quanta::Abs{99.0}, sketch), c);
    ask(quanta::PercentileCalibrator<G>(quanta::TwoSided{90.0}, sketch), c);
    ask(quanta::MseCalibrator<G>(sketch), c);
    ask(quanta::EntropyCalibrator<G>(sketch), c);
  }
  try {
    Sketch twice = sketch;
    twice.merge(sketch);
    expect(Sketch::deserialize(twice.serialize()) == twice);
    const quanta::Index channels = std::max<quanta::Index>(sketch.channels(), 1);
    quanta::Tensor<float, 2> more(2, channels);
    for (quanta::Index i = 0; i < more.size(); ++i) more.data()[i] = static_cast<float>(i) * 0x1p90f - 1.0f;
    Sketch longer = sketch;
    longer.observe(more);
    Sketch other;
    other.observe(more);
    other.merge(sketch);
    expect(longer == other);
  } catch (const quanta::Error&) {  // more values than a sketch counts
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Bytes bytes(size);
  std::copy_n(reinterpret_cast<const std::byte*>(data), size, bytes.data());
  read<quanta::PerTensor>(bytes);
  read<quanta::PerChannel<1>>(bytes);
  return 0;
}
