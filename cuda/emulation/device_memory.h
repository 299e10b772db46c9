// The emulated device's memory: mapped pages that the host may touch only within a DeviceAccess while the
// guard is on.
#pragma once

namespace tenon::cuda::emulation {

bool is_device_memory(const void* address);

/// Opens device memory for the kernels or the copy running in its scope, and closes it again if the guard is
/// on.
class DeviceAccess {
 public:
  DeviceAccess();
  ~DeviceAccess();
  DeviceAccess(const DeviceAccess&) = delete;
  DeviceAccess& operator=(const DeviceAccess&) = delete;
};

}  // namespace tenon::cuda::emulation
