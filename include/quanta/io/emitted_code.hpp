// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The code that every emitted header has (io/emit_header.hpp), as text: what integer/network.hpp does, with the vector
// instructions of the flags that the header is compiled with. Tests hold the two against each other, bit by bit.
#pragma once

#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The largest kBlock of the code.
inline constexpr Index kEmittedBlock = 64;

/// In front of the namespace.
inline constexpr const char kEmittedIncludes[] = R"code(#pragma once

#if !(__cplusplus >= 201703L || (defined(_MSVC_LANG) && _MSVC_LANG >= 201703L))
#error "this header needs C++17: compile with -std=c++17"
#endif

#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__aarch64__) && defined(__ARM_NEON)
#include <arm_neon.h>
#endif

#if !defined(QUANTA_NO_FLOAT)
#if defined(__FAST_MATH__) || (defined(__FINITE_MATH_ONLY__) && __FINITE_MATH_ONLY__ != 0) || \
    defined(__ASSOCIATIVE_MATH__) || defined(__RECIPROCAL_MATH__) || defined(_M_FP_FAST)
#error "-ffast-math changes the results: compile without it, or define QUANTA_NO_FLOAT and use codes alone"
#endif
#if defined(__FLT_EVAL_METHOD__) && __FLT_EVAL_METHOD__ != 0 && __FLT_EVAL_METHOD__ != 16  // 16: but for half floats
#error "the results need float arithmetic in float: compile with -msse2 -mfpmath=sse, or define QUANTA_NO_FLOAT"
#endif
#endif
)code";

/// Functions of codes.
inline constexpr const char kEmittedFunctions[] = R"code(
// Sums of products of codes, modulo 2^32: add(sums, x, w) for kBlock codes of each, and what four sums come to. Where
// bytes are multiplied as unsigned by signed, a weight w counts as w + kMore. load_x is load, but for compilers that
// would warn of an x that is shorter than a block.
#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
constexpr std::int32_t kMore = 128;
constexpr std::int32_t kBlock = 64;
using Block = __m512i;
using Sums = __m512i;
static inline Block load(const std::int8_t* from) { return _mm512_loadu_si512(from); }
static inline Block load_x(const std::int8_t* from) { return _mm512_maskz_loadu_epi8(~std::uint64_t{0}, from); }
static inline Sums add(Sums sums, Block x, Block w) {
  return _mm512_dpbusd_epi32(sums, _mm512_xor_si512(w, _mm512_set1_epi8(-128)), x);
}
static inline __m256i halves(Sums s) {
  return _mm256_add_epi32(_mm512_maskz_extracti64x4_epi64(15, s, 0), _mm512_maskz_extracti64x4_epi64(15, s, 1));
}
#elif defined(__AVXVNNI__)
constexpr std::int32_t kMore = 128;
constexpr std::int32_t kBlock = 32;
using Block = __m256i;
using Sums = __m256i;
static inline Block load(const std::int8_t* from) {
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
}
static inline Block load_x(const std::int8_t* from) {
  return _mm256_lddqu_si256(reinterpret_cast<const __m256i*>(from));
}
static inline Sums add(Sums sums, Block x, Block w) {
  return _mm256_dpbusd_avx_epi32(sums, _mm256_xor_si256(w, _mm256_set1_epi8(-128)), x);
}
static inline __m256i halves(Sums s) { return s; }
#elif defined(__AVX2__)
constexpr std::int32_t kMore = 0;
constexpr std::int32_t kBlock = 16;
using Block = __m256i;
using Sums = __m256i;
static inline Block load(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
}
static inline Block load_x(const std::int8_t* from) {
  return _mm256_cvtepi8_epi16(_mm_lddqu_si128(reinterpret_cast<const __m128i*>(from)));
}
static inline Sums add(Sums sums, Block x, Block w) { return _mm256_add_epi32(sums, _mm256_madd_epi16(x, w)); }
static inline __m256i halves(Sums s) { return s; }
#elif defined(__SSE2__)
constexpr std::int32_t kMore = 0;
constexpr std::int32_t kBlock = 8;
using Block = __m128i;
using Sums = __m128i;
static inline Block load(const std::int8_t* from) {
  const __m128i codes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(from));
  return _mm_srai_epi16(_mm_unpacklo_epi8(codes, codes), 8);
}
static inline Block load_x(const std::int8_t* from) { return load(from); }
static inline Sums add(Sums sums, Block x, Block w) { return _mm_add_epi32(sums, _mm_madd_epi16(x, w)); }
static inline void total(Sums a, Sums b, Sums c, Sums d, std::uint32_t* to) {
  const __m128i ab = _mm_add_epi32(_mm_unpacklo_epi32(a, b), _mm_unpackhi_epi32(a, b));
  const __m128i cd = _mm_add_epi32(_mm_unpacklo_epi32(c, d), _mm_unpackhi_epi32(c, d));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_add_epi32(_mm_unpacklo_epi64(ab, cd), _mm_unpackhi_epi64(ab, cd)));
}
#elif defined(__aarch64__) && defined(__ARM_NEON)
constexpr std::int32_t kMore = 0;
constexpr std::int32_t kBlock = 16;
using Block = int8x16_t;
using Sums = int32x4_t;
static inline Block load(const std::int8_t* from) { return vld1q_s8(from); }
static inline Block load_x(const std::int8_t* from) { return load(from); }
static inline Sums add(Sums sums, Block x, Block w) {
#if defined(__ARM_FEATURE_DOTPROD)
  return vdotq_s32(sums, x, w);
#else
  sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(x), vget_low_s8(w)));
  return vpadalq_s16(sums, vmull_s8(vget_high_s8(x), vget_high_s8(w)));
#endif
}
static inline void total(Sums a, Sums b, Sums c, Sums d, std::uint32_t* to) {
  vst1q_u32(to, vreinterpretq_u32_s32(vpaddq_s32(vpaddq_s32(a, b), vpaddq_s32(c, d))));
}
#else
constexpr std::int32_t kMore = 0;
constexpr std::int32_t kBlock = 1;
using Block = std::int32_t;
using Sums = std::uint32_t;
static inline Block load(const std::int8_t* from) { return *from; }
static inline Block load_x(const std::int8_t* from) { return load(from); }
static inline Sums add(Sums sums, Block x, Block w) { return sums + static_cast<std::uint32_t>(x * w); }
static inline void total(Sums a, Sums b, Sums c, Sums d, std::uint32_t* to) {
  to[0] = a;
  to[1] = b;
  to[2] = c;
  to[3] = d;
}
#endif
#if defined(__AVX2__)
static inline void total(Sums a, Sums b, Sums c, Sums d, std::uint32_t* to) {
  const __m256i ab = _mm256_hadd_epi32(halves(a), halves(b)), cd = _mm256_hadd_epi32(halves(c), halves(d));
  const __m256i all = _mm256_hadd_epi32(ab, cd);
  _mm_storeu_si128(reinterpret_cast<__m128i*>(to),
                   _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}
#endif

// As load_x, of the first `count` codes; zeros behind them.
static inline Block load_part(const std::int8_t* from, std::int32_t count) {
#if defined(__AVX512BW__) && defined(__AVX512VNNI__)
  return _mm512_maskz_loadu_epi8(~(~std::uint64_t{0} << count), from);
#else
  std::int8_t part[kBlock] = {};
  for (std::int32_t k = 0; k < count; ++k) part[k] = from[k];
  return load(part);
#endif
}

namespace {  // units with other flags have other blocks

// The input of a layer: whole blocks, and one with the rest.
struct Input {
  const std::int8_t* codes;
  std::int32_t whole;
  bool has_rest;
  Block rest;
};

}  // namespace

// to[i] = the sum over k of x[k] * w[i * row + k], of one row or of four. Whole blocks of each are read.
template <int rows>
static inline void dot(const Input& x, const std::int8_t* w, std::int64_t row, std::uint32_t* to) {
  Sums a{}, b{}, c{}, d{};
  const auto add_block = [&](Block codes, const std::int8_t* weights) {
    a = add(a, codes, load(weights));
    if (rows == 1) return;
    b = add(b, codes, load(weights + row));
    c = add(c, codes, load(weights + 2 * row));
    d = add(d, codes, load(weights + 3 * row));
  };
  for (std::int32_t k = 0; k < x.whole; k += kBlock) add_block(load_x(x.codes + k), w + k);
  if (x.has_rest) add_block(x.rest, w + x.whole);
  total(a, b, c, d, to);
}

// kMore times the sum over k of x[k].
static inline std::uint32_t excess(const Input& x) {
  Sums sum{};
  for (std::int32_t k = 0; k < x.whole; k += kBlock) sum = add(sum, load_x(x.codes + k), Block{});
  std::uint32_t totals[4];
  total(add(sum, x.rest, Block{}), Sums{}, Sums{}, Sums{}, totals);
  return totals[0];
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

// weight is (outputs, inputs), row-major with `stride` bytes from row to row, and readable for 63 bytes more than that;
// all else of it has an element per output.
struct Linear {
  std::int32_t inputs, outputs, stride;
  const std::int8_t* weight;
  const std::int32_t* bias;
  const std::int32_t* multiplier;
  const std::int32_t* shift;
  std::int32_t zero_point, low, high;
  bool double_rounding;
};

static inline void run_linear(const Linear& layer, const std::int8_t* x, std::int8_t* y) {
  const std::int32_t rest = layer.inputs % kBlock, whole = layer.inputs - rest;
  const Input input = {x, whole, rest != 0, rest != 0 ? load_part(x + whole, rest) : Block{}};
  const std::uint32_t more = kMore != 0 ? excess(input) : 0;
  const std::int8_t* weight = layer.weight;
  for (std::int32_t n = 0; n < layer.outputs;) {
    std::uint32_t sums[4];
    const std::int32_t count = layer.outputs - n < 4 ? 1 : 4;
    if (count == 4) dot<4>(input, weight, layer.stride, sums);
    else dot<1>(input, weight, layer.stride, sums);
    weight += std::int64_t{count} * layer.stride;
    for (std::int32_t i = 0; i < count; ++i, ++n) {
      const auto sum = static_cast<std::int32_t>(static_cast<std::uint32_t>(layer.bias[n]) + sums[i] - more);
      std::int64_t code = layer.double_rounding ? multiply_double_rounding(sum, layer.multiplier[n], layer.shift[n])
                                                : multiply(sum, layer.multiplier[n], layer.shift[n]);
      code += layer.zero_point;
      y[n] = static_cast<std::int8_t>(code < layer.low ? layer.low : (code > layer.high ? layer.high : code));
    }
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

static inline void to_codes(const float* x, std::int32_t count, float scale, std::int32_t zero_point, std::int8_t* to) {
  std::int32_t i = 0;
#if defined(__AVX2__)
  const __m256 low = _mm256_set1_ps(static_cast<float>(-128 - zero_point));
  const __m256 high = _mm256_set1_ps(static_cast<float>(127 - zero_point));
  for (; i + 8 <= count; i += 8) {
    __m256 real = _mm256_div_ps(_mm256_loadu_ps(x + i), _mm256_set1_ps(scale));
    real = _mm256_and_ps(real, _mm256_cmp_ps(real, real, _CMP_ORD_Q));
    const __m256i whole = _mm256_cvtps_epi32(_mm256_min_ps(_mm256_max_ps(real, low), high));
    const __m256i codes = _mm256_add_epi32(whole, _mm256_set1_epi32(zero_point));
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + i), _mm_packs_epi16(words, words));
  }
#elif defined(__SSE2__)
  const __m128 low = _mm_set1_ps(static_cast<float>(-128 - zero_point));
  const __m128 high = _mm_set1_ps(static_cast<float>(127 - zero_point));
  const auto four = [&](const float* from) {
    __m128 real = _mm_div_ps(_mm_loadu_ps(from), _mm_set1_ps(scale));
    real = _mm_and_ps(real, _mm_cmpord_ps(real, real));
    return _mm_add_epi32(_mm_cvtps_epi32(_mm_min_ps(_mm_max_ps(real, low), high)), _mm_set1_epi32(zero_point));
  };
  for (; i + 8 <= count; i += 8) {
    const __m128i words = _mm_packs_epi32(four(x + i), four(x + i + 4));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(to + i), _mm_packs_epi16(words, words));
  }
#elif defined(__aarch64__) && defined(__ARM_NEON)
  const auto words = [&](const float* from) {
    const int32x4_t whole = vcvtnq_s32_f32(vdivq_f32(vld1q_f32(from), vdupq_n_f32(scale)));
    return vqmovn_s32(vqaddq_s32(whole, vdupq_n_s32(zero_point)));
  };
  for (; i + 8 <= count; i += 8) vst1_s8(to + i, vqmovn_s16(vcombine_s16(words(x + i), words(x + i + 4))));
#endif
  for (; i < count; ++i) to[i] = to_code(x[i], scale, zero_point);
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
