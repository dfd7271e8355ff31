// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Eight floats: AVX2. See simd/scalar.hpp for what each function means.
#pragma once

#include <quanta/core/fp.hpp>
#include <quanta/core/types.hpp>

#if QUANTA_HAS_AVX2
#include <immintrin.h>

QUANTA_NAMESPACE_BEGIN
namespace simd {

struct Avx2Lanes {
  using F = __m256;
  using I = __m256i;
  static constexpr int width = 8;

  static F set(float v) { return _mm256_set1_ps(v); }
  static F load(const float* p) { return _mm256_loadu_ps(p); }
  static void store(float* p, F v) { _mm256_storeu_ps(p, v); }
  static F load_first(const float* p, Index count) { return _mm256_maskload_ps(p, first_lanes(count)); }
  static void store_first(float* p, F v, Index count) { _mm256_maskstore_ps(p, first_lanes(count), v); }
  static F min(F a, F b) { return _mm256_min_ps(a, b); }
  static F max(F a, F b) { return _mm256_max_ps(a, b); }
  static F div(F a, F b) { return _mm256_div_ps(a, b); }
  static F fma(F a, F b, F c) {
#if QUANTA_HAS_FMA
    return _mm256_fmadd_ps(a, b, c);
#else
    alignas(32) float x[8], y[8], z[8];
    store(x, a);
    store(y, b);
    store(z, c);
    for (int i = 0; i < 8; ++i) z[i] = fp::fma(x[i], y[i], z[i]);
    return load(z);
#endif
  }
  static F mul(F a, F b) { return fp::opaque(_mm256_mul_ps(a, b)); }
  static F add_real(F a, F b) { return _mm256_add_ps(fp::opaque(a), b); }
  static F nan_to_zero(F v) { return _mm256_and_ps(v, _mm256_cmp_ps(v, v, _CMP_ORD_Q)); }
  static F one_nan(F v) {
    const F nan = _mm256_set1_ps(std::numeric_limits<float>::quiet_NaN());
    return _mm256_blendv_ps(nan, v, _mm256_cmp_ps(v, v, _CMP_ORD_Q));
  }
  static I round(F v) { return _mm256_cvtps_epi32(v); }

  static I set_int(std::int32_t v) { return _mm256_set1_epi32(v); }
  static I load_int(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static F to_float(I v) { return _mm256_cvtepi32_ps(v); }
  static I add(I a, I b) { return _mm256_add_epi32(a, b); }
  static I sub(I a, I b) { return _mm256_sub_epi32(a, b); }
  static I mul_low(I a, I b) { return _mm256_mullo_epi32(a, b); }
  /// There is no arithmetic shift of 64 bits: one of numbers moved up by 2^63 is the same, moved up by 2^(63 - right).
  struct FixedPoints {
    I multiplier, upper_multiplier, right, upper_right, half, upper_half, moved;
  };
  static FixedPoints fixed_points(I multiplier, I right) {
    const I one = _mm256_set1_epi64x(1), low = _mm256_and_si256(right, _mm256_set1_epi64x(0xffffffff));
    const I high = _mm256_srli_epi64(right, 32);
    const auto half = [&](I by) {
      return _mm256_xor_si256(_mm256_sllv_epi64(one, _mm256_sub_epi64(by, one)), _mm256_set1_epi64x(INT64_MIN));
    };
    return {multiplier,
            _mm256_srli_epi64(multiplier, 32),
            low,
            _mm256_sub_epi64(high, _mm256_set1_epi64x(32)),
            half(low),
            half(high),
            _mm256_sllv_epi32(_mm256_set1_epi32(1), _mm256_sub_epi32(_mm256_set1_epi32(63), right))};
  }
  static I multiply(I a, const FixedPoints& by) {
    const I even = _mm256_add_epi64(_mm256_mul_epi32(a, by.multiplier), by.half);
    const I odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(a, 32), by.upper_multiplier), by.upper_half);
    // Of an odd lane the result is wanted in the upper half, where a shift by 32 less leaves it.
    const I both = _mm256_blend_epi32(_mm256_srlv_epi64(even, by.right), _mm256_srlv_epi64(odd, by.upper_right), 0xaa);
    return _mm256_sub_epi32(both, by.moved);
  }
  static void store_int(std::int32_t* p, I v) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v); }
  static void stream_int(std::int32_t* p, I v) { _mm256_stream_si256(reinterpret_cast<__m256i*>(p), v); }
  static void finish_streams() { _mm_sfence(); }
  static I load_int_first(const std::int32_t* p, Index count) { return _mm256_maskload_epi32(p, first_lanes(count)); }
  static void store_int_first(std::int32_t* p, I v, Index count) { _mm256_maskstore_epi32(p, first_lanes(count), v); }
  static I max_int(I a, I b) { return _mm256_max_epi32(a, b); }
  static I min_int(I a, I b) { return _mm256_min_epi32(a, b); }
  static I and_int(I a, I b) { return _mm256_and_si256(a, b); }
  static I or_int(I a, I b) { return _mm256_or_si256(a, b); }
  static I float_bits(F v) { return _mm256_castps_si256(v); }
  static F from_bits(I v) { return _mm256_castsi256_ps(v); }
  template <int n>
  static I shift_right(I v) {
    return _mm256_srli_epi32(v, n);
  }
  template <int n>
  static I shift_left(I v) {
    return _mm256_slli_epi32(v, n);
  }
  static I shift_right_by(I v, int n) { return _mm256_srl_epi32(v, _mm_cvtsi32_si128(n)); }
  static I shift_left_by(I v, int n) { return _mm256_sll_epi32(v, _mm_cvtsi32_si128(n)); }
  static F nan_where_same(F v, I a, I b) { return _mm256_or_ps(v, _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b))); }
  static I count_at_least(I count, F v, F limit) {
    return _mm256_sub_epi32(count, _mm256_castps_si256(_mm256_cmp_ps(v, limit, _CMP_GE_OQ)));
  }
  static I load_words(const std::uint16_t* p) {
    return _mm256_cvtepu16_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
#if QUANTA_HAS_F16C
  static F load_halves(const std::uint16_t* p) {
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  }
  static F load_upper_halves(const std::uint8_t* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    return _mm256_cvtph_ps(_mm_unpacklo_epi8(_mm_setzero_si128(), bytes));
  }
#endif
  template <class Byte>
  static I load_bytes(const Byte* p) {
    const __m128i bytes = _mm_loadl_epi64(reinterpret_cast<const __m128i*>(p));
    if constexpr (std::is_signed_v<Byte>) return _mm256_cvtepi8_epi32(bytes);
    return _mm256_cvtepu8_epi32(bytes);
  }
  static F gather(const float* p, I i) { return _mm256_i32gather_ps(p, i, 4); }
  struct Table {
    F low, high;
  };
  static constexpr bool kQuickLookup = false;
  static Table load_table(const float* p) { return {load(p), load(p + 8)}; }
  static F lookup(const Table& table, I i) {
    const F low = _mm256_permutevar8x32_ps(table.low, i), high = _mm256_permutevar8x32_ps(table.high, i);
    return _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32(i, 28)));
  }
  /// Sixteen floats whose lower halves are 0: the bytes of their upper halves, the lower of all of them, then the
  /// upper.
  struct ByteTables {
    I byte[2];
  };
  static ByteTables load_byte_tables(const float* p) {
    alignas(16) std::uint8_t bytes[2][16];
    for (int i = 0; i < 16; ++i) {
      const auto bits = std::bit_cast<std::uint32_t>(p[i]);
      bytes[0][i] = static_cast<std::uint8_t>(bits >> 16);
      bytes[1][i] = static_cast<std::uint8_t>(bits >> 24);
    }
    const auto twice = [&](int i) {
      return _mm256_broadcastsi128_si256(_mm_load_si128(reinterpret_cast<const __m128i*>(bytes[i])));
    };
    return {{twice(0), twice(1)}};
  }
  /// The upper halves that the eight numbers of 4 bits in each lane count: two of them in a lane of `pairs`.
  struct Nibbles {
    I pairs[4];
  };
  template <bool upper_halves>
  requires upper_halves static Nibbles lookup_nibbles(const ByteTables& tables, I v) {
    // Within quarters, bytes 0 and 1 of the four lanes, then bytes 2 and 3: so zipping brings the bytes of a lane's
    // floats back to it.
    const I turns = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15,  //
                                     0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15);
    const I low = _mm256_set1_epi8(15), bytes = _mm256_shuffle_epi8(v, turns);
    const I even = _mm256_and_si256(bytes, low), odd = _mm256_and_si256(_mm256_srli_epi16(bytes, 4), low);
    const auto look_up = [&](int i, I number) { return _mm256_shuffle_epi8(tables.byte[i], number); };
    const I even0 = look_up(0, even), even1 = look_up(1, even), odd0 = look_up(0, odd), odd1 = look_up(1, odd);
    return {{_mm256_unpacklo_epi8(even0, even1), _mm256_unpacklo_epi8(odd0, odd1), _mm256_unpackhi_epi8(even0, even1),
             _mm256_unpackhi_epi8(odd0, odd1)}};
  }
  /// The float of number i.
  template <int i>
  static F nibble_level(const Nibbles& found) {
    const I pair = found.pairs[i / 4 * 2 + i % 2];
    return _mm256_castsi256_ps(i % 4 < 2 ? _mm256_slli_epi32(pair, 16)
                                         : _mm256_and_si256(pair, _mm256_set1_epi32(static_cast<int>(0xffff0000u))));
  }
  static constexpr int kNibbleWords = 2;        ///< that are looked up at once, as registers suffice for
  static constexpr bool kQuickIntegers = true;  ///< in fewer instructions than a lookup
  static I sign_mask(F v) { return _mm256_srai_epi32(_mm256_castps_si256(v), 31); }
  static I magnitude_bits(F v) { return _mm256_and_si256(_mm256_castps_si256(v), _mm256_set1_epi32(0x7fffffff)); }
  template <class T>
  static void store_narrow(T* p, I v) {
    if constexpr (sizeof(T) == 1) {
      // The low byte of each 32-bit lane, gathered to the bottom of each half.
      const __m256i pick = _mm256_set1_epi64x(static_cast<long long>(0x808080800c080400u));
      const __m256i bytes = _mm256_shuffle_epi8(v, pick);
      const __m128i joined = _mm_unpacklo_epi32(_mm256_castsi256_si128(bytes), _mm256_extracti128_si256(bytes, 1));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p), joined);
    } else if constexpr (sizeof(T) == 2) {
      const __m256i pick = _mm256_setr_epi8(0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1,  //
                                            0, 1, 4, 5, 8, 9, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
      const __m256i words = _mm256_permute4x64_epi64(_mm256_shuffle_epi8(v, pick), 0x08);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(words));
    } else {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), v);
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
      const __m256i low = _mm256_set1_epi32(0xff);
      const __m256i ab = _mm256_packus_epi32(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
      const __m256i cd = _mm256_packus_epi32(_mm256_and_si256(c, low), _mm256_and_si256(d, low));
      // Packing works within halves: four bytes of a, b, c, d, then the other four of each.
      const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
      const __m256i bytes = _mm256_permutevar8x32_epi32(_mm256_packus_epi16(ab, cd), order);
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
      return;
    }
    store_narrow(p, a);
    store_narrow(p + width, b);
    store_narrow(p + 2 * width, c);
    store_narrow(p + 3 * width, d);
  }
  template <class T>
  static void store_clamped(T* p, T* q, I a, I b, I c, I d, T low, T high) {
    const I ab = _mm256_packs_epi32(a, b), cd = _mm256_packs_epi32(c, d);
    const I order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);  // as above
    I bytes;
    if constexpr (std::is_signed_v<T>) {
      bytes = _mm256_max_epi8(_mm256_packs_epi16(ab, cd), _mm256_set1_epi8(low));
      bytes = _mm256_min_epi8(bytes, _mm256_set1_epi8(high));
    } else {
      bytes = _mm256_max_epu8(_mm256_packus_epi16(ab, cd), _mm256_set1_epi8(static_cast<char>(low)));
      bytes = _mm256_min_epu8(bytes, _mm256_set1_epi8(static_cast<char>(high)));
    }
    bytes = _mm256_permutevar8x32_epi32(bytes, order);
    if (q == p + 2 * width) return _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_castsi256_si128(bytes));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(q), _mm256_extracti128_si256(bytes, 1));
  }

  static float reduce_min(F v) {
    __m128 m = _mm_min_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_min_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_min_ss(m, _mm_movehdup_ps(m)));
  }
  static float reduce_max(F v) {
    __m128 m = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    m = _mm_max_ps(m, _mm_movehl_ps(m, m));
    return _mm_cvtss_f32(_mm_max_ss(m, _mm_movehdup_ps(m)));
  }
  static std::int32_t reduce_max_int(I v) {
    __m128i m = _mm_max_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_max_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_max_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
  }
  static std::int32_t reduce_add_int(I v) {
    __m128i m = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    m = _mm_add_epi32(m, _mm_shuffle_epi32(m, 0x4e));
    return _mm_cvtsi128_si32(_mm_add_epi32(m, _mm_shuffle_epi32(m, 0xb1)));
  }
  template <class Byte>
  static I add_bytes(I acc, const Byte* p) {
    I bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    if constexpr (std::is_signed_v<Byte>) bytes = _mm256_xor_si256(bytes, _mm256_set1_epi8(-128));
    return _mm256_add_epi32(acc, _mm256_sad_epu8(bytes, _mm256_setzero_si256()));
  }
  template <class Byte>
  static I max_bytes(I a, I b) {
    return std::is_signed_v<Byte> ? _mm256_max_epi8(a, b) : _mm256_max_epu8(a, b);
  }
  template <class Byte>
  static I add_fours(I acc, I v) {
    const I ones = _mm256_set1_epi8(1);
    const I pairs = std::is_signed_v<Byte> ? _mm256_maddubs_epi16(ones, v) : _mm256_maddubs_epi16(v, ones);
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
  }
  static bool all_below(I v, std::int32_t limit) {
    return _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(limit), v))) == 0xff;
  }
  using Equal = F;
  static Equal equal() { return _mm256_castsi256_ps(_mm256_set1_epi32(-1)); }
  static Equal equal(Equal before, F a, F b) { return _mm256_and_ps(before, _mm256_cmp_ps(a, b, _CMP_EQ_OQ)); }
  static bool are_equal(Equal all) { return _mm256_movemask_ps(all) == 0xff; }

 private:
  static I first_lanes(Index count) {
    const I number = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<std::int32_t>(count)), number);
  }
};

/// What squares of 32-byte words are turned with (simd/square.hpp): a Zip of two lanes of 16 bytes, each by itself, and
/// pairs of lanes.
struct Avx2Zip {
  using Word = __m256i;

  template <int unit>
  static Word low(Word a, Word b) {
    if constexpr (unit == 1) return _mm256_unpacklo_epi8(a, b);
    return unit == 4 ? _mm256_unpacklo_epi32(a, b) : _mm256_unpacklo_epi64(a, b);
  }
  template <int unit>
  static Word high(Word a, Word b) {
    if constexpr (unit == 1) return _mm256_unpackhi_epi8(a, b);
    return unit == 4 ? _mm256_unpackhi_epi32(a, b) : _mm256_unpackhi_epi64(a, b);
  }
  template <int bits>
  static void swap_fields(Word& a, Word& b) {
    const Word even = _mm256_set1_epi8(bits == 4 ? 0x0f : 0x33), all_of_b = b;
    b = _mm256_or_si256(_mm256_and_si256(even, _mm256_srli_epi16(a, bits)), _mm256_andnot_si256(even, b));
    a = _mm256_or_si256(_mm256_and_si256(even, a), _mm256_andnot_si256(even, _mm256_slli_epi16(all_of_b, bits)));
  }
  template <int bits>
  static Word up(Word a) {
    return _mm256_slli_epi16(a, bits);
  }
  static Word low_nibbles(Word a) { return _mm256_and_si256(a, _mm256_set1_epi8(0x0f)); }
  static Word high_nibbles(Word a) { return low_nibbles(_mm256_srli_epi16(a, 4)); }
  static Word flip(Word a, Word bits) { return _mm256_xor_si256(a, bits); }
  static Word both(Word a, Word b) { return _mm256_and_si256(a, b); }
  static Word sub(Word a, Word b) { return _mm256_sub_epi8(a, b); }

  /// Of two words: their first lanes, and their last ones.
  static Word first_lanes(Word a, Word b) { return _mm256_inserti128_si256(a, _mm256_castsi256_si128(b), 1); }
  static Word last_lanes(Word a, Word b) { return _mm256_permute2x128_si256(a, b, 0x31); }
};

}  // namespace simd
QUANTA_NAMESPACE_END
#endif
