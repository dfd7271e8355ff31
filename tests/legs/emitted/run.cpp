// Quanta, exact quantization for C++ on Eigen. SPDX-License-Identifier: Apache-2.0
//
// Runs the emitted networks, and counts what they take from the heap: the linker leads all calls of malloc and its like
// here (--wrap).

#include <cstdio>
#include <cstdlib>
#include <new>

int wrong_codes();
int wrong_floats();

// Volatile, because compilers know that malloc changes no variable.
static volatile int allocations = 0;

extern "C" {
void* __real_malloc(std::size_t size);
void* __real_calloc(std::size_t count, std::size_t size);
void* __real_realloc(void* old, std::size_t size);
void* __real_aligned_alloc(std::size_t alignment, std::size_t size);

void* __wrap_malloc(std::size_t size);
void* __wrap_malloc(std::size_t size) {
  allocations = allocations + 1;
  return __real_malloc(size);
}
void* __wrap_calloc(std::size_t count, std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size) {
  allocations = allocations + 1;
  return __real_calloc(count, size);
}
void* __wrap_realloc(void* old, std::size_t size);
void* __wrap_realloc(void* old, std::size_t size) {
  allocations = allocations + 1;
  return __real_realloc(old, size);
}
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size);
void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size) {
  allocations = allocations + 1;
  return __real_aligned_alloc(alignment, size);
}
}

void* operator new(std::size_t size) { return std::malloc(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

int main() {
  const int before = allocations;
  int* volatile one = new int(1);  // what is counted at all
  delete one;
  const int start = allocations;
  const int codes = wrong_codes(), floats = wrong_floats(), taken = allocations - start;
  std::printf("%d rows of codes and %d of floats differ; %d blocks were taken from the heap\n", codes, floats, taken);
  return start == before + 1 && codes == 0 && floats == 0 && taken == 0 ? 0 : 1;
}
