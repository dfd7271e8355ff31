// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#define EIGEN_USE_THREADS

#include <atomic>

#include <quanta/core/context.hpp>
#include <quanta/quanta.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/products.hpp"

namespace quanta::test {
namespace {

// A pool that is no pool: the interface is what counts. Runs its ranges backwards, to show that order does not matter.
struct BackwardsPool {
  int claimed = 3;
  int calls = 0;
  int numThreads() const { return claimed; }
  void parallelFor(Index n, const Eigen::TensorOpCost&, std::function<void(Index, Index)> f) {
    ++calls;
    for (Index i = n; i-- > 0;) f(i, i + 1);
  }
};
static_assert(ThreadPool<BackwardsPool> && ThreadPool<Eigen::ThreadPoolDevice> && !ThreadPool<Eigen::DefaultDevice>);

TEST(Context, WithoutAPoolIsOneThread) {
  Context context;
  EXPECT_EQ(context.threads(), 1);
  std::vector<Index> order;
  context.parallel(4, 1e9, [&](Index task) { order.push_back(task); });
  EXPECT_EQ(order, (std::vector<Index>{0, 1, 2, 3}));
}

TEST(Context, RunsEveryTaskOnceOnAPool) {
  Eigen::ThreadPool pool(4);
  Eigen::ThreadPoolDevice device(&pool, 4);
  Context context(device);
  EXPECT_EQ(context.threads(), 4);
  for (const Index tasks : {0, 1, 2, 4, 100}) {
    std::vector<std::atomic<int>> runs(usize(tasks));
    context.parallel(tasks, 1e6, [&](Index task) { ++runs[usize(task)]; });
    for (const auto& count : runs) EXPECT_EQ(count.load(), 1);
  }
}

TEST(Context, IsOneThreadFromInsideItsPool) {
  Eigen::ThreadPool pool(2), other(2);
  Eigen::ThreadPoolDevice device(&pool, 2), other_device(&other, 2);
  Context context(device), other_context(other_device);
  std::atomic<int> inside{0}, from_another_pool{0};
  Eigen::Barrier done(1);
  pool.Schedule([&] {
    inside = context.threads();
    from_another_pool = other_context.threads();
    done.Notify();
  });
  done.Wait();
  EXPECT_EQ(inside.load(), 1);
  EXPECT_EQ(from_another_pool.load(), 2);
}

TEST(Context, TakesAnythingWithThePoolsInterface) {
  BackwardsPool pool;
  Context context(pool);
  EXPECT_EQ(context.threads(), 3);
  Random random(1);
  const IntMatrix lhs = int_matrix<UInt<8>>(100, 60, kOne, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<8>>(70, 60, kPerRow, Fill::random, Fill::random, random);
  RowTensor<std::int32_t, 2> dst(100, 70);
  gemm(context, quantized<UInt<8>, PerTensor>(lhs), pack(quantized<Int<8>, PerChannel<0>>(rhs)), dst);
  EXPECT_EQ(pool.calls, 1);
  EXPECT_TRUE(equals(dst, 100, 70, [&](Index i, Index j) { return dot(lhs, i, rhs, j); }));
  pool.claimed = 0;
  EXPECT_EQ(context.threads(), 1);
}

TEST(Context, ScratchOfTasksAndSlotsDoesNotOverlap) {
  Context context;
  context.reserve_scratch(3, 100);
  auto* first = context.reserve_local<float>(0, 10);
  auto* second = context.reserve_local<std::int32_t>(1, 10);
  for (Index task = 0; task < 3; ++task) std::fill_n(context.scratch(task), 100, static_cast<std::byte>(task));
  std::fill_n(first, 10, 1.5f);
  std::fill_n(second, 10, 7);
  for (Index task = 0; task < 3; ++task) {
    for (Index i = 0; i < 100; ++i) EXPECT_EQ(context.scratch(task)[i], static_cast<std::byte>(task));
  }
  for (Index i = 0; i < 10; ++i) EXPECT_EQ(first[i], 1.5f);
  for (Index i = 0; i < 10; ++i) EXPECT_EQ(second[i], 7);
}

TEST(Context, OnceWarmAProductAllocatesNothing) {
  Random random(1);
  const IntMatrix lhs = int_matrix<UInt<8>>(150, 70, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix nibbles = int_matrix<Int<4>>(150, 70, kOne, Fill::random, Fill::random, random);
  const IntMatrix rhs = int_matrix<Int<8>>(40, 70, kPerRow, Fill::random, Fill::random, random);
  const IntMatrix groups = int_matrix<Int<4>>(40, 70, 16, Fill::random, Fill::random, random);
  const auto x = quantized<UInt<8>, PerChannel<0>>(lhs);
  const auto small = quantized<Int<4>, PerTensor>(nibbles);
  const auto packed = pack(quantized<Int<8>, PerChannel<0>>(rhs));
  const auto by_group = pack(quantized<Int<4>, PerGroup<16>>(groups));
  const Eigen::Matrix<std::uint8_t, -1, -1> plain = Eigen::Matrix<std::uint8_t, -1, -1>::Constant(150, 70, 3);
  const Eigen::VectorXf bias = Eigen::VectorXf::Ones(40);
  RowTensor<std::int32_t, 2> sums(150, 40);
  RowTensor<float, 2> y(150, 40);
  Context context;
  const auto multiply = [&] {
    gemm(context, x, packed, sums);
    gemm(context, small, packed, sums);
    gemm(context, plain, ZeroPoint{3}, packed, sums);
    gemm(context, x, by_group, sums);
    gemm(context, x, packed, y, Dequantize{}, AddBias{bias}, Relu{});
    gemm(context, small, by_group, y, Dequantize{}, Relu{}, AddBias{bias});
  };
  const std::int64_t cold = allocations().count;
  multiply();
  EXPECT_GT(allocations().count, cold);
  const std::int64_t warm = allocations().count;
  multiply();
  EXPECT_EQ(allocations().count, warm);
}

}  // namespace
}  // namespace quanta::test
