// One-sided Jacobi (M. R. Hestenes, J. SIAM 6, 1958), the parts that the kernels of both devices share: when two columns
// count as orthogonal, the turn that makes them so, and what follows when all are.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

#include "core/math.h"

namespace tenon {

/// Columns p and q with |p . q| <= tolerance |p| |q| count as orthogonal. A dot product of n terms is known to some
/// sqrt(n) roundings: a fixed threshold below that is never reached.
template <class T>
TENON_HD T orthogonal_tolerance(int64_t n) {
  return 2 * std::sqrt(static_cast<T>(n)) * std::numeric_limits<T>::epsilon();
}
/// Sweeps over all pairs before a matrix counts as not converging; 5 to 12 are usual.
inline constexpr int kMaxSweeps = 40;

/// Squared length, in a matrix of norm about 1, of a column too short to have a direction: epsilon^2 of the norm. A
/// column that depends on others is left with epsilon of its length when they are turned away, and with a direction that
/// is all rounding; if that depends on them again, as in a matrix of ones, it never becomes orthogonal.
template <class T>
TENON_HD constexpr T negligible_square() {
  constexpr T square = std::numeric_limits<T>::epsilon() * std::numeric_limits<T>::epsilon();
  return square * square;
}

/// A turn of two columns by an angle: (x, y) <- (c x - s y, s x + c y), with c written as 1 - s r, r = s / (1 + c). What a
/// small turn changes is then rounded, not the whole, and columns keep their lengths (H. Rutishauser, Numer. Math. 9,
/// 1966).
template <class T>
struct PairTurn {
  T s, r;
  T tangent;  ///< squared lengths become pp - tangent pq and qq + tangent pq

  TENON_HD void apply(T& x, T& y) const {
    const T p = x, q = y;
    x = p - s * (q + r * p);
    y = q + s * (p - r * q);
  }
};

/// Are columns orthogonal (or without direction), given p . p, q . q and p . q?
template <class T>
TENON_HD bool orthogonal(T pp, T qq, T pq, T tolerance) {
  return !(std::fabs(pq) > tolerance * std::sqrt(pp) * std::sqrt(qq)) || pp < negligible_square<T>() ||
         qq < negligible_square<T>();
}

/// The turn that makes them orthogonal: its tangent t is the smaller solution of tan(2 angle) = 2 pq / (qq - pp).
template <class T>
TENON_HD PairTurn<T> turn_for(T pp, T qq, T pq) {
  const T gap = qq - pp, twice = 2 * pq;
  // The larger of the two in front of the root, so that its square neither overflows nor vanishes.
  const T high = std::fabs(gap) > std::fabs(twice) ? std::fabs(gap) : std::fabs(twice);
  const T low = std::fabs(gap) > std::fabs(twice) ? std::fabs(twice) : std::fabs(gap);
  const T root = high * std::sqrt(1 + (low / high) * (low / high));
  const T t = twice / (gap < 0 ? gap - root : gap + root);
  const T secant = std::sqrt(1 + t * t);
  return {t / secant, t / (1 + secant), t};
}

/// Puts a unit vector that is orthogonal to all other columns into column j of q (row-major, rows >= columns). Columns
/// that are still to be filled hold zeros. `along`: memory for `columns` numbers.
template <class T>
TENON_HD void complete_column(T* q, int64_t rows, int64_t columns, int64_t j, T* along) {
  // The unit vector that the columns reach least leaves the longest remainder: at least 1 / sqrt(rows).
  int64_t best = 0;
  T least = std::numeric_limits<T>::infinity();
  for (int64_t i = 0; i < rows; ++i) {
    T reach = 0;
    for (int64_t k = 0; k < columns; ++k) reach += q[i * columns + k] * q[i * columns + k];
    if (reach < least) least = reach, best = i;
  }
  q[best * columns + j] = 1;
  for (int pass = 0; pass < 2;
       ++pass) {  // "twice is enough": W. Kahan, in Parlett, The Symmetric Eigenvalue Problem
    for (int64_t k = 0; k < columns; ++k) along[k] = 0;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t k = 0; k < columns; ++k) along[k] += q[i * columns + j] * q[i * columns + k];
    along[j] = 0;
    T square = 0;
    for (int64_t i = 0; i < rows; ++i) {
      T& x = q[i * columns + j];
      for (int64_t k = 0; k < columns; ++k) x -= along[k] * q[i * columns + k];
      square += x * x;
    }
    for (int64_t i = 0; i < rows; ++i) q[i * columns + j] /= std::sqrt(square);
  }
}

/// The convention for signs: +1 if the first component of column j of x (row-major) that reaches half of the largest
/// magnitude is positive, else -1.
template <class T>
TENON_HD T sign_of_column(const T* x, int64_t rows, int64_t columns, int64_t j) {
  T half = 0;
  for (int64_t i = 0; i < rows; ++i) half = math::maximum(half, std::fabs(x[i * columns + j]) / 2);
  for (int64_t i = 0; i < rows; ++i)
    if (std::fabs(x[i * columns + j]) >= half) return x[i * columns + j] < 0 ? T(-1) : T(1);
  return 1;
}

template <class T>
TENON_HD void scale_column(T* x, int64_t rows, int64_t columns, int64_t j, T by) {
  for (int64_t i = 0; i < rows; ++i) x[i * columns + j] *= by;
}

}  // namespace tenon
