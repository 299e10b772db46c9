#include "autograd/ops/upsample.h"

#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/upsample.h"

namespace tenon {
namespace {

// The extents behind N and C.
Dims extents_of(const Variable& x) {
  Dims size;
  for (int i = 2; i < x.rank(); ++i) size.push_back(x.shape()[i]);
  return size;
}

}  // namespace

// y = A x              dx = A^T g
Variable upsample_nearest(const Variable& x, const Dims& size) {
  return record("upsample_nearest", upsample_nearest(x.value(), size), {x},
                [before = extents_of(x)](const Variable& g, Gradients& out) {
                  out.set(0, upsample_nearest_backward(g, before));
                });
}

// y = A^T g            dg = A h, h the gradient of y
Variable upsample_nearest_backward(const Variable& g, const Dims& size) {
  return record("upsample_nearest_backward", upsample_nearest_backward(g.value(), size), {g},
                [before = extents_of(g)](const Variable& h, Gradients& out) {
                  out.set(0, upsample_nearest(h, before));
                });
}

// y = A x              dx = A^T g
Variable upsample_linear(const Variable& x, const Dims& size, bool align_corners) {
  return record("upsample_linear", upsample_linear(x.value(), size, align_corners), {x},
                [before = extents_of(x), align_corners](const Variable& g, Gradients& out) {
                  out.set(0, upsample_linear_backward(g, before, align_corners));
                });
}

// y = A^T g            dg = A h, h the gradient of y
Variable upsample_linear_backward(const Variable& g, const Dims& size, bool align_corners) {
  return record("upsample_linear_backward", upsample_linear_backward(g.value(), size, align_corners), {g},
                [before = extents_of(g), align_corners](const Variable& h, Gradients& out) {
                  out.set(0, upsample_linear(h, before, align_corners));
                });
}

}  // namespace tenon

TENON_BACKWARD(upsample_nearest)
TENON_BACKWARD(upsample_nearest_backward)
TENON_BACKWARD(upsample_linear)
TENON_BACKWARD(upsample_linear_backward)
