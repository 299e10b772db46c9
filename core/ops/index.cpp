#include "core/ops/index.h"

#include "core/cpu/index.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/index_arguments.h"
#include "core/ops/iteration.h"
#include "core/ops/reduce.h"
#include "cuda/kernels/index.h"

namespace tenon {
namespace {

// The extents of `index` must be those of x except along the axis.
void check_alongside(const char* op, const Tensor& x, int axis, const Tensor& index) {
  Shape expected = x.shape();
  if (index.rank() == x.rank()) expected[axis] = index.shape()[axis];
  TENON_CHECK(index.shape() == expected, op, ": an index into ", x.shape(), " along axis ", axis,
              " has the other extents of that shape, got ", index.shape());
}

// x as it is seen by a loop over `shape`, standing still along one axis.
Tensor held(const Tensor& x, const Shape& shape, int axis) {
  Strides strides = x.strides();
  strides[axis] = 0;
  return x.as_strided(shape, strides, x.offset());
}

// A list of n numbers as it is seen by a loop over `shape`, running along one axis.
Tensor along(const Tensor& list, const Shape& shape, int axis) {
  Strides strides = Dims::filled(shape.rank(), 0);
  strides[axis] = list.strides()[0];
  return list.as_strided(shape, strides, list.offset());
}

// `shape` with the axis replaced by the axes of `by`.
Shape replaced(const Shape& shape, int axis, const Shape& by) {
  Shape out;
  for (int i = 0; i < axis; ++i) out.push_back(shape[i]);
  for (int64_t extent : by) out.push_back(extent);
  for (int i = axis + 1; i < shape.rank(); ++i) out.push_back(shape[i]);
  return out;
}

void run_gather(const Tensor& y, const Tensor& index, const Tensor& x, int axis) {
  if (y.is_empty()) return;
  Tensor source = held(x, y.shape(), axis);
  const Loop<3> loop = make_loop<3>({&y, &index, &source});
  TENON_DISPATCH(x.device(), gather, loop, x.strides()[axis], x.dtype(), y.raw(),
                 static_cast<const int64_t*>(index.raw()), x.raw());
}

Tensor mask_for(const char* op, const Tensor& x, const Tensor& mask) {
  TENON_CHECK(x.defined() && mask.defined(), op, ": undefined tensor");
  TENON_CHECK(mask.dtype() == uint8, op, ": expects a uint8 mask, got ", mask.str());
  check_same_device(op, x, mask);
  return broadcast_to(op, mask, x.shape());
}

}  // namespace

void check_index(const char* op, const Tensor& index, int64_t extent) {
  TENON_CHECK(index.defined(), op, ": undefined index");
  TENON_CHECK(index.dtype() == int64, op, ": expects int64 indices, got ", index.str());
  TENON_CHECK(extent >= 0, op, ": expects an extent >= 0, got ", extent);
  if (index.is_empty()) return;
  const int64_t at = TENON_DISPATCH(index.device(), first_outside, make_loop<1>({&index}), extent,
                                    static_cast<const int64_t*>(index.raw()));
  TENON_CHECK(at < 0, op, ": index ",
              static_cast<int64_t>(index.as_strided({}, {}, index.offset() + at).item()),
              " is out of range for an extent of ", extent);
}

Tensor gather(const Tensor& x, int64_t axis, const Tensor& index) {
  TENON_CHECK(x.defined(), "gather: undefined tensor");
  int a = normalize_axis("gather", axis, x.rank());
  check_index("gather", index, x.shape()[a]);
  check_same_device("gather", x, index);
  check_alongside("gather", x, a, index);
  Tensor y = Tensor::empty_strided(index.shape(), strides_in_order_of(index.shape(), x.strides()), x.dtype(),
                                   x.device());
  run_gather(y, index, x, a);
  return y;
}

Tensor scatter_add(const Tensor& source, int64_t axis, const Tensor& index, int64_t extent) {
  TENON_CHECK(source.defined(), "scatter_add: undefined tensor");
  int a = normalize_axis("scatter_add", axis, source.rank());
  check_index("scatter_add", index, extent);
  check_same_device("scatter_add", source, index);
  TENON_CHECK(index.shape() == source.shape(), "scatter_add: expects an index for each element of ",
              source.shape(), ", got ", index.shape());
  Shape shape = source.shape();
  shape[a] = extent;
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, source.strides()), source.dtype(),
                                   source.device());
  if (y.is_empty()) return y;
  if (source.is_empty()) return y.fill_(0);
  const Lines<3> lines = make_lines<3>(a, {&y, &index, &source});
  TENON_DISPATCH(source.device(), scatter_add, lines, source.dtype(), y.raw(),
                 static_cast<const int64_t*>(index.raw()), source.raw());
  return y;
}

Tensor index_select(const Tensor& x, int64_t axis, const Tensor& index) {
  TENON_CHECK(x.defined(), "index_select: undefined tensor");
  int a = normalize_axis("index_select", axis, x.rank());
  check_index("index_select", index, x.shape()[a]);
  check_same_device("index_select", x, index);
  Tensor list = index.reshape({index.numel()});
  Shape shape = x.shape();
  shape[a] = index.numel();
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, x.strides()), x.dtype(), x.device());
  if (!y.is_empty()) run_gather(y, along(list, shape, a), x, a);
  return y.reshape(replaced(shape, a, index.shape()));
}

Tensor index_add(const Tensor& source, int64_t axis, const Tensor& index, int64_t extent) {
  TENON_CHECK(source.defined(), "index_add: undefined tensor");
  check_index("index_add", index, extent);
  check_same_device("index_add", source, index);
  const int rank = source.rank() - index.rank() + 1;
  TENON_CHECK(rank >= 1, "index_add: expects source to have the axes of the index, got ", source.shape(),
              " and ", index.shape());
  int a = normalize_axis("index_add", axis, rank);
  Shape shape;  // of source, with the axes of the index as one
  for (int i = 0; i < rank; ++i)
    shape.push_back(i == a ? index.numel() : source.shape()[i < a ? i : i + index.rank() - 1]);
  TENON_CHECK(source.shape() == replaced(shape, a, index.shape()), "index_add: expects the extents ",
              index.shape(), " of the index at axis ", a, " of the source, got ", source.shape());
  Tensor slices = source.reshape(shape);
  shape[a] = extent;
  Tensor y = Tensor::empty_strided(shape, strides_in_order_of(shape, slices.strides()), source.dtype(),
                                   source.device());
  if (y.is_empty()) return y;
  if (source.is_empty()) return y.fill_(0);
  Tensor list = index.contiguous();
  Tensor rows = along(Tensor::arange(extent, int64, source.device()), shape, a);
  Tensor first = held(slices, shape, a);
  const Loop<3> loop = make_loop<3>({&y, &rows, &first});
  TENON_DISPATCH(source.device(), index_add, loop, slices.strides()[a],
                 static_cast<const int64_t*>(list.raw()), list.numel(), extent, source.dtype(), y.raw(),
                 static_cast<const int64_t*>(rows.raw()), slices.raw());
  return y;
}

Tensor one_hot(const Tensor& index, int64_t classes, DType dtype) {
  check_index("one_hot", index, classes);
  return equal(index.unsqueeze(-1), Tensor::arange(classes, int64, index.device())).to(dtype);
}

Tensor masked_fill(const Tensor& x, const Tensor& mask, double value) {
  Tensor condition = mask_for("masked_fill", x, mask);
  return where(condition, Tensor::scalar(value, x.dtype(), x.device()), x);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  Tensor positions = nonzero(mask_for("masked_select", x, mask));
  return index_select(x.reshape({x.numel()}), 0, positions);
}

Tensor nonzero(const Tensor& x) {
  TENON_CHECK(x.defined(), "nonzero: undefined tensor");
  if (x.is_empty()) return Tensor::empty({0}, int64, x.device());
  const Tensor packed = x.contiguous();
  const int64_t n = x.numel();
  const Tensor chunks = Tensor::empty({(n + kNonzeroChunk - 1) / kNonzeroChunk}, int64, x.device());
  int64_t* const starts = static_cast<int64_t*>(chunks.raw());
  const int64_t total = TENON_DISPATCH(x.device(), nonzero_starts, n, x.dtype(), packed.raw(), starts);
  Tensor positions = Tensor::empty({total}, int64, x.device());
  if (total > 0)
    TENON_DISPATCH(x.device(), nonzero, n, x.dtype(), packed.raw(), starts,
                   static_cast<int64_t*>(positions.raw()));
  return positions;
}

int64_t count_nonzero(const Tensor& x) {
  TENON_CHECK(x.defined(), "count_nonzero: undefined tensor");
  if (x.is_empty()) return 0;
  return static_cast<int64_t>(sum(not_equal(x, Tensor::scalar(0, x.dtype(), x.device())).to(int64)).item());
}

}  // namespace tenon

TENON_FORWARD(gather)
TENON_FORWARD(scatter_add)
TENON_FORWARD(index_select)
TENON_FORWARD(index_add)
TENON_FORWARD(one_hot)
TENON_FORWARD(masked_fill)
TENON_FORWARD(masked_select)
TENON_FORWARD(nonzero)
TENON_FORWARD(count_nonzero)
