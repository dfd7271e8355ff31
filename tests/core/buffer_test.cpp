// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
#include <numeric>

#include <gtest/gtest.h>

#include <quanta/core/buffer.hpp>

#include "tests/support/allocations.hpp"
#include "tests/support/expect_error.hpp"

namespace quanta::test {
namespace {

TEST(Buffer, IsAlignedToACacheLineAndAllocatesItsSizeExactly) {
  for (const Index n : {1, 3, 64, 1000}) {
    const std::int64_t before = allocations().live_bytes;
    const Buffer<float> buffer(n);
    EXPECT_EQ(allocations().live_bytes - before, n * 4);
    EXPECT_EQ(buffer.bytes(), static_cast<std::size_t>(n) * 4);
    EXPECT_EQ(buffer.size(), n);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, 0u);
  }
}

TEST(Buffer, OfManyMegabytesIsAlignedToALargePage) {
  const std::int64_t before = allocations().live_bytes;
  {
    Buffer<char> buffer((Index{4} << 20) + 3, 'x');
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(buffer.data()) % (std::size_t{2} << 20), 0u);
    EXPECT_EQ(allocations().live_bytes - before, buffer.size());
    EXPECT_EQ(Buffer<char>(buffer)[buffer.size() - 1], 'x');
    buffer = Buffer<char>(1);
    EXPECT_EQ(allocations().live_bytes - before, 1);
  }
  EXPECT_EQ(allocations().live_bytes, before);
}

TEST(Buffer, FillsTheLastLargePageWhereThatIsLittle) {
  constexpr Index kMegabyte = Index{1} << 20;
  const auto allocated = [](Index size) {
    const std::int64_t before = allocations().live_bytes;
    const Buffer<char> buffer(size);
    EXPECT_EQ(buffer.size(), size);
    return allocations().live_bytes - before;
  };
  EXPECT_EQ(allocated(9 * kMegabyte), 9 * kMegabyte);
  EXPECT_EQ(allocated(10 * kMegabyte - 50000), 10 * kMegabyte);
  EXPECT_EQ(allocated(10 * kMegabyte), 10 * kMegabyte);
  EXPECT_EQ(allocated(2 * kMegabyte - 5), 2 * kMegabyte);
  for (Index size = 1; size < 40 * kMegabyte; size += size / 9 + 1) {
    const Index bytes = allocated(size), more = bytes - size;
    EXPECT_TRUE(more == 0 || (more <= size / 64 && bytes % (2 * kMegabyte) == 0)) << size;
  }
}

TEST(Buffer, EmptyOnesAllocateNothing) {
  const std::int64_t before = allocations().count;
  const Buffer<int> none, zero(0), filled(0, 7), copy(zero);
  EXPECT_EQ(allocations().count, before);
  EXPECT_EQ(zero.data(), nullptr);
  EXPECT_TRUE(none.empty() && zero.empty() && filled.empty() && copy.empty());
  EXPECT_EQ(zero.begin(), zero.end());
}

TEST(Buffer, CopiesDeeply) {
  Buffer<int> a(5);
  std::iota(a.begin(), a.end(), 10);
  Buffer<int> b(a);
  b[0] = -1;
  EXPECT_EQ(a[0], 10);
  EXPECT_EQ(b[4], 14);
  Buffer<int> c;
  c = b;
  c[1] = -2;
  EXPECT_EQ(b[1], 11);
  EXPECT_EQ(c[0], -1);
  c = *&c;
  EXPECT_EQ(c[1], -2);
}

TEST(Buffer, MovesWithoutAllocatingAndGivesAllMemoryBack) {
  const std::int64_t before = allocations().live_bytes;
  {
    Buffer<int> a(5, 3);
    const int* data = a.data();
    const std::int64_t count = allocations().count;
    Buffer<int> b(std::move(a));
    Buffer<int> c;
    c = std::move(b);
    EXPECT_EQ(c.data(), data);
    EXPECT_EQ(a.size(), 0);        // NOLINT: what was moved from is empty
    EXPECT_EQ(b.data(), nullptr);  // NOLINT
    EXPECT_EQ(allocations().count, count);
    Buffer<int> full(9);
    full = std::move(c);
    EXPECT_EQ(full.size(), 5);
  }
  EXPECT_EQ(allocations().live_bytes, before);
}

template <class B>
void assign_braces(B& buffer) {
  buffer = {};
}

TEST(Buffer, LosesNothingToBracesInATemplate) {
  const std::int64_t before = allocations().live_bytes;
  {
    Buffer<int> buffer(5);
    assign_braces(buffer);
    EXPECT_TRUE(buffer.empty());
    EXPECT_EQ(allocations().live_bytes, before);
  }
  EXPECT_EQ(allocations().live_bytes, before);
}

TEST(Buffer, ReserveAllocatesOnlyToGrow) {
  Buffer<double> buffer;
  buffer.reserve(10);
  EXPECT_EQ(buffer.size(), 10);
  const std::int64_t before = allocations().count;
  double* data = buffer.data();
  EXPECT_EQ(buffer.reserve(10), data);
  EXPECT_EQ(buffer.reserve(3), data);
  EXPECT_EQ(buffer.size(), 10);
  EXPECT_EQ(allocations().count, before);
  buffer.reserve(11);
  EXPECT_EQ(buffer.size(), 11);
}

TEST(Buffer, RefusesSizesThatCannotBe) {
  EXPECT_ERROR(Buffer<int>(-1), "buffer", "-1");
  EXPECT_ERROR(Buffer<double>(std::numeric_limits<Index>::max() / 4), "buffer", "elements");
}

}  // namespace
}  // namespace quanta::test
