// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// The one owner of memory in the core: a fixed-size array of trivial elements, aligned to a cache line. Eigen's
// allocator is not used, because its alignment depends on compiler flags.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include <quanta/core/error.hpp>

#if QUANTA_HAS_POSIX_FILES
#include <sys/mman.h>
#endif

QUANTA_NAMESPACE_BEGIN

/// The least alignment in bytes of what a Buffer holds.
inline constexpr std::size_t kCacheLine = 64;
/// How far ahead what is read once is asked for, in bytes: by themselves CPUs do not look into the next page, and of
/// less a fast loop is at the end before memory answers.
inline constexpr Index kReadAhead = 8192;

namespace detail {

/// Of the systems that have pages of several sizes. Memory of one and more is aligned to them.
inline constexpr std::size_t kLargePage = std::size_t{2} << 20;

/// What is asked of the system for so many bytes: the whole of the last large page too where that is hardly more.
constexpr std::size_t bytes_of_memory(std::size_t bytes) {
  const std::size_t rest = (kLargePage - bytes % kLargePage) % kLargePage;
  return rest <= bytes / 64 ? bytes + rest : bytes;
}

constexpr std::align_val_t alignment_of_memory(std::size_t bytes) {
  return std::align_val_t{bytes_of_memory(bytes) < kLargePage ? kCacheLine : kLargePage};
}

/// Memory of so many bytes, at least one. The system is asked for large pages, where it has them and was told to give
/// them to those who ask: memory is then written for the first time two to three times as fast.
QUANTA_COLD inline void* allocate(std::size_t bytes) {
  const std::align_val_t alignment = alignment_of_memory(bytes);
  bytes = bytes_of_memory(bytes);
  void* const data = ::operator new(bytes, alignment);
#if QUANTA_HAS_POSIX_FILES && defined(MADV_HUGEPAGE)
  if (bytes >= kLargePage) {
    const std::size_t large = bytes / kLargePage * kLargePage;
    static_cast<void>(::madvise(data, large, MADV_HUGEPAGE));
#if defined(MADV_POPULATE_WRITE)
    // Small pages all at once: each by itself, when it is touched, takes longer.
    static_cast<void>(::madvise(static_cast<std::byte*>(data) + large, bytes - large, MADV_POPULATE_WRITE));
#endif
  }
#endif
  return data;
}

}  // namespace detail

/// Owns elements in memory that is aligned to kCacheLine bytes. Copies deeply. Exactly `size()` elements are allocated,
/// and what fills the last page of 2 MB where that is at most a 64th more; the memory of an empty buffer is null.
template <class T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  /// No elements.
  Buffer() = default;

  /// Uninitialised elements. Throws Error when size is negative or too large to address.
  explicit Buffer(Index size) : data_(allocate(size)), size_(size) {}

  /// `size` copies of a value.
  Buffer(Index size, T value) : Buffer(size) { std::fill_n(data_, size_, value); }

  /// Copies the elements.
  Buffer(const Buffer& other) : Buffer(other.size_) {
    if (size_ != 0) std::memcpy(data_, other.data_, bytes());
  }
  /// Takes the memory; `other` is empty then.
  Buffer(Buffer&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, Index{0})) {}
  /// Copies first: nothing is lost when memory runs out.
  Buffer& operator=(const Buffer& other) { return *this = Buffer(other); }
  /// As the constructor. (One assignment of a value would do, did clang 14 destroy it: in templates it forgets to when
  /// it is made of {}.)
  Buffer& operator=(Buffer&& other) noexcept {
    Buffer taken(std::move(other));
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    return *this;
  }
  ~Buffer() {
    if (data_ != nullptr) ::operator delete(data_, detail::alignment_of_memory(bytes()));
  }

  T* data() { return data_; }                                     ///< null when empty
  const T* data() const { return data_; }                         ///< null when empty
  Index size() const { return size_; }                            ///< elements, not bytes
  std::size_t bytes() const { return usize(size_) * sizeof(T); }  ///< size() times that of an element
  bool empty() const { return size_ == 0; }                       ///< does it hold no memory?
  T& operator[](Index i) { return data_[i]; }                     ///< 0 <= i < size(), unchecked
  const T& operator[](Index i) const { return data_[i]; }         ///< 0 <= i < size(), unchecked
  T* begin() { return data_; }                                    ///< the first element
  T* end() { return data_ + size_; }                              ///< behind the last element
  const T* begin() const { return data_; }                        ///< the first element
  const T* end() const { return data_ + size_; }                  ///< behind the last element

  /// Makes room for at least `size` elements and forgets what was there. Allocates only to grow.
  T* reserve(Index size) {
    if (size > size_) *this = Buffer(size);
    return data_;
  }

 private:
  static T* allocate(Index size) {
    constexpr Index limit = std::numeric_limits<Index>::max() / static_cast<Index>(sizeof(T));
    detail::check(size >= 0 && size <= limit, "buffer: cannot hold ", size, " elements");
    if (size == 0) return nullptr;
    return static_cast<T*>(detail::allocate(usize(size) * sizeof(T)));
  }

  T* data_ = nullptr;
  Index size_ = 0;
};

/// As a Buffer of uninitialised elements that does not move: up to `inline_size` of them lie in the object itself, so
/// that small work needs no allocation.
template <class T, int inline_size>
class SmallBuffer {
 public:
  /// `size` uninitialised elements; more than `inline_size` come from the heap. Throws as Buffer does; `size` is not
  /// negative.
  explicit SmallBuffer(Index size) : heap_(size > inline_size ? size : 0), size_(size) {}
  SmallBuffer(const SmallBuffer&) = delete;
  SmallBuffer& operator=(const SmallBuffer&) = delete;

  T* data() { return heap_.empty() ? here_ : heap_.data(); }  ///< in the object or on the heap
  Index size() const { return size_; }                        ///< elements
  T& operator[](Index i) { return data()[i]; }                ///< 0 <= i < size(), unchecked
  T* begin() { return data(); }                               ///< the first element
  T* end() { return data() + size_; }                         ///< behind the last element

 private:
  alignas(kCacheLine) T here_[inline_size];
  Buffer<T> heap_;
  Index size_;
};

QUANTA_NAMESPACE_END
