// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Reading ahead of packing: it touches pages, but none behind the codes.
#include <new>

#include <gtest/gtest.h>

#include <quanta/gemm/read_ahead.hpp>

#if defined(__unix__)
#include <sys/mman.h>

namespace quanta::test {
namespace {

/// So many bytes that end where nothing may be read.
class BytesBeforeAWall {
 public:
  explicit BytesBeforeAWall(Index size) : all_(round_up(size, kPage) + kWall), size_(size) {
    memory_ = mmap(nullptr, usize(all_), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory_ == MAP_FAILED || mprotect(first() + all_ - kWall, usize(kWall), PROT_NONE) != 0) {
      throw std::bad_alloc();
    }
  }
  ~BytesBeforeAWall() { munmap(memory_, usize(all_)); }
  BytesBeforeAWall(const BytesBeforeAWall&) = delete;
  BytesBeforeAWall& operator=(const BytesBeforeAWall&) = delete;

  const std::byte* data() const { return first() + all_ - kWall - size_; }

 private:
  static constexpr Index kPage = 65536, kWall = 16 * kPage;  // whole pages of any system
  std::byte* first() const { return static_cast<std::byte*>(memory_); }

  Index all_, size_;
  void* memory_;
};

TEST(ReadAhead, TouchesNothingBehindTheCodes) {
  for (const Index rows : {1, 16, 128}) {
    for (const Index k : {1, 700, 1024, 1025, 5000}) {
      for (const Index n : {1, 127, 128, 129, 300}) {
        for (const int bits : {3, 4, 8}) {
          const Index bytes = detail::packed_size(n * k, bits);
          const BytesBeforeAWall codes(bytes);
          detail::ReadAhead ahead(codes.data(), n, k, bits, rows);
          for (Index done = 0; done < bytes; done += 1000) ahead.advance(1000);
        }
      }
    }
  }
}

}  // namespace
}  // namespace quanta::test
#endif
