// Small and narrow products: sums in registers, no packing of A, no call to a library.
#pragma once

#include "core/cpu/blas.h"

namespace tenon::cpu {

/// One way to cut C into tiles: panels of some SIMD vectors, each cut into tiles of nearly equal height.
template <class T>
struct TileColumns {
  struct Arguments;
  using Function = void (*)(const Arguments&);
  int64_t panels = 0, columns = 0;  ///< so many panels of so many columns
  int64_t last = 0;                 ///< lanes of the last vector that are in C
  int64_t width = 0;                ///< elements of a row of a copied panel
  int64_t tiles = 0, taller = 0;    ///< of a panel; the first `taller` have a row more
  int64_t height = 0;               ///< of the other tiles
  Function taller_tile = nullptr, tile = nullptr;
};

/// C[m, n] = A[m, k] B[k, n], or C += A B, for matrices of one set of extents (at least 1) and strides, C row-major. Each
/// element of C is one chain of fused multiply-adds in the order of k, whatever the extents. Runs on the
/// calling thread.
template <class T>
class TileProduct {
 public:
  /// The matrices' addresses are not used.
  TileProduct(int64_t m, int64_t n, int64_t k, Matrix<const T> a, Matrix<const T> b, int64_t c_row);
  void operator()(const T* a, const T* b, T* c, T* panel, bool add = false) const;
  /// Elements of scratch that a call needs in `panel`.
  int64_t panel_elements() const { return copies_ ? k_ * columns_[0].width : 0; }

 private:
  int64_t k_, a_row_, a_column_, b_row_, b_column_, c_row_;
  bool copies_;
  int kinds_ = 0;
  TileColumns<T> columns_[4];
};

}  // namespace tenon::cpu
