// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Four floats: NEON of 64-bit Arm. See simd/scalar.hpp for what each function means.
#pragma once

#include <quanta/core/fp.hpp>
#include <quanta/core/types.hpp>

#if QUANTA_HAS_NEON
#include <arm_neon.h>

#include <cstring>

QUANTA_NAMESPACE_BEGIN
namespace simd {

struct NeonLanes {
  using F = float32x4_t;
  using I = int32x4_t;
  static constexpr int width = 4;

  static F set(float v) { return vdupq_n_f32(v); }
  static F load(const float* p) { return vld1q_f32(p); }
  static void store(float* p, F v) { vst1q_f32(p, v); }
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
  // By compare and select, since FMIN and FMAX return NaN where the contract says b.
  static F min(F a, F b) { return vbslq_f32(vcltq_f32(a, b), a, b); }
  static F max(F a, F b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static F div(F a, F b) { return vdivq_f32(a, b); }
  static F fma(F a, F b, F c) { return vfmaq_f32(c, a, b); }
  static F mul(F a, F b) { return fp::opaque(vmulq_f32(a, b)); }
  static F add_real(F a, F b) { return vaddq_f32(fp::opaque(a), b); }
  static F nan_to_zero(F v) { return vreinterpretq_f32_u32(vandq_u32(vreinterpretq_u32_f32(v), vceqq_f32(v, v))); }
  static F one_nan(F v) { return vbslq_f32(vceqq_f32(v, v), v, vdupq_n_f32(std::numeric_limits<float>::quiet_NaN())); }
  static I round(F v) { return vcvtnq_s32_f32(v); }

  static I set_int(std::int32_t v) { return vdupq_n_s32(v); }
  static I load_int(const std::int32_t* p) { return vld1q_s32(p); }
  static F to_float(I v) { return vcvtq_f32_s32(v); }
  static I add(I a, I b) { return vaddq_s32(a, b); }
  static I sub(I a, I b) { return vsubq_s32(a, b); }
  static I mul_low(I a, I b) { return vmulq_s32(a, b); }
  struct FixedPoints {
    I multiplier;
    int64x2_t low_left, high_left;
  };
  static FixedPoints fixed_points(I multiplier, I right) {
    const I left = vnegq_s32(right);
    return {multiplier, vmovl_s32(vget_low_s32(left)), vmovl_high_s32(left)};
  }
  static I multiply(I a, const FixedPoints& by) {
    const int64x2_t low = vmull_s32(vget_low_s32(a), vget_low_s32(by.multiplier));
    const int64x2_t high = vmull_high_s32(a, by.multiplier);
    return vcombine_s32(vmovn_s64(vrshlq_s64(low, by.low_left)), vmovn_s64(vrshlq_s64(high, by.high_left)));
  }
  static void store_int(std::int32_t* p, I v) { vst1q_s32(p, v); }
  static void stream_int(std::int32_t* p, I v) { store_int(p, v); }
  static void finish_streams() {}
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
  static I max_int(I a, I b) { return vmaxq_s32(a, b); }
  static I min_int(I a, I b) { return vminq_s32(a, b); }
  static I and_int(I a, I b) { return vandq_s32(a, b); }
  static I or_int(I a, I b) { return vorrq_s32(a, b); }
  static I float_bits(F v) { return vreinterpretq_s32_f32(v); }
  static F from_bits(I v) { return vreinterpretq_f32_s32(v); }
  template <int n>
  static I shift_right(I v) {
    return vreinterpretq_s32_u32(vshrq_n_u32(vreinterpretq_u32_s32(v), n));
  }
  template <int n>
  static I shift_left(I v) {
    return vshlq_n_s32(v, n);
  }
  static I shift_right_by(I v, int n) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(v), vdupq_n_s32(-n)));
  }
  static I shift_left_by(I v, int n) { return vshlq_s32(v, vdupq_n_s32(n)); }
  static F nan_where_same(F v, I a, I b) {
    return vreinterpretq_f32_u32(vorrq_u32(vreinterpretq_u32_f32(v), vceqq_s32(a, b)));
  }
  static I count_at_least(I count, F v, F limit) {
    return vsubq_s32(count, vreinterpretq_s32_u32(vcgeq_f32(v, limit)));
  }
  static I load_words(const std::uint16_t* p) { return vreinterpretq_s32_u32(vmovl_u16(vld1_u16(p))); }
  static F load_halves(const std::uint16_t* p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
  static F load_upper_halves(const std::uint8_t* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof four);
    const uint16x8_t halves = vshll_n_u8(vreinterpret_u8_u32(vdup_n_u32(four)), 8);
    return vcvt_f32_f16(vreinterpret_f16_u16(vget_low_u16(halves)));
  }
  template <class Byte>
  static I load_bytes(const Byte* p) {
    std::uint32_t four;
    std::memcpy(&four, p, sizeof four);
    const uint8x8_t bytes = vreinterpret_u8_u32(vdup_n_u32(four));
    if constexpr (std::is_signed_v<Byte>) return vmovl_s16(vget_low_s16(vmovl_s8(vreinterpret_s8_u8(bytes))));
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(bytes))));
  }
  static F gather(const float* p, I i) {
    std::int32_t at[width];
    store_int(at, i);
    const float lanes[width] = {p[at[0]], p[at[1]], p[at[2]], p[at[3]]};
    return load(lanes);
  }
  using Table = uint8x16x4_t;
  static constexpr bool kQuickLookup = false;
  static Table load_table(const float* p) {
    const auto four = [p](int i) { return vreinterpretq_u8_f32(vld1q_f32(p + 4 * i)); };
    return {{four(0), four(1), four(2), four(3)}};
  }
  static F lookup(const Table& table, I i) {
    const uint32x4_t number = vandq_u32(vreinterpretq_u32_s32(i), vdupq_n_u32(15));
    const uint32x4_t bytes = vmlaq_u32(vdupq_n_u32(0x03020100), number, vdupq_n_u32(0x04040404));
    return vreinterpretq_f32_u8(vqtbl4q_u8(table, vreinterpretq_u8_u32(bytes)));
  }
  /// The bytes of sixteen floats, the lowest of all of them, and so on; and the floats that the eight numbers of 4 bits
  /// in each lane count, the lowest first. upper_half: their lower two bytes are 0.
  using ByteTables = uint8x16x4_t;
  static ByteTables load_byte_tables(const float* p) { return vld4q_u8(reinterpret_cast<const std::uint8_t*>(p)); }
  struct Nibbles {
    F levels[8];
  };
  template <bool upper_halves>
  static Nibbles lookup_nibbles(const ByteTables& tables, I v) {
    Nibbles found;
    const uint8x16_t bytes = vreinterpretq_u8_s32(v);
    const uint8x16_t halves[2] = {vandq_u8(bytes, vdupq_n_u8(15)), vshrq_n_u8(bytes, 4)};
    QUANTA_UNROLL for (int i = 0; i < 2; ++i) {
      const uint8x16_t b2 = vqtbl1q_u8(tables.val[2], halves[i]), b3 = vqtbl1q_u8(tables.val[3], halves[i]);
      // Of bytes 0 and 2 of a lane, and 1 and 3.
      const uint16x8_t even = vreinterpretq_u16_u8(vtrn1q_u8(b2, b3)), odd = vreinterpretq_u16_u8(vtrn2q_u8(b2, b3));
      uint16x8_t low_even = vdupq_n_u16(0), low_odd = low_even;
      if constexpr (!upper_halves) {
        const uint8x16_t b0 = vqtbl1q_u8(tables.val[0], halves[i]), b1 = vqtbl1q_u8(tables.val[1], halves[i]);
        low_even = vreinterpretq_u16_u8(vtrn1q_u8(b0, b1));
        low_odd = vreinterpretq_u16_u8(vtrn2q_u8(b0, b1));
      }
      found.levels[i] = vreinterpretq_f32_u16(vtrn1q_u16(low_even, even));
      found.levels[2 + i] = vreinterpretq_f32_u16(vtrn1q_u16(low_odd, odd));
      found.levels[4 + i] = vreinterpretq_f32_u16(vtrn2q_u16(low_even, even));
      found.levels[6 + i] = vreinterpretq_f32_u16(vtrn2q_u16(low_odd, odd));
    }
    return found;
  }
  /// That of number i.
  template <int i>
  static F nibble_level(const Nibbles& found) {
    return found.levels[i];
  }
  static constexpr int kNibbleWords = 1;         ///< that are looked up at once, as registers suffice for
  static constexpr bool kQuickIntegers = false;  ///< in fewer instructions than a lookup
  static I sign_mask(F v) { return vshrq_n_s32(vreinterpretq_s32_f32(v), 31); }
  static I magnitude_bits(F v) { return vreinterpretq_s32_f32(vabsq_f32(v)); }
  template <class T>
  static void store_narrow(T* p, I v) {
    if constexpr (sizeof(T) == 1) {
      const int16x4_t words = vmovn_s32(v);
      const int8x8_t bytes = vmovn_s16(vcombine_s16(words, words));
      const std::uint32_t four = vget_lane_u32(vreinterpret_u32_s8(bytes), 0);
      std::memcpy(p, &four, sizeof four);
    } else if constexpr (sizeof(T) == 2) {
      vst1_s16(reinterpret_cast<std::int16_t*>(p), vmovn_s32(v));
    } else {
      vst1q_s32(reinterpret_cast<std::int32_t*>(p), v);
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
      const int16x8_t ab = vcombine_s16(vmovn_s32(a), vmovn_s32(b)), cd = vcombine_s16(vmovn_s32(c), vmovn_s32(d));
      const int8x16_t bytes = vcombine_s8(vmovn_s16(ab), vmovn_s16(cd));
      std::memcpy(p, &bytes, sizeof bytes);
      return;
    }
    store_narrow(p, a);
    store_narrow(p + width, b);
    store_narrow(p + 2 * width, c);
    store_narrow(p + 3 * width, d);
  }
  template <class T>
  static void store_clamped(T* p, T* q, I a, I b, I c, I d, T low, T high) {
    const int16x8_t ab = vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), cd = vcombine_s16(vqmovn_s32(c), vqmovn_s32(d));
    if constexpr (std::is_signed_v<T>) {
      int8x16_t bytes = vcombine_s8(vqmovn_s16(ab), vqmovn_s16(cd));
      bytes = vminq_s8(vmaxq_s8(bytes, vdupq_n_s8(low)), vdupq_n_s8(high));
      vst1_s8(p, vget_low_s8(bytes));
      vst1_s8(q, vget_high_s8(bytes));
    } else {
      uint8x16_t bytes = vcombine_u8(vqmovun_s16(ab), vqmovun_s16(cd));
      bytes = vminq_u8(vmaxq_u8(bytes, vdupq_n_u8(low)), vdupq_n_u8(high));
      vst1_u8(p, vget_low_u8(bytes));
      vst1_u8(q, vget_high_u8(bytes));
    }
  }

  static float reduce_min(F v) { return vminvq_f32(v); }
  static float reduce_max(F v) { return vmaxvq_f32(v); }
  static std::int32_t reduce_max_int(I v) { return vmaxvq_s32(v); }
  static std::int32_t reduce_add_int(I v) { return vaddvq_s32(v); }
  template <class Byte>
  static I add_bytes(I acc, const Byte* p) {
    uint8x16_t bytes = vld1q_u8(reinterpret_cast<const std::uint8_t*>(p));
    if constexpr (std::is_signed_v<Byte>) bytes = veorq_u8(bytes, vdupq_n_u8(128));
    return vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(acc), vpaddlq_u8(bytes)));
  }
  template <class Byte>
  static I max_bytes(I a, I b) {
    if constexpr (std::is_signed_v<Byte>) {
      return vreinterpretq_s32_s8(vmaxq_s8(vreinterpretq_s8_s32(a), vreinterpretq_s8_s32(b)));
    } else {
      return vreinterpretq_s32_u8(vmaxq_u8(vreinterpretq_u8_s32(a), vreinterpretq_u8_s32(b)));
    }
  }
  template <class Byte>
  static I add_fours(I acc, I v) {
    if constexpr (std::is_signed_v<Byte>) {
      return vpadalq_s16(acc, vpaddlq_s8(vreinterpretq_s8_s32(v)));
    } else {
      return vreinterpretq_s32_u32(vpadalq_u16(vreinterpretq_u32_s32(acc), vpaddlq_u8(vreinterpretq_u8_s32(v))));
    }
  }
  static bool all_below(I v, std::int32_t limit) { return vmaxvq_s32(v) < limit; }
  using Equal = uint32x4_t;
  static Equal equal() { return vdupq_n_u32(0xffffffffu); }
  static Equal equal(Equal before, F a, F b) { return vandq_u32(before, vceqq_f32(a, b)); }
  static bool are_equal(Equal all) { return vminvq_u32(all) != 0; }
};

/// What a ZippedSquare takes.
struct NeonZip {
  using Word = uint8x16_t;

  template <int unit>
  static Word low(Word a, Word b) {
    if constexpr (unit == 1) return vzip1q_u8(a, b);
    if constexpr (unit == 2) return vreinterpretq_u8_u16(vzip1q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
    if constexpr (unit == 4) return vreinterpretq_u8_u32(vzip1q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
    return vreinterpretq_u8_u64(vzip1q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
  }
  template <int unit>
  static Word high(Word a, Word b) {
    if constexpr (unit == 1) return vzip2q_u8(a, b);
    if constexpr (unit == 2) return vreinterpretq_u8_u16(vzip2q_u16(vreinterpretq_u16_u8(a), vreinterpretq_u16_u8(b)));
    if constexpr (unit == 4) return vreinterpretq_u8_u32(vzip2q_u32(vreinterpretq_u32_u8(a), vreinterpretq_u32_u8(b)));
    return vreinterpretq_u8_u64(vzip2q_u64(vreinterpretq_u64_u8(a), vreinterpretq_u64_u8(b)));
  }
  template <int bits>
  static void swap_fields(Word& a, Word& b) {
    const Word even = vdupq_n_u8(bits == 4 ? 0x0f : 0x33), all_of_b = b;
    b = vbslq_u8(even, vshrq_n_u8(a, bits), b);
    a = vbslq_u8(even, a, vshlq_n_u8(all_of_b, bits));
  }
  static Word flip(Word a, Word bits) { return veorq_u8(a, bits); }
};

}  // namespace simd
QUANTA_NAMESPACE_END
#endif
