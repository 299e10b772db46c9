// Host memory that a kernel needs for its own time only.
#pragma once

#include <cstdint>

#include "core/allocator.h"
#include "core/memory_trace.h"

namespace tenon::cpu {

/// Uninitialised elements from the engine's caching allocator; none, and a null pointer, for 0 elements.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t elements)
      : bytes_(static_cast<size_t>(elements) * sizeof(T)),
        data_(bytes_ > 0 ? allocate(Device::cpu(), bytes_) : nullptr) {
    name_memory(data_, "scratch");
  }
  ~Scratch() {
    if (data_ != nullptr) deallocate(Device::cpu(), data_, bytes_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  T* data() const { return static_cast<T*>(data_); }

 private:
  size_t bytes_;
  void* data_;
};

}  // namespace tenon::cpu
