// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The extension points of products and layers hold for the library's types and for the user's, and refuse what lacks a
// part. All of it is decided by the compiler.
#include <vector>

#include <gtest/gtest.h>

#include <quanta/quanta.hpp>

namespace quanta::test {
namespace {

// ---- MicroKernel ----

struct UserKernel {
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  static constexpr const char* name = "User";
  static constexpr int kMr = 2, kNr = 4, kKr = 1;
  template <int rows>
  static void run(const LhsTile<Lhs>&, const Rhs*, Index, const SumTile&, bool) {}
};
struct WideKernel : UserKernel {
  using Lhs = std::int16_t;
  template <int rows>
  static void run(const LhsTile<Lhs>&, const Rhs*, Index, const SumTile&, bool) {}
};
struct NamelessKernel {
  using Lhs = std::uint8_t;
  using Rhs = std::int8_t;
  enum : int { kMr = 2, kNr = 4, kKr = 1 };
  template <int rows>
  static void run(const LhsTile<Lhs>&, const Rhs*, Index, const SumTile&, bool) {}
};
struct KernelOfNoRows : UserKernel {
  static constexpr int kMr = 0;
};
struct KernelThatCannotAccumulate : UserKernel {
  template <int rows>
  static void run(const LhsTile<Lhs>&, const Rhs*, Index, const SumTile&) {}
};
static_assert(MicroKernel<UserKernel> && MicroKernel<NativeKernel> && MicroKernel<Int8Kernel<arch::Scalar>>);
static_assert(MicroKernel<PortableKernel<1, 1, 1, std::uint8_t, std::uint8_t>>);
static_assert(!MicroKernel<WideKernel> && !MicroKernel<NamelessKernel> && !MicroKernel<KernelOfNoRows>);
static_assert(!MicroKernel<KernelThatCannotAccumulate>);
static_assert(!MicroKernel<int> && !MicroKernel<Relu>);
static_assert(arch::Native::compiled);

// ---- EpilogueStage ----

struct UserStage {
  void apply(float*, Index, Index, Index) const {}
};
struct StageThatChangesItself {
  void apply(float*, Index, Index, Index) {}
};
static_assert(EpilogueStage<UserStage> && EpilogueStage<Relu> && EpilogueStage<AddBias>);
static_assert(!EpilogueStage<StageThatChangesItself> && !EpilogueStage<Dequantize> && !EpilogueStage<Linear>);

// ---- Layer ----

struct UserLayer {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>&, const TensorView<float, 2>&) const {}
  std::string name() const { return "User"; }
  Index packed_bytes() const { return 0; }
};
struct LayerThatCannotBeCopied : UserLayer {
  LayerThatCannotBeCopied() = default;
  LayerThatCannotBeCopied(const LayerThatCannotBeCopied&) = delete;
};
struct LayerWithoutAName {
  Index output_size(Index features) const { return features; }
  void forward(Context&, const TensorView<const float, 2>&, const TensorView<float, 2>&) const {}
  Index packed_bytes() const { return 0; }
};
static_assert(Layer<UserLayer> && Layer<Linear> && Layer<Relu> && Layer<DynamicLinear<>> && Layer<Sequential>);
static_assert(Layer<DynamicLinear<Int<4>, PerGroup<Dynamic>, UserKernel>>);
static_assert(!Layer<LayerThatCannotBeCopied> && !Layer<LayerWithoutAName> && !Layer<Dequantize>);
static_assert(std::is_constructible_v<AnyLayer, UserLayer> && !std::is_constructible_v<AnyLayer, LayerWithoutAName>);
static_assert(std::is_constructible_v<Sequential, Linear, UserLayer> && !std::is_constructible_v<Sequential, int>);

// ---- ThreadPool ----

struct UserPool {
  int numThreads() const { return 1; }
  template <class F>
  void parallelFor(Index n, const Eigen::TensorOpCost&, F f) {
    f(Index{0}, n);
  }
};
struct PoolOfUnknownSize {
  template <class F>
  void parallelFor(Index n, const Eigen::TensorOpCost&, F f) {
    f(Index{0}, n);
  }
};
static_assert(ThreadPool<UserPool> && !ThreadPool<PoolOfUnknownSize> && !ThreadPool<std::vector<int>>);
static_assert(std::is_constructible_v<Context, UserPool&> && !std::is_constructible_v<Context, UserPool>);
static_assert(!std::is_copy_constructible_v<Context>);

// ---- the operands of gemm ----

static_assert(QuantizedLhs<QuantizedTensor<UInt<8>, 2>> && QuantizedLhs<QuantizedView<Int<4>, 2, PerChannel<0>>>);
static_assert(!QuantizedLhs<Eigen::MatrixXf> && !QuantizedLhs<PackedRhs<Int<8>>>);
static_assert(ByteObject<Eigen::Matrix<std::uint8_t, 3, 3>> && !ByteObject<Eigen::MatrixXi>);

TEST(Concepts, HoldAsTheCompilerHasChecked) {
  // A kernel that satisfies the concept can be packed for: its tile is what the layout gets.
  Eigen::Matrix<std::int8_t, 5, 3> codes = Eigen::Matrix<std::int8_t, 5, 3>::Constant(1);
  const auto packed = pack<UserKernel>(QuantizedTensor<Int<8>, 2>(codes, QuantParams<PerTensor>(1.0f)));
  EXPECT_EQ(packed.layout().size(), 2 * 4 * 3);
}

}  // namespace
}  // namespace quanta::test
