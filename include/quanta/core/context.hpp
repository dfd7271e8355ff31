// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Threads and scratch memory for products and layers. Results do not depend on it: any number of threads gives the same
// bits. It creates no threads; it borrows a pool such as Eigen::ThreadPoolDevice, without naming that type.
#pragma once

#include <functional>
#include <vector>

#include <quanta/core/eigen.hpp>

QUANTA_NAMESPACE_BEGIN

/// What a Context needs of a pool: Eigen::ThreadPoolDevice's interface. parallelFor(n, cost, f) calls f(first, last) on
/// ranges that make up [0, n) and returns when all are done.
template <class D>
concept ThreadPool = requires(D& device, const detail::TaskCost& cost, std::function<void(Index, Index)> f) {
  { device.numThreads() } -> std::convertible_to<int>;
  device.parallelFor(Index{}, cost, f);
};

/// Threads and scratch memory for products and layers. One call at a time: two threads that multiply at once have a
/// Context each (they may share the pool and the weights). Scratch grows to what the largest call needed and is kept.
class Context {
 public:
  /// The calling thread alone.
  Context() = default;

  /// The pool must outlive the Context.
  template <ThreadPool Device>
  explicit Context(Device& device) : device_(&device), threads_(&threads_of<Device>), run_(&run_on<Device>) {}

  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  /// How many tasks can run at once. 1 from inside the pool itself, where waiting for other tasks could block forever.
  int threads() const { return device_ == nullptr ? 1 : threads_(device_); }

  /// Calls f(task) for every task in [0, tasks), each about `cycles` long, and returns when all are done. f must not
  /// throw.
  template <class F>
  void parallel(Index tasks, double cycles, F&& f) {
    if (tasks <= 1 || device_ == nullptr) {
      for (Index task = 0; task < tasks; ++task) f(task);
      return;
    }
    run_(
        device_, tasks, cycles,
        [](void* body, Index first, Index last) {
          for (Index task = first; task < last; ++task) (*static_cast<std::remove_reference_t<F>*>(body))(task);
        },
        &f);
  }

  /// Memory for each of `count` tasks, at least `bytes` long; valid until the next call.
  QUANTA_LAZY void reserve_scratch(Index count, Index bytes) {
    if (static_cast<Index>(scratch_.size()) < count) scratch_.resize(usize(count));
    for (Index i = 0; i < count; ++i) scratch_[usize(i)].reserve(bytes);
  }
  std::byte* scratch(Index task) { return scratch_[usize(task)].data(); }  ///< that of a task, 0 <= task < count

  /// Memory for the caller's own use while a product runs, apart from the tasks' scratch. Each slot is one buffer.
  template <class T>
  T* reserve_local(Index slot, Index count) {
    if (static_cast<Index>(local_.size()) <= slot) local_.resize(usize(slot) + 1);
    return reinterpret_cast<T*>(local_[usize(slot)].reserve(count * static_cast<Index>(sizeof(T))));
  }

  /// A buffer that a caller keeps while it calls layers, which use the memory above; give it back when done, the last
  /// taken first.
  QUANTA_LAZY Buffer<float> take_buffer() {
    if (spare_.empty()) return {};
    Buffer<float> buffer = std::move(spare_.back());
    spare_.pop_back();
    return buffer;
  }
  /// Gives back what take_buffer gave, for the next who takes one.
  QUANTA_LAZY void give_back(Buffer<float> buffer) { spare_.push_back(std::move(buffer)); }

 private:
  using Body = void (*)(void*, Index, Index);

  template <class Device>
  static int threads_of(void* device) {
    Device& pool = *static_cast<Device*>(device);
    if constexpr (requires { pool.currentThreadId(); }) {
      if (pool.currentThreadId() >= 0) return 1;
    }
    return std::max(1, static_cast<int>(pool.numThreads()));
  }

  template <class Device>
  static void run_on(void* device, Index tasks, double cycles, Body body, void* argument) {
    static_cast<Device*>(device)->parallelFor(
        tasks, detail::TaskCost(0.0, 0.0, cycles),
        [body, argument](Index first, Index last) { body(argument, first, last); });
  }

  void* device_ = nullptr;
  int (*threads_)(void*) = nullptr;
  void (*run_)(void*, Index, double, Body, void*) = nullptr;
  std::vector<Buffer<std::byte>> scratch_;
  std::vector<Buffer<std::byte>> local_;
  std::vector<Buffer<float>> spare_;
};

QUANTA_NAMESPACE_END
