// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The kernels that products are tested with: those this build's flags allow, and portable ones with the tile of every
// kernel there is, so that each tile shape runs on each CPU. The first list is made of arch::All; what the second one
// lacks of it does not compile.
#pragma once

#include <type_traits>
#include <vector>

#include <gtest/gtest.h>

#include <quanta/gemm/kernels/native.hpp>

#include "tests/support/scale.hpp"

namespace quanta::test {

template <class... K>
struct KernelList {
  template <class... More>
  using Plus = KernelList<K..., More...>;
  using Types = testing::Types<K...>;
};

/// The kernels of several lists.
template <class... Lists>
struct Joined {
  using List = KernelList<>;
};
template <class... K>
struct Joined<KernelList<K...>> {
  using List = KernelList<K...>;
};
template <class... K, class... L, class... Lists>
struct Joined<KernelList<K...>, KernelList<L...>, Lists...> : Joined<KernelList<K..., L...>, Lists...> {};

/// A list of kernels, and those that read the other signedness of the lhs for them.
template <class List>
struct WithOtherSigns;
template <class... K>
struct WithOtherSigns<KernelList<K...>> {
  using List = KernelList<K..., typename K::OtherSign...>;
};

/// The kernel of an instruction set, where this build's flags allow it and there is one.
template <class Arch>
struct KernelOf {
  using List = KernelList<>;
};
/// Where there is AVX2 nobody uses SSE2: it is tested by builds without.
template <class Arch>
inline constexpr bool kIsSuperseded = std::is_same_v<Arch, arch::Sse2>&& arch::Avx2::compiled;
template <detail::KernelIsThere Arch>
requires(!kIsSuperseded<Arch>) struct KernelOf<Arch> {
  using List = KernelList<Int8Kernel<Arch>>;
};
template <class Archs>
struct KernelsOf;
template <class... Arch>
struct KernelsOf<arch::List<Arch...>> : Joined<typename KernelOf<Arch>::List...> {};

/// Every kernel of this build that can be the native one of some, that of this build first.
using CompiledKernels = KernelsOf<arch::All>::List;

using U8 = std::uint8_t;
using S8 = std::int8_t;

/// A portable kernel with a narrow form, which leaves garbage in the columns that it does not compute.
template <int mr, int nr, int kr, int narrow, class Lhs, class Rhs>
struct PortableNarrowKernel : PortableKernel<mr, nr, kr, Lhs, Rhs> {
  static constexpr int kNarrow = narrow;

  template <int rows>
  static void run_narrow(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    PortableKernel<mr, nr, kr, Lhs, Rhs>::template run<rows>(lhs, panel, blocks, tile, accumulate);
    for (int i = 0; i < rows * nr; ++i) {
      if (i % nr >= narrow) tile.data[i / nr * tile.stride + i % nr] = 0x5a5a5a5a;
    }
  }
};

/// A portable kernel with a paired form.
template <int mr, int nr, int kr, class Lhs, class Rhs>
struct PortablePairedKernel : PortableKernel<mr, nr, kr, Lhs, Rhs> {
  template <int rows>
  static void run_paired(const LhsTile<Lhs>& lhs, const Rhs* panel, Index blocks, const SumTile& tile,
                         bool accumulate) {
    std::vector<Lhs> apart(static_cast<std::size_t>(rows * blocks * kr));
    for (Index i = 0; i < static_cast<Index>(apart.size()); ++i) {
      const Index row = i / (blocks * kr), k = i % (blocks * kr);
      apart[static_cast<std::size_t>(i)] = lhs.data[row / 2 * lhs.stride + k / kr * 2 * kr + row % 2 * kr + k % kr];
    }
    PortableKernel<mr, nr, kr, Lhs, Rhs>::template run<rows>({apart.data(), blocks * kr, nullptr}, panel, blocks, tile,
                                                             accumulate);
  }
};

/// A portable kernel that reads signed codes as those with vpdpbusd do, as unsigned operands that are 128 more.
template <int mr, int nr, int kr>
struct PortableTurningKernel : PortableKernel<mr, nr, kr, U8, S8> {
  struct OtherSign : PortableKernel<mr, nr, kr, S8, S8> {
    static constexpr std::int32_t kLhsShift = 128;

    template <int rows>
    static void run(const LhsTile<S8>& lhs, const S8* panel, Index blocks, const SumTile& tile, bool accumulate) {
      PortableKernel<mr, nr, kr, S8, S8>::template run<rows>(lhs, panel, blocks, tile, accumulate);
      const Index all = blocks + (lhs.tail != nullptr ? 1 : 0);
      for (int i = 0; i < rows * nr; ++i) {
        std::int32_t& sum = tile.data[i / nr * tile.stride + i % nr];
        for (Index k = 0; k < all * kr; ++k) sum += 128 * panel[(k / kr * nr + i % nr) * kr + k % kr];
      }
    }
  };
};

/// The tiles of Avx512Vnni, AvxVnni, AvxVnniInt8, Avx2, Sse2, NeonI8mm, NeonDot, Neon and Scalar, on any CPU, and
/// signed codes read as AvxVnni reads them.
using EmulatedKernels =
    KernelList<PortableNarrowKernel<14, 32, 4, 16, U8, S8>, PortableKernel<6, 16, 4, U8, S8>,
               PortableKernel<6, 16, 4, S8, S8>, PortableKernel<4, 16, 4, U8, S8>, PortableKernel<4, 8, 4, U8, S8>,
               PortablePairedKernel<4, 16, 8, U8, S8>, PortableKernel<8, 8, 4, S8, S8>,
               PortableKernel<3, 8, 16, S8, S8>, PortableKernel<4, 8, 16, U8, S8>, PortableTurningKernel<6, 16, 4>>;

/// Has one of these the tile and the operands of K?
template <class K, class... E>
constexpr bool is_emulated(KernelList<E...>) {
  return ((K::kMr == E::kMr && K::kNr == E::kNr && K::kKr == E::kKr &&
           std::is_same_v<typename K::Lhs, typename E::Lhs> && std::is_same_v<typename K::Rhs, typename E::Rhs>) ||
          ...);
}
template <class... K>
constexpr bool are_emulated(KernelList<K...>) {
  return (is_emulated<K>(EmulatedKernels{}) && ...);
}
static_assert(are_emulated(CompiledKernels{}), "EmulatedKernels lacks the tile of a kernel");

/// Tiles and operand types that no kernel of the library has; the contract allows them.
using OddKernels = KernelList<PortableKernel<5, 12, 3, S8, U8>, PortableKernel<1, 1, 1, U8, U8>,
                              PortableKernel<3, 7, 2, S8, S8>, PortablePairedKernel<6, 1, 3, U8, S8>>;

/// Sizes 0 to 2 tiles + 1: all of them, or fewer at a smaller test scale, but always those next to a tile's edge.
inline std::vector<Index> tail_sizes(int tile) {
  const int last = 2 * tile + 1;
  const int step = std::max(1, (last + 1) / scaled(last + 1, 6));
  std::vector<Index> sizes;
  for (int size = 0; size <= last; ++size) {
    const bool edge = size <= 1 || size == tile - 1 || size == tile || size == tile + 1 || size == last;
    if (edge || size % step == 0) sizes.push_back(size);
  }
  return sizes;
}

}  // namespace quanta::test
