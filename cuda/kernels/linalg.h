// Host entries of the linalg kernels: device pointers in place of host pointers, otherwise the contract of
// core/cpu/linalg.h.
#pragma once

#include "core/cpu/linalg.h"

namespace tenon::cuda {

void svd(const SvdPlan& plan, DType dtype, const void* a, void* u, void* s, void* v, LinalgStatus* status);
void eigh(const MatrixBatch& a, DType dtype, const void* in, void* w, void* v, LinalgStatus* status);
void qr(const MatrixBatch& a, DType dtype, const void* in, void* q, void* r, LinalgStatus* status);
void cholesky(const MatrixBatch& a, DType dtype, const void* in, void* l, LinalgStatus* status);
void solve_triangular(const TriangularPlan& plan, DType dtype, const void* a, void* x);

}  // namespace tenon::cuda
