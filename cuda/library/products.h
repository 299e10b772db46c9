// NVIDIA's libraries behind the contracts of our own kernels (core/cpu/matmul.h, conv.h, sparse.h, linalg.h): device
// pointers, on the current stream. cuda/kernels/ sends here what cuda/runtime/settings.h asks for.
//
// A native build has a library if its header lay under CUDA_HOME when it was made, and else the function throws Error
// and says which part is missing; nothing falls back in silence. float32 is computed in float32 unless
// settings().tf32. Only deterministic algorithms are taken. What a library refuses throws Error with its words.
// Written against CUDA 13 and cuDNN 9.
//
// An emulated build has twins that keep the contracts on the CPU (twins.cpp). library_calls() of
// cuda/runtime/device_runtime.h counts what libraries and twins have served.
#pragma once

#include <cstdint>
#include <limits>

#include "core/cpu/conv.h"
#include "core/cpu/linalg.h"
#include "core/cpu/matmul.h"
#include "core/cpu/sparse.h"
#include "core/error.h"

namespace tenon::cuda::library {

/// cublas<t>gemmStridedBatched, one call for each run of matrices that lie evenly spaced.
void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b);

/// cuDNN's convolution, by the algorithm that its heuristics put first; a workspace comes from the engine's
/// allocator.
void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias);
void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight);
void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x);

/// Y = W X + beta Y by cuSPARSE's SpMM on compressed rows, with what it has prepared for the pattern; there are entries.
/// Bias and relu of the plan are left out. Refuses blocks of several rows. Never run on a card.
void spmm(const SpmmPlan& plan, DType dtype, void* y, const void* values, const void* x, double beta);

/// A = U diag(s) V^T of `count` matrices [rows, columns], rows <= columns, by cuSOLVER's gesvdjBatched, which takes up to
/// 32 x 32; larger ones are refused. Here all matrices run down their columns without gaps: a, which may be overwritten,
/// u [rows, rows], v [columns, columns], of which the first `rows` columns are those of s [rows]; s falls. A matrix that is
/// not finite is reported as one that does not converge, or not at all; its twin reports what it is. Waits for the
/// device. Never run on a card.
void svd(int64_t count, int64_t rows, int64_t columns, DType dtype, void* a, void* u, void* s, void* v,
         LinalgStatus* status);

// ---- what a library and its twin refuse alike --------------------------------------------------------------------

inline void check_spmm(const SpmmPlan& p) {
  TENON_CHECK(p.rows_out == 1 && p.rows_in == 1, "spmm: cuSPARSE multiplies no blocks of ",
              p.rows_out * p.rows_in, " x 1; unset TENON_CUDA_SPMM for Tenon's own kernel");
}
inline void check_svd(int64_t count, int64_t rows, int64_t columns) {
  TENON_CHECK(rows <= columns && columns <= 32 && count <= std::numeric_limits<int32_t>::max(),
              "svd: cuSOLVER's batched SVD expects matrices of at most 32 x 32, got ", count, " of ", rows,
              " x ", columns, "; unset TENON_CUDA_SVD for Tenon's own kernel");
}

}  // namespace tenon::cuda::library
