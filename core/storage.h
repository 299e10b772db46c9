// Storage: one block of memory on a device, shared by the tensors that look at it.
#pragma once

#include <cstdint>

#include "core/allocator.h"

namespace tenon {

class Storage {
 public:
  /// Uninitialised. A storage of 0 bytes holds no memory and has a null pointer.
  Storage(Device device, size_t bytes)
      : data_(bytes ? allocate(device, bytes) : nullptr), bytes_(bytes), device_(device) {}
  ~Storage() {
    if (data_ != nullptr) deallocate(device_, data_, bytes_);
  }
  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;

  void* data() const { return data_; }
  size_t bytes() const { return bytes_; }
  Device device() const { return device_; }

  uint64_t version() const { return version_; }
  const char* last_writer() const { return last_writer_; }
  void bump_version(const char* op) {
    ++version_;
    last_writer_ = op;
  }

 private:
  void* data_;
  size_t bytes_;
  uint64_t version_ = 0;
  const char* last_writer_ = "";
  Device device_;
};

}  // namespace tenon
