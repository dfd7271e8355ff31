// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The sketches of one tensor: a single fine one, or one per channel. Fill it once and ask every calibrator:
//
//   CalibrationSketch<> seen;
//   for (const auto& b : batches) seen.observe(b);
//   MseCalibrator<> mse(seen);  EntropyCalibrator<> entropy(seen);
#pragma once

#include <type_traits>

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

/// Calls f(values, count) for adjacent pieces of a view, in logical order.
template <int rank, class F>
void for_each_piece(const TensorView<const float, rank>& view, F f) {
  constexpr Index kChunk = 4096;
  const Index n = view.size();
  if (view.is_dense()) return f(view.data(), n);
  float scratch[kChunk];
  for (Index first = 0; first < n; first += kChunk) {
    const Index count = std::min(kChunk, n - first);
    f(view.read(first, count, scratch), count);
  }
}

/// Calls f(channel, values, count) for adjacent pieces of every channel of a view; per tensor, of channel 0.
template <int rank, class F>
void for_each_channel_piece(const TensorView<const float, rank>& view, const GranularityInfo& info, F f) {
  if (info.kind == GranularityKind::per_tensor) {
    return for_each_piece(view, [&](const float* values, Index count) { f(Index{0}, values, count); });
  }
  // The axis goes to the end, where a few neighbouring channels are read together and then taken apart, so that memory
  // is not read once for each of them; or, where channels are not neighbours, only one at a time.
  const int axis = info.axis < 0 ? info.axis + rank : info.axis;
  Shape<rank> shape = view.shape(), strides = view.strides();
  const Index channels = view.extent(axis), stride = view.stride(axis);
  std::rotate(shape.begin() + axis, shape.begin() + axis + 1, shape.end());
  std::rotate(strides.begin() + axis, strides.begin() + axis + 1, strides.end());
  constexpr Index kTogether = 16, kChunk = 256;
  const Index together = stride == 1 ? kTogether : 1;
  float rows[kTogether * kChunk], values[kChunk];
  for (Index c = 0; c < channels; c += together) {
    const Index width = std::min(together, channels - c);
    if (width ==
        1) {  // the axis to the front, so that what is left of the innermost dimension is walked in long strides
      Shape<rank> front = view.shape(), front_strides = view.strides();
      std::rotate(front.begin(), front.begin() + axis, front.begin() + axis + 1);
      std::rotate(front_strides.begin(), front_strides.begin() + axis, front_strides.begin() + axis + 1);
      front[0] = 1;
      const TensorView<const float, rank> slice(view.data() + c * stride, front, front_strides);
      for_each_piece(slice, [&](const float* piece, Index count) { f(c, piece, count); });
      continue;
    }
    shape[rank - 1] = width;
    const TensorView<const float, rank> slice(view.data() + c * stride, shape, strides);
    const Index n = slice.size() / width;
    for (Index first = 0; first < n; first += kChunk) {
      const Index count = std::min(kChunk, n - first);
      const float* read = slice.read(first * width, count * width, rows);
      for (Index k = 0; k < width; ++k) {
        for (Index r = 0; r < count; ++r) values[r] = read[r * width + k];
        f(c + k, static_cast<const float*>(values), count);
      }
    }
  }
}

}  // namespace detail

/// Relative resolution 2^-8 (0.4 %) in 127 KB per tensor, 2^-6 (1.6 %) in 32 KB per channel. G is PerTensor or
/// PerChannel<axis>.
template <Granularity G = PerTensor>
class CalibrationSketch {
  static_assert(detail::is_calibration_granularity<G>, "quanta: calibrators are PerTensor or PerChannel<axis>");

 public:
  using GranularityType = G;
  static constexpr int kMantissaBits = std::is_same_v<G, PerTensor> ? 8 : 6;
  using ChannelSketch = Sketch<kMantissaBits>;

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
  bool empty() const { return sketches_.empty(); }
  /// Throws Error when there is no such channel, or nothing was seen.
  const ChannelSketch& sketch(Index channel = 0) const {
    detail::check(!empty(), "calibration: no data was observed");
    detail::check(channel >= 0 && channel < channels(), "calibration: channel ", channel, " of ", channels());
    return sketches_[usize(channel)];
  }

  /// The state as bytes, equal for equal states: the granularity (u32 kind, i32 axis), the channels (u64), their
  /// sketches. And back; throws Error on bytes that are not one, or are one of another granularity.
  std::vector<std::byte> serialize() const;
  static CalibrationSketch deserialize(const std::vector<std::byte>& bytes);

  bool operator==(const CalibrationSketch& other) const { return sketches_ == other.sketches_; }

 private:
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
  const Buffer<Range> ranges = detail::observed_ranges("observe", view, map);
  for (const ChannelSketch& seen : sketches_) {
    seen.check_room("observe", static_cast<std::uint64_t>(view.size() / map.count));
  }
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
