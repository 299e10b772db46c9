// The SVD on the CPU. Small matrices go in groups, a matrix a SIMD lane (svd_lanes.cpp). Larger ones, and what is left
// of a batch, go one by one, on as many threads as there are:
//
//   A^T A = V diag(w) V^T in float64 (symmetric_eigen.cpp), W = A V, and one-sided Jacobi on the columns of W.
//
// Were A^T A exact, W would have orthogonal columns. In float64 it is off by 1e-16 |A|^2, which is nothing for singular
// values above some 1e-6 of the largest; below them columns of W are not orthogonal yet, and Jacobi, which works on W
// itself, turns those pairs to the last digit. So the squared condition number costs sweeps, never precision.
//
// Counted for m x n: the eigenvectors (9 n^3 flops), and three products of 2 m n^2, the last of which checks W^T W.
#include "core/cpu/svd.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "core/cpu/blas.h"
#include "core/cpu/dot.h"
#include "core/cpu/scratch.h"
#include "core/cpu/symmetric_eigen.h"
#include "core/parallel.h"

namespace tenon::cpu {

namespace {

template <class T>
class Single {
 public:
  Single(const SvdPlan& plan, const SvdJob<T>& job)
      : plan_(plan),
        job_(job),
        m_(plan.a.rows),
        n_(plan.a.columns),
        pitch_(symmetric_eigen_pitch(n_)),
        memory_(2 * m_ * n_ + n_ * n_ + n_ * pitch_ + n_) {
    gram_ = memory_.data();  // first, since it is to be aligned
    a_ = gram_ + n_ * pitch_;
    w_ = a_ + m_ * n_;
    v_ = w_ + m_ * n_;
    squares_ = v_ + n_ * n_;
  }

  void run() {
    *job_.status = LinalgStatus::ok;
    if (!load()) {
      *job_.status = LinalgStatus::not_finite;
      return;
    }
    const Matrix<const double> a{a_, n_, 1}, at{a_, 1, n_}, v{v_, n_, 1};
    multiply_lower(at, a);
    for (int64_t i = 0; i < n_; ++i)
      for (int64_t j = i + 1; j < n_; ++j) gram_[i * pitch_ + j] = gram_[j * pitch_ + i];
    if (!symmetric_eigen(n_, gram_, squares_, v_)) *job_.status = LinalgStatus::not_converged;
    cpu::multiply(n_, m_, n_, v, at, 0.0, Matrix<double>{w_, m_, 1});
    if (!orthogonalise()) *job_.status = LinalgStatus::not_converged;
    store();
  }

 private:
  // A to a_, scaled to norm about 1 by a power of two. False if an element is infinite or NaN.
  bool load() {
    double largest = 0, zero = 0;
    for (int64_t i = 0; i < m_; ++i)
      for (int64_t j = 0; j < n_; ++j) {
        const double x = job_.a[i * plan_.a.row + j * plan_.a.column];
        a_[i * n_ + j] = x;
        largest = std::max(largest, std::fabs(x));
        zero += x * 0;
      }
    if (zero != 0) return false;
    if (largest == 0) return true;
    exponent_ = std::clamp(-std::ilogb(largest * std::sqrt(static_cast<double>(m_ * n_))), -1000, 1000);
    const double by = std::ldexp(1.0, exponent_);
    for (int64_t i = 0; i < m_ * n_; ++i) a_[i] *= by;
    return true;
  }

  // In float64 the columns can be asked for more than float32 results hold.
  double tolerance() const {
    return std::is_same_v<T, float> ? std::numeric_limits<float>::epsilon()
                                    : orthogonal_tolerance<double>(m_);
  }

  // The lower triangle of the symmetric product of x [n, m] and y [m, n], to gram_; blocks on the diagonal are whole.
  void multiply_lower(Matrix<const double> x, Matrix<const double> y) const {
    constexpr int64_t kBlock = 48;
    for (int64_t first = 0; first < n_; first += kBlock) {
      const int64_t rows = std::min(kBlock, n_ - first);
      cpu::multiply(rows, first + rows, m_, Matrix<const double>{x.at + first * x.row, x.row, x.column}, y,
                    0.0, Matrix<double>{gram_ + first * pitch_, pitch_, 1});
    }
  }

  static void turn_rows(int64_t n, double* x, double* y, PairTurn<double> turn) {
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) turn.apply(x[i], y[i]);
  }

  // One-sided Jacobi on the rows of w_ and v_; leaves the squared lengths.
  bool orthogonalise() {
    multiply_lower(Matrix<const double>{w_, m_, 1}, Matrix<const double>{w_, 1, m_});
    std::vector<double> lengths(static_cast<size_t>(n_));
    int overlaps = 0;
    for (int64_t p = 0; p < n_; ++p) {
      squares_[p] = gram_[p * pitch_ + p];
      lengths[static_cast<size_t>(p)] = std::sqrt(squares_[p]);
      const double limit = tolerance() * std::sqrt(squares_[p]);
      for (int64_t q = 0; q < p; ++q)
        overlaps += std::fabs(gram_[p * pitch_ + q]) > limit * lengths[static_cast<size_t>(q)];
    }
    bool done = overlaps == 0;
    for (int sweep = 0; sweep < kMaxSweeps; ++sweep) {
      if (done) return true;
      done = true;
      for (int64_t p = 0; p < n_; ++p) squares_[p] = dot(m_, w_ + p * m_, w_ + p * m_);
      for (int64_t p = 0; p < n_; ++p)
        for (int64_t q = p + 1; q < n_; ++q) {
          double &pp = squares_[p], &qq = squares_[q];
          const double pq = dot(m_, w_ + p * m_, w_ + q * m_);
          if (orthogonal(pp, qq, pq, tolerance())) continue;
          done = false;
          const PairTurn<double> turn = turn_for(pp, qq, pq);
          turn_rows(m_, w_ + p * m_, w_ + q * m_, turn);
          turn_rows(n_, v_ + p * n_, v_ + q * n_, turn);
          pp = std::max(pp - turn.tangent * pq, 0.0);
          qq = std::max(qq + turn.tangent * pq, 0.0);
        }
    }
    return done;
  }

  void store() {
    std::vector<int64_t> order(static_cast<size_t>(n_));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t i, int64_t j) { return squares_[i] > squares_[j]; });
    std::vector<double> u_factor(order.size()), v_factor(order.size());
    for (size_t j = 0; j < order.size(); ++j) {
      const int64_t from = order[j];
      const double length = squares_[from] < negligible_square<double>() ? 0 : std::sqrt(squares_[from]);
      job_.s[j] = static_cast<T>(std::ldexp(length, -exponent_));
      const double sign = plan_.sign_by_v ? sign_of_column(v_ + from * n_, n_, 1, 0)
                                          : sign_of_column(w_ + from * m_, m_, 1, 0);
      u_factor[j] = length > 0 ? sign / length : 0;
      v_factor[j] = sign;
    }
    store_columns(w_, m_, order, u_factor, job_.u);
    store_columns(v_, n_, order, v_factor, job_.v);
    std::vector<T> along(order.size());
    for (int64_t j = 0; j < n_; ++j) {
      if (u_factor[static_cast<size_t>(j)] != 0) continue;
      complete_column(job_.u, m_, n_, j, along.data());
      if (!plan_.sign_by_v) scale_column(job_.u, m_, n_, j, sign_of_column(job_.u, m_, n_, j));
    }
  }

  // Rows of x in the given order, times their factors, become the columns of `out`: some rows of it at a time, which stay
  // in the first-level cache.
  void store_columns(const double* x, int64_t rows, const std::vector<int64_t>& order,
                     const std::vector<double>& factor, T* out) const {
    constexpr int64_t kTile = 16;
    for (int64_t first = 0; first < rows; first += kTile)
      for (size_t j = 0; j < order.size(); ++j)
        for (int64_t i = first; i < std::min(rows, first + kTile); ++i)
          out[i * n_ + static_cast<int64_t>(j)] = static_cast<T>(x[order[j] * rows + i] * factor[j]);
  }

  const SvdPlan& plan_;
  const SvdJob<T>& job_;
  const int64_t m_, n_, pitch_;
  int exponent_ = 0;
  Scratch<double> memory_;
  double *gram_, *a_, *w_, *v_, *squares_;  // w_ and v_: [n, m] and [n, n], a column of W and V a row
};

}  // namespace

void svd(const SvdPlan& plan, DType dtype, const void* a, void* u, void* s, void* v, LinalgStatus* status) {
  visit_floating("svd", dtype, [&](auto tag) {
    using T = decltype(tag);
    const MatrixBatch& in = plan.a;
    const int64_t m = in.rows, n = in.columns;
    auto job = [&](int64_t b) {
      return SvdJob<T>{static_cast<const T*>(a) + b * in.step, static_cast<T*>(u) + b * m * n,
                       static_cast<T*>(s) + b * n, static_cast<T*>(v) + b * n * n, status + b};
    };
    // A group costs the same however many of its lanes are in use.
    const int64_t group = svd_group_size<T>();
    const int64_t left = in.count % group;
    const int64_t grouped = n > kMaxGroupColumns ? 0 : in.count - (left < group / 4 ? left : 0);
    const int64_t flops = 40 * m * n * n;  // of a matrix, by its time: 70 m n^2 at 8 x 8, 20 at 144 x 16
    parallel_for((grouped + group - 1) / group, grain_for_flops(group * flops),
                 [&](int64_t begin, int64_t end) {
                   for (int64_t g = begin; g < end; ++g) {
                     std::vector<SvdJob<T>> jobs;
                     for (int64_t b = g * group; b < std::min(grouped, (g + 1) * group); ++b)
                       jobs.push_back(job(b));
                     svd_group(plan, jobs.data(), static_cast<int64_t>(jobs.size()));
                   }
                 });
    parallel_for(in.count - grouped, grain_for_flops(flops), [&](int64_t begin, int64_t end) {
      for (int64_t b = begin; b < end; ++b) Single<T>(plan, job(grouped + b)).run();
    });
  });
}

}  // namespace tenon::cpu
