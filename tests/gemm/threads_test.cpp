// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Products and layers on an Eigen thread pool: the bits of one thread, for any number of them and from anywhere.
#define EIGEN_USE_THREADS

#include <thread>

#include <quanta/quanta.hpp>

#include "tests/support/products.hpp"
#include "tests/support/scale.hpp"

namespace quanta::test {
namespace {

// Tall products are split by rows, wide ones by panels, small ones not at all.
struct Size {
  Index m, n, k;
};
constexpr Size kSizes[] = {{200, 96, 40}, {3, 300, 300}, {4, 5, 6}, {1, 900, 300}, {64, 33, 130}, {9, 100, 300}};

// All results of one size, one after the other: everything that runs on a Context.
std::vector<std::uint64_t> results(Context& context, const Size& size) {
  const auto& [m, n, k] = size;
  Random random(1);
  const IntMatrix lhs = int_matrix<UInt<8>>(m, k, kOne, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<8>>(n, k, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix groups = int_matrix<Int<4>>(n, k, 32, Fill::random, Fill::random, random);
  const auto x = quantized<UInt<8>, PerTensor>(lhs);
  const auto packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  std::vector<std::uint64_t> bits;
  const auto add = [&](const auto& y) {
    for (Index i = 0; i < y.size(); ++i) bits.push_back(bits_of(y.data()[i]));
  };
  RowTensor<std::int32_t, 2> sums(m, n);
  gemm(context, x, packed, sums);
  add(sums);
  ColTensor<float, 2> y(m, n);
  gemm(context, x, packed, y, Dequantize{}, Relu{});
  add(y);
  gemm(context, x, pack(quantized<Int<4>, PerGroup<32>>(groups)), y, Dequantize{});
  add(y);
  add(gemm_requantized(context, x, packed, AsymmetricQuantizer<UInt<8>>(3.0f, 7)).codes());
  const IntMatrix wide = int_matrix<Int<16>>(m, k, kPerRow, Fill::random, Fill::random, random);
  RowTensor<std::int64_t, 2> wide_sums(m, n);
  gemm(context, quantized<Int<16>, PerChannel<0>>(wide), packed, wide_sums);
  add(wide_sums);
  const auto batch = random_tensor<2>({m, k}, 2), weight = random_tensor<2>({n, k}, 3);
  add(Linear(weight)(context, batch));
  add(DynamicLinear<>(weight)(context, batch));
  add(DynamicLinear<Int<4>, PerGroup<32>>(weight)(context, batch));
  add(StaticLinear<>(weight, AsymmetricQuantizer<UInt<8>>::fit(batch))(context, batch));
  const ColTensor<float, 2> columns = batch.swap_layout().shuffle(Eigen::array<Index, 2>{1, 0});
  add(DynamicLinear<>(weight)(context, columns));
  return bits;
}

std::vector<std::uint64_t> results_of_one_thread(const Size& size) {
  Context context;
  return results(context, size);
}

TEST(Threads, AnyNumberOfThemGivesTheSameBits) {
  for (const Size& size : kSizes) {
    const std::vector<std::uint64_t> expected = results_of_one_thread(size);
    for (int threads = 1; threads <= scaled(8, 3); ++threads) {
      Eigen::ThreadPool pool(threads);
      Eigen::ThreadPoolDevice device(&pool, threads);
      Context context(device);
      ASSERT_EQ(results(context, size), expected) << threads << " threads, m = " << size.m;
      ASSERT_EQ(results(context, size), expected) << "again";  // with scratch left by the first time
    }
  }
}

TEST(Threads, OneContextServesSizesOneAfterTheOther) {
  Eigen::ThreadPool pool(3);
  Eigen::ThreadPoolDevice device(&pool, 3);
  Context context(device);
  for (const Size& size : kSizes) EXPECT_EQ(results(context, size), results_of_one_thread(size));
}

// Every thread of the pool multiplies at once, each with a Context on that very pool: none may wait for another.
TEST(Threads, APoolsOwnThreadsMayMultiply) {
  const std::vector<std::uint64_t> expected = results_of_one_thread(kSizes[0]);
  Eigen::ThreadPool pool(2);
  Eigen::ThreadPoolDevice device(&pool, 2);
  Eigen::Barrier done(4);
  std::vector<std::uint64_t> got[4];
  for (std::vector<std::uint64_t>& mine : got) {
    pool.Schedule([&] {
      Context context(device);
      mine = results(context, kSizes[0]);
      done.Notify();
    });
  }
  done.Wait();
  for (const auto& mine : got) EXPECT_EQ(mine, expected);
}

TEST(Threads, TwoMayShareWeightsWithContextsOfTheirOwn) {
  Random random(1);
  const IntMatrix lhs = int_matrix<Int<8>>(60, 90, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<8>>(70, 90, kPerRow, Fill::random, Fill::random, random);
  const auto x = quantized<Int<8>, PerChannel<0>>(lhs);
  const auto packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  RowTensor<std::int32_t, 2> dst[2] = {RowTensor<std::int32_t, 2>(60, 70), RowTensor<std::int32_t, 2>(60, 70)};
  const auto work = [&](RowTensor<std::int32_t, 2>& mine) {
    Context context;
    for (int i = 0; i < 20; ++i) gemm(context, x, packed, mine);
  };
  std::thread first(work, std::ref(dst[0])), second(work, std::ref(dst[1]));
  first.join();
  second.join();
  for (const auto& mine : dst) {
    EXPECT_TRUE(equals(mine, 60, 70, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }));
  }
}

}  // namespace
}  // namespace quanta::test
