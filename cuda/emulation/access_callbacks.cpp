// The functions that code compiled with -fsanitize=thread calls before its loads and stores, in place of
// ThreadSanitizer's own: they note the access for the thread of the block that runs. See counters.h.
#if defined(TENON_COUNTERS)

#include <cstddef>
#include <cstdint>

#include "cuda/emulation/block_runner.h"

namespace {

// [note]
void note(const void* address, size_t bytes, bool store, const void* site) {
  using tenon::cuda::emulation::BlockRunner;
  if (BlockRunner* runner = BlockRunner::running())
    runner->accesses().note(runner->thread(), address, bytes, store, site);
}
// [/note]

}  // namespace

#define TENON_SITE __builtin_return_address(0)

extern "C" {

void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}
void __tsan_vptr_update(void**, void*) {}
void __tsan_vptr_read(void**) {}

#define TENON_ACCESS(bytes)                                                                     \
  void __tsan_read##bytes(void* address) { note(address, bytes, false, TENON_SITE); }           \
  void __tsan_write##bytes(void* address) { note(address, bytes, true, TENON_SITE); }           \
  void __tsan_unaligned_read##bytes(void* address) { note(address, bytes, false, TENON_SITE); } \
  void __tsan_unaligned_write##bytes(void* address) { note(address, bytes, true, TENON_SITE); }
TENON_ACCESS(1)
TENON_ACCESS(2)
TENON_ACCESS(4)
TENON_ACCESS(8)
TENON_ACCESS(16)
void __tsan_read_range(void* address, size_t bytes) { note(address, bytes, false, TENON_SITE); }
void __tsan_write_range(void* address, size_t bytes) { note(address, bytes, true, TENON_SITE); }

// Atomics are replaced, not announced. The emulation's need no more order than host threads between blocks do.
#define TENON_ATOMIC(bits, T)                                                                             \
  T __tsan_atomic##bits##_load(const volatile T* a, int) { return __atomic_load_n(a, __ATOMIC_SEQ_CST); } \
  void __tsan_atomic##bits##_store(volatile T* a, T value, int) {                                         \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    __atomic_store_n(a, value, __ATOMIC_SEQ_CST);                                                         \
  }                                                                                                       \
  T __tsan_atomic##bits##_exchange(volatile T* a, T value, int) {                                         \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_exchange_n(a, value, __ATOMIC_SEQ_CST);                                               \
  }                                                                                                       \
  T __tsan_atomic##bits##_fetch_add(volatile T* a, T value, int) {                                        \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_fetch_add(a, value, __ATOMIC_SEQ_CST);                                                \
  }                                                                                                       \
  T __tsan_atomic##bits##_fetch_sub(volatile T* a, T value, int) {                                        \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_fetch_sub(a, value, __ATOMIC_SEQ_CST);                                                \
  }                                                                                                       \
  T __tsan_atomic##bits##_fetch_or(volatile T* a, T value, int) {                                         \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_fetch_or(a, value, __ATOMIC_SEQ_CST);                                                 \
  }                                                                                                       \
  int __tsan_atomic##bits##_compare_exchange_strong(volatile T* a, T* expected, T value, int, int) {      \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_compare_exchange_n(a, expected, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);    \
  }                                                                                                       \
  int __tsan_atomic##bits##_compare_exchange_weak(volatile T* a, T* expected, T value, int, int) {        \
    note(const_cast<T*>(a), sizeof(T), true, TENON_SITE);                                                 \
    return __atomic_compare_exchange_n(a, expected, value, true, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);     \
  }
TENON_ATOMIC(8, uint8_t)
TENON_ATOMIC(32, uint32_t)
TENON_ATOMIC(64, uint64_t)

}  // extern "C"

#endif
