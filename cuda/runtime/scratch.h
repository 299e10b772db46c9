// Device memory that a launch needs for the time of its kernels only.
#pragma once

#include <utility>

#include "core/allocator.h"
#include "core/memory_trace.h"

namespace tenon::cuda {

/// Uninitialised device memory from the engine's caching allocator. It may go out of scope as soon as the
/// kernels that use it are launched: device work runs in the order of its launch, so whoever gets the memory
/// next runs later.
class Scratch {
 public:
  explicit Scratch(size_t bytes) : bytes_(bytes), data_(allocate(Device::cuda(), bytes)) {
    name_memory(data_, "scratch");
  }
  Scratch(Scratch&& other) noexcept : bytes_(other.bytes_), data_(std::exchange(other.data_, nullptr)) {}
  ~Scratch() {
    if (data_ != nullptr) deallocate(Device::cuda(), data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  size_t bytes_;
  void* data_;
};

}  // namespace tenon::cuda
