// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The tile of kernels whose instruction multiplies a register of rhs bytes by four lhs bytes, repeated in every lane,
// and adds each group of four to an int32: mr rows times two registers of columns. The instruction itself is the
// kernel's.
//
//                 b0: columns 0..   b1: the next
//                 +---------------+---------------+
//   row 0  a x 4  | acc[0][0]     | acc[0][1]     |
//   row 1  a x 4  | acc[1][0]     | acc[1][1]     |
//   ...           |               |               |
//                 +---------------+---------------+
//
//   per block of 4 steps: 2 loads of rhs, mr broadcast loads of lhs, 2 mr dot products
//
// Its narrow form is the left half; its thin form, of a column or two, is in kernels/thin_columns.hpp. Its grouped form
// goes on from group to group with the float sums in registers, of half of the rows. With 4 bits an operand, b0 are the
// low halves of the block's bytes and b1 the high ones; with 2, the block is half a register, and b0 are the two low
// quarters of its bytes, one after another, and b1 the high ones.
#pragma once

#include <algorithm>
#include <cstring>

#include <quanta/core/buffer.hpp>
#include <quanta/core/unroll.hpp>
#include <quanta/gemm/kernels/thin_columns.hpp>
#include <quanta/simd/levels.hpp>

QUANTA_NAMESPACE_BEGIN

/// Has V load_fours and pick_four?
template <class V>
concept PicksFours = requires(typename V::Register v) {
  V::template pick_four<0>(v);
};

/// V names the instructions: `name`; Lhs, Rhs (one byte each); kLhsShift (see ReadsBothSigns); Register, of which there
/// are kRegisters, kMostSums of them for sums; kLanes, how many int32 it holds; zero(), load(p) and store(p, v) of a
/// whole register; broadcast(four lhs bytes as an int32); add(a, b) of int32; dot(acc, a, b); Lanes, the lane type of
/// as many lanes. And kRhsBits: 8; or 4, with low_halves(v) and high_halves(v) of every byte; or 2, with load_half(p),
/// half a register loaded to both halves, the bits of the upper one moved down by 2, and low_quarters and
/// high_quarters, the bits 0 and 1, and 4 and 5, of every byte. Where an instruction repeats one of the four lanes of a
/// register itself, V has `dot_lane<i>(acc, a, b)` instead of broadcasts: 16 lhs bytes are loaded at once. Where loads
/// are scarce, V may have load_fours(p), 16 lhs bytes repeated all over a register, and `pick_four<i>`, which
/// broadcasts four of them: with few rows, every load spared counts.
template <class V, int mr>
struct DotTile {
  using Lhs = typename V::Lhs;                             ///< std::int8_t or std::uint8_t
  using Rhs = typename V::Rhs;                             ///< std::int8_t or std::uint8_t
  static constexpr const char* name = V::name;             ///< as programs print it
  static constexpr std::int32_t kLhsShift = V::kLhsShift;  ///< see ReadsBothSigns
  static constexpr int kMr = mr;                           ///< rows of the tile
  static constexpr int kNr = 2 * V::kLanes;                ///< columns of the tile
  static constexpr int kKr = 4;                            ///< steps of a block
  static constexpr int kNarrow = V::kLanes;                ///< columns of the narrow form
  static constexpr int kRhsBits = V::kRhsBits;             ///< of an operand of the rhs
  static constexpr int kThin = 2;                          ///< columns of the thin form
  static constexpr Index kThinRows = 4;                    ///< that are worth gathering a column for
  static constexpr Index kThinBlocks = V::kLanes;          ///< that are a register of a row

  /// See MicroKernel.
  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    multiply<rows, 2>(lhs, panel, blocks, tile, accumulate);
  }
  /// See HasNarrowForm.
  template <int rows>
  static void run_narrow(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    multiply<rows, 1>(lhs, panel, blocks, tile, accumulate);
  }

  /// See HasThinForm.
  static void run_thin(const LhsTile<Lhs>& lhs, Index rows, const Rhs* panel, Index blocks, Index columns,
                       const SumTile& tile, bool accumulate) requires(V::kRhsBits == 8) {
    detail::multiply_thin<V>(lhs, rows, panel, blocks, columns, tile, accumulate);
  }

  /// See HasGroupedForm.
  template <int rows>
  static void run_grouped(const GroupedLhs<Lhs>& lhs, const GroupedPanel<Rhs>& panel, float* sums) {
    // Half of the rows at a time: so many that the float sums fit the registers too.
    constexpr int first = std::min(rows, kHalf);
    multiply_groups<first>(lhs, panel, sums);
    if constexpr (rows > first) {
      GroupedLhs<Lhs> rest = lhs;
      rest.data += first * lhs.stride;
      rest.tails += first * kKr;
      rest.rests += first;
      if (rest.zero_points != nullptr) rest.zero_points += first;
      multiply_groups<rows - first>(rest, panel, sums + first * kNr);
    }
  }
  /// See HasGroupedForm.
  static constexpr bool row_reads(GroupScales scales) { return scales != GroupScales::halves || kLoadsHalves; }

 private:
  using Register = typename V::Register;
  static constexpr int kHalf = (mr + 1) / 2;
  static constexpr int kBlock = kNr * kKr * kRhsBits / 8;
  static constexpr bool kLoadsHalves = requires(const std::uint16_t* p) { V::Lanes::load_halves(p); };

  template <int rows>
  static void multiply_groups(const GroupedLhs<Lhs>& lhs, const GroupedPanel<Rhs>& panel, float* sums);

  /// Asks for what one row reads after these blocks. Where there is more to do for a byte than with operands of 8 bits,
  /// CPUs do not look far enough ahead.
  template <int count>
  QUANTA_ALWAYS_INLINE static void prefetch_blocks(const Rhs* blocks) {
    QUANTA_UNROLL for (Index i = 0; i < count * kBlock; i += Index{kCacheLine})
        QUANTA_PREFETCH(blocks + i + kReadAhead);
  }

  /// The scales of a group, from `at` on, for so many rows.
  template <int rows, class F>
  QUANTA_ALWAYS_INLINE static void load_scales(F (&scale)[2], const GroupedPanel<Rhs>& panel, Index at) {
    using L = typename V::Lanes;
    const auto load = [&](auto from) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int v = 0; v < 2; ++v) scale[v] = from(at + v * V::kLanes);
    };
    const auto* const floats = static_cast<const float*>(panel.scales);
    [[maybe_unused]] const auto* const words = static_cast<const std::uint16_t*>(panel.scales);
    const auto* const bytes = static_cast<const std::uint8_t*>(panel.scales);
    if (rows > 1 || panel.scales_are == GroupScales::floats) {
      load([&](Index i) QUANTA_INLINE_LAMBDA { return L::load(floats + i); });
    } else if (panel.scales_are == GroupScales::powers) {
      load([&](Index i) QUANTA_INLINE_LAMBDA { return simd::PowersOfTwo::decode_lanes<L>(L::load_bytes(bytes + i)); });
    } else if (!kLoadsHalves || panel.scales_are == GroupScales::upper_halves) {
      load([&](Index i)
               QUANTA_INLINE_LAMBDA { return L::from_bits(L::template shift_left<16>(L::load_words(words + i))); });
    } else if constexpr (kLoadsHalves) {
      load([&](Index i) QUANTA_INLINE_LAMBDA { return L::load_halves(words + i); });
    }
  }

  /// For so many rows: several share a register, which compilers are kept from loading anew for each of a few.
  template <int rows, int vectors>
  QUANTA_ALWAYS_INLINE static void load_block(Register (&b)[vectors], const Rhs* block) {
    if constexpr (kRhsBits == 4) {
      const Register both = V::load(block);
      b[0] = V::low_halves(both);
      if constexpr (vectors > 1) b[1] = V::high_halves(both);
    } else if constexpr (kRhsBits == 2) {
      const Register all = V::load_half(block);
      b[0] = V::low_quarters(all);
      if constexpr (vectors > 1) b[1] = V::high_quarters(all);
    } else {
      QUANTA_UNROLL for (int v = 0; v < vectors; ++v) {
        b[v] = V::load(block + v * V::kLanes * kKr);
        if constexpr (rows > 1) b[v] = in_order(b[v]);
      }
    }
  }

  /// Adds the products of one block: rows [0, kHalf) of the lhs are `stride` apart from `upper` on, the others from
  /// `lower` on.
  template <int rows, int vectors>
  QUANTA_ALWAYS_INLINE static void add_block(Register (&acc)[rows][vectors], const Lhs* upper, const Lhs* lower,
                                             Index stride, const Rhs* block) {
    Register b[vectors];
    load_block<rows>(b, block);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      std::int32_t four;
      std::memcpy(&four, (r < kHalf ? upper : lower) + r % kHalf * stride, sizeof four);
      const Register a = V::broadcast(four);
      QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[r][v] = in_order(V::dot(acc[r][v], a, b[v]));
    }
  }

  /// Has V dot_lane? Then these are the products of four blocks, which take turns with the sets of sums.
  static constexpr bool kFourBlocks = requires(Register v) { V::template dot_lane<0>(v, v, v); };
  template <int sets, int rows, int vectors>
  QUANTA_ALWAYS_INLINE static void add_four_blocks(Register (&acc)[sets][rows][vectors], const Lhs* upper,
                                                   const Lhs* lower, Index stride, const Rhs* blocks) {
    Register a[rows];
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) a[r] = V::load((r < kHalf ? upper : lower) + r % kHalf * stride);
    unroll<4>([&](auto i) QUANTA_INLINE_LAMBDA {
      Register b[vectors];
      load_block<rows>(b, blocks + i * kBlock);
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        QUANTA_UNROLL for (int v = 0; v < vectors; ++v) {
          auto& sum = acc[i % sets][r][v];
          sum = in_order(V::template dot_lane<i>(sum, a[r], b[v]));
        }
      }
    });
  }

  /// Adds the products of as many blocks as there are sets of sums, each to its own.
  template <int sets, int rows, int vectors>
  QUANTA_ALWAYS_INLINE static void add_sets(Register (&acc)[sets][rows][vectors], const Lhs* upper, const Lhs* lower,
                                            Index stride, const Rhs* blocks) {
    if constexpr (PicksFours<V> && sets % 4 == 0) {
      unroll<sets / 4>([&](auto q) QUANTA_INLINE_LAMBDA {
        Register a[rows];
        QUANTA_UNROLL for (int r = 0; r < rows; ++r) {  // in order, or clang makes broadcasts from memory of them again
          a[r] = in_order(V::load_fours((r < kHalf ? upper : lower) + r % kHalf * stride + q * 4 * kKr));
        }
        unroll<4>([&](auto i) QUANTA_INLINE_LAMBDA {
          constexpr int s = 4 * q + i;
          Register b[vectors];
          load_block<rows>(b, blocks + s * kBlock);
          QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
            const Register four = V::template pick_four<i>(a[r]);
            QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[s][r][v] = in_order(V::dot(acc[s][r][v], four, b[v]));
          }
        });
      });
    } else {
      QUANTA_UNROLL for (int s = 0; s < sets; ++s) {
        add_block(acc[s], upper + s * kKr, lower + s * kKr, stride, blocks + s * kBlock);
      }
    }
  }

  template <int rows, int vectors>
  static void multiply(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile, bool accumulate) {
    // An instruction takes four cycles and two start in each: with fewer than eight sums they would wait for one
    // another, and a dozen leaves them some freedom. There blocks take turns with several sets of sums, as many as
    // there are registers for; but not with so many that most blocks of a short row are left over.
    constexpr int sums = rows * vectors, wanted = sums < 4 ? 8 : 12;
    constexpr int sets = std::max(1, std::min((wanted + sums - 1) / sums, V::kMostSums / sums));
    Register acc[sets][rows][vectors];
    QUANTA_UNROLL for (int s = 0; s < sets; ++s) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[s][r][v] = V::zero();
      }
    }
    if (accumulate) {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        QUANTA_UNROLL for (int v = 0; v < vectors; ++v) acc[0][r][v] =
            V::load(tile.data + r * tile.stride + v * V::kLanes);
      }
    }
    // Two pointers and small multiples of the stride reach all rows: more multiples would not fit the general
    // registers.
    const Lhs* upper = lhs.data;
    const Lhs* lower = rows > kHalf ? lhs.data + kHalf * lhs.stride : lhs.data;
    if constexpr (kFourBlocks && sets == 1) {
      for (; blocks >= 4; blocks -= 4, upper += 4 * kKr, lower += 4 * kKr, panel += 4 * kBlock) {
        add_four_blocks(acc, upper, lower, lhs.stride, panel);
      }
    }
    for (; blocks >= sets; blocks -= sets, upper += sets * kKr, lower += sets * kKr, panel += sets * kBlock) {
      add_sets(acc, upper, lower, lhs.stride, panel);
    }
    if constexpr (sets > 1) {
      for (; blocks > 0; --blocks, upper += kKr, lower += kKr, panel += kBlock) {
        add_block(acc[0], upper, lower, lhs.stride, panel);
      }
    }
    if (lhs.tail != nullptr) add_block(acc[0], lhs.tail, lhs.tail + kHalf * kKr, kKr, panel);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int v = 0; v < vectors; ++v) {
        QUANTA_UNROLL for (int s = 1; s < sets; ++s) acc[0][r][v] = V::add(acc[0][r][v], acc[s][r][v]);
        V::store(tile.data + r * tile.stride + v * V::kLanes, acc[0][r][v]);
      }
    }
  }
};

template <class V, int mr>
template <int rows>
void DotTile<V, mr>::multiply_groups(const GroupedLhs<Lhs>& lhs, const GroupedPanel<Rhs>& panel, float* sums) {
  using L = typename V::Lanes;
  // Of one row, blocks take turns with sets of sums, which are added at the end of a group.
  constexpr int sets = rows > 1 ? 1 : kFourBlocks || PicksFours<V> ? 4 : 2, together = kFourBlocks ? 4 : sets;
  typename L::F total[rows][2];
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) total[r][0] = total[r][1] = L::set(0.0f);
  const Rhs* block = panel.blocks;
  for (Index g = 0; g < panel.groups; ++g) {
    const Index length = g + 1 < panel.groups ? panel.group : panel.last;
    const std::int32_t* const rests = lhs.rests + g * lhs.next_rests;
    const Index at = g * kNr;
    Register acc[sets][rows][2];
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      acc[0][r][0] = acc[0][r][1] = panel.zero_points == nullptr && panel.same_zero ? L::set_int(rests[r]) : V::zero();
      QUANTA_UNROLL for (int s = 1; s < sets; ++s) acc[s][r][0] = acc[s][r][1] = V::zero();
    }
    const auto take_off = [&](const std::int32_t* of_rows, Register c0, Register c1) QUANTA_INLINE_LAMBDA {
      QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
        const Register of_row = L::set_int(of_rows[r]);
        acc[0][r][0] = L::sub(acc[0][r][0], L::mul_low(of_row, c0));
        acc[0][r][1] = L::sub(acc[0][r][1], L::mul_low(of_row, c1));
      }
    };
    if (panel.zero_points != nullptr) {
      const Rhs* const zeros = panel.zero_points + at;
      take_off(rests, L::load_bytes(zeros), L::load_bytes(zeros + V::kLanes));
    }
    if (lhs.zero_points != nullptr) {
      const std::int32_t* const of_columns = panel.sums + at;
      take_off(lhs.zero_points, V::load(of_columns), V::load(of_columns + V::kLanes));
    }
    const Lhs* row = lhs.data + g * panel.group;
    Index k = 0;
    if constexpr (together > 1) {
      for (; k + together * kKr <= length; k += together * kKr, row += together * kKr, block += together * kBlock) {
        if constexpr (rows == 1 && kRhsBits < 8) prefetch_blocks<together>(block);
        if constexpr (kFourBlocks) {
          add_four_blocks(acc, row, row, lhs.stride, block);
        } else {
          add_sets(acc, row, row, lhs.stride, block);
        }
      }
    }
    for (; k + kKr <= length; k += kKr, row += kKr, block += kBlock) {
      if constexpr (rows == 1 && kRhsBits < 8) prefetch_blocks<1>(block);
      add_block(acc[0], row, row, lhs.stride, block);
    }
    if (length % kKr != 0) {
      const Lhs* const tail = lhs.tails + g * lhs.next_tails;
      add_block(acc[0], tail, tail, kKr, block);
      block += kBlock;
    }
    typename L::F scale[2];
    load_scales<rows>(scale, panel, at);
    QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
      QUANTA_UNROLL for (int v = 0; v < 2; ++v) {
        QUANTA_UNROLL for (int s = 1; s < sets; ++s) acc[0][r][v] = V::add(acc[0][r][v], acc[s][r][v]);
        total[r][v] = L::fma(L::to_float(acc[0][r][v]), scale[v], total[r][v]);
      }
    }
  }
  QUANTA_UNROLL for (int r = 0; r < rows; ++r) {
    QUANTA_UNROLL for (int v = 0; v < 2; ++v) L::store(sums + r * kNr + v * V::kLanes, total[r][v]);
  }
}

QUANTA_NAMESPACE_END
