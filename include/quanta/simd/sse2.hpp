// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Four floats: SSE2, which every x86-64 has. See simd/scalar.hpp for what each function means. Nothing newer is used
// where flags allow it: with AVX2, from Haswell on, it is not these lanes that are native.
#pragma once

#include <quanta/core/fp.hpp>
#include <quanta/core/types.hpp>

#if QUANTA_HAS_SSE2
#include <emmintrin.h>
#if QUANTA_HAS_FMA
#include <immintrin.h>
#endif

#include <algorithm>
#include <cstring>

QUANTA_NAMESPACE_BEGIN
namespace simd {

struct Sse2Lanes {
  using F = __m128;
  using I = __m128i;
  static constexpr int width = 4;

  static F set(float v) { return _mm_set1_ps(v); }
  static F load(const float* p) { return _mm_loadu_ps(p); }
  static void store(float* p, F v) { _mm_storeu_ps(p, v); }
  static F load_first(const float* p, Index count) {
    if (count == width) return load(p);
    float lanes[width] = {};
    for (Index i = 0; i < count; ++i) lanes[i] = p[i];
    return load(lanes);
  }
  static void store_first(float* p, F v, Index count) {
    if (count == width) return store(p, v);
    float lanes[width];
    store(lanes, v);
    for (Index i = 0; i < count; ++i) p[i] = lanes[i];
  }
  static F min(F a, F b) { return _mm_min_ps(a, b); }
  static F max(F a, F b) { return _mm_max_ps(a, b); }
  static F div(F a, F b) { return _mm_div_ps(a, b); }
  static F fma(F a, F b, F c) {
#if QUANTA_HAS_FMA
    return _mm_fmadd_ps(a, b, c);
#else  // fp::fma_emulated
    const __m128d low = sum_to_odd(_mm_mul_pd(_mm_cvtps_pd(a), _mm_cvtps_pd(b)), _mm_cvtps_pd(c));
    const __m128d high = sum_to_odd(_mm_mul_pd(_mm_cvtps_pd(upper(a)), _mm_cvtps_pd(upper(b))), _mm_cvtps_pd(upper(c)));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#endif
  }
  static F mul(F a, F b) { return fp::opaque(_mm_mul_ps(a, b)); }
  static F add_real(F a, F b) { return _mm_add_ps(fp::opaque(a), b); }
  static F nan_to_zero(F v) { return _mm_and_ps(v, _mm_cmpord_ps(v, v)); }
  static F one_nan(F v) {
    const F nan = _mm_set1_ps(std::numeric_limits<float>::quiet_NaN()), real = _mm_cmpord_ps(v, v);
    return _mm_or_ps(_mm_and_ps(real, v), _mm_andnot_ps(real, nan));
  }
  static I round(F v) { return _mm_cvtps_epi32(v); }

  static I set_int(std::int32_t v) { return _mm_set1_epi32(v); }
  static I load_int(const std::int32_t* p) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)); }
  static F to_float(I v) { return _mm_cvtepi32_ps(v); }
  static I add(I a, I b) { return _mm_add_epi32(a, b); }
  static I sub(I a, I b) { return _mm_sub_epi32(a, b); }
  static I mul_low(I a, I b) { return low_words(_mm_mul_epu32(a, b), _mm_mul_epu32(upper_words(a), upper_words(b))); }
  /// There is no arithmetic shift of 64 bits, nor one by a number of each lane: one of numbers moved up by 2^63 is the
  /// same, moved up by 2^(63 - right), and each lane is shifted with the other of its pair.
  struct FixedPoints {
    I multiplier, half[2], right[4], moved;
  };
  static FixedPoints fixed_points(I multiplier, I right) {
    std::int32_t by[width], moved[width];
    std::uint64_t half[width];
    store_int(by, right);
    FixedPoints result;
    result.multiplier = multiplier;
    for (int i = 0; i < width; ++i) {
      const int bits = std::clamp(by[i], 32, 62);  // of others nobody takes the result
      result.right[i] = _mm_cvtsi32_si128(bits);
      half[i] = (std::uint64_t{1} << (bits - 1)) ^ std::uint64_t{1} << 63;
      moved[i] = static_cast<std::int32_t>(std::uint32_t{1} << (63 - bits));
    }
    for (int i = 0; i < 2; ++i) {
      result.half[i] = _mm_set_epi64x(static_cast<std::int64_t>(half[2 + i]), static_cast<std::int64_t>(half[i]));
    }
    result.moved = load_int(moved);
    return result;
  }
  static I multiply(I a, const FixedPoints& by) {
    const I even = _mm_add_epi64(mul_signed(a, by.multiplier), by.half[0]);
    const I odd = _mm_add_epi64(mul_signed(upper_words(a), upper_words(by.multiplier)), by.half[1]);
    const auto shifted = [](I v, I first, I second) {
      return _mm_castpd_si128(
          _mm_shuffle_pd(_mm_castsi128_pd(_mm_srl_epi64(v, first)), _mm_castsi128_pd(_mm_srl_epi64(v, second)), 2));
    };
    return _mm_sub_epi32(low_words(shifted(even, by.right[0], by.right[2]), shifted(odd, by.right[1], by.right[3])),
                         by.moved);
  }
  static void store_int(std::int32_t* p, I v) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v); }
  static void stream_int(std::int32_t* p, I v) { _mm_stream_si128(reinterpret_cast<__m128i*>(p), v); }
  static void finish_streams() { _mm_sfence(); }
  static I load_int_first(const std::int32_t* p, Index count) {
    if (count == width) return load_int(p);
    std::int32_t lanes[width] = {};
    std::memcpy(lanes, p, usize(count) * sizeof *p);  // which need not be aligned
    return load_int(lanes);
  }
  static void store_int_first(std::int32_t* p, I v, Index count) {
    if (count == width) return store_int(p, v);
    std::int32_t lanes[width];
    store_int(lanes, v);
    for (Index i = 0; i < count; ++i) p[i] = lanes[i];
  }
  static I max_int(I a, I b) { return select(_mm_cmpgt_epi32(a, b), a, b); }
  static I min_int(I a, I b) { return select(_mm_cmpgt_epi32(b, a), a, b); }
  static I and_int(I a, I b) { return _mm_and_si128(a, b); }
  static I or_int(I a, I b) { return _mm_or_si128(a, b); }
  static I float_bits(F v) { return _mm_castps_si128(v); }
  static F from_bits(I v) { return _mm_castsi128_ps(v); }
  template <int n>
  static I shift_right(I v) {
    return _mm_srli_epi32(v, n);
  }
  template <int n>
  static I shift_left(I v) {
    return _mm_slli_epi32(v, n);
  }
  static I shift_right_by(I v, int n) { return _mm_srl_epi32(v, _mm_cvtsi32_si128(n)); }
  static I shift_left_by(I v, int n) { return _mm_sll_epi32(v, _mm_cvtsi32_si128(n)); }
  static F nan_where_same(F v, I a, I b) { return _mm_or_ps(v, _mm_castsi128_ps(_mm_cmpeq_epi32(a, b))); }
  static I count_at_least(I count, F v, F limit) {
    return _mm_sub_epi32(count, _mm_castps_si128(_mm_cmpge_ps(v, limit)));
  }
  static I load_words(const std::uint16_t* p) {
    return _mm_unpacklo_epi16(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)), _mm_setzero_si128());
  }
  template <class Byte>
  static I load_bytes(const Byte* p) {
    std::int32_t four;
    std::memcpy(&four, p, sizeof four);
    const I bytes = _mm_cvtsi32_si128(four);
    if constexpr (std::is_signed_v<Byte>) {
      const I words = _mm_unpacklo_epi8(bytes, bytes);
      return _mm_srai_epi32(_mm_unpacklo_epi16(words, words), 24);
    } else {
      return _mm_unpacklo_epi16(_mm_unpacklo_epi8(bytes, _mm_setzero_si128()), _mm_setzero_si128());
    }
  }
  static F gather(const float* p, I i) {
    std::int32_t at[width];
    store_int(at, i);
    return _mm_setr_ps(p[at[0]], p[at[1]], p[at[2]], p[at[3]]);
  }
  using Table = const float*;
  static constexpr bool kQuickLookup = false;
  static Table load_table(const float* p) { return p; }
  static F lookup(Table table, I i) { return gather(table, _mm_and_si128(i, _mm_set1_epi32(15))); }
  static I sign_mask(F v) { return _mm_srai_epi32(_mm_castps_si128(v), 31); }
  static I magnitude_bits(F v) { return _mm_and_si128(_mm_castps_si128(v), _mm_set1_epi32(0x7fffffff)); }
  template <class T>
  static void store_narrow(T* p, I v) {
    if constexpr (sizeof(T) == 1) {
      const I low = _mm_and_si128(v, _mm_set1_epi32(0xff)), words = _mm_packs_epi32(low, low);
      const std::int32_t four = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
      std::memcpy(p, &four, sizeof four);
    } else if constexpr (sizeof(T) == 2) {
      const I words = _mm_srai_epi32(_mm_slli_epi32(v, 16), 16);  // as signed ones they are not changed by packing
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi32(words, words));
    } else {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), v);
    }
  }
  template <class T>
  static void store_narrow_first(T* p, I v, Index count) {
    T all[width];
    store_narrow(all, v);
    std::copy_n(all, count, p);
  }
  template <class T>
  static void store_narrow(T* p, I a, I b, I c, I d) {
    if constexpr (sizeof(T) == 1) {
      const I low = _mm_set1_epi32(0xff);
      const I ab = _mm_packs_epi32(_mm_and_si128(a, low), _mm_and_si128(b, low));
      const I cd = _mm_packs_epi32(_mm_and_si128(c, low), _mm_and_si128(d, low));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(ab, cd));
      return;
    }
    store_narrow(p, a);
    store_narrow(p + width, b);
    store_narrow(p + 2 * width, c);
    store_narrow(p + 3 * width, d);
  }
  template <class T>
  static void store_clamped(T* p, T* q, I a, I b, I c, I d, T low, T high) {
    const auto clamped = [&](I v, I w) {
      return _mm_min_epi16(_mm_max_epi16(_mm_packs_epi32(v, w), _mm_set1_epi16(low)), _mm_set1_epi16(high));
    };
    const I ab = clamped(a, b), cd = clamped(c, d);
    const I bytes = std::is_signed_v<T> ? _mm_packs_epi16(ab, cd) : _mm_packus_epi16(ab, cd);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(p), bytes);
    _mm_storel_epi64(reinterpret_cast<__m128i*>(q), _mm_unpackhi_epi64(bytes, bytes));
  }

  static float reduce_min(F v) {
    const F m = _mm_min_ps(v, upper(v));
    return _mm_cvtss_f32(_mm_min_ss(m, _mm_shuffle_ps(m, m, 1)));
  }
  static float reduce_max(F v) {
    const F m = _mm_max_ps(v, upper(v));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_shuffle_ps(m, m, 1)));
  }
  static std::int32_t reduce_max_int(I v) {
    const I m = max_int(v, _mm_shuffle_epi32(v, 0x4e));
    return _mm_cvtsi128_si32(max_int(m, _mm_shuffle_epi32(m, 0xb1)));
  }
  static std::int32_t reduce_add_int(I v) {
    const I m = _mm_add_epi32(v, _mm_shuffle_epi32(v, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
  }
  template <class Byte>
  static I add_bytes(I acc, const Byte* p) {
    I bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if constexpr (std::is_signed_v<Byte>) bytes = turn_signs(bytes);
    return _mm_add_epi32(acc, _mm_sad_epu8(bytes, _mm_setzero_si128()));
  }
  template <class Byte>
  static I max_bytes(I a, I b) {
    if constexpr (std::is_signed_v<Byte>) return turn_signs(_mm_max_epu8(turn_signs(a), turn_signs(b)));
    return _mm_max_epu8(a, b);
  }
  template <class Byte>
  static I add_fours(I acc, I v) {
    I even = _mm_and_si128(v, _mm_set1_epi16(0xff)), odd = _mm_srli_epi16(v, 8);
    if constexpr (std::is_signed_v<Byte>) {
      even = _mm_srai_epi16(_mm_slli_epi16(v, 8), 8);
      odd = _mm_srai_epi16(v, 8);
    }
    return _mm_add_epi32(acc, _mm_madd_epi16(_mm_add_epi16(even, odd), _mm_set1_epi16(1)));
  }
  static bool all_below(I v, std::int32_t limit) {
    return _mm_movemask_ps(_mm_castsi128_ps(_mm_cmplt_epi32(v, _mm_set1_epi32(limit)))) == 0xf;
  }
  using Equal = F;
  static Equal equal() { return _mm_castsi128_ps(_mm_set1_epi32(-1)); }
  static Equal equal(Equal before, F a, F b) { return _mm_and_ps(before, _mm_cmpeq_ps(a, b)); }
  static bool are_equal(Equal all) { return _mm_movemask_ps(all) == 0xf; }

 private:
  static F upper(F v) { return _mm_movehl_ps(v, v); }
  static I upper_words(I v) { return _mm_srli_epi64(v, 32); }
  static I turn_signs(I v) { return _mm_xor_si128(v, _mm_set1_epi8(-128)); }
  static I select(I mask, I a, I b) { return _mm_or_si128(_mm_and_si128(mask, a), _mm_andnot_si128(mask, b)); }
  /// The low words of four numbers of 64 bits, of lanes 0 and 2 and of lanes 1 and 3.
  static I low_words(I even, I odd) {
    return _mm_or_si128(_mm_and_si128(even, _mm_set1_epi64x(0xffffffff)), _mm_slli_epi64(odd, 32));
  }
  /// The products of lanes 0 and 2 in 64 bits. Of unsigned numbers, less 2^32 times the other where one is negative.
  static I mul_signed(I a, I b) {
    const I of_a = _mm_and_si128(_mm_srai_epi32(a, 31), b), of_b = _mm_and_si128(_mm_srai_epi32(b, 31), a);
    return _mm_sub_epi64(_mm_mul_epu32(a, b), _mm_slli_epi64(_mm_add_epi32(of_a, of_b), 32));
  }
  /// a + b, rounded to odd.
  static __m128d sum_to_odd(__m128d a, __m128d b) {
    const __m128d sum = _mm_add_pd(a, b), part = _mm_sub_pd(sum, a);
    const __m128d error = _mm_add_pd(_mm_sub_pd(a, _mm_sub_pd(sum, part)), _mm_sub_pd(b, part));
    // Of an infinite sum it is NaN, which is neither.
    const __m128d zero = _mm_setzero_pd(), below = _mm_cmplt_pd(error, zero), above = _mm_cmplt_pd(zero, error);
    const I bits = _mm_castpd_si128(sum), one = _mm_set1_epi64x(1);
    const I step = _mm_andnot_si128(bits, _mm_and_si128(_mm_castpd_si128(_mm_or_pd(below, above)), one));
    // An even sum goes up where its sign is the error's, else down.
    const I down = _mm_castpd_si128(_mm_xor_pd(below, _mm_cmplt_pd(sum, zero)));
    return _mm_castsi128_pd(_mm_add_epi64(bits, _mm_sub_epi64(_mm_xor_si128(step, down), down)));
  }
};

/// What squares and rows are zipped with (simd/square.hpp).
struct Sse2Zip {
  using Word = __m128i;

  template <int unit>
  static Word low(Word a, Word b) {
    if constexpr (unit == 1) return _mm_unpacklo_epi8(a, b);
    if constexpr (unit == 2) return _mm_unpacklo_epi16(a, b);
    return unit == 4 ? _mm_unpacklo_epi32(a, b) : _mm_unpacklo_epi64(a, b);
  }
  template <int unit>
  static Word high(Word a, Word b) {
    if constexpr (unit == 1) return _mm_unpackhi_epi8(a, b);
    if constexpr (unit == 2) return _mm_unpackhi_epi16(a, b);
    return unit == 4 ? _mm_unpackhi_epi32(a, b) : _mm_unpackhi_epi64(a, b);
  }
  template <int bits>
  static void swap_fields(Word& a, Word& b) {
    const Word even = _mm_set1_epi8(bits == 4 ? 0x0f : 0x33), all_of_b = b;
    b = _mm_or_si128(_mm_and_si128(even, _mm_srli_epi16(a, bits)), _mm_andnot_si128(even, b));
    a = _mm_or_si128(_mm_and_si128(even, a), _mm_andnot_si128(even, _mm_slli_epi16(all_of_b, bits)));
  }
  template <int bits>
  static Word up(Word a) {
    return _mm_slli_epi16(a, bits);
  }
  static Word low_nibbles(Word a) { return _mm_and_si128(a, _mm_set1_epi8(0x0f)); }
  static Word high_nibbles(Word a) { return low_nibbles(_mm_srli_epi16(a, 4)); }
  static Word flip(Word a, Word bits) { return _mm_xor_si128(a, bits); }
  static Word both(Word a, Word b) { return _mm_and_si128(a, b); }
  static Word sub(Word a, Word b) { return _mm_sub_epi8(a, b); }
};

}  // namespace simd
QUANTA_NAMESPACE_END
#endif
