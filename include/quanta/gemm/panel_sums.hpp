// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// What the epilogue and the capacity check need of packed operands: the sums of each column, and of the parts of it
// that are above and below its zero point. They are taken from the blocks of a panel while these are in the first-level
// cache (gemm/pack_panel.hpp).
#pragma once

#include <algorithm>
#include <cstdint>
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

/// The sums of a panel's columns over the blocks of a group. Where lanes hold what lies side by side in a block, or in
/// several, they add the operands, and the larger of each and its zero point, whose differences from the zero points
/// are those that are positive. Elsewhere differences are added: an operand of 8 bits and a zero point are 255 apart at
/// most, so that int16 holds 128 of them, and that many blocks are added at a time.
template <class Operand, int nr, int kr, int bits>
class PanelSums {
 public:
  static constexpr Index kMostBlocks = 128;

  /// For columns that have this zero point unless they are told another.
  explicit PanelSums(std::int32_t zero_point) {
    std::fill_n(zero_points_, nr, zero_point);
    spread_zero_points();
  }

  /// A new group, of columns with these zero points, or null: those of the group before.
  void begin(const std::int32_t* zero_points) {
    std::fill_n(sums_, nr, 0);
    std::fill_n(positive_, nr, 0);
    if (zero_points == nullptr) return;
    std::copy_n(zero_points, nr, zero_points_);
    spread_zero_points();
  }
  /// Adds at most kMostBlocks blocks.
  void add(const Operand* blocks, Index count);
  /// When `steps` have been added and what fills up the last block: the sums of the columns' operands, modulo 2^32, and
  /// for each the sums of its positive and its negative differences from its zero point.
  void finish(Index steps, std::int32_t* QUANTA_RESTRICT sums, std::int64_t* QUANTA_RESTRICT positive,
              std::int64_t* QUANTA_RESTRICT negative) const {
    const std::int64_t all = round_up(steps, kr), filled = all - steps;  // with zeros, whose differences do not count
    QUANTA_VECTORIZE_LOOP
    for (int c = 0; c < nr; ++c) {
      const std::int64_t zero = zero_points_[c], above = positive_[c] - filled * std::max<std::int64_t>(-zero, 0);
      sums[c] = static_cast<std::int32_t>(static_cast<std::uint64_t>(sums_[c] + all * zero));
      positive[c] = above;
      negative[c] = above - (sums_[c] + filled * zero);
    }
  }

 private:
  using L = simd::NativeLanes;
  static constexpr int kSize = nr * kr, kBytes = kSize * bits / 8, kVector = int(sizeof(typename L::I));
  static constexpr int kParts = 8 / bits;                        ///< operands of a byte
  static constexpr int kAtOnce = std::max(1, kVector / kBytes);  ///< blocks
  static constexpr int kWidth = kAtOnce * kBytes;
  static constexpr bool kInLanes = L::width > 1 && kr % 4 == 0 && kWidth % kVector == 0;
  /// Of 4 and 2 bits operands are unsigned, and a byte holds those of columns of each half, or quarter.
  using Byte = std::conditional_t<bits == 8, Operand, std::uint8_t>;
  using Zero = std::conditional_t<kInLanes, Byte, std::int16_t>;

  void spread_zero_points() {
    for (int part = 0; part < kParts; ++part) {
      for (int j = 0; j < kWidth; ++j) {
        zeros_[part][j] = static_cast<Zero>(zero_points_[(part * kBytes + j % kBytes) / kr]);
      }
    }
  }
  static typename L::I load(const void* bytes) { return L::load_int(static_cast<const std::int32_t*>(bytes)); }
  void add_in_lanes(const Operand* blocks, Index count);
  void add_differences(const Operand* blocks, Index count);

  std::int32_t zero_points_[nr];
  alignas(kCacheLine) Zero zeros_[kParts][kWidth];  ///< the zero point of every operand
  std::int64_t sums_[nr], positive_[nr];            ///< of differences
};

// ---- bodies ----

template <class Operand, int nr, int kr, int bits>
void PanelSums<Operand, nr, kr, bits>::add(const Operand* blocks, Index count) {
  if constexpr (kInLanes) {
    add_in_lanes(blocks, count);
  } else {
    add_differences(blocks, count);
  }
}

template <class Operand, int nr, int kr, int bits>
void PanelSums<Operand, nr, kr, bits>::add_in_lanes(const Operand* blocks, Index count) {
  using I = typename L::I;
  constexpr int columns = nr / kParts;                                                   // of a part
  alignas(kCacheLine) std::int32_t all[kParts][kWidth / 4], larger[kParts][kWidth / 4];  // of four operands each
  const Index whole = count / kAtOnce;
  alignas(kCacheLine) Byte last[kWidth];
  const bool has_last = whole * kAtOnce < count;
  if (has_last) {
    std::fill_n(last, kWidth, Byte{0});
    std::memcpy(last, blocks + whole * kWidth, usize((count - whole * kAtOnce) * kBytes));
  }
  for (int v = 0; v < kWidth; v += kVector) {
    I sums[kParts], most[kParts], zeros[kParts];
    QUANTA_UNROLL for (int part = 0; part < kParts; ++part) {
      sums[part] = most[part] = L::set_int(0);
      zeros[part] = load(zeros_[part] + v);
    }
    const auto add_vector = [&](const void* bytes) QUANTA_INLINE_LAMBDA {
      const I joined = load(bytes), low = L::set_int(bits == 4 ? 0x0f0f0f0f : 0x03030303);
      QUANTA_UNROLL for (int part = 0; part < kParts; ++part) {
        const I operands =
            bits == 8 ? joined : L::and_int(part == 0 ? joined : L::shift_right_by(joined, part * bits), low);
        sums[part] = L::template add_fours<Byte>(sums[part], operands);
        most[part] = L::template add_fours<Byte>(most[part], L::template max_bytes<Byte>(operands, zeros[part]));
      }
    };
    for (Index i = 0; i < whole; ++i) add_vector(blocks + i * kWidth + v);
    if (has_last) add_vector(last + v);
    QUANTA_UNROLL for (int part = 0; part < kParts; ++part) {
      L::store_int(all[part] + v / 4, sums[part]);
      L::store_int(larger[part] + v / 4, most[part]);
    }
  }
  const auto blocks_added = static_cast<std::int32_t>(count);
  const std::int32_t filled = static_cast<std::int32_t>(round_up(count, kAtOnce)) - blocks_added;
  QUANTA_UNROLL for (int part = 0; part < kParts; ++part) {
    QUANTA_VECTORIZE_LOOP
    for (int c = 0; c < columns; ++c) {
      const std::int32_t zero = zero_points_[part * columns + c], zeros = kr * blocks_added * zero;
      std::int32_t sum = -zeros, positive = -zeros - kr * filled * std::max(zero, 0);
      QUANTA_UNROLL for (int i = 0; i < kAtOnce * kr / 4; ++i) {
        const int four = i / (kr / 4) * (kBytes / 4) + c * (kr / 4) + i % (kr / 4);
        sum += all[part][four];
        positive += larger[part][four];
      }
      sums_[part * columns + c] += sum;
      positive_[part * columns + c] += positive;
    }
  }
}

template <class Operand, int nr, int kr, int bits>
void PanelSums<Operand, nr, kr, bits>::add_differences(const Operand* blocks, Index count) {
  constexpr int bytes = kBytes;
  std::int16_t all[kSize] = {}, above[kSize] = {};
  const auto add_one = [&](int part, int j, int operand) QUANTA_INLINE_LAMBDA {
    const auto difference = static_cast<std::int16_t>(operand - zeros_[part][j]);
    std::int16_t& sum = all[part * bytes + j];
    std::int16_t& positive = above[part * bytes + j];
    sum = static_cast<std::int16_t>(sum + difference);
    positive = static_cast<std::int16_t>(positive + std::max<std::int16_t>(difference, 0));
  };
  for (Index b = 0; b < count; ++b, blocks += bytes) {
    QUANTA_VECTORIZE_LOOP
    for (int j = 0; j < bytes; ++j) {
      if constexpr (bits == 8) {
        add_one(0, j, blocks[j]);
      } else {
        const auto byte = static_cast<std::uint8_t>(blocks[j]);
        QUANTA_UNROLL for (int part = 0; part < kParts; ++part) {
          add_one(part, j, byte >> (part * bits) & ((1 << bits) - 1));
        }
      }
    }
  }
  for (int c = 0; c < nr; ++c) {
    std::int32_t sum = 0, positive = 0;
    QUANTA_UNROLL for (int i = 0; i < kr; ++i) {
      sum += all[c * kr + i];
      positive += above[c * kr + i];
    }
    sums_[c] += sum;
    positive_[c] += positive;
  }
}

}  // namespace detail
QUANTA_NAMESPACE_END
