#include "core/ops/matmul.h"

#include <limits>

#include "core/cpu/matmul.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/iteration.h"
#include "cuda/kernels/matmul.h"

namespace tenon {
namespace {

// A matrix (or a batch of them) with the steps that the kernel asks for.
struct Packed {
  Tensor data;
  int64_t row, column;
};

// One of the last two strides must be 1 and the other long enough to be a leading dimension; else a packed
// copy is taken. The stride of an axis of extent 1 is never stepped and may be chosen freely.
Packed pack(const Tensor& x) {
  int64_t rows = x.size(-2), columns = x.size(-1);
  int64_t row = x.strides().back(1), column = x.strides().back(0);
  if (rows == 1) row = columns;
  if ((column == 1 || columns == 1) && row >= columns) return {x, row, 1};
  if (columns == 1) column = rows;
  if (row == 1 && column >= rows) return {x, 1, column};
  Tensor copy = Tensor::empty(x.shape(), x.dtype(), x.device());
  copy.copy_(x);
  return {copy, columns, 1};
}

Dims leading(const Dims& shape) {
  Dims out;
  for (int i = 0; i + 2 < shape.rank(); ++i) out.push_back(shape[i]);
  return out;
}

// The first elements of the matrices of c, a and b, walked together over the axes of `batch`.
Loop<3> batch_loop(const Shape& batch, const Tensor& c, const Tensor& a, const Tensor& b) {
  Loop<3> one;
  one.rank = 1, one.numel = 1, one.extent[0] = 1;
  if (batch.rank() == 0) return one;
  const auto corners = [&](const Tensor& x) {
    return broadcast_to("matmul", x.as_strided(leading(x.shape()), leading(x.strides()), x.offset()), batch);
  };
  const Tensor vc = corners(c), va = corners(a), vb = corners(b);
  return make_loop<3>({&vc, &va, &vb});
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b) {
  TENON_CHECK(a.defined() && b.defined(), "matmul: undefined tensor");
  check_same_dtype("matmul", a, b);
  check_same_device("matmul", a, b);
  TENON_CHECK(is_floating(a.dtype()), "matmul: expects float32 or float64, got ", a.str());
  TENON_CHECK(a.rank() >= 2 && b.rank() >= 2, "matmul: expects rank >= 2, got ", a.shape(), " and ",
              b.shape());
  TENON_CHECK(a.size(-1) == b.size(-2), "matmul: inner extents differ: ", a.shape(), " has ", a.size(-1),
              " columns, ", b.shape(), " has ", b.size(-2), " rows");
  Shape batch = broadcast_shapes("matmul", leading(a.shape()), leading(b.shape()));
  Shape shape = batch;
  shape.push_back(a.size(-2));
  shape.push_back(b.size(-1));
  Tensor c = Tensor::empty(shape, a.dtype(), a.device());
  if (c.is_empty()) return c;
  if (a.size(-1) == 0) return c.fill_(0);
  for (int64_t extent : {a.size(-2), a.size(-1), b.size(-1)})
    TENON_CHECK(extent <= std::numeric_limits<int>::max(), "matmul: extent ", extent, " is too large");
  Packed pa = pack(a);
  Packed pb = pack(b);
  MatmulPlan plan;
  plan.m = a.size(-2), plan.k = a.size(-1), plan.n = b.size(-1);
  plan.a_row = pa.row, plan.a_column = pa.column;
  plan.b_row = pb.row, plan.b_column = pb.column;
  plan.c_row = plan.n;
  plan.batch = batch_loop(batch, c, pa.data, pb.data);
  TENON_DISPATCH(a.device(), matmul, plan, a.dtype(), c.raw(), pa.data.raw(), pb.data.raw());
  return c;
}

}  // namespace tenon

TENON_FORWARD(matmul)
