// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// One float at a time, in portable C++: the definition that every other lane type equals bit for bit.
#pragma once

#include <algorithm>

#include <quanta/core/fp.hpp>
#include <quanta/core/types.hpp>

QUANTA_NAMESPACE_BEGIN
namespace simd {

/// The contract of a lane type, in its simplest form. F holds `width` floats, I as many int32.
struct ScalarLanes {
  using F = float;
  using I = std::int32_t;
  static constexpr int width = 1;

  static F set(float v) { return v; }
  static F load(const float* p) { return *p; }
  static void store(float* p, F v) { *p = v; }
  /// The first `count` lanes alone, 1 <= count <= width; the others are loaded as 0.
  static F load_first(const float* p, Index) { return *p; }
  static void store_first(float* p, F v, Index) { *p = v; }
  /// The smaller and the larger; b where either is NaN.
  static F min(F a, F b) { return a < b ? a : b; }
  static F max(F a, F b) { return a > b ? a : b; }
  /// a / b, correctly rounded.
  static F div(F a, F b) { return a / b; }
  /// One rounding.
  static F fma(F a, F b, F c) { return fp::fma(a, b, c); }
  /// a * b and a + b, two roundings: neither is fused with what comes before or after.
  static F mul(F a, F b) { return fp::mul(a, b); }
  static F add_real(F a, F b) { return fp::opaque(a) + b; }
  /// v, or 0 where v is NaN.
  static F nan_to_zero(F v) { return v == v ? v : 0.0f; }
  /// v, or the one quiet NaN where v is any: which one an operation gives differs between CPUs.
  static F one_nan(F v) { return v == v ? v : std::numeric_limits<float>::quiet_NaN(); }
  /// Round half to even to int32, for |v| <= 2^22.
  static I round(F v) { return static_cast<I>(fp::round_half_even(v)); }

  static I set_int(std::int32_t v) { return v; }
  static I load_int(const std::int32_t* p) { return *p; }
  static F to_float(I v) { return static_cast<float>(v); }
  /// Integer arithmetic is modulo 2^32.
  static I add(I a, I b) { return wrap(bits(a) + bits(b)); }
  static I sub(I a, I b) { return wrap(bits(a) - bits(b)); }
  static I mul_low(I a, I b) { return wrap(bits(a) * bits(b)); }
  /// Real numbers multiplier * 2^-right, made ready to multiply many lanes by.
  struct FixedPoints {
    I multiplier, right;
  };
  static FixedPoints fixed_points(I multiplier, I right) { return {multiplier, right}; }
  /// (a * multiplier + 2^(right - 1)) >> right, which is rounded half up, for right in 32..62: it fits int32.
  static I multiply(I a, const FixedPoints& by) {
    return wrap(static_cast<std::uint32_t>((std::int64_t{a} * by.multiplier + (std::int64_t{1} << (by.right - 1))) >>
                                           by.right));
  }
  static void store_int(std::int32_t* p, I v) { *p = v; }
  /// The same past the caches, where there is such an instruction, for p at a multiple of the vector's size. Others see
  /// it after finish_streams.
  static void stream_int(std::int32_t* p, I v) { *p = v; }
  static void finish_streams() {}
  static I load_int_first(const std::int32_t* p, Index) { return *p; }
  static void store_int_first(std::int32_t* p, I v, Index) { *p = v; }
  static I max_int(I a, I b) { return a > b ? a : b; }
  static I min_int(I a, I b) { return a < b ? a : b; }
  static I and_int(I a, I b) { return wrap(bits(a) & bits(b)); }
  static I or_int(I a, I b) { return wrap(bits(a) | bits(b)); }
  /// Bits moved down or up by n, zeros coming in.
  template <int n>
  static I shift_right(I v) {
    return wrap(bits(v) >> n);
  }
  /// Bits moved up by n, zeros coming in.
  template <int n>
  static I shift_left(I v) {
    return wrap(bits(v) << n);
  }
  /// The same by a number known at run time, 0 to 31.
  static I shift_right_by(I v, int n) { return wrap(bits(v) >> n); }
  static I shift_left_by(I v, int n) { return wrap(bits(v) << n); }
  /// All bits set where the float is negative (-0 and NaN with a sign too), else none.
  static I sign_mask(F v) { return (std::bit_cast<std::uint32_t>(v) >> 31) != 0 ? -1 : 0; }
  /// The bits of |v| as an integer: ordered as the values are, infinity and NaN above all finite ones.
  static I magnitude_bits(F v) { return static_cast<I>(std::bit_cast<std::uint32_t>(v) & 0x7fffffffu); }
  /// The float's own bits, and the float of such bits.
  static I float_bits(F v) { return std::bit_cast<I>(v); }
  static F from_bits(I v) { return std::bit_cast<F>(v); }
  /// v, or a quiet NaN where a is b.
  static F nan_where_same(F v, I a, I b) { return a == b ? std::numeric_limits<float>::quiet_NaN() : v; }
  /// count, one more where v >= limit.
  static I count_at_least(I count, F v, F limit) { return count + (v >= limit ? 1 : 0); }
  /// `width` unsigned words, or bytes, which are signed where the type is.
  static I load_words(const std::uint16_t* p) { return *p; }
  // Where there is an instruction, load_halves(p): the reals that `width` IEEE halves stand for, NaN made quiet; and
  // load_upper_halves(p) of halves of which there is the upper byte alone.
  template <class Byte>
  static I load_bytes(const Byte* p) {
    return *p;
  }
  /// p[i] of each lane.
  static F gather(const float* p, I i) { return p[i]; }
  /// Sixteen floats, and those that the low four bits of each lane count. kQuickLookup: in fewer instructions than an
  /// integer becomes a float in.
  using Table = const float*;
  static constexpr bool kQuickLookup = false;
  static Table load_table(const float* p) { return p; }
  static F lookup(Table table, I i) { return table[i & 15]; }
  /// Stores the low bits of each, as many as T has.
  template <class T>
  static void store_narrow(T* p, I v) {
    *p = static_cast<T>(v);
  }
  /// The same of the first `count` alone.
  template <class T>
  static void store_narrow_first(T* p, I v, Index) {
    store_narrow(p, v);
  }
  /// The same of four, one after another.
  template <class T>
  static void store_narrow(T* p, I a, I b, I c, I d) {
    store_narrow(p, a);
    store_narrow(p + 1, b);
    store_narrow(p + 2, c);
    store_narrow(p + 3, d);
  }

  /// The same of a and b from p on and of c and d from q on, each of which becomes low below it and high above it. T is
  /// a byte, which holds low and high.
  template <class T>
  static void store_clamped(T* p, T* q, I a, I b, I c, I d, T low, T high) {
    const auto clamped = [&](I v) { return static_cast<T>(std::clamp<I>(v, low, high)); };
    p[0] = clamped(a);
    p[1] = clamped(b);
    q[0] = clamped(c);
    q[1] = clamped(d);
  }

  /// Over all lanes.
  static float reduce_min(F v) { return v; }
  static float reduce_max(F v) { return v; }
  static std::int32_t reduce_max_int(I v) { return v; }
  /// The sum of all lanes, modulo 2^32.
  static std::int32_t reduce_add_int(I v) { return v; }
  /// To the sum of acc's lanes adds the sizeof(I) bytes at p; signed ones each 128 more.
  template <class Byte>
  static I add_bytes(I acc, const Byte* p) {
    for (int i = 0; i < 4; ++i) acc = add(acc, p[i] + (std::is_signed_v<Byte> ? 128 : 0));
    return acc;
  }
  /// The larger byte of each pair, and to each lane of acc the sum of the four bytes of v that lie there; bytes are
  /// signed where the type is.
  template <class Byte>
  static I max_bytes(I a, I b) {
    std::uint32_t result = 0;
    for (int i = 0; i < 4; ++i) {
      result |= std::uint32_t{static_cast<std::uint8_t>(std::max(byte_of<Byte>(a, i), byte_of<Byte>(b, i)))} << 8 * i;
    }
    return wrap(result);
  }
  template <class Byte>
  static I add_fours(I acc, I v) {
    for (int i = 0; i < 4; ++i) acc = add(acc, byte_of<Byte>(v, i));
    return acc;
  }
  static bool all_below(I v, std::int32_t limit) { return v < limit; }
  /// Are pairs of floats equal in all lanes? Of no pair they are; with every pair `equal` looks at one more. NaN is
  /// equal to nothing. Neither is a product just made.
  using Equal = bool;
  static Equal equal() { return true; }
  static Equal equal(Equal before, F a, F b) { return before && a == b; }
  static bool are_equal(Equal all) { return all; }

 private:
  static std::uint32_t bits(I v) { return static_cast<std::uint32_t>(v); }
  static I wrap(std::uint32_t v) { return static_cast<I>(v); }
  template <class Byte>
  static Byte byte_of(I v, int i) {
    return static_cast<Byte>(bits(v) >> 8 * i);
  }
};

}  // namespace simd
QUANTA_NAMESPACE_END
