// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The sketches of one tensor: a single fine one, or one per channel. Fill it once and ask every calibrator but
// MovingAverage, which is about the order of batches and keeps a state of its own:
//
//   CalibrationSketch<> seen;
//   for (const auto& b : batches) seen.observe(b);
//   MseCalibrator<> mse(seen);  EntropyCalibrator<> entropy(seen);
#pragma once

#include <type_traits>

#include <quanta/calib/channel_pieces.hpp>
#include <quanta/calib/sketch_bytes.hpp>
#include <quanta/quant/quantizer.hpp>

QUANTA_NAMESPACE_BEGIN

namespace detail {

/// Can data be calibrated at this granularity?
template <Granularity G>
inline constexpr bool is_calibration_granularity = std::is_same_v<G, PerTensor>;
template <int axis>
inline constexpr bool is_calibration_granularity<PerChannel<axis>> = true;

/// What a CalibrationSketch's bytes begin with.
struct SketchesHeader {
  std::uint32_t kind;  ///< 0 per tensor, 1 per channel
  std::int32_t axis;
  std::uint64_t channels;

  static SketchesHeader of(const GranularityInfo& info, std::uint64_t channels) {
    return {info.kind == GranularityKind::per_channel ? 1u : 0u, info.axis, channels};
  }
  std::string granularity() const {
    if (kind > 1) return text("kind ", kind);
    return kind == 0 ? "PerTensor" : text("PerChannel<", axis, ">");
  }
};

}  // namespace detail

/// What calibration remembers of a tensor: a Sketch per channel, or one. Relative resolution 2^-8 (0.4 %) in 127 KB per
/// tensor, 2^-6 (1.6 %) in 32 KB per channel, for fewer than 2^64 values. Bins are a value's own leading bits, so that
/// any split of the data, in any order, gives the same counts. G is PerTensor or PerChannel<axis>.
template <Granularity G = PerTensor>
class CalibrationSketch {
  static_assert(detail::is_calibration_granularity<G>, "quanta: calibrators are PerTensor or PerChannel<axis>");

 public:
  using GranularityType = G;  ///< PerTensor or PerChannel
  /// the resolution: 2^-8 of a value per tensor, 2^-6 per channel
  static constexpr int kMantissaBits = std::is_same_v<G, PerTensor> ? 8 : 6;
  using ChannelSketch = Sketch<kMantissaBits>;  ///< that of one channel

  /// Counts the values of x: any Eigen object of float or double. Shapes may differ from call to call, the number of
  /// channels may not. Throws Error, and stays as it was, when an element is not finite, naming the first, or the
  /// number of channels differs. An empty x changes nothing.
  template <RealObject X>
  void observe(const X& x);

  /// Counts what `other` counted. The result is the same in any order and for any split of the data. Throws Error when
  /// the numbers of channels differ, or the values of a channel are 2^64 or more; it then stays as it was.
  void merge(const CalibrationSketch& other);

  /// 0 before the first observation.
  Index channels() const { return static_cast<Index>(sketches_.size()); }
  bool empty() const { return sketches_.empty(); }  ///< before the first observation
  /// Throws Error when there is no such channel, or nothing was seen.
  const ChannelSketch& sketch(Index channel = 0) const {
    detail::check(!empty(), "calibration: no data was observed");
    detail::check(channel >= 0 && channel < channels(), "calibration: channel ", channel, " of ", channels());
    return sketches_[usize(channel)];
  }

  /// The state as bytes, equal for equal states: the granularity (u32 kind, i32 axis), the channels (u64), their
  /// sketches. And back; throws Error on bytes that are not one, or are one of another granularity.
  std::vector<std::byte> serialize() const;
  /// From what `serialize` gave.
  static CalibrationSketch deserialize(const std::vector<std::byte>& bytes);

  /// Equal sketches of as many channels.
  bool operator==(const CalibrationSketch& other) const { return sketches_ == other.sketches_; }

 private:
  /// From this many values on, counting them costs more than a sketch of their own.
  static constexpr Index kOwnSketch = 1 << 17;

  template <int rank>
  void observe_in_one_read(const TensorView<const float, rank>& view);

  std::vector<ChannelSketch> sketches_;
};

// ---- bodies ----

template <Granularity G>
template <RealObject X>
void CalibrationSketch<G>::observe(const X& x) {
  constexpr int rank = rank_of<X>;
  static_assert(G::template fits_rank<rank>, "quanta: the granularity's axis is not one of the tensor's");
  const detail::Input<float, rank> input(x);
  const TensorView<const float, rank>& view = input.view();
  if (view.size() == 0) return;
  const ParamMap map = param_map(G{}.info(), view.shape());
  detail::check(empty() || map.count == channels(), "observe: x has ", map.count, " channels, the earlier data had ",
                channels());
  for (const ChannelSketch& seen : sketches_) {
    seen.check_room("observe", static_cast<std::uint64_t>(view.size() / map.count));
  }
  if (std::is_same_v<G, PerTensor> && view.size() >= kOwnSketch) return observe_in_one_read(view);
  const Buffer<Range> ranges = detail::observed_ranges("observe", view, G{}.info());
  if (empty()) sketches_.resize(usize(map.count));
  detail::for_each_channel_piece(view, G{}.info(), [&](Index channel, const float* values, Index count) {
    sketches_[usize(channel)].add(values, count, ranges[channel]);
  });
}

template <Granularity G>
void CalibrationSketch<G>::merge(const CalibrationSketch& other) {
  if (other.empty()) return;
  detail::check(empty() || channels() == other.channels(), "merge: the other has ", other.channels(),
                " channels, this one ", channels());
  if (empty()) {
    sketches_ = other.sketches_;
    return;
  }
  for (std::size_t c = 0; c < sketches_.size(); ++c) sketches_[c].check_room("merge", other.sketches_[c].count());
  for (std::size_t c = 0; c < sketches_.size(); ++c) sketches_[c].merge(other.sketches_[c]);
}

// Values that fill the caches are not read twice, to find out whether all are finite and then to count them: they get a
// sketch of their own, a piece at a time, and that is merged when all have been seen.
template <Granularity G>
template <int rank>
void CalibrationSketch<G>::observe_in_one_read(const TensorView<const float, rank>& view) {
  constexpr Index kPiece = 8192;
  ChannelSketch seen;
  detail::for_each_channel_piece(view, G{}.info(), [&](Index, const float* values, Index n) {
    for (Index first = 0; first < n; first += kPiece) {
      const Index count = std::min(kPiece, n - first);
      const simd::MinMax extremes = simd::min_max(values + first, count);
      if (!extremes.finite) detail::fail_not_finite("observe", view);
      seen.add(values + first, count, {extremes.min + 0.0f, extremes.max + 0.0f});  // + 0 turns -0 into +0
    }
  });
  if (empty()) {
    sketches_.push_back(std::move(seen));
  } else {
    sketches_[0].merge(seen);
  }
}

template <Granularity G>
std::vector<std::byte> CalibrationSketch<G>::serialize() const {
  const detail::SketchesHeader header = detail::SketchesHeader::of(G{}.info(), sketches_.size());
  std::vector<std::byte> bytes(sizeof header);
  std::memcpy(bytes.data(), &header, sizeof header);
  for (const ChannelSketch& sketch : sketches_) SketchBytes<kMantissaBits>::write(sketch, bytes);
  return bytes;
}

template <Granularity G>
CalibrationSketch<G> CalibrationSketch<G>::deserialize(const std::vector<std::byte>& bytes) {
  detail::SketchesHeader header{};
  detail::check(bytes.size() >= sizeof header, "CalibrationSketch: ", bytes.size(), " bytes, expected at least ",
                sizeof header);
  std::memcpy(&header, bytes.data(), sizeof header);
  const auto expected = detail::SketchesHeader::of(G{}.info(), header.channels);
  detail::check(header.kind == expected.kind && header.axis == expected.axis, "CalibrationSketch: the bytes are of ",
                header.granularity(), ", expected ", expected.granularity());
  detail::check(header.kind != 0 || header.channels <= 1, "CalibrationSketch: ", header.channels,
                " sketches of one tensor");
  std::size_t position = sizeof header;
  CalibrationSketch result;
  for (std::uint64_t c = 0; c < header.channels; ++c) {
    result.sketches_.push_back(SketchBytes<kMantissaBits>::read(bytes, position));
    detail::check(!result.sketches_.back().empty(), "CalibrationSketch: channel ", c, " holds no values");
  }
  detail::check(position == bytes.size(), "CalibrationSketch: ", bytes.size() - position, " bytes too many");
  return result;
}

QUANTA_NAMESPACE_END
