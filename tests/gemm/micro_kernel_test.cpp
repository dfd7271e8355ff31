// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The contract of include/quanta/gemm/micro_kernel.hpp, each kernel on its own: every number of rows, with and without
// a tail, at any stride, from 0 or from what the tile holds, writing rows of kNr results and nothing else, modulo 2^32.
#include <algorithm>
#include <limits>

#include <quanta/gemm/micro_kernel.hpp>

#include "tests/support/kernels.hpp"
#include "tests/support/random.hpp"

namespace quanta::test {
namespace {

/// A kernel's second form as if it were its first, for weights of at most 64.
template <HasProvenForm Kernel>
struct SecondForm : Kernel {
  template <int rows>
  static void run(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                  const SumTile& tile, bool accumulate) {
    ASSERT_TRUE(Kernel::proves(panel, blocks + (lhs.tail != nullptr ? 1 : 0)));
    Kernel::template run_proven<rows>(lhs, panel, blocks, tile, accumulate);
  }
};
template <class Kernel>
inline constexpr int kLargestWeight = 255;
template <class Kernel>
inline constexpr int kLargestWeight<SecondForm<Kernel>> = 64;

/// A kernel's narrow form for the columns that it is for, and its first form for the others.
template <HasNarrowForm Kernel>
struct NarrowForm : Kernel {
  template <int rows>
  static void run(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                  const SumTile& tile, bool accumulate) {
    std::vector<std::int32_t> narrow(tile.data, tile.data + (rows - 1) * tile.stride + Kernel::kNr);
    Kernel::template run_narrow<rows>(lhs, panel, blocks, {narrow.data(), tile.stride}, accumulate);
    Kernel::template run<rows>(lhs, panel, blocks, tile, accumulate);
    for (int r = 0; r < rows; ++r) {
      std::copy_n(&narrow[usize(r * tile.stride)], Kernel::kNarrow, tile.data + r * tile.stride);
    }
  }
};

/// A kernel's thin form for a column or two, and its first form for the others.
template <HasThinForm Kernel>
struct ThinForm : Kernel {
  template <int rows>
  static void run(const LhsTile<typename Kernel::Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks,
                  const SumTile& tile, bool accumulate) {
    const Index columns = 1 + blocks % Kernel::kThin;
    std::vector<std::int32_t> thin(tile.data, tile.data + (rows - 1) * tile.stride + Kernel::kNr);
    Kernel::run_thin(lhs, rows, panel, blocks, columns, {thin.data(), tile.stride}, accumulate);
    Kernel::template run<rows>(lhs, panel, blocks, tile, accumulate);
    for (int r = 0; r < rows; ++r) std::copy_n(&thin[usize(r * tile.stride)], columns, tile.data + r * tile.stride);
  }
};

/// A kernel's paired form as if it were its first.
template <HasPairedForm Kernel>
struct PairedForm : Kernel {
  using Lhs = typename Kernel::Lhs;
  static constexpr Index kr = Kernel::kKr;

  template <int rows>
  static void run(const LhsTile<Lhs>& lhs, const typename Kernel::Rhs* panel, Index blocks, const SumTile& tile,
                  bool accumulate) {
    const Index all = blocks + (lhs.tail != nullptr ? 1 : 0), stride = all * 2 * kr + 5;
    std::vector<Lhs> pairs(usize((rows + 1) / 2 * stride - 5), Lhs{77});
    for (Index r = 0; r < rows; ++r) {
      for (Index k = 0; k < all * kr; ++k) {
        const Lhs* from = k < blocks * kr ? lhs.data + r * lhs.stride + k : lhs.tail + r * kr + k % kr;
        pairs[usize(r / 2 * stride + k / kr * 2 * kr + r % 2 * kr + k % kr)] = *from;
      }
    }
    Kernel::template run_paired<rows>({pairs.data(), stride, nullptr}, panel, all, tile, accumulate);
  }
};

/// What a kernel adds to each lhs operand it reads.
template <class Kernel>
constexpr std::int32_t lhs_shift() {
  if constexpr (requires { Kernel::kLhsShift; }) return Kernel::kLhsShift;
  return 0;
}

template <class Kernel>
class Contract : public testing::Test {};
/// A kernel, and each of the forms above that it has.
template <class Kernel>
struct SecondFormOf {
  using List = KernelList<>;
};
template <HasProvenForm Kernel>
struct SecondFormOf<Kernel> {
  using List = KernelList<SecondForm<Kernel>>;
};
template <class Kernel>
struct NarrowFormOf {
  using List = KernelList<>;
};
template <HasNarrowForm Kernel>
struct NarrowFormOf<Kernel> {
  using List = KernelList<NarrowForm<Kernel>>;
};
template <class Kernel>
struct ThinFormOf {
  using List = KernelList<>;
};
template <HasThinForm Kernel>
struct ThinFormOf<Kernel> {
  using List = KernelList<ThinForm<Kernel>>;
};
template <class Kernel>
struct PairedFormOf {
  using List = KernelList<>;
};
template <HasPairedForm Kernel>
struct PairedFormOf<Kernel> {
  using List = KernelList<PairedForm<Kernel>>;
};
template <class List>
struct AllForms;
template <class... K>
struct AllForms<KernelList<K...>>
    : Joined<KernelList<K...>, typename SecondFormOf<K>::List..., typename NarrowFormOf<K>::List...,
             typename ThinFormOf<K>::List..., typename PairedFormOf<K>::List...> {};

using ContractKernels =
    AllForms<WithOtherSigns<CompiledKernels>::List>::List::Plus<PortableKernel<5, 12, 3, S8, U8>,
                                                                PortableKernel<1, 1, 1, U8, U8>,
                                                                PairedForm<PortablePairedKernel<6, 1, 3, U8, S8>>>;
TYPED_TEST_SUITE(Contract, ContractKernels::Types);

template <class T>
std::vector<T> operands(Index n, Random& random, int largest = 255) {
  using Limits = std::numeric_limits<T>;
  std::vector<T> result;
  for (Index i = 0; i < n; ++i) {
    const int low = std::max<int>(Limits::min(), -largest), high = std::min<int>(Limits::max(), largest);
    const int kind = random.between(0, 2);
    const int value = kind == 0 ? low : kind == 1 ? high : random.between(low, high);
    result.push_back(static_cast<T>(value));
  }
  return result;
}

// Both arrays end where the kernel may read last, so that sanitizers see a read behind them.
template <class Kernel, int rows>
void check(Index blocks, bool with_tail, Index gap, bool accumulate, Random& random) {
  constexpr int nr = Kernel::kNr, kr = Kernel::kKr;
  constexpr std::int32_t untouched = 123456789;
  const Index whole = blocks * kr, stride = whole + gap;
  const auto data = operands<typename Kernel::Lhs>((rows - 1) * stride + whole, random);
  const auto tail = operands<typename Kernel::Lhs>(with_tail ? rows * kr : 0, random);
  const auto panel =
      operands<typename Kernel::Rhs>((blocks + (with_tail ? 1 : 0)) * nr * kr, random, kLargestWeight<Kernel>);
  const Index tile_stride = nr + gap;
  std::vector<std::int32_t> tile(usize(rows * tile_stride + 64), untouched);
  Kernel::template run<rows>({data.data(), stride, with_tail ? tail.data() : nullptr}, panel.data(), blocks,
                             {tile.data(), tile_stride}, accumulate);
  for (int r = 0; r < rows; ++r) {
    for (int c = 0; c < nr; ++c) {
      std::int64_t sum = accumulate ? untouched : 0;
      for (Index k = 0; k < whole + (with_tail ? kr : 0); ++k) {
        const std::int64_t a = k < whole ? data[usize(r * stride + k)] : tail[usize(r * kr + k - whole)];
        sum += (a + lhs_shift<Kernel>()) * panel[usize(k / kr * nr * kr + c * kr + k % kr)];
      }
      std::int32_t& got = tile[usize(r * tile_stride + c)];
      ASSERT_EQ(got, static_cast<std::int32_t>(sum)) << Kernel::name << " rows " << rows << " blocks " << blocks
                                                     << " tail " << with_tail << " at " << r << ',' << c;
      got = untouched;
    }
  }
  for (const std::int32_t rest : tile) ASSERT_EQ(rest, untouched);
}

template <class Kernel, int... i>
void check_all_rows(std::integer_sequence<int, i...>, Index blocks, bool with_tail, Index gap, bool accumulate,
                    Random& random) {
  (check<Kernel, i + 1>(blocks, with_tail, gap, accumulate, random), ...);
}

TYPED_TEST(Contract, EveryNumberOfRowsBlocksAndTail) {
  Random random(1);
  for (Index blocks = 0; blocks <= 18; ++blocks) {
    for (const bool with_tail : {false, true}) {
      for (const Index gap : {0, 3}) {
        for (const bool accumulate : {false, true}) {
          check_all_rows<TypeParam>(std::make_integer_sequence<int, TypeParam::kMr>(), blocks, with_tail, gap,
                                    accumulate, random);
        }
      }
    }
  }
}

// So many that a thin form takes whole registers of a row, and more than one piece of k.
TYPED_TEST(Contract, EveryTailBehindManyBlocks) {
  Random random(2);
  for (const Index blocks : {31, 32, 33, 47, 1023, 1024, 1025, 2077}) {
    for (const bool with_tail : {false, true}) {
      check<TypeParam, 1>(blocks, with_tail, 0, true, random);
      check<TypeParam, TypeParam::kMr>(blocks, with_tail, 3, false, random);
    }
  }
}

TYPED_TEST(Contract, SumsWrapModulo2To32) {
  // Long enough for the largest sum of products to pass 2^32 several times.
  using Lhs = typename TypeParam::Lhs;
  using RhsCode = typename TypeParam::Rhs;
  constexpr int nr = TypeParam::kNr, kr = TypeParam::kKr;
  const Index blocks = 600000 / kr;
  for (const bool low : {true, false}) {
    const Lhs a = low ? std::numeric_limits<Lhs>::min() : std::numeric_limits<Lhs>::max();
    constexpr int largest = kLargestWeight<TypeParam>;
    const auto b = static_cast<RhsCode>(low ? std::max<int>(std::numeric_limits<RhsCode>::min(), -largest)
                                            : std::min<int>(std::numeric_limits<RhsCode>::max(), largest));
    const std::vector<Lhs> data(usize(blocks * kr), a);
    const std::vector<RhsCode> panel(usize(blocks * kr * nr), b);
    std::vector<std::int32_t> tile(nr, 1);
    const std::int64_t sum = blocks * kr * (std::int64_t{a} + lhs_shift<TypeParam>()) * b;
    TypeParam::template run<1>({data.data(), 0, nullptr}, panel.data(), blocks, {tile.data(), nr}, false);
    for (const std::int32_t got : tile) EXPECT_EQ(got, static_cast<std::int32_t>(sum));
    TypeParam::template run<1>({data.data(), 0, nullptr}, panel.data(), blocks, {tile.data(), nr}, true);
    for (const std::int32_t got : tile) EXPECT_EQ(got, static_cast<std::int32_t>(2 * sum));
  }
}

}  // namespace
}  // namespace quanta::test
