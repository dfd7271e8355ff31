// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Everything that runs on threads, on several contexts at once that share a pool, packed weights and layers: what a
// thread sanitizer is to see. That the results are those of one thread is checked too.
#include <quanta/integer.hpp>
#include <quanta/quanta.hpp>

#include "tests/support/products.hpp"
#include "tests/support/thread_pool.hpp"

namespace quanta::test {
namespace {

constexpr Index kRaceRows = 64, kRaceInputs = 90, kRaceOutputs = 70;

struct SharedOperands {
  Random random{1};
  QuantizedTensor<UInt<8>, 2> x = quantized<UInt<8>, PerTensor>(
      int_matrix<UInt<8>>(kRaceRows, kRaceInputs, kOne, Fill::random, Fill::random, random));
  QuantizedTensor<Int<8>, 2, PerChannel<0>> codes = quantized<Int<8>, PerChannel<0>>(
      int_matrix<Int<8>>(kRaceRows, kRaceInputs, kPerRow, Fill::random, Fill::zero, random));
  QuantizedTensor<Int<16>, 2> wide = quantized<Int<16>, PerTensor>(
      int_matrix<Int<16>>(kRaceRows, kRaceInputs, kOne, Fill::random, Fill::random, random));
  PackedRhs<Int<8>> rhs = pack(quantized<Int<8>, PerChannel<0>>(
      int_matrix<Int<8>>(kRaceOutputs, kRaceInputs, kPerRow, Fill::random, Fill::random, random)));
  RowTensor<float, 2> weight = random_tensor<2>({kRaceOutputs, kRaceInputs}, 2),
                      batch = random_tensor<2>({kRaceRows, kRaceInputs}, 3);
  ColTensor<float, 2> columns = batch.swap_layout().shuffle(Eigen::array<Index, 2>{1, 0});
  AsymmetricQuantizer<UInt<8>> output{3.0f, 7};
  Requantize<UInt<8>> requantize{x.params().scale(0), rhs, output};
  Sequential model{Linear{weight}, Relu{}, DynamicLinear<>{weight.shuffle(Eigen::array<Index, 2>{1, 0})},
                   WeightOnlyLinear<Int<4>, PerGroup<32>>{weight},
                   StaticLinear<>{weight.shuffle(Eigen::array<Index, 2>{1, 0}),
                                  AsymmetricQuantizer<UInt<8>>::fit(Range{-50.0f, 50.0f})}};
  IntegerModel integers = quantize_static(
      Sequential{Linear{weight}, Tanh{}, Linear{weight.shuffle(Eigen::array<Index, 2>{1, 0})}, Softmax{}},
      std::vector<RowTensor<float, 2>>{batch}, MinMaxCalibrator<>{}, IntegerOnly{});

  std::vector<std::uint64_t> results(Context& context) const {
    std::vector<std::uint64_t> bits;
    const auto add = [&](const auto& y) {
      for (Index i = 0; i < y.size(); ++i) bits.push_back(bits_of(y.data()[i]));
    };
    RowTensor<std::int32_t, 2> sums(kRaceRows, kRaceOutputs);
    gemm(context, x, rhs, sums);
    gemm(context, codes, rhs, sums, Accumulate{});
    add(sums);
    RowTensor<std::int64_t, 2> wide_sums(kRaceRows, kRaceOutputs);
    gemm(context, wide, rhs, wide_sums);
    add(wide_sums);
    RowTensor<std::uint8_t, 2> requantized(kRaceRows, kRaceOutputs);
    gemm(context, x, rhs, requantized, requantize);
    add(requantized);
    add(model(context, batch));
    add(model(context, columns));
    add(integers(context, columns));
    const RowTensor<float, 2> few = batch.slice(Eigen::array<Index, 2>{0, 0}, Eigen::array<Index, 2>{3, kRaceInputs});
    add(model(context, few));
    return bits;
  }
};

TEST(Races, ContextsAtOnceOnSharedWeights) {
  const SharedOperands shared;
  Context alone;
  const std::vector<std::uint64_t> expected = shared.results(alone);
  PlainThreads pool(3);
  std::vector<std::uint64_t> got[3];
  std::vector<std::thread> threads;
  for (auto& mine : got) {
    threads.emplace_back([&] {
      Context context(pool);
      mine = shared.results(context);
      mine = shared.results(context);
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& mine : got) EXPECT_EQ(mine, expected);
}

}  // namespace
}  // namespace quanta::test
