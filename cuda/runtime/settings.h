// What can be chosen about the kernels of the CUDA device: one place, read from the environment once.
//
//   TENON_CUDA_MATMUL=hand|cublas   whose matrix product (default hand)
//   TENON_CUDA_CONV=hand|cudnn      whose convolutions (default hand)
//   TENON_CUDA_SPMM=hand|cusparse   whose product of a sparse matrix (default hand)
//   TENON_CUDA_SVD=hand|cusolver    whose SVD (default hand)
//   TENON_CUDA_TF32=0|1             float32 products in TF32 on the tensor cores (default 0): operands are
//                                   rounded to 10 bits of mantissa, a relative error of up to 2^-11 in each
//
// The libraries are there in native builds that found them, and elsewhere the op that asks for one throws; an emulated
// build has twins of them that run on the CPU (cuda/library/twins.cpp).
#pragma once

namespace tenon::cuda {

struct Settings {
  bool matmul_by_cublas = false;
  bool conv_by_cudnn = false;
  bool spmm_by_cusparse = false;
  bool svd_by_cusolver = false;
  bool tf32 = false;

  /// Is every op computed by our own kernels?
  bool by_hand() const { return !(matmul_by_cublas || conv_by_cudnn || spmm_by_cusparse || svd_by_cusolver); }
};

/// Throws Error if the environment holds another word than the above.
const Settings& settings();
/// For tests and benches, when nothing runs on the device. Returns what it was before.
Settings set_settings(const Settings& settings);

}  // namespace tenon::cuda
