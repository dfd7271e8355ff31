// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What a calibrator is: it observes batches and then chooses, for the scheme and format that ask, the range of reals to
// quantize. The ones over a sketch share this base; each method is one file and one function.
#pragma once

#include <utility>

#include <quanta/calib/calibration_sketch.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Values in [low, high], spread evenly.
struct Bin {
  double low, high;
  std::uint64_t count;
};

template <class Sketch>
std::vector<Bin> bins_of(const Sketch& sketch) {
  Lazy<std::vector<Bin>, Sketch> bins;
  sketch.for_each_bin([&](float low, float high, std::uint64_t n) { bins.push_back({double{low}, double{high}, n}); });
  return bins;
}

}  // namespace detail

/// What a quantizer can be fitted to: observe(x) and merge(other) collect; channels() is 0 before anything was seen;
/// range<Quantizer>(channel, options) is what Quantizer::fit asks for, options being the quantizer's FitOptions.
/// GranularityType is PerTensor or PerChannel.
template <class C>
concept Calibrator = std::copyable<C> && requires(C& c, const C& other, const Eigen::Tensor<float, 2>& x) {
  typename C::GranularityType;
  c.observe(x);
  c.merge(other);
  { other.channels() } -> std::same_as<Index>;
  {
    other.template range<AsymmetricQuantizer<UInt<8>, typename C::GranularityType>>(Index{}, Asymmetric::FitOptions{})
    } -> std::same_as<Range>;
};

/// A calibrator that is a method M over a sketch: M provides `template <class Quantizer, class Sketch> Range
/// choose(const Sketch&) const`, which is asked only about sketches that hold values.
template <class M, Granularity G>
class SketchCalibrator {
 public:
  using GranularityType = G;  ///< PerTensor or PerChannel

  /// Nothing observed.
  SketchCalibrator() = default;
  /// From data already counted.
  explicit SketchCalibrator(CalibrationSketch<G> sketch) : sketch_(std::move(sketch)) {}

  /// As CalibrationSketch's.
  template <RealObject X>
  void observe(const X& x) {
    sketch_.observe(x);
  }
  void merge(const M& other) { sketch_.merge(other.sketch_); }    ///< as CalibrationSketch's
  Index channels() const { return sketch_.channels(); }           ///< 0 before the first observation
  const CalibrationSketch<G>& sketch() const { return sketch_; }  ///< what was seen

  /// The range for a quantizer's scheme, format and options. Throws Error when nothing was observed or there is no such
  /// channel.
  template <class Quantizer>
  Range range(Index channel = 0, const typename Quantizer::FitOptions& options = {}) const {
    return static_cast<const M&>(*this).template choose<Quantizer>(sketch_.sketch(channel), options);
  }

 private:
  CalibrationSketch<G> sketch_;
};

QUANTA_NAMESPACE_END
