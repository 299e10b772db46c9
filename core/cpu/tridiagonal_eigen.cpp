// T = Z diag(w) Z^T of a symmetric tridiagonal T, by divide and conquer.
//
// T falls into two halves and a coupling of rank one: T = diag(T1, T2) + rho z z^T (J. J. M. Cuppen, Numer. Math. 36,
// 1981). Halves of up to kLeaf rows are solved by QL iterations with implicit shifts (Golub and Van Loan, Matrix
// Computations, 8.3). With their vectors as a basis the coupled matrix is D + rho z z^T, whose values are the roots of
//
//   1 / rho + sum_j z_j^2 / (d_j - x) = 0,
//
// one between each two d; its vectors are z_j / (d_j - x), with z computed back from the roots so that they are
// orthogonal to the last digit (M. Gu and S. C. Eisenstat, SIAM J. Matrix Anal. Appl. 15 and 16, 1994/95). Where z_j is
// nothing, or two d are equal, a pair (d, vector) is right as it is and takes no part (it is deflated).
//
// Counted for n rows: the last merge is a product of 2 n^3 / 2 flops, and k roots of some 6 iterations of k divisions;
// each level below costs a quarter. QL alone would turn 0.85 n^2 pairs of columns of length n, one after the other.
#include "core/cpu/tridiagonal_eigen.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "core/cpu/blas.h"
#include "core/cpu/scratch.h"

namespace tenon::cpu {
namespace {

namespace hn = hwy::HWY_NAMESPACE;

constexpr hn::ScalableTag<double> lanes;
constexpr double kEpsilon = std::numeric_limits<double>::epsilon();
constexpr int64_t kLeaf = 32;

// (x, y) <- (c x + s y, c y - s x)
void rotate(int64_t n, double* x, double* y, double c, double s) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) {
    const double p = x[i], q = y[i];
    x[i] = c * p + s * q;
    y[i] = c * q - s * p;
  }
}

// QL iterations: diagonal[n] becomes the eigenvalues, unsorted; vectors (rows, `pitch` apart, the identity at first)
// take part in the turns. What is at most `negligible` below the diagonal counts as 0. False if a value takes more than
// kMostIterations.
bool ql(int64_t n, double* a, double* below, double negligible, double* vectors, int64_t pitch) {
  constexpr int kMostIterations = 60;
  std::vector<double> b(below, below + n - 1);
  b.push_back(0);
  auto off = [&](int64_t i) -> double& { return b[static_cast<size_t>(i)]; };
  for (int64_t l = 0; l < n; ++l)
    for (int iteration = 0;; ++iteration) {
      int64_t m = l;
      while (m + 1 < n && std::fabs(off(m)) > negligible) ++m;
      if (m == l) break;
      if (iteration == kMostIterations) return false;
      // Shifted by the eigenvalue of the leading 2 x 2 block that is closer to a[l] (Wilkinson).
      const double half = (a[l + 1] - a[l]) / (2 * off(l));
      double g = a[m] - a[l] + off(l) / (half + std::copysign(std::sqrt(half * half + 1), half));
      double s = 1, c = 1, p = 0;
      int64_t i = m - 1;
      for (; i >= l; --i) {
        const double f = s * off(i), e = c * off(i), r = std::sqrt(f * f + g * g);
        off(i + 1) = r;
        if (r == 0) break;  // the matrix falls apart here
        s = f / r;
        c = g / r;
        g = a[i + 1] - p;
        const double t = (a[i] - g) * s + 2 * c * e;
        p = s * t;
        a[i + 1] = g + p;
        g = c * t - e;
        rotate(n, vectors + (i + 1) * pitch, vectors + i * pitch, c, s);
      }
      if (i >= l) {
        a[i + 1] -= p;
      } else {
        a[l] -= p;
        off(l) = g;
      }
      off(m) = 0;
    }
  return true;
}

// A sum of z2_j / (d_j - x), and its derivative.
struct Sum {
  double value = 0, slope = 0;
};

// The roots of 1 / rho + sum_j z2_j / (d_j - x), d ascending. Both are followed by kPad terms that are 0.
class Secular {
 public:
  static constexpr int64_t kPad = hn::MaxLanes(lanes);

  Secular(int64_t k, const double* d, const double* z2, double rho)
      : k_(k), d_(d), z2_(z2), rho_(rho), shifted_(k + kPad) {
    pad(shifted_.data() + k);
  }
  /// Makes the terms after the last 0, whatever their z2.
  static void pad(double* d_behind_last) {
    std::fill_n(d_behind_last, kPad, std::numeric_limits<double>::infinity());
  }

  /// Root i, between d_i and d_(i+1), as gap[j] = d_j - root, each to full relative precision; returns the root.
  double root(int64_t i, double* gap) {
    const bool last = i + 1 == k_;
    const double width = last ? rho_ * std::accumulate(z2_, z2_ + k_, 0.0) : d_[i + 1] - d_[i];
    // Measured from the closer of the two poles, the root keeps its digits.
    const Value middle = value_at(d_, i, d_[i] + width / 2);
    const bool left = last || middle.f() >= 0;
    const double pole = d_[left ? i : i + 1];
    for (int64_t j = 0; j < k_; ++j) shifted_.data()[j] = d_[j] - pole;
    const double x = last   ? search(i, 0, width, width / 2, middle)
                     : left ? search(i, 0, width / 2, width / 2, middle)
                            : search(i, -width / 2, 0, -width / 2, middle);
    for (int64_t j = 0; j < k_; ++j) gap[j] = shifted_.data()[j] - x;
    return pole + x;
  }

 private:
  // The function in three parts: 1 / rho, the poles up to d_i (negative), the others (positive).
  struct Value {
    double constant;
    Sum psi, phi;
    double f() const { return constant + psi.value + phi.value; }
    double magnitude() const { return constant - psi.value + phi.value; }
  };
  Value value_at(const double* d, int64_t i, double x) const {
    const auto at = hn::Set(lanes, x), one = hn::Set(lanes, 1.0);
    auto psi = hn::Zero(lanes), psi_slope = psi, phi = psi, phi_slope = psi;
    const int64_t first_of_phi = i + 1;
    int64_t j = 0;
    for (; j < k_; j += kPad) {
      const auto by = hn::Div(one, hn::Sub(hn::LoadU(lanes, d + j), at));
      const auto part = hn::Mul(hn::LoadU(lanes, z2_ + j), by), slope = hn::Mul(part, by);
      const auto of_psi =
          hn::FirstN(lanes, static_cast<size_t>(std::clamp<int64_t>(first_of_phi - j, 0, kPad)));
      psi = hn::Add(psi, hn::IfThenElseZero(of_psi, part));
      psi_slope = hn::Add(psi_slope, hn::IfThenElseZero(of_psi, slope));
      phi = hn::Add(phi, hn::IfThenZeroElse(of_psi, part));
      phi_slope = hn::Add(phi_slope, hn::IfThenZeroElse(of_psi, slope));
    }
    auto sum = [](auto v) { return hn::GetLane(hn::SumOfLanes(lanes, v)); };
    return {1 / rho_, {sum(psi), sum(psi_slope)}, {sum(phi), sum(phi_slope)}};
  }

  // The root in (low, high), from x and the value there: the poles next to it are kept, the rest is interpolated (R.-C. Li,
  // LAPACK working note 89, "the middle way"); a step that leaves the interval is replaced by its middle.
  double search(int64_t i, double low, double high, double x, Value at) const {
    const double* const d = shifted_.data();
    constexpr int kMostIterations = 100;
    for (int iteration = 0; iteration < kMostIterations; ++iteration) {
      const double f = at.f();
      if (std::fabs(f) <= 8 * kEpsilon * at.magnitude()) break;
      (f < 0 ? low : high) = x;
      double next = x + step(i, x, at);
      if (!(next > low && next < high)) next = (low + high) / 2;
      if (next == x || high - low <= 2 * kEpsilon * std::fabs(next)) return next;
      x = next;
      at = value_at(d, i, x);
    }
    return x;
  }

  double step(int64_t i, double x, const Value& at) const {
    const double* const d = shifted_.data();
    const double f = at.f(), p = d[i] - x;
    if (i + 1 == k_) {  // one pole: f = c + s / (d_i - x) in value and slope
      const double s = at.psi.slope * p * p, c = f - at.psi.slope * p;
      return p + s / c;
    }
    const double q = d[i + 1] - x;
    const double c = f - p * at.psi.slope - q * at.phi.slope;
    const double a = (p + q) * f - p * q * (at.psi.slope + at.phi.slope), b = p * q * f;
    const double root = std::sqrt(std::max(a * a - 4 * b * c, 0.0));
    return a <= 0 ? (a - root) / (2 * c) : 2 * b / (a + root);
  }

  const int64_t k_;
  const double *d_, *z2_;
  const double rho_;
  Scratch<double> shifted_;
};

class Divide {
 public:
  Divide(int64_t n, double* values, double* below, double* vectors)
      : n_(n), values_(values), below_(below), vectors_(vectors) {
    for (int64_t i = 0; i < n; ++i)
      norm_ = std::max(norm_, std::fabs(values[i]) + (i + 1 < n ? std::fabs(below[i]) : 0));
  }

  bool solve(int64_t first, int64_t n) {
    if (n <= kLeaf) {
      if (!ql(n, values_ + first, below_ + first, kEpsilon * norm_, row(first) + first, n_)) return false;
      sort(first, n);
      return true;
    }
    const int64_t upper = n / 2, cut = first + upper - 1;
    const double coupling = below_[cut];
    values_[cut] -= std::fabs(coupling);
    values_[cut + 1] -= std::fabs(coupling);
    if (!solve(first, upper) || !solve(first + upper, n - upper)) return false;
    merge(first, upper, n, coupling);
    return true;
  }

 private:
  double* row(int64_t i) const { return vectors_ + i * n_; }

  // Rows [first, first + n) by ascending value.
  void sort(int64_t first, int64_t n) {
    std::vector<int64_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), first);
    std::stable_sort(order.begin(), order.end(),
                     [&](int64_t i, int64_t j) { return values_[i] < values_[j]; });
    Scratch<double> sorted(n * n + n);
    for (int64_t k = 0; k < n; ++k) {
      const int64_t from = order[static_cast<size_t>(k)];
      std::copy_n(row(from) + first, n, sorted.data() + k * n);
      sorted.data()[n * n + k] = values_[from];
    }
    for (int64_t k = 0; k < n; ++k) std::copy_n(sorted.data() + k * n, n, row(first + k) + first);
    std::copy_n(sorted.data() + n * n, n, values_ + first);
  }

  // Which halves a row is not zero in.
  enum Part : uint8_t { kUpper = 1, kLower = 2, kBoth = 3 };

  void merge(int64_t first, int64_t upper, int64_t n, double coupling) {
    // z: the last column of the upper vectors, the first of the lower; of length 1.
    std::vector<double> z(static_cast<size_t>(n));
    std::vector<uint8_t> part(static_cast<size_t>(n));
    const double sign = coupling < 0 ? -1 : 1, rho = 2 * std::fabs(coupling);
    for (int64_t i = 0; i < n; ++i) {
      const auto at = static_cast<size_t>(i);
      z[at] = std::sqrt(0.5) *
              (i < upper ? row(first + i)[first + upper - 1] : sign * row(first + i)[first + upper]);
      part[at] = i < upper ? kUpper : kLower;
    }
    const std::vector<int64_t> kept = deflate(first, n, rho, 8 * kEpsilon * norm_, z, part);
    if (!kept.empty()) couple(first, upper, n, rho, kept, z, part);
    sort(first, n);
  }

  // The pairs that take part in the coupling, by ascending d. Of two whose d are equal, a turn frees one.
  std::vector<int64_t> deflate(int64_t first, int64_t n, double rho, double negligible,
                               std::vector<double>& z, std::vector<uint8_t>& part) {
    double* const d = values_ + first;
    std::vector<int64_t> order(static_cast<size_t>(n)), kept;
    std::iota(order.begin(), order.end(), int64_t{0});
    std::stable_sort(order.begin(), order.end(), [&](int64_t i, int64_t j) { return d[i] < d[j]; });
    int64_t before = -1;
    for (const int64_t j : order) {
      const auto at = static_cast<size_t>(j);
      if (rho * std::fabs(z[at]) <= negligible) continue;
      if (before >= 0) {
        const auto at_before = static_cast<size_t>(before);
        const double length = std::hypot(z[at], z[at_before]), c = z[at] / length, s = -z[at_before] / length;
        if (std::fabs((d[j] - d[before]) * c * s) <= negligible) {
          rotate(n, row(first + before) + first, row(first + j) + first, c, s);
          z[at] = length;
          z[at_before] = 0;
          part[at] = part[at_before] = part[at] | part[at_before];
          const double low = d[before], high = d[j];
          d[before] = low * c * c + high * s * s;
          d[j] = low * s * s + high * c * c;
        } else {
          kept.push_back(before);
        }
      }
      before = j;
    }
    if (before >= 0) kept.push_back(before);
    return kept;
  }

  void couple(int64_t first, int64_t upper, int64_t n, double rho, const std::vector<int64_t>& kept,
              const std::vector<double>& z, const std::vector<uint8_t>& part) {
    const int64_t k = static_cast<int64_t>(kept.size());
    constexpr int64_t kPad = Secular::kPad;
    Scratch<double> memory(k * k + 4 * k + 2 * kPad + 2 * k * k + 2 * k * n);
    double* const gap = memory.data();  // [root, j] = d_j - root
    double *const d = gap + k * k, *const z2 = d + k + kPad, *const roots = z2 + k + kPad,
                  *const product = roots + k;
    Secular::pad(d + k);
    std::fill_n(z2 + k, kPad, 0.0);
    double *const weights = product + k, *const gathered = weights + 2 * k * k,
                  *const result = gathered + k * n;
    for (int64_t j = 0; j < k; ++j) {
      const auto at = static_cast<size_t>(kept[static_cast<size_t>(j)]);
      d[j] = values_[first + kept[static_cast<size_t>(j)]];
      z2[j] = z[at] * z[at];
      product[j] = 1;
    }
    Secular secular(k, d, z2, rho);
    for (int64_t i = 0; i < k; ++i) roots[i] = secular.root(i, gap + i * k);
    // z_j^2 = prod_i (root_i - d_j) / prod_(i != j) (d_i - d_j), in quotients near 1.
    for (int64_t i = 0; i < k; ++i) {
      const double* const of_root = gap + i * k;
      for (int64_t j = 0; j <= i; ++j) product[j] *= i + 1 < k ? of_root[j] / (d[j] - d[i + 1]) : -of_root[j];
      for (int64_t j = i + 1; j < k; ++j) product[j] *= of_root[j] / (d[j] - d[i]);
    }
    for (int64_t j = 0; j < k; ++j)
      product[j] = std::copysign(std::sqrt(std::max(product[j], 0.0)),
                                 z[static_cast<size_t>(kept[static_cast<size_t>(j)])]);
    // The vectors over the old ones, then in place of them. A row has a part in one half only, unless it was turned.
    for (int64_t i = 0; i < k; ++i) {
      double* const vector = gap + i * k;
      double square = 0;
      for (int64_t j = 0; j < k; ++j) {
        vector[j] = product[j] / vector[j];
        square += vector[j] * vector[j];
      }
      const double by = 1 / std::sqrt(square);
      for (int64_t j = 0; j < k; ++j) vector[j] *= by;
    }
    for (const Part half : {kUpper, kLower}) {
      const int64_t from = half == kUpper ? 0 : upper, width = half == kUpper ? upper : n - upper;
      int64_t count = 0;
      for (int64_t j = 0; j < k; ++j) {
        const int64_t old = kept[static_cast<size_t>(j)];
        if ((part[static_cast<size_t>(old)] & half) == 0) continue;
        std::copy_n(row(first + old) + first + from, width, gathered + count * width);
        for (int64_t i = 0; i < k; ++i) weights[i * k + count] = gap[i * k + j];
        ++count;
      }
      const Matrix<double> target{result + from, n, 1};
      if (count > 0) {
        multiply(k, width, count, Matrix<const double>{weights, k, 1},
                 Matrix<const double>{gathered, width, 1}, 0.0, target);
      } else {
        for (int64_t i = 0; i < k; ++i) std::fill_n(result + i * n + from, width, 0.0);
      }
    }
    for (int64_t i = 0; i < k; ++i) {
      const int64_t at = first + kept[static_cast<size_t>(i)];
      values_[at] = roots[i];
      std::copy_n(result + i * n, n, row(at) + first);
    }
  }

  const int64_t n_;
  double *values_, *below_, *vectors_;
  double norm_ = 0;  // of the whole matrix: what is small beside it is nothing, in whichever part
};

}  // namespace

bool tridiagonal_eigen(int64_t n, double* values, double* below, double* vectors) {
  std::fill_n(vectors, n * n, 0.0);
  for (int64_t i = 0; i < n; ++i) vectors[i * n + i] = 1;
  return Divide(n, values, below, vectors).solve(0, n);
}

}  // namespace tenon::cpu
