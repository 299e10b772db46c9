// An allocator for small objects that come and go with each op, storages and what the tape makes: freed blocks are
// kept in lists by size, one set a thread, so that a training step asks the heap for nothing in the steady state.
#pragma once

#include <cstddef>
#include <new>
#include <vector>

namespace tenon {

/// A block of at least `bytes`, and its return. Blocks may be freed on another thread than the one that took
/// them.
void* pool_take(size_t bytes);
void pool_give(void* block, size_t bytes) noexcept;

template <class T>
struct PoolAllocator {
  using value_type = T;
  PoolAllocator() = default;
  template <class U>
  PoolAllocator(const PoolAllocator<U>&) {}  // NOLINT: allocators convert
  T* allocate(size_t n) { return static_cast<T*>(pool_take(n * sizeof(T))); }
  void deallocate(T* p, size_t n) noexcept { pool_give(p, n * sizeof(T)); }
  friend bool operator==(const PoolAllocator&, const PoolAllocator&) { return true; }
};

/// A vector from the pool. Becomes an ordinary one, by a copy, where that is asked for.
template <class T>
class PoolVector : public std::vector<T, PoolAllocator<T>> {
 public:
  using std::vector<T, PoolAllocator<T>>::vector;
  operator std::vector<T>() const { return {this->begin(), this->end()}; }  // NOLINT: converts by intention
};

}  // namespace tenon
