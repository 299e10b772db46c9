// Linear algebra on Variables: as core/ops/linalg.h, recorded.
//
// The vectors of equal singular values (or eigenvalues) are free to turn into each other, and their derivatives grow as
// one over the gap x between the values. 1 / x is damped to x / (x^2 + d^2) (Liao, Liu, Wang and Xiang, Phys. Rev. X 9,
// 031041, 2019), relative to the largest value: exact to (d / x)^2 where values are apart, and 0, never infinite or NaN,
// where they are equal. `damping` is d; 0 stands for epsilon^(2/3): 2.4e-5 in float32, 3.7e-11 in float64. What has a
// limit at equal values without that quotient keeps it: the singular values themselves, their sum, U V^T.
#pragma once

#include "autograd/variable.h"
#include "core/ops/linalg.h"

namespace tenon {

SvdOf<Variable> svd(const Variable& a, double damping = 0);
EighOf<Variable> eigh(const Variable& a, double damping = 0);
/// The gradient is infinite where a has not full rank.
QrOf<Variable> qr(const Variable& a);
Variable cholesky(const Variable& a);
Variable solve_triangular(const Variable& a, const Variable& b, TriangularOptions options = {});

}  // namespace tenon
