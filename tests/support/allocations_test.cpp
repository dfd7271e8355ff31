// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Counting operator new and delete for the whole test program, and the proof that they count.
#include "tests/support/allocations.hpp"

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include <gtest/gtest.h>

namespace {

std::atomic<std::int64_t> allocation_count{0};
std::atomic<std::int64_t> live_bytes{0};
std::atomic<std::int64_t> failing_allocation{-1};

// A block begins with as many bytes as its alignment; the last eight of them hold the size that was asked for.
constexpr std::size_t kLeastAlignment = __STDCPP_DEFAULT_NEW_ALIGNMENT__;
static_assert(kLeastAlignment >= sizeof(std::size_t));

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (allocation_count.load() == failing_allocation.load()) {
    failing_allocation = -1;
    return nullptr;
  }
  const std::size_t whole = (size + 2 * alignment - 1) / alignment * alignment;
  if (whole < size) return nullptr;
  char* block = static_cast<char*>(std::aligned_alloc(alignment, whole));
  if (block == nullptr) return nullptr;
  char* user = block + alignment;
  reinterpret_cast<std::size_t*>(user)[-1] = size;
  ++allocation_count;
  live_bytes += static_cast<std::int64_t>(size);
  return user;
}

void release(void* user, std::size_t alignment) noexcept {
  if (user == nullptr) return;
  live_bytes -= static_cast<std::int64_t>(static_cast<std::size_t*>(user)[-1]);
  std::free(static_cast<char*>(user) - alignment);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* user = allocate(size, alignment);
  if (user == nullptr) throw std::bad_alloc();
  return user;
}

// For an alignment below the default one, both sides use the default one.
std::size_t at_least_default(std::align_val_t alignment) {
  const std::size_t a = static_cast<std::size_t>(alignment);
  return a < kLeastAlignment ? kLeastAlignment : a;
}

}  // namespace

void* operator new(std::size_t n) { return allocate_or_throw(n, kLeastAlignment); }
void* operator new[](std::size_t n) { return allocate_or_throw(n, kLeastAlignment); }
void* operator new(std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, kLeastAlignment); }
void* operator new[](std::size_t n, const std::nothrow_t&) noexcept { return allocate(n, kLeastAlignment); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate_or_throw(n, at_least_default(a)); }
void* operator new[](std::size_t n, std::align_val_t a) { return allocate_or_throw(n, at_least_default(a)); }
void* operator new(std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, at_least_default(a));
}
void* operator new[](std::size_t n, std::align_val_t a, const std::nothrow_t&) noexcept {
  return allocate(n, at_least_default(a));
}
void operator delete(void* p) noexcept { release(p, kLeastAlignment); }
void operator delete[](void* p) noexcept { release(p, kLeastAlignment); }
void operator delete(void* p, std::size_t) noexcept { release(p, kLeastAlignment); }
void operator delete[](void* p, std::size_t) noexcept { release(p, kLeastAlignment); }
void operator delete(void* p, const std::nothrow_t&) noexcept { release(p, kLeastAlignment); }
void operator delete[](void* p, const std::nothrow_t&) noexcept { release(p, kLeastAlignment); }
void operator delete(void* p, std::align_val_t a) noexcept { release(p, at_least_default(a)); }
void operator delete[](void* p, std::align_val_t a) noexcept { release(p, at_least_default(a)); }
void operator delete(void* p, std::size_t, std::align_val_t a) noexcept { release(p, at_least_default(a)); }
void operator delete[](void* p, std::size_t, std::align_val_t a) noexcept { release(p, at_least_default(a)); }
void operator delete(void* p, std::align_val_t a, const std::nothrow_t&) noexcept { release(p, at_least_default(a)); }
void operator delete[](void* p, std::align_val_t a, const std::nothrow_t&) noexcept { release(p, at_least_default(a)); }

namespace quanta::test {

Allocations allocations() { return {allocation_count.load(), live_bytes.load()}; }

FailingAllocation::FailingAllocation(std::int64_t number) { failing_allocation = allocation_count.load() + number; }
FailingAllocation::~FailingAllocation() { failing_allocation = -1; }

namespace {

TEST(Allocations, CountsPlainAndAlignedMemory) {
  const Allocations before = allocations();
  {
    const std::vector<int> numbers(100);
    EXPECT_EQ(allocations().count, before.count + 1);
    EXPECT_EQ(allocations().live_bytes, before.live_bytes + 400);
    void* aligned = ::operator new (1000, std::align_val_t{256});
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 256, 0u);
    EXPECT_EQ(allocations().live_bytes, before.live_bytes + 1400);
    ::operator delete (aligned, std::align_val_t{256});
  }
  EXPECT_EQ(allocations().count, before.count + 2);
  EXPECT_EQ(allocations().live_bytes, before.live_bytes);
}

TEST(Allocations, FailWhenTheyShould) {
  const FailingAllocation second(1);
  const std::vector<int> first(1);
  EXPECT_THROW(std::vector<int>(1), std::bad_alloc);
  const std::vector<int> third(1);
}

}  // namespace
}  // namespace quanta::test
