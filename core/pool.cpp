#include "core/pool.h"

#include "core/allocator.h"

namespace tenon {
namespace {

constexpr size_t kStep = 32;
constexpr size_t kClasses = 32;  // blocks up to 1 KiB; larger ones are the caching allocator's
// Kept of a class. Blocks come home to the thread that frees them: one that only frees, as the user of another thread's
// tensors does, would keep more and more.
constexpr size_t kMostBytes = size_t{1} << 20;

struct FreeBlock {
  FreeBlock* next;
};

// Freed at thread exit. Blocks given back after that (by static destructors) go to the heap.
struct Pool {
  FreeBlock* free[kClasses] = {};
  size_t bytes[kClasses] = {};  // of the blocks in each list
  ~Pool() {
    for (FreeBlock*& list : free)
      while (list != nullptr) {
        FreeBlock* next = list->next;
        ::operator delete(list);
        list = next;
      }
    gone = true;
  }
  static thread_local bool gone;
};
thread_local bool Pool::gone = false;
thread_local Pool pool;

#if defined(__SANITIZE_ADDRESS__)
constexpr bool kPools = false;  // the sanitizer wants to see every free
#else
constexpr bool kPools = true;
#endif

size_t class_of(size_t bytes) { return (bytes + kStep - 1) / kStep; }

}  // namespace

void* pool_take(size_t bytes) {
  size_t c = class_of(bytes);
  if (c >= kClasses) return allocate(Device::cpu(), bytes);
  if (!kPools || c == 0 || Pool::gone) return ::operator new(bytes < kStep ? kStep : c * kStep);
  FreeBlock*& list = pool.free[c];
  if (list == nullptr) return ::operator new(c* kStep);
  FreeBlock* block = list;
  list = block->next;
  pool.bytes[c] -= c * kStep;
  return block;
}

void pool_give(void* block, size_t bytes) noexcept {
  size_t c = class_of(bytes);
  if (c >= kClasses) return deallocate(Device::cpu(), block, bytes);
  if (!kPools || c == 0 || Pool::gone) return ::operator delete(block);
  if (pool.bytes[c] >= kMostBytes) return ::operator delete(block);
  FreeBlock* freed = static_cast<FreeBlock*>(block);
  freed->next = pool.free[c];
  pool.free[c] = freed;
  pool.bytes[c] += c * kStep;
}

}  // namespace tenon
