// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the epilogue and the capacity check need of packed operands of 8 bits: the sums of each column, and of the parts
// of it that are above and below its zero point. They are taken from the blocks of a panel while these are in registers
// or in the first-level cache (gemm/pack_panel.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include <quanta/core/buffer.hpp>
#include <quanta/simd/lanes.hpp>

QUANTA_NAMESPACE_BEGIN
namespace detail {

/// The sums of the positive and of the negative (code - zero_point) of a column, or of one of its groups.
struct Extremes {
  std::int64_t positive = 0;
  std::int64_t negative = 0;
  void add(std::int64_t value) { (value > 0 ? positive : negative) += value > 0 ? value : -value; }
  void cover(const Extremes& other) {
    positive = std::max(positive, other.positive);
    negative = std::max(negative, other.negative);
  }
};

/// The sums of a panel's columns over the blocks of a group: of the operands, and of the larger of each and its zero
/// point, whose differences from the zero points are those that are positive. Where lanes hold what lies side by side
/// in a block, or in several, fours of operands are added to their int32; elsewhere operands to int16, which hold the
/// sums of 128 of them.
template <class Operand, int nr, int kr>
class PanelSums {
  using L = simd::NativeLanes;
  static constexpr int kSize = nr * kr, kVector = int(sizeof(typename L::I));
  static constexpr int kAtOnce = std::max(1, kVector / kSize);  ///< blocks
  static constexpr int kWidth = kAtOnce * kSize;
  static constexpr bool kInLanes = L::width > 1 && kr % 4 == 0 && kWidth % kVector == 0;

 public:
  static constexpr Index kMostBlocks = 128;
  /// May parts of blocks be added from registers?
  static constexpr bool kTakesVectors = kInLanes && kAtOnce == 1;

  /// For columns that have this zero point unless they are told another.
  explicit PanelSums(std::int32_t zero_point) {
    std::fill_n(zero_points_, nr, zero_point);
    spread_zero_points();
  }

  /// A new group, of columns with these zero points, or null: those of the group before.
  void begin(const std::int32_t* zero_points) {
    std::fill_n(sums_, nr, 0);
    std::fill_n(larger_, nr, 0);
    blocks_ = 0;
    if (zero_points == nullptr) return;
    std::copy_n(zero_points, nr, zero_points_);
    spread_zero_points();
  }
  /// Adds at most kMostBlocks blocks.
  void add(const Operand* blocks, Index count) {
    if constexpr (kInLanes) {
      add_in_lanes(blocks, count);
    } else {
      add_one_by_one(blocks, count);
    }
  }
  /// Adds of `count` blocks the vectors at this byte of each; those at all other bytes too, that at 0 first.
  template <int count>
  QUANTA_ALWAYS_INLINE void add_vectors(int byte, const typename L::I (&vectors)[count]) {
    if (byte == 0) count_blocks(count);
    LaneSums of(*this, byte);
    QUANTA_UNROLL for (int i = 0; i < count; ++i) of.add(vectors[i]);
    of.store(*this, byte);
  }
  /// When `steps` have been added and what fills up the last block: the sums of the columns' operands, modulo 2^32, and
  /// for each the sums of its positive and its negative differences from its zero point.
  void finish(Index steps, std::int32_t* QUANTA_RESTRICT sums, std::int64_t* QUANTA_RESTRICT positive,
              std::int64_t* QUANTA_RESTRICT negative) {
    if constexpr (kInLanes) add_up_lanes();
    const std::int64_t all = blocks_ * kr, filled = all - steps;  // with zeros, whose differences do not count
    QUANTA_VECTORIZE_LOOP
    for (int c = 0; c < nr; ++c) {
      const std::int64_t zero = zero_points_[c];
      const std::int64_t above = larger_[c] - all * zero - filled * std::max<std::int64_t>(-zero, 0);
      sums[c] = static_cast<std::int32_t>(static_cast<std::uint64_t>(sums_[c]));
      positive[c] = above;
      negative[c] = above - sums_[c] + steps * zero;
    }
  }

 private:
  using Zero = std::conditional_t<kInLanes, Operand, std::int16_t>;
  static constexpr Index kMostInLanes = 1 << 20;  ///< blocks: one adds 4 * 255 at most
  static constexpr int kLaneSums = kInLanes ? kWidth / 4 : 1;

  /// Of one vector of a block, or of several blocks.
  struct LaneSums {
    typename L::I sums, larger, zeros;

    QUANTA_ALWAYS_INLINE LaneSums(const PanelSums& of, int byte)
        : sums(L::load_int(of.lane_sums_ + byte / 4)),
          larger(L::load_int(of.lane_larger_ + byte / 4)),
          zeros(load(of.zeros_ + byte)) {}
    QUANTA_ALWAYS_INLINE void add(typename L::I operands) {
      sums = L::template add_fours<Operand>(sums, operands);
      larger = L::template add_fours<Operand>(larger, L::template max_bytes<Operand>(operands, zeros));
    }
    QUANTA_ALWAYS_INLINE void store(PanelSums& of, int byte) const {
      L::store_int(of.lane_sums_ + byte / 4, sums);
      L::store_int(of.lane_larger_ + byte / 4, larger);
    }
  };

  void spread_zero_points() {
    for (int j = 0; j < kWidth; ++j) zeros_[j] = static_cast<Zero>(zero_points_[j % kSize / kr]);
  }
  static typename L::I load(const void* bytes) { return L::load_int(static_cast<const std::int32_t*>(bytes)); }
  void count_blocks(Index count) {
    blocks_ += count;
    if ((in_lanes_ += count) <= kMostInLanes) return;
    add_up_lanes();
    in_lanes_ = count;
  }
  /// To what is held of columns.
  void add_up_lanes();
  void add_in_lanes(const Operand* blocks, Index count);
  void add_one_by_one(const Operand* blocks, Index count);

  std::int32_t zero_points_[nr];
  std::int64_t sums_[nr], larger_[nr];
  Index blocks_ = 0, in_lanes_ = 0;         ///< that were added in all, and since lanes were added up
  alignas(kCacheLine) Zero zeros_[kWidth];  ///< the zero point of every operand
  alignas(kCacheLine) std::int32_t lane_sums_[kLaneSums] = {}, lane_larger_[kLaneSums] = {};
};

// ---- bodies ----

template <class Operand, int nr, int kr>
void PanelSums<Operand, nr, kr>::add_up_lanes() {
  QUANTA_VECTORIZE_LOOP
  for (int c = 0; c < nr; ++c) {
    QUANTA_UNROLL for (int i = 0; i < kAtOnce * kr / 4; ++i) {
      const int four = i / (kr / 4) * (kSize / 4) + c * (kr / 4) + i % (kr / 4);
      sums_[c] += lane_sums_[four];
      larger_[c] += lane_larger_[four];
    }
  }
  std::fill_n(lane_sums_, kLaneSums, 0);
  std::fill_n(lane_larger_, kLaneSums, 0);
  in_lanes_ = 0;
}

template <class Operand, int nr, int kr>
void PanelSums<Operand, nr, kr>::add_in_lanes(const Operand* blocks, Index count) {
  constexpr int kVectors = kWidth / kVector;
  const Index whole = count / kAtOnce, rest = count % kAtOnce;
  count_blocks(round_up(count, kAtOnce));
  // Many of them would not stay in registers.
  constexpr int kTogether = kVectors % 4 == 0 ? 4 : kVectors % 3 == 0 ? 3 : kVectors % 2 == 0 ? 2 : 1;
  alignas(kCacheLine) Operand last[kWidth];
  if (rest > 0) {
    std::fill_n(last, kWidth, Operand{0});
    std::memcpy(last, blocks + whole * kWidth, usize(rest * kSize));
  }
  for (int byte = 0; byte < kWidth; byte += kTogether * kVector) {
    const auto add_all = [&]<int... i>(std::integer_sequence<int, i...>) QUANTA_INLINE_LAMBDA {
      LaneSums of[] = {LaneSums(*this, byte + i * kVector)...};
      for (Index b = 0; b < whole; ++b) (of[i].add(load(blocks + b * kWidth + byte + i * kVector)), ...);
      if (rest > 0) (of[i].add(load(last + byte + i * kVector)), ...);
      (of[i].store(*this, byte + i * kVector), ...);
    };
    add_all(std::make_integer_sequence<int, kTogether>{});
  }
}

template <class Operand, int nr, int kr>
void PanelSums<Operand, nr, kr>::add_one_by_one(const Operand* blocks, Index count) {
  std::int16_t all[kSize] = {}, larger[kSize] = {};
  for (Index b = 0; b < count; ++b, blocks += kSize) {
    QUANTA_VECTORIZE_LOOP
    for (int j = 0; j < kSize; ++j) {
      const std::int16_t operand = blocks[j];
      all[j] = static_cast<std::int16_t>(all[j] + operand);
      larger[j] = static_cast<std::int16_t>(larger[j] + std::max<std::int16_t>(operand, zeros_[j]));
    }
  }
  for (int c = 0; c < nr; ++c) {
    QUANTA_UNROLL for (int i = 0; i < kr; ++i) {
      sums_[c] += all[c * kr + i];
      larger_[c] += larger[c * kr + i];
    }
  }
  blocks_ += count;
}

}  // namespace detail
QUANTA_NAMESPACE_END
