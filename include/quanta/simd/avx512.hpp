// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Sixteen floats: AVX-512 F, BW, DQ, VL. See simd/scalar.hpp for what each function means.
#pragma once

#include <quanta/simd/avx2.hpp>

#if QUANTA_HAS_AVX512
#include <immintrin.h>

QUANTA_NAMESPACE_BEGIN
namespace simd {

struct Avx512Lanes {
  using F = __m512;
  using I = __m512i;
  static constexpr int width = 16;
  // The unmasked forms of some intrinsics start from an undefined register, of which GCC 12 warns; a full mask costs
  // nothing.
  static constexpr __mmask16 kAll = 0xffff;

  static F set(float v) { return _mm512_set1_ps(v); }
  static F load(const float* p) { return _mm512_loadu_ps(p); }
  static void store(float* p, F v) { _mm512_storeu_ps(p, v); }
  static F load_first(const float* p, Index count) { return _mm512_maskz_loadu_ps(first_lanes(count), p); }
  static void store_first(float* p, F v, Index count) { _mm512_mask_storeu_ps(p, first_lanes(count), v); }
  static F min(F a, F b) { return _mm512_maskz_min_ps(kAll, a, b); }
  static F max(F a, F b) { return _mm512_maskz_max_ps(kAll, a, b); }
  static F div(F a, F b) { return _mm512_div_ps(a, b); }
  static F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
  static F mul(F a, F b) { return fp::opaque(_mm512_mul_ps(a, b)); }
  static F add_real(F a, F b) { return _mm512_add_ps(fp::opaque(a), b); }
  static F nan_to_zero(F v) { return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(v, v, _CMP_ORD_Q), v); }
  static F one_nan(F v) {
    const __mmask16 nan = _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
    return _mm512_mask_mov_ps(v, nan, _mm512_set1_ps(std::numeric_limits<float>::quiet_NaN()));
  }
  static I round(F v) { return _mm512_maskz_cvtps_epi32(kAll, v); }

  static I set_int(std::int32_t v) { return _mm512_set1_epi32(v); }
  static I load_int(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static F to_float(I v) { return _mm512_maskz_cvtepi32_ps(kAll, v); }
  static I add(I a, I b) { return _mm512_add_epi32(a, b); }
  static I sub(I a, I b) { return _mm512_sub_epi32(a, b); }
  static I mul_low(I a, I b) { return _mm512_mullo_epi32(a, b); }
  struct FixedPoints {
    I multiplier, upper_multiplier, right, upper_right, half, upper_half;
  };
  static FixedPoints fixed_points(I multiplier, I right) {
    const I one = _mm512_set1_epi64(1), low = _mm512_and_si512(right, _mm512_set1_epi64(0xffffffff));
    const I high = upper_half(right);
    const auto half = [&](I by) { return _mm512_maskz_sllv_epi64(0xff, one, _mm512_sub_epi64(by, one)); };
    return {multiplier, upper_half(multiplier), low, _mm512_sub_epi64(high, _mm512_set1_epi64(32)), half(low),
            half(high)};
  }
  static I multiply(I a, const FixedPoints& by) {
    const I even = _mm512_add_epi64(_mm512_maskz_mul_epi32(0xff, a, by.multiplier), by.half);
    const I odd = _mm512_add_epi64(_mm512_maskz_mul_epi32(0xff, upper_half(a), by.upper_multiplier), by.upper_half);
    // Of an odd lane the result is wanted in the upper half, where a shift by 32 less leaves it.
    return _mm512_mask_mov_epi32(_mm512_maskz_srav_epi64(0xff, even, by.right), 0xaaaa,
                                 _mm512_maskz_srav_epi64(0xff, odd, by.upper_right));
  }
  static void store_int(std::int32_t* p, I v) { _mm512_storeu_si512(p, v); }
  static void stream_int(std::int32_t* p, I v) { _mm512_stream_si512(reinterpret_cast<__m512i*>(p), v); }
  static void finish_streams() { _mm_sfence(); }
  static I load_int_first(const std::int32_t* p, Index count) {
    return _mm512_maskz_loadu_epi32(first_lanes(count), p);
  }
  static void store_int_first(std::int32_t* p, I v, Index count) { _mm512_mask_storeu_epi32(p, first_lanes(count), v); }
  static I max_int(I a, I b) { return _mm512_maskz_max_epi32(kAll, a, b); }
  static I min_int(I a, I b) { return _mm512_maskz_min_epi32(kAll, a, b); }
  static I and_int(I a, I b) { return _mm512_and_si512(a, b); }
  static I or_int(I a, I b) { return _mm512_or_si512(a, b); }
  static I float_bits(F v) { return _mm512_castps_si512(v); }
  static F from_bits(I v) { return _mm512_castsi512_ps(v); }
  template <int n>
  static I shift_right(I v) {
    return _mm512_maskz_srli_epi32(kAll, v, n);
  }
  template <int n>
  static I shift_left(I v) {
    return _mm512_maskz_slli_epi32(kAll, v, n);
  }
  static I shift_right_by(I v, int n) { return _mm512_maskz_srl_epi32(kAll, v, _mm_cvtsi32_si128(n)); }
  static I shift_left_by(I v, int n) { return _mm512_maskz_sll_epi32(kAll, v, _mm_cvtsi32_si128(n)); }
  static F nan_where_same(F v, I a, I b) {
    return _mm512_mask_mov_ps(v, _mm512_cmpeq_epi32_mask(a, b), set(std::numeric_limits<float>::quiet_NaN()));
  }
  static I count_at_least(I count, F v, F limit) {
    return _mm512_mask_add_epi32(count, _mm512_cmp_ps_mask(v, limit, _CMP_GE_OQ), count, _mm512_set1_epi32(1));
  }
  static I load_words(const std::uint16_t* p) {
    return _mm512_maskz_cvtepu16_epi32(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F load_halves(const std::uint16_t* p) {
    return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
  }
  static F load_upper_halves(const std::uint8_t* p) {
    const __m256i bytes = _mm256_cvtepu8_epi16(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
    return _mm512_maskz_cvtph_ps(kAll, _mm256_slli_epi16(bytes, 8));
  }
  template <class Byte>
  static I load_bytes(const Byte* p) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(p));
    if constexpr (std::is_signed_v<Byte>) return _mm512_maskz_cvtepi8_epi32(kAll, bytes);
    return _mm512_maskz_cvtepu8_epi32(kAll, bytes);
  }
  static F gather(const float* p, I i) { return _mm512_mask_i32gather_ps(_mm512_setzero_ps(), kAll, i, p, 4); }
  using Table = __m512;
  static constexpr bool kQuickLookup = true;
  static Table load_table(const float* p) { return _mm512_loadu_ps(p); }
  static F lookup(Table table, I i) { return _mm512_maskz_permutexvar_ps(kAll, i, table); }
  static I sign_mask(F v) { return _mm512_maskz_srai_epi32(kAll, _mm512_castps_si512(v), 31); }
  static I magnitude_bits(F v) { return _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff)); }
  template <class T>
  static void store_narrow(T* p, I v) {
    if constexpr (sizeof(T) == 1) {
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(kAll, v));
    } else if constexpr (sizeof(T) == 2) {
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtepi32_epi16(kAll, v));
    } else {
      _mm512_storeu_si512(p, v);
    }
  }
  template <class T>
  static void store_narrow_first(T* p, I v, Index count) {
    if constexpr (sizeof(T) == 1) {
      _mm_mask_storeu_epi8(p, first_lanes(count), _mm512_maskz_cvtepi32_epi8(kAll, v));
    } else if constexpr (sizeof(T) == 2) {
      _mm256_mask_storeu_epi16(p, first_lanes(count), _mm512_maskz_cvtepi32_epi16(kAll, v));
    } else {
      store_int_first(p, v, count);
    }
  }
  template <class T>
  static void store_narrow(T* p, I a, I b, I c, I d) {
    store_narrow(p, a);
    store_narrow(p + width, b);
    store_narrow(p + 2 * width, c);
    store_narrow(p + 3 * width, d);
  }
  template <class T>
  static void store_clamped(T* p, T* q, I a, I b, I c, I d, T low, T high) {
    constexpr __mmask64 all = ~__mmask64{0};
    const I ab = _mm512_packs_epi32(a, b), cd = _mm512_packs_epi32(c, d);
    // Packing works within quarters: four bytes of a, b, c, d, then the next four of each.
    const I order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    I bytes;
    if constexpr (std::is_signed_v<T>) {
      bytes = _mm512_maskz_max_epi8(all, _mm512_packs_epi16(ab, cd), _mm512_set1_epi8(low));
      bytes = _mm512_maskz_min_epi8(all, bytes, _mm512_set1_epi8(high));
    } else {
      bytes = _mm512_maskz_max_epu8(all, _mm512_packus_epi16(ab, cd), _mm512_set1_epi8(static_cast<char>(low)));
      bytes = _mm512_maskz_min_epu8(all, bytes, _mm512_set1_epi8(static_cast<char>(high)));
    }
    bytes = _mm512_maskz_permutexvar_epi32(kAll, order, bytes);
    if (q == p + 2 * width) return _mm512_storeu_si512(p, bytes);
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_extracti64x4_epi64(0xff, bytes, 0));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), _mm512_maskz_extracti64x4_epi64(0xff, bytes, 1));
  }

  static float reduce_min(F v) { return Avx2Lanes::reduce_min(Avx2Lanes::min(low_half(v), high_half(v))); }
  static float reduce_max(F v) { return Avx2Lanes::reduce_max(Avx2Lanes::max(low_half(v), high_half(v))); }
  static std::int32_t reduce_max_int(I v) {
    const F bits = _mm512_castsi512_ps(v);
    return Avx2Lanes::reduce_max_int(Avx2Lanes::max_int(Avx2Lanes::float_bits(low_half(bits)),  //
                                                        Avx2Lanes::float_bits(high_half(bits))));
  }
  static std::int32_t reduce_add_int(I v) {
    const F bits = _mm512_castsi512_ps(v);
    return Avx2Lanes::reduce_add_int(Avx2Lanes::add(Avx2Lanes::float_bits(low_half(bits)),  //
                                                    Avx2Lanes::float_bits(high_half(bits))));
  }
  template <class Byte>
  static I add_bytes(I acc, const Byte* p) {
    I bytes = _mm512_loadu_si512(p);
    if constexpr (std::is_signed_v<Byte>) bytes = _mm512_xor_si512(bytes, _mm512_set1_epi8(-128));
    return _mm512_add_epi32(acc, _mm512_sad_epu8(bytes, _mm512_setzero_si512()));
  }
  template <class Byte>
  static I max_bytes(I a, I b) {
    return std::is_signed_v<Byte> ? _mm512_max_epi8(a, b) : _mm512_max_epu8(a, b);
  }
  template <class Byte>
  static I add_fours(I acc, I v) {
    const I ones = _mm512_set1_epi8(1);
#if QUANTA_HAS_AVX512VNNI
    return std::is_signed_v<Byte> ? _mm512_dpbusd_epi32(acc, ones, v) : _mm512_dpbusd_epi32(acc, v, ones);
#else
    const I pairs = std::is_signed_v<Byte> ? _mm512_maddubs_epi16(ones, v) : _mm512_maddubs_epi16(v, ones);
    return _mm512_add_epi32(acc, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)));
#endif
  }
  static bool all_below(I v, std::int32_t limit) {
    return _mm512_cmplt_epi32_mask(v, _mm512_set1_epi32(limit)) == kAll;
  }
  using Equal = __mmask16;
  static Equal equal() { return kAll; }
  static Equal equal(Equal before, F a, F b) { return _mm512_mask_cmp_ps_mask(before, a, b, _CMP_EQ_OQ); }
  static bool are_equal(Equal all) { return all == kAll; }

 private:
  static __m256 low_half(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 0); }
  static __m256 high_half(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 1); }

 private:
  static __mmask16 first_lanes(Index count) { return static_cast<__mmask16>((1u << count) - 1u); }
  static I upper_half(I v) { return _mm512_maskz_srli_epi64(0xff, v, 32); }
};

/// What squares of 64-byte words are turned with (simd/square.hpp): a Zip of four lanes of 16 bytes, each by itself,
/// and pairs of lanes.
struct Avx512Zip {
  using Word = __m512i;

  template <int unit>
  static Word low(Word a, Word b) {
    if constexpr (unit == 1) return _mm512_maskz_unpacklo_epi8(kBytes, a, b);
    return unit == 4 ? _mm512_maskz_unpacklo_epi32(0xffff, a, b) : _mm512_maskz_unpacklo_epi64(0xff, a, b);
  }
  template <int unit>
  static Word high(Word a, Word b) {
    if constexpr (unit == 1) return _mm512_maskz_unpackhi_epi8(kBytes, a, b);
    return unit == 4 ? _mm512_maskz_unpackhi_epi32(0xffff, a, b) : _mm512_maskz_unpackhi_epi64(0xff, a, b);
  }
  template <int bits>
  static void swap_fields(Word& a, Word& b) {
    const Word even = _mm512_set1_epi8(bits == 4 ? 0x0f : 0x33), all_of_b = b;
    constexpr int choose = 0xca;  // of the second and third, as the bits of the first say
    b = _mm512_ternarylogic_epi64(even, _mm512_srli_epi16(a, bits), b, choose);
    a = _mm512_ternarylogic_epi64(even, a, _mm512_slli_epi16(all_of_b, bits), choose);
  }
  template <int bits>
  static Word up(Word a) {
    return _mm512_maskz_slli_epi16(~__mmask32{0}, a, bits);
  }
  static Word low_nibbles(Word a) { return _mm512_and_si512(a, _mm512_set1_epi8(0x0f)); }
  static Word high_nibbles(Word a) { return low_nibbles(_mm512_srli_epi16(a, 4)); }
  static Word flip(Word a, Word bits) { return _mm512_xor_si512(a, bits); }
  static Word both(Word a, Word b) { return _mm512_and_si512(a, b); }
  static Word sub(Word a, Word b) { return _mm512_sub_epi8(a, b); }

  /// Of the lanes of a, then those of b: the first two of each, the last two, those at even places, at odd ones.
  static Word first_lanes(Word a, Word b) { return pick_lanes<0x44>(a, b); }
  static Word last_lanes(Word a, Word b) { return pick_lanes<0xee>(a, b); }
  static Word even_lanes(Word a, Word b) { return pick_lanes<0x88>(a, b); }
  static Word odd_lanes(Word a, Word b) { return pick_lanes<0xdd>(a, b); }

 private:
  static constexpr __mmask64 kBytes = ~__mmask64{0};
  template <int lanes>
  static Word pick_lanes(Word a, Word b) {
    return _mm512_maskz_shuffle_i32x4(0xffff, a, b, lanes);
  }
};

}  // namespace simd
QUANTA_NAMESPACE_END
#endif
