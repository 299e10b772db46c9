// A = Q T Q^T with T tridiagonal (Householder; Golub and Van Loan, Matrix Computations, 8.3), and the vectors of T
// (tridiagonal_eigen.cpp) turned back by Q.
//
// Counted for n x n. Reduction: 4/3 n^3 flops, and one pass over the upper half of what is left of A a step, which applies
// the last reflection and multiplies by the next vector at once: n^3 / 6 doubles read and written. Back: 2 n^3 flops, on panels of
// 16 rows.
#include "core/cpu/symmetric_eigen.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <type_traits>

#include "core/cpu/scratch.h"
#include "core/cpu/tridiagonal_eigen.h"

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
  // A sum of squares so small that digits of it are lost to underflow: rounding left of a matrix of norm about 1.
  static constexpr double kNothing = 1e-280;

  // Turns row[k + 1, n) into the vector v of the reflection that maps it to (beta, 0, ..., 0); returns beta.
  double reflection(double* row, int64_t k) {
    double tail = 0;
    for (int64_t j = k + 2; j < n_; ++j) tail += row[j] * row[j];
    const double head = row[k + 1];
    std::fill_n(row, k + 1, 0.0);
    if (tail < kNothing) {
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

  // The one pass of step k: rows below k take the last reflection, and are multiplied by the new vector. Of two elements
  // that mirror each other the upper one is read, and counts for both; tiles of kLanes x kLanes on the diagonal are whole.
  void multiply(const double* v, int64_t k) {
    std::fill_n(product_, pitch_, 0.0);
    for (int64_t i = k + 1; i < n_;) {
      const int64_t end = std::min(n_, i / kLanes * kLanes + kLanes);
      for (; i + 4 <= end; i += 4) multiply_rows<4>(v, i);
      for (; i < end; ++i) multiply_rows<1>(v, i);
    }
  }
  template <int kRows>
  void multiply_rows(const double* v, int64_t i) {
    Vector sum[kRows], by_w[kRows], by_v[kRows], by_next[kRows];
    for (int r = 0; r < kRows; ++r) {
      sum[r] = hn::Zero(d);
      by_w[r] = hn::Set(d, v_[i + r]);
      by_v[r] = hn::Set(d, w_[i + r]);
      by_next[r] = hn::Set(d, v[i + r]);
    }
    auto add_columns = [&](int64_t j, auto mirrored) HWY_ATTR {
      const auto last_v = hn::Load(d, v_ + j), last_w = hn::Load(d, w_ + j), next = hn::Load(d, v + j);
      auto below = hn::Load(d, product_ + j);
      for (int r = 0; r < kRows; ++r) {
        double* const at = a_ + (i + r) * pitch_ + j;
        const auto x = hn::NegMulAdd(by_w[r], last_w, hn::NegMulAdd(by_v[r], last_v, hn::Load(d, at)));
        hn::Store(x, d, at);
        sum[r] = hn::MulAdd(x, next, sum[r]);
        if constexpr (mirrored) below = hn::MulAdd(x, by_next[r], below);
      }
      if constexpr (mirrored) hn::Store(below, d, product_ + j);
    };
    const int64_t tile = i / kLanes * kLanes;
    add_columns(tile, std::false_type());
    for (int64_t j = tile + kLanes; j < pitch_; j += kLanes) add_columns(j, std::true_type());
    for (int r = 0; r < kRows; ++r) product_[i + r] += hn::GetLane(hn::SumOfLanes(d, sum[r]));
  }

  const int64_t n_, pitch_;
  double *a_, *diagonal_, *below_;
  Scratch<double> work_;
  double *v_, *w_, *product_, *scale_;  // the last reflection as v w^T + w v^T; A times the new vector
};

// Rows x <- x H_(n-3) ... H_1 H_0, each row a vector of the tridiagonal matrix. kPanel rows at a time are interleaved, so
// that a reflection is SIMD over rows, and stay in the first-level cache. Reflections go in pairs: with v^T u known, both
// dot products come of one pass, and both turns of another.
class Panel {
 public:
  static constexpr int64_t kPanel = 2 * kLanes;

  Panel(int64_t n, const double* reflections, const double* scale)
      : n_(n), pitch_(symmetric_eigen_pitch(n)), v_(reflections), scale_(scale), memory_(n * kPanel) {}

  void turn_back(double* rows, int64_t count) {
    double* const x = memory_.data();
    for (int64_t r = 0; r < kPanel; ++r)
      for (int64_t j = 0; j < n_; ++j) x[j * kPanel + r] = r < count ? rows[r * n_ + j] : 0;
    int64_t k = n_ - 3;
    for (; k >= 1; k -= 2) reflect_twice(k, k - 1);
    if (k == 0) reflect_twice(0, -1);
    for (int64_t r = 0; r < count; ++r)
      for (int64_t j = 0; j < n_; ++j) rows[r * n_ + j] = x[j * kPanel + r];
  }

 private:
  // x (I - a u u^T)(I - b v v^T) = x - s u^T - t v^T, s = a x u, t = b (x v - s u v): first k, then l < k, or none if -1.
  void reflect_twice(int64_t k, int64_t l) {
    double* const x = memory_.data();
    const double *const u = v_ + k * pitch_, *const v = l < 0 ? u : v_ + l * pitch_;
    const double a = scale_[k], b = l < 0 ? 0 : scale_[l];
    const int64_t first = l < 0 ? k + 1 : l + 1;  // u is zero before k + 1
    auto xu0 = hn::Zero(d), xu1 = xu0, xv0 = xu0, xv1 = xu0;
    double uv = 0;
    for (int64_t j = first; j < n_; ++j) {
      const auto x0 = hn::Load(d, x + j * kPanel), x1 = hn::Load(d, x + j * kPanel + kLanes);
      const auto uj = hn::Set(d, u[j]), vj = hn::Set(d, v[j]);
      xu0 = hn::MulAdd(x0, uj, xu0);
      xu1 = hn::MulAdd(x1, uj, xu1);
      xv0 = hn::MulAdd(x0, vj, xv0);
      xv1 = hn::MulAdd(x1, vj, xv1);
      uv += u[j] * v[j];
    }
    const auto s0 = hn::Mul(hn::Set(d, a), xu0), s1 = hn::Mul(hn::Set(d, a), xu1);
    const auto t0 = hn::Mul(hn::Set(d, b), hn::NegMulAdd(s0, hn::Set(d, uv), xv0));
    const auto t1 = hn::Mul(hn::Set(d, b), hn::NegMulAdd(s1, hn::Set(d, uv), xv1));
    for (int64_t j = first; j < n_; ++j) {
      double* const at = x + j * kPanel;
      const auto uj = hn::Set(d, u[j]), vj = hn::Set(d, v[j]);
      hn::Store(hn::NegMulAdd(t0, vj, hn::NegMulAdd(s0, uj, hn::Load(d, at))), d, at);
      hn::Store(hn::NegMulAdd(t1, vj, hn::NegMulAdd(s1, uj, hn::Load(d, at + kLanes))), d, at + kLanes);
    }
  }

  const int64_t n_, pitch_;
  const double *v_, *scale_;
  Scratch<double> memory_;
};

}  // namespace

int64_t symmetric_eigen_pitch(int64_t n) { return (n + kLanes - 1) / kLanes * kLanes; }

bool symmetric_eigen(int64_t n, double* a, double* values, double* vectors) {
  const int64_t pitch = symmetric_eigen_pitch(n);
  for (int64_t i = 0; i < n; ++i) std::fill(a + i * pitch + n, a + (i + 1) * pitch, 0.0);
  Scratch<double> below(n);
  Tridiagonal tridiagonal(n, a, values, below.data());
  tridiagonal.reduce();
  if (!tridiagonal_eigen(n, values, below.data(), vectors)) return false;
  Panel panel(n, a, tridiagonal.scale());
  for (int64_t r = 0; r < n; r += Panel::kPanel)
    panel.turn_back(vectors + r * n, std::min(Panel::kPanel, n - r));
  return true;
}

}  // namespace tenon::cpu
