// Symmetric eigen: one-sided Jacobi (cuda/kernels/jacobi.h), a block a matrix.
//
// A symmetric matrix becomes positive definite as B = A + c I with c = 2 |A|: B V = W has no short columns (its condition
// is at most 3), so W / |W| are the eigenvectors and no X is needed; the values are v^T A v.
#include "core/ops/contract.h"
#include "cuda/kernels/jacobi.h"
#include "cuda/kernels/linalg.h"
#include "cuda/kernels/linalg_signs.h"
#include "cuda/runtime/scratch.h"

namespace tenon::cuda {
namespace {

template <class T, int kPacks>
__global__ void __launch_bounds__(jacobi_threads<T>(kPacks), 1)
    eigh_kernel(MatrixBatch a, const T* in, T* values, T* vectors, T* global, LinalgStatus* status) {
  TENON_DYNAMIC_SHARED(T, shared);
  const int n = static_cast<int>(a.rows), teams = static_cast<int>(blockDim.y);
  const int64_t b = blockIdx.x;
  const Columns<T> w{columns_of<T, kPacks>(shared, global, n, b), n};
  T* const squares = w[n];
  in += b * a.step, values += b * n, vectors += b * n * n;
  const T largest = largest_in(a, in);
  const bool finite = largest == largest;
  const int exponent = finite && largest > 0 ? std::ilogb(largest) : 0;
  const T by = std::ldexp(T(1), exponent < -120 ? 120 : -exponent);
  const T back = std::ldexp(T(1), exponent < -120 ? -120 : exponent);
  auto element = [&](int i, int j) {
    return finite
               ? (T(0.5) * by) * in[i * a.row + j * a.column] + (T(0.5) * by) * in[j * a.row + i * a.column]
               : T(0);
  };
  sum_columns(n, squares, [&](int i, int j, T sum) { return math::fma(element(i, j), element(i, j), sum); });
  T square = 0;
  for (int j = 0; j < n; ++j) square += squares[j];
  const T shift = 2 * std::sqrt(square) + std::numeric_limits<T>::min();
  fill(w, [&](int i, int j) { return element(i, j) / shift + (i == j ? T(1) : T(0)); });
  const bool converged = orthogonalise<T, kPacks>(w, squares, static_cast<T*>(nullptr)).converged;
  for (int j = static_cast<int>(threadIdx.y); j < n; j += teams) {
    const T by_length = 1 / std::sqrt(squares[j]);
    const int place = place_of(squares, n, j, false);
    for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(kTeamLanes)) {
      w[j][i] *= by_length;
      vectors[int64_t{i} * n + place] = w[j][i];
    }
  }
  __syncthreads();
  for (int first = 0; first < n; first += teams) {
    const int j = first + static_cast<int>(threadIdx.y);
    T value = 0;
    if (j < n)
      for (int i = static_cast<int>(threadIdx.x); i < n; i += static_cast<int>(kTeamLanes)) {
        T row = 0;
        TENON_ROLLED
        for (int k = 0; k < n; ++k) row = math::fma(element(i, k), w[j][k], row);
        value = math::fma(row, w[j][i], value);
      }
    value = across_lanes(value);
    if (j < n && threadIdx.x == 0) values[place_of(squares, n, j, false)] = value * back;
  }
  if (thread_of_block() == 0)
    status[b] = !finite     ? LinalgStatus::not_finite
                : converged ? LinalgStatus::ok
                            : LinalgStatus::not_converged;
}

}  // namespace

void eigh(const MatrixBatch& a, DType dtype, const void* in, void* w, void* v, LinalgStatus* status) {
  visit_floating("eigh", dtype, [&](auto tag) {
    using T = decltype(tag);
    visit_packs<T>(a.rows, [&](auto packs, size_t bytes) {
      constexpr int kPacks = decltype(packs)::value;
      const Scratch global(kPacks > 0 ? 1 : static_cast<size_t>(a.count) * bytes);
      launch("eigh", eigh_kernel<T, kPacks>, {static_cast<unsigned>(a.count)},
             jacobi_block<T>(a.rows, kPacks), kPacks > 0 ? bytes : kLeastShared, a, static_cast<const T*>(in),
             static_cast<T*>(w), static_cast<T*>(v), global.as<T>(), status);
    });
    fix_signs(a.count, static_cast<T*>(v), a.rows, static_cast<T*>(nullptr), int64_t{0}, a.rows, false);
  });
}

}  // namespace tenon::cuda

TENON_CUDA_ENTRY(eigh)
