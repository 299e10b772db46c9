// How a kernel tells the host that an input holds a number that it cannot take: an index out of range, say.
// The kernel reports where the number stands and goes on without it; the host entry asks afterwards, fetches
// that one number, and throws as the host's kernel would. Of several the lowest position is kept, whatever the
// order in which the threads ran.
//
//   ErrorFlag flag;
//   launch("gather", gather_kernel<T>, ..., index, flag.reporter());   // in it: bad.report(position)
//   if (const int64_t at = flag.lowest(); at >= 0) fail("gather: index ", value_at(index + at), " ...");
#pragma once

#include "cuda/runtime/kernel.h"
#include "cuda/runtime/scratch.h"
#include "cuda/runtime/stream.h"

namespace tenon::cuda {

/// What a kernel gets of the flag.
struct Reporter {
  unsigned long long* slot;
  /// `position` >= 0.
  __device__ void report(int64_t position) const {
    atomicMax(slot, ~0ull - static_cast<unsigned long long>(position));
  }
};

class ErrorFlag {
 public:
  ErrorFlag() : memory_(sizeof(unsigned long long)) {
    clear_async(memory_.as<void>(), sizeof(unsigned long long));
  }
  Reporter reporter() const { return {memory_.as<unsigned long long>()}; }
  /// The lowest position that was reported, -1 if none was. Copies 8 bytes, and so waits for the device.
  int64_t lowest() const {
    unsigned long long slot = 0;
    copy_to_host(&slot, memory_.as<void>(), sizeof slot);
    return slot == 0 ? -1 : static_cast<int64_t>(~0ull - slot);
  }

 private:
  Scratch memory_;
};

/// One number out of device memory.
template <class T>
T value_at(const T* device_pointer) {
  T value;
  copy_to_host(&value, device_pointer, sizeof value);
  return value;
}

}  // namespace tenon::cuda
