// The index family: what the kernels of both devices share, and the CPU kernels. Indices are int64 and lie in
// range: core/ops checks them, with first_outside.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/loop.h"

namespace tenon {

/// nonzero cuts its operand into chunks of this many elements.
inline constexpr int64_t kNonzeroChunk = 1 << 13;

/// An element of a line, and where it stands.
template <class T>
struct Item {
  T value;
  int64_t at;
};

/// Does x stand before y in a stable sort? A strict total order: NaN is larger than every number, ties go by
/// position.
template <class T>
TENON_HD bool sorts_before(const Item<T>& x, const Item<T>& y, bool descending) {
  const bool less = x.value < y.value || (y.value != y.value && x.value == x.value);
  const bool greater = y.value < x.value || (x.value != x.value && y.value == y.value);
  if (less || greater) return less != descending;
  return x.at < y.at;
}

namespace cpu {

/// The offset of the first index in memory that is not in [0, extent), -1 if there is none.
int64_t first_outside(const Loop<1>& loop, int64_t extent, const int64_t* index);

/// y[i] = x[index[i] * step]: operands y, index, x, where x stands still along the axis that the index
/// replaces.
void gather(const Loop<3>& loop, int64_t step, DType dtype, void* y, const int64_t* index, const void* x);

/// y[line, index[line, i]] += source[line, i], from zero: operands y, index, source. The sums of a line are
/// taken in order, in float64 for floats.
void scatter_add(const Lines<3>& lines, DType dtype, void* y, const int64_t* index, const void* source);

/// y[r] = sum of source[i * step] over the i in [0, count) with index[i] = r, in order, in float64 for
/// floats. Operands: y; rows, which holds the r of every element; source, standing still along the axis. r is
/// in [0, extent).
void index_add(const Loop<3>& loop, int64_t step, const int64_t* index, int64_t count, int64_t extent,
               DType dtype, void* y, const int64_t* rows, const void* source);

/// starts[c] = how many elements before chunk c, of kNonzeroChunk elements, are not 0; returns how many are
/// in all.
int64_t nonzero_starts(int64_t n, DType dtype, const void* x, int64_t* starts);
/// Writes the positions of those elements, ascending; the first of chunk c goes to positions[starts[c]].
void nonzero(int64_t n, DType dtype, const void* x, const int64_t* starts, int64_t* positions);

/// The first lines.count[0] elements of each line in sorted order, and where they stood: operands values,
/// indices, x. Equal elements keep their order; NaN counts as larger than every number.
void sort(const Lines<3>& lines, bool descending, DType dtype, void* values, int64_t* indices, const void* x);

/// Running sums along each line, from its end if `reverse`: operands y, x. Floats accumulate in float64.
void cumsum(const Lines<2>& lines, bool reverse, DType dtype, void* y, const void* x);

}  // namespace cpu
}  // namespace tenon
