// A = Q T Q^T with T tridiagonal (Householder), then T = G diag(w) G^T by QL iterations with implicit shifts
// (Golub and Van Loan, Matrix Computations, 8.3).
//
// Counted for n x n. Reduction: 4/3 n^3 flops, and one pass over what is left of A a step, which applies the last
// reflection and multiplies by the next vector at once: n^3 / 3 doubles read and written. QL: about 1.7 iterations a
// value, 0.85 n^2 rotations in all, one after the other. They do not need the vectors, so they are written down first,
// and then played to Q in panels of 16 rows that stay in the first-level cache: 5 n^3 flops at the speed of SIMD.
#include "core/cpu/symmetric_eigen.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/cpu/scratch.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::ScalableTag<double>;
using Vector = hn::Vec<Tag>;
constexpr Tag d;
constexpr int64_t kLanes = static_cast<int64_t>(hn::MaxLanes(Tag()));

class Tridiagonal {
 public:
  Tridiagonal(int64_t n, double* a, double* diagonal, double* below)
      : n_(n),
        pitch_(symmetric_eigen_pitch(n)),
        a_(a),
        diagonal_(diagonal),
        below_(below),
        work_(3 * pitch_ + n) {
    std::fill_n(work_.data(), 3 * pitch_ + n, 0.0);
    v_ = work_.data();
    w_ = v_ + pitch_;
    product_ = w_ + pitch_;
    scale_ = product_ + pitch_;
  }

  /// Leaves the reflections in the rows of a: I - scale[k] v v^T with v in row k, zeros before k + 1.
  void reduce() {
    for (int64_t k = 0; k + 1 < n_; ++k) {
      double* const row = a_ + k * pitch_;
      // Row k still lacks the last reflection: A <- A - v w^T - w v^T.
      for (int64_t j = k; j < n_; ++j) row[j] -= v_[k] * w_[j] + w_[k] * v_[j];
      diagonal_[k] = row[k];
      if (k + 2 == n_) {
        below_[k] = row[k + 1];
        break;
      }
      below_[k] = reflection(row, k);
      multiply(row, k);
      double along = 0;
      for (int64_t j = k + 1; j < n_; ++j) along += product_[j] * row[j];
      along *= scale_[k] * scale_[k] / 2;
      std::copy_n(row, pitch_, v_);
      for (int64_t j = 0; j < pitch_; ++j)
        w_[j] = j > k && j < n_ ? scale_[k] * product_[j] - along * v_[j] : 0;
    }
    diagonal_[n_ - 1] = a_[(n_ - 1) * pitch_ + n_ - 1] - 2 * v_[n_ - 1] * w_[n_ - 1];
  }
  const double* scale() const { return scale_; }

 private:
  // Turns row[k + 1, n) into the vector v of the reflection that maps it to (beta, 0, ..., 0); returns beta.
  double reflection(double* row, int64_t k) {
    double tail = 0;
    for (int64_t j = k + 2; j < n_; ++j) tail += row[j] * row[j];
    const double head = row[k + 1];
    std::fill_n(row, k + 1, 0.0);
    if (tail == 0) {
      scale_[k] = 0;
      std::fill_n(row + k + 1, n_ - k - 1, 0.0);
      return head;
    }
    const double beta = -std::copysign(std::sqrt(head * head + tail), head);
    scale_[k] = (beta - head) / beta;
    row[k + 1] = 1;
    for (int64_t j = k + 2; j < n_; ++j) row[j] /= head - beta;
    return beta;
  }

  // The one pass of step k: rows below k take the last reflection, and are multiplied by the new vector.
  void multiply(const double* v, int64_t k) {
    int64_t i = k + 1;
    for (; i + 4 <= n_; i += 4) multiply_rows<4>(v, k, i);
    for (; i < n_; ++i) multiply_rows<1>(v, k, i);
  }
  template <int kRows>
  void multiply_rows(const double* v, int64_t k, int64_t i) {
    Vector sum[kRows], by_w[kRows], by_v[kRows];
    for (int r = 0; r < kRows; ++r) {
      sum[r] = hn::Zero(d);
      by_w[r] = hn::Set(d, v_[i + r]);
      by_v[r] = hn::Set(d, w_[i + r]);
    }
    for (int64_t j = (k + 1) / kLanes * kLanes; j < pitch_; j += kLanes) {
      const auto last_v = hn::Load(d, v_ + j), last_w = hn::Load(d, w_ + j), next = hn::Load(d, v + j);
      for (int r = 0; r < kRows; ++r) {
        double* const at = a_ + (i + r) * pitch_ + j;
        const auto x = hn::NegMulAdd(by_w[r], last_w, hn::NegMulAdd(by_v[r], last_v, hn::Load(d, at)));
        hn::Store(x, d, at);
        sum[r] = hn::MulAdd(x, next, sum[r]);
      }
    }
    for (int r = 0; r < kRows; ++r) product_[i + r] = hn::GetLane(hn::SumOfLanes(d, sum[r]));
  }

  const int64_t n_, pitch_;
  double *a_, *diagonal_, *below_;
  Scratch<double> work_;
  double *v_, *w_, *product_, *scale_;  // the last reflection as v w^T + w v^T; A times the new vector
};

// Q in panels: the rows [r, r + kPanel) of column j are one piece, the pieces of a panel follow each other.
class Panels {
 public:
  static constexpr int64_t kPanel = 2 * kLanes;

  explicit Panels(int64_t n) : n_(n), panels_((n + kPanel - 1) / kPanel), memory_(panels_ * n * kPanel) {}

  /// Q = H_0 H_1 ...
  void set_to_product(const double* reflections, const double* scale) {
    const int64_t pitch = symmetric_eigen_pitch(n_);
    std::fill_n(memory_.data(), panels_ * n_ * kPanel, 0.0);
    for (int64_t p = 0; p < panels_; ++p) {
      double* const x = panel(p);
      for (int64_t r = p * kPanel; r < std::min(n_, (p + 1) * kPanel); ++r)
        x[r * kPanel + r - p * kPanel] = 1;
      for (int64_t k = 0; k + 2 < n_; ++k)
        if (scale[k] != 0) reflect(x, reflections + k * pitch, k + 1, scale[k]);
    }
  }

  struct Rotation {
    double c, s;
  };
  /// One iteration: rotations of columns (i, i + 1) for i = last - 1, last - 2, ..., first.
  struct Chase {
    int64_t last, first;
  };
  void play(const std::vector<Chase>& chases, const std::vector<Rotation>& rotations) {
    for (int64_t p = 0; p < panels_; ++p) {
      const Rotation* next = rotations.data();
      for (const Chase& chase : chases) next = play(panel(p), chase, next);
    }
  }

  /// Column j, as the row `to`.
  void copy_column(int64_t j, double* to) const {
    for (int64_t r = 0; r < n_; ++r) to[r] = memory_.data()[(r / kPanel * n_ + j) * kPanel + r % kPanel];
  }

 private:
  double* panel(int64_t p) const { return memory_.data() + p * n_ * kPanel; }

  // Rows x <- x (I - scale v v^T)
  void reflect(double* x, const double* v, int64_t first, double scale) const {
    auto a0 = hn::Zero(d), a1 = a0, b0 = a0, b1 = a0;
    int64_t j = first;
    for (; j + 2 <= n_; j += 2) {
      const double* const at = x + j * kPanel;
      const auto v0 = hn::Set(d, v[j]), v1 = hn::Set(d, v[j + 1]);
      a0 = hn::MulAdd(hn::Load(d, at), v0, a0);
      a1 = hn::MulAdd(hn::Load(d, at + kLanes), v0, a1);
      b0 = hn::MulAdd(hn::Load(d, at + kPanel), v1, b0);
      b1 = hn::MulAdd(hn::Load(d, at + kPanel + kLanes), v1, b1);
    }
    if (j < n_) {
      a0 = hn::MulAdd(hn::Load(d, x + j * kPanel), hn::Set(d, v[j]), a0);
      a1 = hn::MulAdd(hn::Load(d, x + j * kPanel + kLanes), hn::Set(d, v[j]), a1);
    }
    const auto s0 = hn::Mul(hn::Set(d, scale), hn::Add(a0, b0)),
               s1 = hn::Mul(hn::Set(d, scale), hn::Add(a1, b1));
    for (j = first; j < n_; ++j) {
      double* const at = x + j * kPanel;
      hn::Store(hn::NegMulAdd(s0, hn::Set(d, v[j]), hn::Load(d, at)), d, at);
      hn::Store(hn::NegMulAdd(s1, hn::Set(d, v[j]), hn::Load(d, at + kLanes)), d, at + kLanes);
    }
  }

  const Rotation* play(double* x, const Chase& chase, const Rotation* next) const {
    double* at = x + chase.last * kPanel;
    auto f0 = hn::Load(d, at), f1 = hn::Load(d, at + kLanes);
    for (int64_t i = chase.last - 1; i >= chase.first; --i, ++next, at -= kPanel) {
      const auto c = hn::Set(d, next->c), s = hn::Set(d, next->s);
      const auto z0 = hn::Load(d, at - kPanel), z1 = hn::Load(d, at - kPanel + kLanes);
      hn::Store(hn::MulAdd(s, z0, hn::Mul(c, f0)), d, at);
      hn::Store(hn::MulAdd(s, z1, hn::Mul(c, f1)), d, at + kLanes);
      f0 = hn::NegMulAdd(s, f0, hn::Mul(c, z0));
      f1 = hn::NegMulAdd(s, f1, hn::Mul(c, z1));
    }
    hn::Store(f0, d, at);
    hn::Store(f1, d, at + kLanes);
    return next;
  }

  const int64_t n_, panels_;
  Scratch<double> memory_;
};

// QL iterations on the tridiagonal matrix; `diagonal` becomes the eigenvalues, unsorted.
class Ql {
 public:
  Ql(int64_t n, double* diagonal, double* below, Panels& vectors)
      : n_(n), diagonal_(diagonal), below_(below), vectors_(vectors) {
    below_[n - 1] = 0;
    double norm = 0;
    for (int64_t i = 0; i < n; ++i) norm = std::max(norm, std::fabs(diagonal[i]) + std::fabs(below[i]));
    negligible_ = std::numeric_limits<double>::epsilon() * norm;
  }

  bool run() {
    for (int64_t l = 0; l < n_; ++l)
      for (int iteration = 0;; ++iteration) {
        int64_t m = l;
        while (m + 1 < n_ && std::fabs(below_[m]) > negligible_) ++m;
        if (m == l) break;
        if (iteration == kMostIterations) return false;
        chase(l, m);
        if (rotations_.size() > kKept) flush();
      }
    flush();
    return true;
  }

 private:
  static constexpr int kMostIterations = 60;
  static constexpr size_t kKept = 1 << 16;  // rotations: 1 MiB

  void flush() {
    vectors_.play(chases_, rotations_);
    chases_.clear();
    rotations_.clear();
  }

  // One implicit QL step on rows [l, m], shifted by the eigenvalue of the leading 2 x 2 block that is closer to
  // diagonal[l] (Wilkinson).
  void chase(int64_t l, int64_t m) {
    double* const a = diagonal_;
    double* const b = below_;
    const double half = (a[l + 1] - a[l]) / (2 * b[l]);
    double g = a[m] - a[l] + b[l] / (half + std::copysign(std::sqrt(half * half + 1), half));
    double s = 1, c = 1, p = 0;
    int64_t i = m - 1;
    for (; i >= l; --i) {
      const double f = s * b[i], e = c * b[i];
      const double r = std::sqrt(f * f + g * g);
      b[i + 1] = r;
      if (r == 0) {  // the matrix falls apart here
        a[i + 1] -= p;
        b[m] = 0;
        break;
      }
      s = f / r;
      c = g / r;
      g = a[i + 1] - p;
      const double t = (a[i] - g) * s + 2 * c * e;
      p = s * t;
      a[i + 1] = g + p;
      g = c * t - e;
      rotations_.push_back({c, s});
    }
    chases_.push_back({m, i + 1});
    if (i >= l) return;
    a[l] -= p;
    b[l] = g;
    b[m] = 0;
  }

  const int64_t n_;
  double *diagonal_, *below_;
  Panels& vectors_;
  double negligible_;
  std::vector<Panels::Chase> chases_;
  std::vector<Panels::Rotation> rotations_;
};

}  // namespace

int64_t symmetric_eigen_pitch(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

bool symmetric_eigen(int64_t n, double* a, double* values, double* vectors) {
  const int64_t pitch = symmetric_eigen_pitch(n);
  for (int64_t i = 0; i < n; ++i) std::fill(a + i * pitch + n, a + (i + 1) * pitch, 0.0);
  Scratch<double> work(2 * n);
  double *const diagonal = work.data(), *const below = diagonal + n;
  Tridiagonal tridiagonal(n, a, diagonal, below);
  tridiagonal.reduce();
  Panels q(n);
  q.set_to_product(a, tridiagonal.scale());
  if (!Ql(n, diagonal, below, q).run()) return false;
  std::vector<int64_t> order(static_cast<size_t>(n));
  std::iota(order.begin(), order.end(), int64_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](int64_t i, int64_t j) { return diagonal[i] < diagonal[j]; });
  for (int64_t k = 0; k < n; ++k) {
    values[k] = diagonal[order[static_cast<size_t>(k)]];
    q.copy_column(order[static_cast<size_t>(k)], vectors + k * n);
  }
  return true;
}

}  // namespace tenon::cpu
