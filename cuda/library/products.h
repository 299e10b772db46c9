// NVIDIA's libraries behind the contracts of our own products (core/cpu/matmul.h, core/cpu/conv.h): device pointers,
// on the current stream. cuda/kernels/ sends here what cuda/runtime/settings.h asks for.
//
// A build has cuBLAS and cuDNN if it is native and their headers lay under CUDA_HOME when it was made. Elsewhere
// each function throws Error and says which part is missing; nothing falls back in silence. float32 is computed
// in float32 unless settings().tf32. Only deterministic algorithms are taken. What a library refuses throws
// Error with its words. Written against CUDA 13 and cuDNN 9.
#pragma once

#include "core/cpu/conv.h"
#include "core/cpu/matmul.h"

namespace tenon::cuda::library {

/// cublas<t>gemmStridedBatched, one call for each run of matrices that lie evenly spaced.
void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b);

/// cuDNN's convolution, by the algorithm that its heuristics put first; a workspace comes from the engine's
/// allocator.
void conv(const ConvPlan& plan, DType dtype, void* y, const void* x, const void* weight, const void* bias);
void conv_backward_input(const ConvPlan& plan, DType dtype, void* gx, const void* g, const void* weight);
void conv_backward_weight(const ConvPlan& plan, DType dtype, void* gw, const void* g, const void* x);

}  // namespace tenon::cuda::library
