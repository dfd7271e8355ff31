// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Packed weights element by element: every operand, sum and bound against loops over the codes that know of the layout
// only what gemm/layout.hpp draws. For the layout of every kernel, with tails and groups of every kind.
#include <quanta/gemm/packed_codes.hpp>
#include <quanta/gemm/packed_rhs.hpp>

#include "tests/support/kernels.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

template <class Kernel>
class PackPanel : public testing::Test {};
struct PortableNibbles : PortableKernel<3, 6, 4, U8, S8> {
  using Nibbles = PortableSmallKernel<4, 3, 6, 4, S8>;
};
struct PortableCrumbs : PortableKernel<3, 12, 2, U8, S8> {
  using Crumbs = PortableSmallKernel<2, 3, 12, 2, S8>;
};
using PackedLayouts = CompiledKernels::Plus<PortableNibbles, PortableCrumbs, PortableKernel<4, 16, 8, U8, S8>,
                                            PortableKernel<3, 8, 16, S8, S8>, PortableKernel<6, 16, 4, S8, S8>,
                                            PortableKernel<8, 8, 4, S8, S8>, PortableKernel<5, 12, 3, S8, U8>,
                                            PortableKernel<1, 1, 1, U8, U8>>::Types;
TYPED_TEST_SUITE(PackPanel, PackedLayouts);

/// Sums of the positive and of the negative differences from a zero point.
struct Differences {
  std::int64_t positive = 0, negative = 0;
  void add(std::int64_t difference) { (difference > 0 ? positive : negative) += std::abs(difference); }
  void cover(const Differences& other) {
    positive = std::max(positive, other.positive);
    negative = std::max(negative, other.negative);
  }
};

/// The bounds of differences of so many codes: a code and its zero point are at most 2^bits - 1 apart. Where `exact`
/// bounds are reached.
void check_bounds(const detail::Extremes& bounds, const Differences& most, Index steps, int bits, bool exact) {
  if (exact) {
    ASSERT_EQ(bounds.positive, most.positive);
    ASSERT_EQ(bounds.negative, most.negative);
  } else {
    ASSERT_EQ(bounds.positive, steps * ((1 << bits) - 1));
    ASSERT_EQ(bounds.negative, bounds.positive);
    ASSERT_LE(std::max(most.positive, most.negative), bounds.positive);
  }
}

/// Do columns of k such codes get looked at? Those whose products with 8 bits could take most of int32.
bool are_exact(Index k, int bits) { return k * ((1 << bits) - 1) > (std::int64_t{7} << 28) / 255; }

template <class F, class Operands>
void check_operands(const Operands& packed, const IntMatrix& rhs, std::int32_t shift) {
  using Used = typename Operands::KernelType;
  constexpr Index nr = Used::kNr, kr = Used::kKr, bits = kRhsBits<Used>, block_bytes = nr * kr * bits / 8;
  const Index n = rhs.rows, k = rhs.cols, params = rhs.params;
  const Index group = params > 0 ? params : std::max<Index>(k, 1), groups = k == 0 ? 0 : (k + group - 1) / group;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(packed.panel(0));
  Differences most_of_columns, most_of_groups;
  for (Index p = 0; p * nr < n; ++p) {
    std::vector<Differences> whole(usize(nr));
    for (Index g = 0; g < groups; ++g) {
      const Index first = g * group, last = std::min(first + group, k);
      std::vector<Differences> part(usize(nr));
      std::vector<std::int64_t> sums(usize(nr), 0);
      for (Index block = first; block < last; block += kr, bytes += block_bytes) {
        for (Index at = 0; at < nr * kr; ++at) {
          const Index column = p * nr + at / kr, step = block + at % kr;
          const bool there = column < n && step < last;
          const std::int32_t operand = there ? rhs.code(column, step) + shift : 0;
          const int byte = bytes[at % block_bytes] >> (at / block_bytes * bits) & ((1 << bits) - 1);
          ASSERT_EQ(byte, operand & 255) << n << 'x' << k << " (" << column << ", " << step << ')';
          if (!there) continue;
          sums[usize(at / kr)] += operand;
          part[usize(at / kr)].add(rhs.centred(column, step));
        }
      }
      std::int32_t room[nr];
      for (Index c = 0; c < nr; ++c) {
        ASSERT_EQ(packed.sums(p, g, 1, room)[c], sums[usize(c)]) << n << 'x' << k << " panel " << p << ' ' << c;
        most_of_groups.cover(part[usize(c)]);
        whole[usize(c)].positive += part[usize(c)].positive;
        whole[usize(c)].negative += part[usize(c)].negative;
        const bool there = p * nr + c < n;
        if (!Operands::per_tensor) {
          ASSERT_EQ(packed.scales(p, g)[c], there ? rhs.scale(p * nr + c, first) : 0.0f);
        }
        if (packed.zero_points(p, g) == nullptr) continue;
        const std::size_t param = there ? rhs.param(p * nr + c, first) : 0;
        ASSERT_EQ(packed.zero_points(p, g)[c], there ? rhs.zeros[param] + shift : 0);
      }
    }
    for (const Differences& column : whole) most_of_columns.cover(column);
  }
  ASSERT_EQ(bytes, reinterpret_cast<const std::uint8_t*>(packed.panel(0)) + packed.layout().size() * bits / 8);
  const bool exact = are_exact(k, F::bits);
  check_bounds(packed.column_extremes(), most_of_columns, k, F::bits, exact);
  check_bounds(packed.group_extremes(), most_of_groups, std::min(group, k), F::bits, exact);
}

template <class Kernel, class F, class G>
void check_panels(Index n, Index k, Index params, Fill codes, Fill zeros) {
  Random random(static_cast<std::uint64_t>(n * 31 + k));
  const IntMatrix rhs = int_matrix<F>(n, k, params, codes, zeros, random);
  const auto packed = pack<Kernel>(quantized<F, G>(rhs));
  check_operands<F>(packed.operands(), rhs, packed.operand_shift);
}

template <class Kernel, class F>
void check_format() {
  const Index nr = Kernel::kNr;
  const std::vector<Index> ks = {1, 3, 16, 257, 530};
  for (const Index n : {Index{1}, nr, 2 * nr - 1}) {
    for (const Index k : ks) {
      check_panels<Kernel, F, PerTensor>(n, k, kOne, Fill::random, Fill::random);
      check_panels<Kernel, F, PerChannel<0>>(n, k, kPerRow, Fill::random, Fill::zero);
      check_panels<Kernel, F, PerChannel<0>>(n, k, kPerRow, Fill::lowest, Fill::highest);
      check_panels<Kernel, F, PerChannel<0>>(n, k, kPerRow, Fill::highest, Fill::lowest);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
  for (const Index group :
       {1, 5, 8, 16, 32, 48, 64, 100, 129, 300, 301}) {  // odd ones end within a byte of small codes
    for (const Index n : {nr + 1, 2 * nr}) {
      check_panels<Kernel, F, PerGroup<Dynamic>>(n, 530, group, Fill::random, Fill::zero);
      check_panels<Kernel, F, PerGroup<Dynamic>>(n, 530, group, Fill::random, Fill::random);
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfInt8) { check_format<TypeParam, Int<8>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfUInt8) { check_format<TypeParam, UInt<8>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfInt4) { check_format<TypeParam, Int<4>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfInt2) { check_format<TypeParam, Int<2>>(); }

TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfUInt2) { check_format<TypeParam, UInt<2>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfInt3) { check_format<TypeParam, Int<3>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfUInt5) { check_format<TypeParam, UInt<5>>(); }
TYPED_TEST(PackPanel, HoldsEveryOperandSumAndBoundOfInt7) { check_format<TypeParam, Int<7>>(); }

TEST(PackSmall, HoldsSumsOfColumnsToo) {
  using Kernel = PortableSmallKernel<4, 3, 6, 4, S8>;
  for (const Index k : {0, 1, 100, 530}) {
    check_panels<Kernel, Int<4>, PerChannel<0>>(13, k, kPerRow, Fill::random, Fill::random);
    check_panels<Kernel, UInt<3>, PerTensor>(6, k, kOne, Fill::highest, Fill::zero);
  }
}

TYPED_TEST(PackPanel, SumsAndBoundsOfTheLongestRowsAreExact) {
  check_panels<TypeParam, UInt<8>, PerTensor>(2, 70000, kOne, Fill::highest, Fill::zero);
  check_panels<TypeParam, Int<8>, PerChannel<0>>(3, 30001, kPerRow, Fill::random, Fill::random);
  check_panels<TypeParam, Int<8>, PerGroup<Dynamic>>(2, 29001, 1001, Fill::random, Fill::random);
}

/// Weights of any shape and groups of any length come out as they went in.
template <class F>
void check_any_shapes() {
  Random random(F::bits);
  for (int round = 0; round < scaled(200, 60); ++round) {
    const Index n = random.between(1, 3 * NativeKernel::kNr), k = random.between(1, 900),
                group = random.between(1, static_cast<int>(k));
    const IntMatrix rhs = int_matrix<F>(n, k, group, Fill::random, round % 2 == 0 ? Fill::zero : Fill::random, random);
    const auto weights = quantized<F, PerGroup<Dynamic>>(rhs);
    const auto packed = pack(weights);
    const auto unpacked = packed.unpack();
    ASSERT_TRUE(same_bits(unpacked.codes(), weights.codes())) << n << " x " << k << " in groups of " << group;
    for (Index i = 0; i < weights.params().size(); ++i) {
      ASSERT_EQ(unpacked.params().zero_point(i), weights.params().zero_point(i)) << n << " x " << k << ' ' << group;
    }
  }
}
TEST(PackSmall, GivesBackAnyShapeOfInt2) { check_any_shapes<Int<2>>(); }
TEST(PackSmall, GivesBackAnyShapeOfInt3) { check_any_shapes<Int<3>>(); }
TEST(PackSmall, GivesBackAnyShapeOfUInt4) { check_any_shapes<UInt<4>>(); }
TEST(PackSmall, GivesBackAnyShapeOfInt8) { check_any_shapes<Int<8>>(); }

/// Operands of more than 4 MB, which are written past the caches: they are the codes still, and so are their sums.
template <class F, class G>
void check_large(Index n, Index k, G granularity) {
  Random random(5);
  std::vector<typename F::Code> codes(usize(n * k));
  for (auto& code : codes) code = static_cast<typename F::Code>(random.between(F::min, F::max));
  const Index group = granularity.info().group_size > 0 ? granularity.info().group_size : k;
  const Index groups = (k + group - 1) / group;
  using Codes = Eigen::TensorMap<const Eigen::Tensor<typename F::Code, 2, Eigen::RowMajor>>;
  const QuantizedTensor<F, 2, G> weights(Codes(codes.data(), n, k),
                                         QuantParams<G>(std::vector<float>(usize(n * groups), 1.0f), granularity));
  const PackedRhs<F, G> packed = pack(weights);
  ASSERT_GE(packed.packed_bytes(), 4 << 20);
  ASSERT_TRUE(same_bits(packed.unpack().codes(), weights.codes()));
  Differences most;
  for (Index c = 0; c < n; ++c) {
    Differences column;
    for (Index g = 0; g < groups; ++g) {
      std::int64_t sum = 0;
      for (Index step = g * group; step < std::min((g + 1) * group, k); ++step) {
        const std::int32_t code = codes[usize(c * k + step)];
        sum += code + packed.operand_shift;
        column.add(code);
      }
      constexpr Index nr = PackedRhs<F, G>::KernelType::kNr;
      std::int32_t room[nr];
      ASSERT_EQ(packed.sums(c / nr, g, 1, room)[c % nr], sum) << c << ' ' << g;
    }
    most.cover(column);
  }
  check_bounds(packed.column_extremes(), most, k, F::bits, false);
}

TEST(PackLarge, HoldsEveryCodeAndSumOfInt8) { check_large<Int<8>>(1030, 4100, PerChannel<0>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfUInt8) { check_large<UInt<8>>(1030, 4103, PerChannel<0>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt4) { check_large<Int<4>>(1030, 4103, PerChannel<0>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfUInt4) { check_large<UInt<4>>(1030, 4174, PerChannel<0>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt6) { check_large<Int<6>>(1030, 4097, PerChannel<0>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfUInt7InShortGroups) { check_large<UInt<7>>(1030, 4111, PerGroup<16>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt8InShortGroups) { check_large<Int<8>>(1030, 4128, PerGroup<32>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt8InGroups) { check_large<Int<8>>(1030, 4132, PerGroup<192>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt4InGroups) { check_large<Int<4>>(2050, 4130, PerGroup<64>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt2InGroups) { check_large<Int<2>>(4100, 4132, PerGroup<32>{}); }
TEST(PackLarge, HoldsEveryCodeAndSumOfInt3InGroups) { check_large<Int<3>>(2050, 4129, PerGroup<128>{}); }

/// The bit of packed codes where gemm/packed_codes.hpp draws bit `bit` of an output.
int packed_bit(const detail::PackedCodes& packed, Index lanes, int bits, Index output, Index bit) {
  const Index unit = bits < 8 ? 32 : bits;
  const Index panel = output / lanes, at = output % lanes * unit + bit % unit;
  return std::to_integer<int>(packed.panel(panel)[bit / unit * packed.stride(panel) + at / 8]) >> (at % 8) & 1;
}

TEST(PackedCodes, HoldEveryBit) {
  Random random(9);
  for (const int bits : {1, 2, 3, 4, 5, 6, 7, 8, 16}) {
    for (const int lanes : {1, 4, 8, 16}) {
      for (const Index k : {1, 8, 21, 64, 600}) {
        const int beside = k == 8 ? 3 : k > 8 ? 2 : 1;
        const Index n = 2 * lanes + 1;
        const std::uint32_t flip = bits == 8 ? 0u : 1u << (bits - 1);
        std::vector<std::byte> stream(usize(detail::packed_size(n * k, bits)));
        for (std::byte& byte : stream) byte = static_cast<std::byte>(random.bits());
        if (n * k * bits % 8 != 0) stream.back() &= static_cast<std::byte>((1 << (n * k * bits % 8)) - 1);
        const detail::PackedCodes packed(n, k, bits, lanes, flip, stream.data(), beside);
        for (Index output = 0; output < 3 * lanes; ++output) {
          for (Index bit = 0; bit < k * bits; ++bit) {
            const Index i = output * k * bits + bit;
            int expected = 0;
            if (output < n) {
              expected = std::to_integer<int>(stream[usize(i / 8)]) >> (i % 8) & 1;
              expected ^= static_cast<int>(flip >> (bit % bits) & 1);
            }
            ASSERT_EQ(packed_bit(packed, lanes, bits, output, bit), expected)
                << bits << " bits, " << lanes << " lanes, k = " << k << ": bit " << bit << " of output " << output;
          }
        }
        std::vector<std::byte> again(stream.size(), std::byte{0x5a});
        packed.unpack(again.data());
        ASSERT_EQ(again, stream) << bits << " bits, " << lanes << " lanes, k = " << k;
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
