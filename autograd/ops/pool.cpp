#include "autograd/ops/pool.h"

#include "autograd/ops/reduce.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/image.h"

namespace tenon {
namespace {

// y = x at index           dx = g put back at index
std::pair<Variable, Tensor> extreme(const char* op, const std::pair<Tensor, Tensor>& y, const Variable& x) {
  Variable value =
      record(op, y.first, {x},
             [index = Saved(y.second), in = spatial_extents(x.shape())](const Variable& g, Gradients& out) {
               out.set(0, max_pool_backward(g, index().value(), in));
             });
  return {value, y.second};
}

}  // namespace

std::pair<Variable, Tensor> max_pool(const Variable& x, const PoolOptions& options) {
  return extreme("max_pool", max_pool(x.value(), options), x);
}
std::pair<Variable, Tensor> adaptive_max_pool(const Variable& x, const Dims& out) {
  return extreme("adaptive_max_pool", adaptive_max_pool(x.value(), out), x);
}

// Scattering to an index and gathering from it are linear, and each is the transpose of the other.
Variable max_pool_backward(const Variable& u, const Tensor& index, const Dims& in) {
  return record("max_pool_backward", max_pool_backward(u.value(), index, in), {u},
                [index = Saved(index)](const Variable& g, Gradients& out) {
                  out.set(0, max_pool_gather(g, index().value()));
                });
}
Variable max_pool_gather(const Variable& x, const Tensor& index) {
  return record("max_pool_gather", max_pool_gather(x.value(), index), {x},
                [index = Saved(index), in = spatial_extents(x.shape())](const Variable& g, Gradients& out) {
                  out.set(0, max_pool_backward(g, index().value(), in));
                });
}

// Means are linear too, and their backward ops are their transposes.
Variable avg_pool(const Variable& x, const PoolOptions& options) {
  return record("avg_pool", avg_pool(x.value(), options), {x},
                [in = spatial_extents(x.shape()), options](const Variable& g, Gradients& out) {
                  out.set(0, avg_pool_backward(g, in, options));
                });
}
Variable avg_pool_backward(const Variable& u, const Dims& in, const PoolOptions& options) {
  return record("avg_pool_backward", avg_pool_backward(u.value(), in, options), {u},
                [options](const Variable& g, Gradients& out) { out.set(0, avg_pool(g, options)); });
}

Variable adaptive_avg_pool(const Variable& x, const Dims& extents) {
  return record("adaptive_avg_pool", adaptive_avg_pool(x.value(), extents), {x},
                [in = spatial_extents(x.shape())](const Variable& g, Gradients& out) {
                  out.set(0, adaptive_avg_pool_backward(g, in));
                });
}
Variable adaptive_avg_pool_backward(const Variable& u, const Dims& in) {
  return record("adaptive_avg_pool_backward", adaptive_avg_pool_backward(u.value(), in), {u},
                [extents = spatial_extents(u.shape())](const Variable& g, Gradients& out) {
                  out.set(0, adaptive_avg_pool(g, extents));
                });
}

Variable global_avg_pool(const Variable& x) {
  Dims axes;
  for (int i = 2; i < x.rank(); ++i) axes.push_back(i);
  TENON_CHECK(axes.rank() > 0, "global_avg_pool: expects rank 3, 4 or 5, got ", x.shape());
  return mean(x, axes, true);
}

}  // namespace tenon

TENON_BACKWARD(max_pool)
TENON_BACKWARD(adaptive_max_pool)
TENON_BACKWARD(max_pool_backward)
TENON_BACKWARD(max_pool_gather)
TENON_BACKWARD(avg_pool)
TENON_BACKWARD(avg_pool_backward)
TENON_BACKWARD(adaptive_avg_pool)
TENON_BACKWARD(adaptive_avg_pool_backward)
