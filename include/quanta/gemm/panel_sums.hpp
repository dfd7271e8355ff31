// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the epilogue needs of packed operands of 8 bits: the sums of each column, modulo 2^32. They are taken from the
// blocks of a panel while these are in registers or in the first-level cache (gemm/pack_panel.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// a + b, modulo 2^32.
inline std::int32_t add_modulo(std::int32_t a, std::int32_t b) {
  return static_cast<std::int32_t>(static_cast<std::uint32_t>(a) + static_cast<std::uint32_t>(b));
}

/// Adds to the sums of a panel's columns, modulo 2^32. Where lanes hold what lies side by side in a block, or in
/// several, fours of operands are added to their int32; elsewhere operands to int16, which hold the sums of 128 of
/// them.
template <class Operand, int nr, int kr>
class PanelSums {
  using L = simd::NativeLanes;
  static constexpr int kSize = nr * kr, kVector = int(sizeof(typename L::I));
  static constexpr int kAtOnce = std::max(1, kVector / kSize);  ///< blocks
  static constexpr int kWidth = kAtOnce * kSize;
  static constexpr bool kInLanes = L::width > 1 && kr % 4 == 0 && kWidth % kVector == 0;

 public:
  static constexpr Index kMostBlocks = 128;
  /// Has a vector of a block the operands of as many columns as lanes?
  static constexpr bool kTakesVectors = kInLanes && kAtOnce == 1 && kr == 4;

  /// Those of at most kMostBlocks blocks.
  static void add(const Operand* blocks, Index count, std::int32_t* sums) {
    if constexpr (kInLanes) {
      add_in_lanes(blocks, count, sums);
    } else {
      add_one_by_one(blocks, count, sums);
    }
  }
  /// Those of vectors, a power of two: parts of as many blocks. A group has so many of them, a power of two or more
  /// than there are; the sums of the next are nr further on.
  template <int count>
  QUANTA_ALWAYS_INLINE static void add_vectors(const typename L::I (&vectors)[count], Index group, std::int32_t* sums) {
    typename L::I sum = L::load_int(sums);
    if (group >= count) {
      QUANTA_UNROLL for (int i = 0; i < count; ++i) sum = L::template add_fours<Operand>(sum, vectors[i]);
      return L::store_int(sums, sum);
    }
    QUANTA_UNROLL for (int i = 0; i < count; ++i) {
      sum = L::template add_fours<Operand>(sum, vectors[i]);
      if (((i + 1) & (group - 1)) != 0) continue;
      L::store_int(sums, sum);
      sums += nr;
      if (i + 1 < count) sum = L::load_int(sums);
    }
  }

 private:
  static typename L::I load(const void* bytes) { return L::load_int(static_cast<const std::int32_t*>(bytes)); }
  static void add_in_lanes(const Operand* blocks, Index count, std::int32_t* sums);
  static void add_one_by_one(const Operand* blocks, Index count, std::int32_t* sums);
};

// ---- bodies ----

template <class Operand, int nr, int kr>
void PanelSums<Operand, nr, kr>::add_in_lanes(const Operand* blocks, Index count, std::int32_t* sums) {
  constexpr int kVectors = kWidth / kVector, kLanes = kVector / 4, kFours = kr / 4;  // of a column in a block
  const Index whole = count / kAtOnce, rest = count % kAtOnce;
  // Many of them would not stay in registers.
  constexpr int kTogether = kVectors % 4 == 0 ? 4 : kVectors % 3 == 0 ? 3 : kVectors % 2 == 0 ? 2 : 1;
  alignas(kCacheLine) Operand last[kWidth];
  if (rest > 0) {
    std::fill_n(last, kWidth, Operand{0});
    std::memcpy(last, blocks + whole * kWidth, usize(rest * kSize));
  }
  std::int32_t lanes[kVectors * kLanes];
  for (int first = 0; first < kVectors; first += kTogether) {
    typename L::I added[kTogether];
    const auto add_block = [&](const Operand* block) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int i = 0; i < kTogether; ++i) {
        added[i] = L::template add_fours<Operand>(added[i], load(block + (first + i) * kVector));
      }
    };
    QUANTA_UNROLL for (int i = 0; i < kTogether; ++i) added[i] = L::set_int(0);
    for (Index b = 0; b < whole; ++b) add_block(blocks + b * kWidth);
    if (rest > 0) add_block(last);
    QUANTA_UNROLL for (int i = 0; i < kTogether; ++i) L::store_int(lanes + (first + i) * kLanes, added[i]);
  }
  for (int block = 0; block < kAtOnce; ++block) {
    QUANTA_VECTORIZE_LOOP
    for (int c = 0; c < nr; ++c) {
      QUANTA_UNROLL for (int i = 0; i < kFours; ++i) {
        sums[c] = add_modulo(sums[c], lanes[(block * nr + c) * kFours + i]);
      }
    }
  }
}

template <class Operand, int nr, int kr>
void PanelSums<Operand, nr, kr>::add_one_by_one(const Operand* blocks, Index count, std::int32_t* sums) {
  std::int16_t all[kSize] = {};
  for (Index b = 0; b < count; ++b, blocks += kSize) {
    QUANTA_VECTORIZE_LOOP
    for (int j = 0; j < kSize; ++j) all[j] = static_cast<std::int16_t>(all[j] + blocks[j]);
  }
  for (int c = 0; c < nr; ++c) {
    QUANTA_UNROLL for (int i = 0; i < kr; ++i) sums[c] = add_modulo(sums[c], all[c * kr + i]);
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
