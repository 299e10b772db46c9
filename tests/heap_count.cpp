#include "tests/heap_count.h"

#include <cstdlib>
#include <new>

namespace {
thread_local uint64_t allocations = 0;
}  // namespace

namespace tenon {
uint64_t heap_allocations() { return allocations; }
}  // namespace tenon

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)

namespace tenon {
bool counts_heap() { return false; }
}  // namespace tenon

#else

namespace tenon {
bool counts_heap() { return true; }
}  // namespace tenon

// The forms for arrays and those that do not throw call these.
void* operator new(std::size_t bytes) {
  ++allocations;
  if (void* block = std::malloc(bytes > 0 ? bytes : 1)) return block;
  throw std::bad_alloc();
}
void* operator new(std::size_t bytes, std::align_val_t alignment) {
  ++allocations;
  const auto step = static_cast<std::size_t>(alignment);
  if (void* block = std::aligned_alloc(step, (bytes + step - 1) / step * step)) return block;
  throw std::bad_alloc();
}
void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete(void* block, std::align_val_t) noexcept { std::free(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { std::free(block); }

#endif
