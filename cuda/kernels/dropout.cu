// Dropout: a map of x and the mask, which may be broadcast, to y. The mask is drawn on the device
// (cuda/kernels/random.cu), with the host's bits.
//
// Bound: memory. A dense float32 element moves 9 bytes for one flop.
#include "core/ops/contract.h"
#include "cuda/kernels/dropout.h"
#include "cuda/kernels/loop_kernel.h"

namespace tenon::cuda {
namespace {

template <class T>
struct Dropped {
  T scale;
  TENON_HD T operator()(T x, uint8_t mask) const { return mask ? scale * x : T(0); }
};

}  // namespace

void dropout_with_mask(const Loop<3>& loop, DType dtype, void* y, const void* x, const uint8_t* mask,
                       double scale) {
  visit_floating("dropout", dtype, [&](auto tag) {
    using T = decltype(tag);
    launch_map("dropout", loop, Dropped<T>{static_cast<T>(scale)}, static_cast<T*>(y),
               static_cast<const T*>(x), mask);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(dropout)
TENON_CUDA_ENTRY(dropout_channels)
TENON_CUDA_ENTRY(dropout_with_mask)
