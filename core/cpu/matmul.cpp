// Matrix products. OpenBLAS does the large ones, single-threaded on tiles of a partition that depends on the
// sizes alone, so the bits are the same for any number of threads. Products with a single row or column are
// memory-bound and go to loops of ours.
#include "core/cpu/matmul.h"

#include <algorithm>
#include <bit>

#include "core/cpu/blas.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// y[i] = sum_j M[i, j] x[j] over `rows` x `cols`. Dot products where the matrix is stored by rows, sums of
// columns where it is stored by columns; 16 lanes in either case.
template <class T>
void matrix_times_vector(int64_t rows, int64_t cols, const T* m, int64_t row_step, int64_t col_step,
                         const T* x, int64_t x_step, T* y, int64_t y_step) {
  constexpr int kLanes = 16;
  if (row_step == 1 && rows >= kLanes) {
    parallel_for((rows + 255) / 256, grain_for_flops(cols * 256), [&](int64_t begin, int64_t end) {
      for (int64_t block = begin; block < end; ++block) {
        T acc[256] = {};
        const int64_t first = block * 256, n = std::min<int64_t>(256, rows - first);
        for (int64_t j = 0; j < cols; ++j) {
          const T scale = x[j * x_step];
          const T* column = m + first + j * col_step;
          for (int64_t i = 0; i < n; ++i) acc[i] += scale * column[i];
        }
        for (int64_t i = 0; i < n; ++i) y[(first + i) * y_step] = acc[i];
      }
    });
    return;
  }
  parallel_for(rows, grain_for_flops(cols), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const T* row = m + i * row_step;
      T lane[kLanes] = {};
      int64_t j = 0;
      if (col_step == 1 && x_step == 1)
        for (; j + kLanes <= cols; j += kLanes)
          for (int l = 0; l < kLanes; ++l) lane[l] += row[j + l] * x[j + l];
      T acc = 0;
      for (T v : lane) acc += v;
      for (; j < cols; ++j) acc += row[j * col_step] * x[j * x_step];
      y[i * y_step] = acc;
    }
  });
}

// Cuts the longer side of C into pieces of about 2^22 multiply-adds, in multiples of 16. Their number is a
// power of two, so that they share out evenly on the usual numbers of threads.
int64_t piece_of(int64_t side, int64_t other, int64_t k) {
  int64_t pieces = static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(side * other * k) >> 22));
  pieces = std::clamp<int64_t>(pieces, 1, 64);
  return ((side + pieces - 1) / pieces + 15) / 16 * 16;
}

template <class T>
void one_product(const MatmulPlan& p, T* c, const T* a, const T* b) {
  if (p.n == 1) return matrix_times_vector(p.m, p.k, a, p.a_row, p.a_column, b, p.b_row, c, p.c_row);
  if (p.m == 1) return matrix_times_vector(p.n, p.k, b, p.b_column, p.b_row, a, p.a_column, c, int64_t{1});
  const bool cut_rows = p.m >= p.n;
  const int64_t side = cut_rows ? p.m : p.n;
  const int64_t piece = piece_of(side, cut_rows ? p.n : p.m, p.k);
  parallel_for((side + piece - 1) / piece, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t from = i * piece;
      const int64_t n = std::min(piece, side - from);
      multiply(cut_rows ? n : p.m, cut_rows ? p.n : n, p.k,
               Matrix<const T>{cut_rows ? a + from * p.a_row : a, p.a_row, p.a_column},
               Matrix<const T>{cut_rows ? b : b + from * p.b_column, p.b_row, p.b_column}, T{0},
               Matrix<T>{cut_rows ? c + from * p.c_row : c + from, p.c_row, 1});
    }
  });
}

}  // namespace

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  visit_floating("matmul", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(plan.batch.numel, grain_for_flops(plan.m * plan.n * plan.k),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     int64_t offset[3];
                     plan.batch.offsets_of(i, offset);
                     one_product(plan, static_cast<T*>(c) + offset[0], static_cast<const T*>(a) + offset[1],
                                 static_cast<const T*>(b) + offset[2]);
                   }
                 });
  });
}

}  // namespace tenon::cpu
