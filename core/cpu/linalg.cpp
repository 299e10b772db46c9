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
// whole panel at once, as I - V T V^T (Schreiber and Van Loan, SIAM J. Sci. Stat. Comput. 10, 1989). A column of the
// matrices here is a contiguous row of m numbers.
template <class T>
class Qr {
 public:
  Qr(int64_t m, int64_t n) : m_(m), n_(n), memory_(2 * m * n + n * kPanel + n * kPanel) {
    v_ = memory_.data();
    q_ = v_ + m * n;
    t_ = q_ + m * n;
    small_ = t_ + n * kPanel;
  }

  LinalgStatus run(const MatrixBatch& in, const T* a, T* q, T* r) {
    T zero = 0;
    for (int64_t j = 0; j < n_; ++j)
      for (int64_t i = 0; i < m_; ++i) {
        const T x = a[i * in.row + j * in.column];
        v_[j * m_ + i] = x;
        zero += x * 0;  // becomes NaN if an element is infinite or NaN
      }
    if (zero != 0) return LinalgStatus::not_finite;
    std::fill_n(r, n_ * n_, T(0));
    for (int64_t first = 0; first < n_; first += kPanel) factor(first, std::min(kPanel, n_ - first), r);
    std::fill_n(q_, m_ * n_, T(0));
    for (int64_t j = 0; j < n_; ++j) q_[j * m_ + j] = 1;
    for (int64_t first = (n_ - 1) / kPanel * kPanel; first >= 0; first -= kPanel)
      apply(first, std::min(kPanel, n_ - first), q_, first, n_, true);
    for (int64_t j = 0; j < n_; ++j) {
      const bool flip = r[j * n_ + j] < 0;
      if (flip)
        for (int64_t k = j; k < n_; ++k) r[j * n_ + k] = -r[j * n_ + k];
      for (int64_t i = 0; i < m_; ++i) q[i * n_ + j] = flip ? -q_[j * m_ + i] : q_[j * m_ + i];
    }
    return LinalgStatus::ok;
  }

 private:
  static constexpr int64_t kPanel = 32;

  // Columns [first, first + count): to R and reflections; then T; then all columns after them.
  void factor(int64_t first, int64_t count, T* r) {
    T* const t = t_ + first * kPanel;
    for (int64_t j = 0; j < count; ++j) {
      const int64_t k = first + j;
      T* const v = v_ + k * m_;
      for (int64_t i = 0; i < k; ++i) r[i * n_ + k] = v[i];
      const T scale = reflection(v, k, r[k * n_ + k]);
      for (int64_t c = k + 1; c < first + count; ++c) {
        T* const x = v_ + c * m_ + k;
        subtract(m_ - k, scale * dot(m_ - k, v + k, x), v + k, x);
      }
      // T's column j: scale on the diagonal, above it -scale T (V^T v).
      T along[kPanel];
      for (int64_t i = 0; i < j; ++i) along[i] = dot(m_ - k, v_ + (first + i) * m_ + k, v + k);
      for (int64_t i = 0; i < j; ++i) {
        T sum = 0;
        for (int64_t l = i; l < j; ++l) sum += t[i * kPanel + l] * along[l];
        t[i * kPanel + j] = -scale * sum;
        t[j * kPanel + i] = 0;
      }
      t[j * kPanel + j] = scale;
    }
    if (first + count < n_) apply(first, count, v_, first + count, n_, false);
  }

  // Turns v[k, m) into the vector of the reflection I - scale v v^T that maps it to (beta, 0, ..., 0).
  T reflection(T* v, int64_t k, T& beta) const {
    const int64_t below = m_ - k - 1;
    const T head = v[k];
    T largest = std::fabs(head);
    for (int64_t i = k + 1; i < m_; ++i) largest = std::max(largest, std::fabs(v[i]));
    std::fill_n(v, k, T(0));
    v[k] = 1;
    if (largest == 0) {
      beta = 0;
      return 0;
    }
    for (int64_t i = k + 1; i < m_; ++i) v[i] /= largest;  // squares neither overflow nor vanish
    const T scaled = head / largest;
    const T length = std::sqrt(scaled * scaled + dot(below, v + k + 1, v + k + 1));
    const T image = -std::copysign(length, scaled);
    for (int64_t i = k + 1; i < m_; ++i) v[i] /= scaled - image;
    beta = image * largest;
    return (image - scaled) / image;
  }

  // Columns [from, to) of x <- (I - V T V^T) x, or its transpose, which undoes it. Rows before `first` stay.
  void apply(int64_t first, int64_t count, T* x, int64_t from, int64_t to, bool forward) {
    const int64_t columns = to - from, rows = m_ - first;
    const Matrix<const T> v{v_ + first * m_ + first, m_, 1}, vt{v.at, 1, m_};
    const Matrix<T> target{x + from * m_ + first, m_, 1};
    T* const along = small_;           // [columns, count]: x^T V
    T* const t = t_ + first * kPanel;  // [count, count]
    multiply(columns, count, rows, Matrix<const T>{target.at, m_, 1}, vt, T(0), Matrix<T>{along, kPanel, 1});
    for (int64_t c = 0; c < columns; ++c) {
      T mixed[kPanel] = {};
      for (int64_t i = 0; i < count; ++i)
        for (int64_t j = 0; j < count; ++j)
          mixed[j] -= along[c * kPanel + i] * (forward ? t[j * kPanel + i] : t[i * kPanel + j]);
      std::copy_n(mixed, kPanel, along + c * kPanel);
    }
    multiply(columns, rows, count, Matrix<const T>{along, kPanel, 1}, v, T(1), target);
  }

  const int64_t m_, n_;
  Scratch<T> memory_;
  T *v_, *q_, *t_, *small_;
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
      status[b] = Qr<T>(m, n).run(a, static_cast<const T*>(in) + b * a.step, static_cast<T*>(q) + b * m * n,
                                  static_cast<T*>(r) + b * n * n);
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
