// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// From codes back to reals. A format decodes its codes to levels (of an integer format, the integers themselves, as
// float); real = scale * (level - zero_point), saturated to +-FLT_MAX; NaN stays NaN. Written once for formats known at
// compile time and for those known only at run time.
#pragma once

#include <quanta/core/tensor_view.hpp>
#include <quanta/format/coding.hpp>
#include <quanta/quant/params.hpp>
#include <quanta/simd/quantize.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The zero points a format allows: its codes, or only 0 where codes are not integers.
template <Format F>
inline constexpr std::int32_t zero_point_min = 0;
template <Format F>
inline constexpr std::int32_t zero_point_max = 0;
template <IntegerFormat F>
inline constexpr std::int32_t zero_point_min<F> = F::min;
template <IntegerFormat F>
inline constexpr std::int32_t zero_point_max<F> = F::max;

template <Format F>
struct FormatDecoder {
  const std::byte* stream;
  void operator()(Index first, Index count, float* levels) const { decode_levels<F>(stream, first, count, levels); }
};

/// The reals of the elements [first, first + count), given their levels.
QUANTA_LAZY
void scale_elements(float* values, Index first, Index count, const ParamMap& map, const ParamsData& params) {
  if (map.count == 0) return;  // Unscaled
  for_each_run(map, first, first + count, [&](const ParamRun& run) {
    float* at = values + run.offset;
    if (!run.follows) {
      simd::scale_levels(at, run.count, params.scale(run.param), static_cast<float>(params.zero_point(run.param)));
    } else if (params.scales != nullptr) {
      simd::scale_columns(at, run.rows, run.count, params.scales + run.param, params.zero_points_from(run.param));
    } else {
      constexpr Index kColumns = 256;
      float scales[kColumns];
      for (Index j = 0; j < run.count; j += kColumns) {
        const Index columns = std::min(kColumns, run.count - j), param = run.param + j;
        params.narrow.read(param, columns, scales);
        for (Index r = 0; r < run.rows; ++r) {
          simd::scale_columns(at + r * run.count + j, 1, columns, scales, params.zero_points_from(param));
        }
      }
    }
  });
}

/// Writes all reals of a tensor. `decode(first, count, levels)` hands out levels.
template <class Decode, int rank>
void dequantize(Decode decode, const ParamMap& map, const ParamsData& params, const TensorView<float, rank>& out) {
  constexpr Index kChunk = 1024;
  float scratch[kChunk];
  const bool dense = out.is_dense();
  const Index n = out.size();
  const SlotParams slots(map, params);
  for (Index first = 0; first < n; first += kChunk) {
    const Index count = std::min(kChunk, n - first);
    float* values = dense ? out.data() + first : scratch;
    decode(first, count, values);
    scale_elements(values, first, count, slots.map(), slots.data());
    if (!dense) out.write(first, count, values);
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
