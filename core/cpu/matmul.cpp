// Matrix products: which kernel, and how the threads share the work. Pieces depend on the sizes alone, so the
// bits are the same for any number of threads. Ours are products of a few rows with columns of B
// (matmul_dots), and all others of which a panel of B fits the second cache (matmul_tiles); the rest is
// OpenBLAS's.
#include "core/cpu/matmul.h"

#include <algorithm>
#include <bit>

#include "core/cpu/blas.h"
#include "core/cpu/matmul_dots.h"
#include "core/cpu/matmul_tiles.h"
#include "core/cpu/scratch.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// C[m, n] = A[m, k] B[k, n], C row-major.
template <class T>
struct Product {
  int64_t m, n, k;
  Matrix<const T> a, b;
  T* c;
  int64_t c_row;
};

// Turning B round costs about as much as multiplying it with 24 rows; sums over the lanes cost the more, the
// shorter k.
template <class T>
bool wants_dots(const Product<T>& p) {
  return p.a.column == 1 && p.b.row == 1 && p.m <= std::max<int64_t>(4, p.k / 32);
}

template <class T>
void multiply_piece(const Product<T>& p) {
  constexpr int64_t kLongest = 2048;  // a panel of 64 columns of float32 has 512 KiB
  if (wants_dots(p)) return multiply_dots(p.m, p.n, p.k, p.a, p.b, p.c, p.c_row);
  if (p.k > kLongest && p.m > 1) return multiply(p.m, p.n, p.k, p.a, p.b, T{0}, Matrix<T>{p.c, p.c_row, 1});
  const TileProduct<T> tiles(p.m, p.n, p.k, p.a, p.b, p.c_row);
  const Scratch<T> panel(tiles.panel_elements());
  tiles(p.a.at, p.b.at, p.c, panel.data());
}

// Pieces of a side of C: of about 2^22 multiply-adds, where B's way from memory counts as much as four rows,
// and of at least 64 rows or columns. Their number is a power of two, so that they share out evenly on the
// usual numbers of threads.
int64_t pieces_of(int64_t side, int64_t other, int64_t k) {
  const int64_t work = std::max<int64_t>(side * std::max<int64_t>(other, 4) * k >> 22, 1);
  const auto pieces = static_cast<uint64_t>(std::min(work, std::max<int64_t>(side / 64, 1)));
  return static_cast<int64_t>(std::bit_floor(pieces));
}

template <class T>
void one_product(Product<T> p) {
  // A column of C is a row of its transpose.
  if (p.n == 1 && p.m > 1)
    p = {1, p.m, p.k, {p.b.at, p.b.column, p.b.row}, {p.a.at, p.a.column, p.a.row}, p.c, p.m};
  // The longer side is cut; but each piece of rows turns all of B round where that is to be done.
  const bool cut_rows = p.m > p.n && (p.b.column == 1 || p.n < 256);
  const int64_t side = cut_rows ? p.m : p.n, pieces = pieces_of(side, cut_rows ? p.n : p.m, p.k);
  if (pieces == 1) return multiply_piece(p);
  const int64_t most = ((side + pieces - 1) / pieces + 15) / 16 * 16;
  parallel_for((side + most - 1) / most, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Product<T> piece = p;
      const int64_t from = i * most, some = std::min(most, side - from);
      (cut_rows ? piece.m : piece.n) = some;
      (cut_rows ? piece.a.at : piece.b.at) += from * (cut_rows ? p.a.row : p.b.column);
      piece.c += from * (cut_rows ? p.c_row : 1);
      multiply_piece(piece);
    }
  });
}

// Products of one kind: what can be decided once is.
template <class T>
void small_products(const MatmulPlan& p, const Product<T>& first, int64_t begin, int64_t end) {
  const TileProduct<T> tiles(p.m, p.n, p.k, first.a, first.b, p.c_row);
  const Scratch<T> panel(tiles.panel_elements());
  for (int64_t i = begin; i < end; ++i) {
    int64_t offset[3];
    p.batch.offsets_of(i, offset);
    tiles(first.a.at + offset[1], first.b.at + offset[2], first.c + offset[0], panel.data());
  }
}

template <class T>
void products(const MatmulPlan& p, const Product<T>& first, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; ++i) {
    int64_t offset[3];
    p.batch.offsets_of(i, offset);
    Product<T> at = first;
    at.c += offset[0], at.a.at += offset[1], at.b.at += offset[2];
    one_product(at);
  }
}

}  // namespace

void matmul(const MatmulPlan& plan, DType dtype, void* c, const void* a, const void* b) {
  visit_floating("matmul", dtype, [&](auto tag) {
    using T = decltype(tag);
    const Product<T> first{plan.m,
                           plan.n,
                           plan.k,
                           {static_cast<const T*>(a), plan.a_row, plan.a_column},
                           {static_cast<const T*>(b), plan.b_row, plan.b_column},
                           static_cast<T*>(c),
                           plan.c_row};
    const bool small =
        plan.m > 1 && plan.n > 1 && std::max({plan.m, plan.n, plan.k}) <= 128 && !wants_dots(first);
    parallel_for(plan.batch.numel, grain_for_flops(plan.m * plan.n * plan.k),
                 [&](int64_t begin, int64_t end) {
                   (small ? small_products<T> : products<T>)(plan, first, begin, end);
                 });
  });
}

}  // namespace tenon::cpu
