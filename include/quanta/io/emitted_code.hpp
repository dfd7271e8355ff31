// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The code that every emitted header has (io/emit_header.hpp), as text: what integer/network.hpp does, with the vector
// instructions of the flags that the header is compiled with. Tests hold the two against each other, bit by bit.
#pragma once

#include <quanta/config.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// In front of the namespace.
inline constexpr const char kEmittedIncludes[] = R"code(#pragma once

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if defined(__FAST_MATH__) && !defined(QUANTA_NO_FLOAT)
#error "-ffast-math changes the results: compile without it, or define QUANTA_NO_FLOAT and use codes alone"
#endif
)code";

/// Functions of codes.
inline constexpr const char kEmittedFunctions[] = R"code(
// start + the sum over k of x[k] * w[k]. It fits int32; what is added on the way counts modulo 2^32.
static inline std::int32_t dot(std::int32_t start, const std::int8_t* x, const std::int8_t* w, std::int32_t count) {
  std::uint32_t sum = static_cast<std::uint32_t>(start);
  std::int32_t k = 0;
#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
  __m512i sums = _mm512_setzero_si512();
  for (; k + 32 <= count; k += 32) {
    const __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + k));
    const __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(w + k));
    sums = _mm512_dpwssd_epi32(sums, _mm512_cvtepi8_epi16(a), _mm512_cvtepi8_epi16(b));
  }
  alignas(64) std::uint32_t lanes[16];
  _mm512_store_si512(lanes, sums);
  for (const std::uint32_t lane : lanes) sum += lane;
#elif defined(__AVX2__)
  __m256i sums = _mm256_setzero_si256();
  for (; k + 16 <= count; k += 16) {
    const __m128i a = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + k));
    const __m128i b = _mm_loadu_si128(reinterpret_cast<const __m128i*>(w + k));
    sums = _mm256_add_epi32(sums, _mm256_madd_epi16(_mm256_cvtepi8_epi16(a), _mm256_cvtepi8_epi16(b)));
  }
  alignas(32) std::uint32_t lanes[8];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes), sums);
  for (const std::uint32_t lane : lanes) sum += lane;
#elif defined(__aarch64__) && defined(__ARM_NEON)
  int32x4_t sums = vdupq_n_s32(0);
  for (; k + 16 <= count; k += 16) {
    const int8x16_t a = vld1q_s8(x + k), b = vld1q_s8(w + k);
#if defined(__ARM_FEATURE_DOTPROD)
    sums = vdotq_s32(sums, a, b);
#else
    sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
    sums = vpadalq_s16(sums, vmull_s8(vget_high_s8(a), vget_high_s8(b)));
#endif
  }
  sum += static_cast<std::uint32_t>(vaddvq_s32(sums));
#endif
  for (; k < count; ++k) sum += static_cast<std::uint32_t>(x[k] * w[k]);
  return static_cast<std::int32_t>(sum);
}

// x * multiplier * 2^(shift - 31), rounded once, half up.
static inline std::int64_t multiply(std::int32_t x, std::int32_t multiplier, std::int32_t shift) {
  const std::int32_t right = 31 - shift;
  return (std::int64_t{x} * multiplier + (std::int64_t{1} << (right - 1))) >> right;
}

// The same rounded twice, as gemmlowp does it.
static inline std::int64_t multiply_double_rounding(std::int32_t x, std::int32_t multiplier, std::int32_t shift) {
  const std::int64_t lowest = INT32_MIN, highest = INT32_MAX;
  std::int64_t shifted = std::int64_t{x} * (std::int64_t{1} << (shift > 0 ? shift : 0));
  shifted = shifted < lowest ? lowest : (shifted > highest ? highest : shifted);
  const std::int64_t product = shifted * multiplier;
  const std::int64_t nudge = product >= 0 ? std::int64_t{1} << 30 : 1 - (std::int64_t{1} << 30);
  const std::int64_t high = (product + nudge) / (std::int64_t{1} << 31);
  const std::int32_t right = shift < 0 ? -shift : 0;
  const std::int64_t mask = (std::int64_t{1} << right) - 1;
  return (high >> right) + ((high & mask) > (mask >> 1) + (high < 0 ? 1 : 0) ? 1 : 0);
}

// weight is (outputs, inputs), row-major; all else of it has an element per output.
struct Linear {
  std::int32_t inputs, outputs;
  const std::int8_t* weight;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  const std::int32_t* shift;
  std::int32_t zero_point, low, high;
  bool double_rounding;
};

static inline void run_linear(const Linear& layer, const std::int8_t* x, std::int8_t* y) {
  const std::int8_t* weight = layer.weight;
  for (std::int32_t n = 0; n < layer.outputs; ++n, weight += layer.inputs) {
    const std::int32_t sum = dot(layer.bias[n], x, weight, layer.inputs);
    std::int64_t code = layer.double_rounding ? multiply_double_rounding(sum, layer.multiplier[n], layer.shift[n])
                                              : multiply(sum, layer.multiplier[n], layer.shift[n]);
    code += layer.zero_point;
    y[n] = static_cast<std::int8_t>(code < layer.low ? layer.low : (code > layer.high ? layer.high : code));
  }
}

static inline void run_table(const std::int8_t* table, std::int32_t count, const std::int8_t* x, std::int8_t* y) {
  for (std::int32_t i = 0; i < count; ++i) y[i] = table[x[i] + 128];
}

// exponentials[d] is what e^-d is, in steps of x; y has the scale 1 / 256 and the zero point -128.
static inline void run_softmax(const std::int32_t* exponentials, std::int32_t count, const std::int8_t* x,
                               std::int8_t* y) {
  std::int32_t most = -128;
  for (std::int32_t i = 0; i < count; ++i) most = x[i] > most ? x[i] : most;
  std::uint64_t sum = 0;
  for (std::int32_t i = 0; i < count; ++i) sum += static_cast<std::uint64_t>(exponentials[most - x[i]]);
  for (std::int32_t i = 0; i < count; ++i) {
    const std::uint64_t scaled = static_cast<std::uint64_t>(exponentials[most - x[i]]) * 256;
    const std::uint64_t whole = scaled / sum, rest = scaled % sum;
    const std::uint64_t share = whole + (2 * rest + (whole & 1) > sum ? 1 : 0);
    y[i] = static_cast<std::int8_t>(static_cast<std::int32_t>(share < 255 ? share : 255) - 128);
  }
}
)code";

/// Functions between codes and floats.
inline constexpr const char kEmittedFloatFunctions[] = R"code(
#if !defined(QUANTA_NO_FLOAT)
// x / scale rounded to the nearest integer, ties to even, plus the zero point, saturated; NaN counts as 0.
static inline std::int8_t to_code(float x, float scale, std::int32_t zero_point) {
  const float real = x / scale;
  if (!(real > static_cast<float>(-128 - zero_point)))
    return static_cast<std::int8_t>(real != real ? zero_point : -128);
  if (real >= static_cast<float>(127 - zero_point)) return 127;
  std::int32_t whole = static_cast<std::int32_t>(real);  // towards 0
  const float rest = real - static_cast<float>(whole);   // exact
  if (rest > 0.5f || (rest == 0.5f && whole % 2 != 0)) ++whole;
  if (rest < -0.5f || (rest == -0.5f && whole % 2 != 0)) --whole;
  return static_cast<std::int8_t>(whole + zero_point);
}

static inline float to_real(std::int8_t code, float scale, std::int32_t zero_point) {
  const float real = scale * static_cast<float>(code - zero_point);
  const float most = 0x1.fffffep127f;
  return real > most ? most : (real < -most ? -most : real);
}
#endif
)code";

}  // namespace detail
QUANTA_NAMESPACE_END
