#include "core/device.h"

#include "core/error.h"
#include "cuda/runtime/device_runtime.h"

namespace tenon {

bool Device::has_cuda() { return cuda::available(); }

Device Device::cuda() {
  TENON_CHECK(cuda::available(), "device: no CUDA device: ", cuda::why_unavailable(),
              " (this build has CUDA=", cuda::build_mode(), "; CUDA=emulated needs no card)");
  return Device(Kind::cuda);
}

Device Device::parse(const std::string& name) {
  if (name == "cpu") return cpu();
  if (name == "cuda") return cuda();
  fail("device: expects 'cpu' or 'cuda', got '", name, "'");
}

}  // namespace tenon
