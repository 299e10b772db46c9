// From tensors of one shape to the Loop that kernels walk.
#pragma once

#include "core/loop.h"
#include "core/tensor.h"

namespace tenon {

/// Builds the loop of N operands of equal shape (broadcast views included; operand 0 is the result). Axes are
/// sorted by the strides of the operands, outermost first, axes of extent 1 are dropped, and neighbours are
/// merged where all operands step evenly over both. The rank is at least 1.
template <int N>
Loop<N> make_loop(const Tensor* const (&operands)[N]) {
  const Shape& shape = operands[0]->shape();
  Loop<N> loop;
  loop.numel = operands[0]->numel();
  int order[kMaxRank];
  int rank = 0;
  for (int i = 0; i < shape.rank(); ++i)
    if (shape[i] != 1) order[rank++] = i;
  auto outside = [&](int a, int b) {  // does axis a belong outside axis b?
    for (const Tensor* t : operands)
      if (t->strides()[a] != t->strides()[b]) return t->strides()[a] > t->strides()[b];
    return false;
  };
  for (int i = 1; i < rank; ++i)
    for (int j = i; j > 0 && outside(order[j], order[j - 1]); --j) std::swap(order[j], order[j - 1]);
  for (int i = 0; i < rank; ++i) {
    int axis = order[i];
    int last = loop.rank - 1;
    bool merges = loop.rank > 0;
    for (int k = 0; k < N && merges; ++k)
      merges = loop.stride[k][last] == operands[k]->strides()[axis] * shape[axis];
    int at = merges ? last : loop.rank++;
    loop.extent[at] = (merges ? loop.extent[at] : 1) * shape[axis];
    for (int k = 0; k < N; ++k) loop.stride[k][at] = operands[k]->strides()[axis];
  }
  if (loop.rank == 0) {
    loop.rank = 1;
    loop.extent[0] = 1;
    for (int k = 0; k < N; ++k) loop.stride[k][0] = 1;
  }
  return loop;
}

/// The lines along `axis` of N tensors whose other extents are equal. No tensor is empty.
template <int N>
Lines<N> make_lines(int axis, const Tensor* const (&operands)[N]) {
  Lines<N> lines;
  Tensor first[N];
  const Tensor* firsts[N];
  for (int k = 0; k < N; ++k) {
    Shape shape = operands[k]->shape();
    lines.count[k] = shape[axis];
    lines.step[k] = operands[k]->strides()[axis];
    shape[axis] = 1;
    first[k] = operands[k]->as_strided(shape, operands[k]->strides(), operands[k]->offset());
    firsts[k] = &first[k];
  }
  lines.starts = make_loop<N>(firsts);
  return lines;
}

}  // namespace tenon
