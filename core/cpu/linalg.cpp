// Symmetric eigen, QR, Cholesky and triangular solves on the CPU: a matrix after the other, threads across matrices.
#include "core/cpu/linalg.h"

#include <algorithm>
#include <cmath>

#include "core/cpu/blas.h"
#include "core/cpu/dot.h"
#include "core/cpu/scratch.h"
#include "core/cpu/symmetric_eigen.h"
#include "core/parallel.h"

namespace tenon::cpu {
namespace {

// Calls f(b) for every matrix; `flops` of one.
template <class F>
void for_each_matrix(const MatrixBatch& batch, int64_t flops, const F& f) {
  parallel_for(batch.count, grain_for_flops(flops), [&](int64_t begin, int64_t end) {
    for (int64_t b = begin; b < end; ++b) f(b);
  });
}

// Eigenvectors as columns, in T; the first component that reaches half of the largest magnitude is positive.
template <class T>
LinalgStatus eigh_one(const MatrixBatch& in, const T* a, T* w, T* v) {
  const int64_t n = in.rows, pitch = symmetric_eigen_pitch(n);
  Scratch<double> memory(n * pitch + n * n + n);
  double *const symmetric = memory.data(), *const vectors = symmetric + n * pitch,
                *const values = vectors + n * n;
  double largest = 0, zero = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      const double x = 0.5 * a[i * in.row + j * in.column] + 0.5 * a[j * in.row + i * in.column];
      symmetric[i * pitch + j] = x;
      largest = std::max(largest, std::fabs(x));
      zero += x * 0;
    }
  if (zero != 0) return LinalgStatus::not_finite;
  const int exponent =
      largest > 0 ? std::clamp(std::ilogb(largest * static_cast<double>(n)), -1000, 1000) : 0;
  const double by = std::ldexp(1.0, -exponent);
  for (int64_t i = 0; i < n * pitch; ++i) symmetric[i] *= by;
  if (!symmetric_eigen(n, symmetric, values, vectors)) return LinalgStatus::not_converged;
  for (int64_t j = 0; j < n; ++j) {
    const double* const vector = vectors + j * n;
    double half = 0;
    for (int64_t i = 0; i < n; ++i) half = std::max(half, std::fabs(vector[i]) / 2);
    const double chosen = *std::find_if(vector, vector + n, [&](double x) { return std::fabs(x) >= half; });
    for (int64_t i = 0; i < n; ++i) v[i * n + j] = static_cast<T>(chosen < 0 ? -vector[i] : vector[i]);
    w[j] = static_cast<T>(std::ldexp(values[j], exponent));
  }
  return LinalgStatus::ok;
}

// A = Q R by Householder reflections, in panels of kPanel columns: within a panel one by one, and to what follows the
// whole panel at once, as I - V T V^T (Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10, 1989). A panel lies in
// memory as [m, kPanel], its columns side by side: products with one of them are then sums of rows, which need no sum
// across lanes. Of m n^2 multiply-adds a panel that is twice as wide as the matrix does as many again for nothing, so
// narrow matrices get a narrow one. Loops over a panel's columns are kept from being unrolled: written out, g++ 12 makes
// 16 scalars of them instead of a vector, and it all takes twice as long.
template <class T, int64_t kPanel>
class Qr {
 public:
  Qr(int64_t m, int64_t n)
      : m_(m),
        n_(n),
        padded_((m + kLanes - 1) / kLanes * kLanes),
        panels_((n + kPanel - 1) / kPanel),
        memory_(panels_ * (m + kPanel) * kPanel + kPanel * n + padded_),
        v_(memory_.data()),
        t_(v_ + panels_ * m * kPanel),
        small_(t_ + panels_ * kPanel * kPanel),
        column_(small_ + kPanel * n) {}

  LinalgStatus run(const MatrixBatch& in, const T* a, T* q, T* r) {
    T zero = 0;
    std::fill_n(v_, panels_ * m_ * kPanel, T(0));
    for (int64_t i = 0; i < m_; ++i)
      for (int64_t j = 0; j < n_; ++j) {
        const T x = a[i * in.row + j * in.column];
        panel(j / kPanel)[i * kPanel + j % kPanel] = x;
        zero += x * 0;  // becomes NaN if an element is infinite or NaN
      }
    if (zero != 0) return LinalgStatus::not_finite;
    std::fill_n(column_, padded_, T(0));
    std::fill_n(r, n_ * n_, T(0));
    for (int64_t p = 0; p < panels_; ++p) {
      factor(p, r);
      for (int64_t after = p + 1; after < panels_; ++after)
        apply(p, panel(after), kPanel, columns(after), true);
    }
    std::fill_n(q, m_ * n_, T(0));
    for (int64_t j = 0; j < n_; ++j) q[j * n_ + j] = 1;
    for (int64_t p = panels_ - 1; p >= 0; --p) apply(p, q + p * kPanel, n_, n_ - p * kPanel, false);
    for (int64_t j = 0; j < n_; ++j) {
      if (r[j * n_ + j] >= 0) continue;
      for (int64_t k = j; k < n_; ++k) r[j * n_ + k] = -r[j * n_ + k];
      for (int64_t i = 0; i < m_; ++i) q[i * n_ + j] = -q[i * n_ + j];
    }
    return LinalgStatus::ok;
  }

 private:
  static constexpr int64_t kLanes = 16;

  T* panel(int64_t p) const { return v_ + p * m_ * kPanel; }
  // T of a panel, column by column.
  T* t_of(int64_t p) const { return t_ + p * kPanel * kPanel; }
  int64_t columns(int64_t p) const { return std::min(kPanel, n_ - p * kPanel); }

  // A panel to its rows of R and its reflections, and to their T.
  void factor(int64_t p, T* r) {
    T *const x = panel(p), *const t = t_of(p);
    for (int64_t j = 0; j < columns(p); ++j) {
      const int64_t k = p * kPanel + j;
      for (int64_t i = 0; i < k; ++i) r[i * n_ + k] = x[i * kPanel + j];
      for (int64_t i = 0; i < m_; ++i) column_[i] = x[i * kPanel + j];
      const T scale = reflection(k, r[k * n_ + k]);
      for (int64_t i = 0; i < m_; ++i) x[i * kPanel + j] = column_[i];
      T along[kPanel];
      multiply_columns(x, k, along);
      // T's column j: scale on the diagonal, above it -scale T (V^T v).
      T mixed[kPanel] = {};
      for (int64_t l = 0; l < j; ++l) {
#pragma GCC unroll 1
        for (int64_t i = 0; i < kPanel; ++i) mixed[i] += t[l * kPanel + i] * along[l];
      }
#pragma GCC unroll 1
      for (int64_t i = 0; i < kPanel; ++i) t[j * kPanel + i] = i < j ? -scale * mixed[i] : T(0);
      t[j * kPanel + j] = scale;
#pragma GCC unroll 1
      for (int64_t c = 0; c < kPanel; ++c) along[c] = c > j ? scale * along[c] : T(0);
      for (int64_t i = k; i < m_; ++i) {
#pragma GCC unroll 1
        for (int64_t c = 0; c < kPanel; ++c) x[i * kPanel + c] -= column_[i] * along[c];
      }
    }
  }

  // Products of column_ with all columns of a panel, from row k on, in two sums that need not wait for each other.
  void multiply_columns(const T* x, int64_t k, T* along) const {
    T even[kPanel] = {}, odd[kPanel] = {};
    int64_t i = k;
    for (; i + 2 <= m_; i += 2) {
      const T *const row = x + i * kPanel, a = column_[i], b = column_[i + 1];
#pragma GCC unroll 1
      for (int64_t c = 0; c < kPanel; ++c) {
        even[c] += a * row[c];
        odd[c] += b * row[kPanel + c];
      }
    }
#pragma GCC unroll 1
    for (int64_t c = 0; c < kPanel; ++c)
      along[c] = even[c] + odd[c] + (i < m_ ? column_[i] * x[i * kPanel + c] : 0);
  }

  // Turns column_ from row k on into the vector v of the reflection I - scale v v^T that maps it to (beta, 0, ..., 0),
  // and clears it above. What lies before row k and behind row m is 0, so that all runs in whole vectors.
  T reflection(int64_t k, T& beta) const {
    const T head = column_[k];
    std::fill_n(column_, k + 1, T(0));
    T* const v = column_ + k / kLanes * kLanes;
    const int64_t count = padded_ - k / kLanes * kLanes;
    T lane[kLanes] = {};
    for (int64_t i = 0; i < count; i += kLanes) {
#pragma GCC unroll 1
      for (int64_t l = 0; l < kLanes; ++l) lane[l] = std::max(lane[l], std::fabs(v[i + l]));
    }
    const T largest = std::max(std::fabs(head), join_lanes(lane, [](T a, T b) { return std::max(a, b); }));
    if (largest == 0) {
      column_[k] = 1;
      beta = 0;
      return 0;
    }
    std::fill_n(lane, kLanes, T(0));
    for (int64_t i = 0; i < count; i += kLanes)
#pragma GCC unroll 1
      for (int64_t l = 0; l < kLanes; ++l) {
        const T x = v[i + l] / largest;  // squares neither overflow nor vanish
        v[i + l] = x;
        lane[l] += x * x;
      }
    const T scaled = head / largest;
    const T length = std::sqrt(scaled * scaled + join_lanes(lane, [](T a, T b) { return a + b; }));
    const T image = -std::copysign(length, scaled);
    for (int64_t i = 0; i < count; ++i) v[i] /= scaled - image;
    column_[k] = 1;
    beta = image * largest;
    return (image - scaled) / image;
  }

  // x <- (I - V T V^T) x for the reflections of panel p, or its transpose, which undoes it. x [m, width] has its rows
  // `pitch` apart; those above the panel's reflections stay.
  void apply(int64_t p, T* x, int64_t pitch, int64_t width, bool transposed) {
    const int64_t first = p * kPanel, count = columns(p), rows = m_ - first;
    const Matrix<const T> v{panel(p) + first * kPanel, kPanel, 1}, vt{v.at, 1, kPanel};
    const Matrix<T> target{x + first * pitch, pitch, 1};
    const T* const t = t_of(p);
    multiply(count, width, rows, vt, Matrix<const T>{target.at, pitch, 1}, T(0),
             Matrix<T>{small_, width, 1});  // V^T x
    // small_ <- -T small_, from its first row on, or -T^T small_, from its last: T is upper triangular.
    for (int64_t step = 0; step < count; ++step) {
      const int64_t i = transposed ? count - 1 - step : step;
      T* const row = small_ + i * width;
      const T own = -t[i * kPanel + i];
      for (int64_t c = 0; c < width; ++c) row[c] *= own;
      for (int64_t j = transposed ? 0 : i + 1; j < (transposed ? i : count); ++j)
        subtract(width, transposed ? t[i * kPanel + j] : t[j * kPanel + i], small_ + j * width, row);
    }
    multiply(rows, width, count, v, Matrix<const T>{small_, width, 1}, T(1), target);
  }

  const int64_t m_, n_, padded_, panels_;
  Scratch<T> memory_;
  T *const v_, *const t_, *const small_, *const column_;
};

// Row by row: L_ij = (A_ij - L_i . L_j) / L_jj, and L_ii the root of what is left.
template <class T>
LinalgStatus cholesky_one(const MatrixBatch& in, const T* a, T* l) {
  const int64_t n = in.rows;
  for (int64_t i = 0; i < n; ++i) {
    T* const row = l + i * n;
    for (int64_t j = 0; j <= i; ++j) {
      const T x = T(0.5) * a[i * in.row + j * in.column] + T(0.5) * a[j * in.row + i * in.column];
      const T rest = x - dot(j, row, l + j * n);
      if (j < i) {
        row[j] = rest / l[j * n + j];
      } else if (rest > 0 && std::isfinite(rest)) {
        row[i] = std::sqrt(rest);
      } else {
        return LinalgStatus::not_positive_definite;
      }
    }
    std::fill(row + i + 1, row + n, T(0));
  }
  return LinalgStatus::ok;
}

// Columns [from, to) of one system, by substitution.
template <class T>
void solve_one(const TriangularPlan& plan, const T* a, T* x, int64_t from, int64_t to) {
  const int64_t n = plan.n;
  auto op = [&](int64_t i, int64_t j) { return plan.transposed ? a[j * n + i] : a[i * n + j]; };
  const bool upwards = plan.upper != plan.transposed;  // op(A) is upper triangular: from the last row up
  for (int64_t step = 0; step < n; ++step) {
    const int64_t i = upwards ? n - 1 - step : step;
    T* const row = x + i * plan.columns;
    for (int64_t j = upwards ? i + 1 : 0; j < (upwards ? n : i); ++j)
      subtract(to - from, op(i, j), x + j * plan.columns + from, row + from);
    for (int64_t c = from; c < to; ++c) row[c] /= op(i, i);
  }
}

}  // namespace

void eigh(const MatrixBatch& a, DType dtype, const void* in, void* w, void* v, LinalgStatus* status) {
  const int64_t n = a.rows;
  visit_floating("eigh", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_matrix(a, 9 * n * n * n, [&](int64_t b) {
      status[b] = eigh_one(a, static_cast<const T*>(in) + b * a.step, static_cast<T*>(w) + b * n,
                           static_cast<T*>(v) + b * n * n);
    });
  });
}

void qr(const MatrixBatch& a, DType dtype, const void* in, void* q, void* r, LinalgStatus* status) {
  const int64_t m = a.rows, n = a.columns;
  visit_floating("qr", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_matrix(a, 4 * m * n * n, [&](int64_t b) {
      const auto run = [&](auto decomposition) {
        status[b] = decomposition.run(a, static_cast<const T*>(in) + b * a.step,
                                      static_cast<T*>(q) + b * m * n, static_cast<T*>(r) + b * n * n);
      };
      if (n <= 16) return run(Qr<T, 16>(m, n));
      run(Qr<T, 32>(m, n));
    });
  });
}

void cholesky(const MatrixBatch& a, DType dtype, const void* in, void* l, LinalgStatus* status) {
  const int64_t n = a.rows;
  visit_floating("cholesky", dtype, [&](auto tag) {
    using T = decltype(tag);
    for_each_matrix(a, n * n * n / 3, [&](int64_t b) {
      status[b] = cholesky_one(a, static_cast<const T*>(in) + b * a.step, static_cast<T*>(l) + b * n * n);
    });
  });
}

void solve_triangular(const TriangularPlan& plan, DType dtype, const void* a, void* x) {
  constexpr int64_t kColumns = 64;
  const int64_t blocks = (plan.columns + kColumns - 1) / kColumns, n = plan.n;
  visit_floating("solve_triangular", dtype, [&](auto tag) {
    using T = decltype(tag);
    parallel_for(plan.count * blocks, grain_for_flops(n * n * std::min(plan.columns, kColumns)),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t i = begin; i < end; ++i) {
                     const int64_t b = i / blocks, from = i % blocks * kColumns;
                     solve_one(plan, static_cast<const T*>(a) + b * n * n,
                               static_cast<T*>(x) + b * n * plan.columns, from,
                               std::min(plan.columns, from + kColumns));
                   }
                 });
  });
}

}  // namespace tenon::cpu
