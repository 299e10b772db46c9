// What the tests of the CUDA device share: an array in device memory, and the word that a test is skipped.
#pragma once

#include <doctest/doctest.h>

#include <vector>

#include "cuda/runtime/device_runtime.h"

namespace tenon::cuda {

/// True, and says so in the test's output, on a machine where a native build finds no card.
inline bool skip_without_device() {
  if (available()) return false;
  MESSAGE("skipped: no device");
  return true;
}

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(const std::vector<T>& values)
      : count_(values.size()), data_(static_cast<T*>(raw_allocate(bytes()))) {
    copy_to_device(data_, values.data(), bytes());
  }
  ~DeviceArray() { raw_release(data_, bytes()); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return data_; }
  size_t bytes() const { return count_ * sizeof(T); }
  std::vector<T> to_host() const {
    std::vector<T> values(count_);
    copy_to_host(values.data(), data_, bytes());
    return values;
  }

 private:
  size_t count_;
  T* data_;
};

}  // namespace tenon::cuda
