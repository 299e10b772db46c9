// What the sparse ops check of a pattern and its values, and how they hand them to kernels. For core/ops/*.cpp
// only.
#pragma once

#include "core/cpu/sparse.h"
#include "core/sparse.h"

namespace tenon {

inline void check_values(const char* op, const SparsePattern& pattern, const Tensor& values) {
  TENON_CHECK(pattern.defined(), op, ": undefined pattern");
  TENON_CHECK(values.defined(), op, ": undefined values");
  TENON_CHECK(values.shape() == pattern.values_shape(), op, ": expects values ", pattern.values_shape(),
              " for a pattern of ", pattern.str(), ", got ", values.str());
}

/// `bias` [rows] of the kind of x, packed; undefined if it is.
inline Tensor checked_bias(const char* op, const SparsePattern& pattern, const Tensor& x,
                           const Tensor& bias) {
  if (!bias.defined()) return bias;
  check_same_dtype(op, x, bias);
  check_same_device(op, x, bias);
  TENON_CHECK(bias.shape() == Shape{pattern.rows()}, op, ": expects a bias [", pattern.rows(), "], got ",
              bias.str());
  return bias.contiguous();
}

inline SparseLists lists_of(const SparseIndex& index) {
  auto numbers = [](const Tensor& x) { return x.defined() ? static_cast<const int32_t*>(x.raw()) : nullptr; };
  return {index.order.numel(),      index.indices.numel(), numbers(index.offsets), numbers(index.indices),
          numbers(index.positions), numbers(index.order),  index.library.get()};
}

}  // namespace tenon
