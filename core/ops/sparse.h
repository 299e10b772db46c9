// Products of a sparse matrix W [M, K] (core/sparse.h) and dense ones. The pattern is fixed; values are a
// tensor like any other. Each op is made of the others on the way back:
//
//   Y = W X      spmm, spmspv       dW = sddmm(dY, X)     dX = spmm_transposed(dY)
//
// float32 or float64. All throw Error on an undefined operand, mixed dtypes or devices, values whose shape is
// not pattern.values_shape(), and dense operands that are no matrices or do not fit the pattern. Of blocks
// that reach beyond the last row, the values there are ignored, and are 0 in results.
#pragma once

#include "core/ops/conv.h"
#include "core/sparse.h"
#include "core/tensor.h"

namespace tenon {

/// y[m, n] = epilogue(bias[m] + sum_k W[m, k] x[k, n]): x [K, N] in any order of axes -> row-major [M, N].
/// `bias` [M] may be undefined. With N = 1 it is the product with a vector.
Tensor spmm(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Tensor& bias = {},
            Epilogue epilogue = Epilogue::none);
inline Tensor spmm(const SparseMatrix& w, const Tensor& x, const Tensor& bias = {},
                   Epilogue epilogue = Epilogue::none) {
  return spmm(w.pattern, w.values, x, bias, epilogue);
}

/// z[k, n] = sum_m W[m, k] g[m, n]: g [M, N] in any order of axes -> row-major [K, N].
Tensor spmm_transposed(const SparsePattern& pattern, const Tensor& values, const Tensor& g);

/// The product of two dense matrices where the pattern has an entry ("sampled dense-dense"):
/// v[m, k] = sum_n g[m, n] x[k, n]: g [M, N], x [K, N] -> values.
Tensor sddmm(const SparsePattern& pattern, const Tensor& g, const Tensor& x);

/// Products with vectors that are sparse themselves ("SpMSpV"), as activations are of which most are 0:
/// y[b, m] = epilogue(bias[m] + sum over k with x[b, k] != 0 of W[m, k] x[b, k]): x [B, K] -> row-major [B, M]. What x is 0
/// at is not multiplied, so W may even be infinite there; the time goes with the columns that are used. `bias` [M] may be
/// undefined. A full pattern of 16 rows a block makes a dense W skip columns.
Tensor spmspv(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Tensor& bias = {},
              Epilogue epilogue = Epilogue::none);

/// Convolution with a sparse weight, whose pattern [O, C * taps] is that of the dense weight [O, C, *kernel] with
/// its last axes made one: x [N, C, *in] -> row-major [N, O, *out] as conv, through `epilogue`. `bias` [O] may be
/// undefined. Throws Error on strides other than 1 and on groups.
Tensor sparse_conv(const SparsePattern& pattern, const Tensor& values, const Tensor& x, const Dims& kernel,
                   const Tensor& bias = {}, const ConvOptions& options = {},
                   Epilogue epilogue = Epilogue::none);

}  // namespace tenon
