#include "autograd/ops/linalg.h"

#include <cmath>
#include <limits>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/contract.h"
#include "core/ops/elementwise.h"
#include "core/ops/reduce.h"

namespace tenon {
namespace {

Variable t(const Variable& x) { return transpose(x, -2, -1); }

// [n, n]: one where the row is at least `below` under the column (0: with the diagonal), else zero.
Variable triangle(int64_t n, int64_t below, const Variable& like) {
  const Tensor index = Tensor::arange(n, int64, like.device());
  const Tensor row =
      sub(index.unsqueeze(1), Tensor::scalar(static_cast<double>(below), int64, like.device()));
  return Variable(greater_equal(row, index.unsqueeze(0)).to(like.dtype()));
}
Variable identity(int64_t n, const Variable& like) {
  const Tensor index = Tensor::arange(n, int64, like.device());
  return Variable(equal(index.unsqueeze(1), index.unsqueeze(0)).to(like.dtype()));
}

double damping_of(double given, DType dtype) {
  TENON_CHECK(given >= 0, "linalg: damping expects a number >= 0, got ", given);
  if (given > 0) return given;
  const double epsilon =
      dtype == float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  return std::pow(epsilon, 2.0 / 3);
}
// x / (x^2 + d^2)
Variable damped_reciprocal(const Variable& x, double damping) { return x / (square(x) + damping * damping); }

// The largest magnitude of each row of values, kept as an axis; 1 where all are 0. A constant: what is divided by it is
// multiplied by it again.
Variable largest_of(const Variable& values) {
  const Tensor largest = amax(abs(values.value()), {-1}, true);
  return Variable(where(equal(largest, Tensor::scalar(0, largest.dtype(), largest.device())),
                        Tensor::scalar(1, largest.dtype(), largest.device()), largest));
}

// Adds to a sum that may have no terms yet.
void add_to(Variable& total, const Variable& term) { total = total.defined() ? total + term : term; }

}  // namespace

// A = U S V^T. With X = U^T dU - dU^T U, Y = V^T dV - dV^T V, and off the diagonal D_ij = 1 / (s_j - s_i) and
// E_ij = 1 / (s_j + s_i) (from J. Townsend, Differentiating the singular value decomposition, 2016, whose quotients
// 1 / (s_j^2 - s_i^2) fall apart so; what remains finite at repeated values, as for U V^T, is then not damped away):
//   dA = U [diag(ds) + (D o (X + Y) + E o (X - Y)) / 2] V^T
//        + (dU - U U^T dU) S^-1 V^T   (m > k)   + U S^-1 (dV - V V^T dV)^T   (n > k)
// in units of s_1, with D, E and S^-1 damped.
SvdOf<Variable> svd(const Variable& a, double damping) {
  const Svd y = svd(a.value());
  damping = damping_of(damping, a.dtype());
  auto rule = [damping](std::span<const Variable> g, Gradients& out) {
    const Variable u = out.output(0), s = out.output(1), v = out.output(2);
    if (s.value().is_empty()) {
      out.set(0, matmul(u, t(v)));
      return;
    }
    const int64_t m = u.size(-2), n = v.size(-2), k = s.size(-1);
    const Variable unit = largest_of(s), scaled = s / unit, per_unit = unsqueeze(reciprocal(unit), -1);
    const Variable inverse = unsqueeze(damped_reciprocal(scaled, damping), -2);
    Variable left, right, inner, outer;  // X and Y
    if (g[1].defined()) add_to(inner, identity(k, s) * unsqueeze(g[1], -1));
    if (g[0].defined()) {
      const Variable p = matmul(t(u), g[0]);
      left = p - t(p);
      if (m > k) add_to(outer, matmul((g[0] - matmul(u, p)) * inverse * per_unit, t(v)));
    }
    if (g[2].defined()) {
      const Variable p = matmul(t(v), g[2]);
      right = p - t(p);
      if (n > k) add_to(outer, matmul(u, t((g[2] - matmul(v, p)) * inverse * per_unit)));
    }
    if (left.defined() || right.defined()) {
      const Variable sum = !right.defined() ? left : !left.defined() ? right : left + right;
      const Variable difference = !right.defined() ? left : !left.defined() ? -right : left - right;
      const Variable d = damped_reciprocal(unsqueeze(scaled, -2) - unsqueeze(scaled, -1), damping);
      const Variable e = damped_reciprocal(unsqueeze(scaled, -2) + unsqueeze(scaled, -1), damping);
      add_to(inner, 0.5 * (d * sum + e * difference) * per_unit);
    }
    Variable da = matmul(matmul(u, inner), t(v));
    if (outer.defined()) da = da + outer;
    out.set(0, da);
  };
  const PoolVector<Variable> recorded =
      record_many("svd", {y.u, y.s, y.v}, std::span<const Variable>(&a, 1), rule, {.outputs = true});
  return {recorded[0], recorded[1], recorded[2]};
}

// A = V diag(w) V^T        dA = V [diag(dw) + F o (P - P^T) / 2] V^T,  P = V^T dV,  F_ij = 1 / (w_j - w_i)
EighOf<Variable> eigh(const Variable& a, double damping) {
  const Eigh y = eigh(a.value());
  damping = damping_of(damping, a.dtype());
  auto rule = [damping](std::span<const Variable> g, Gradients& out) {
    const Variable w = out.output(0), v = out.output(1);
    if (w.value().is_empty()) {
      out.set(0, v);
      return;
    }
    Variable inner;
    if (g[0].defined()) add_to(inner, identity(w.size(-1), w) * unsqueeze(g[0], -1));
    if (g[1].defined()) {
      const Variable unit = largest_of(w);
      const Variable scaled = w / unit;
      const Variable f = damped_reciprocal(unsqueeze(scaled, -2) - unsqueeze(scaled, -1), damping);
      const Variable p = matmul(t(v), g[1]);
      add_to(inner, f * (0.5 * (p - t(p))) * unsqueeze(reciprocal(unit), -1));
    }
    out.set(0, matmul(matmul(v, inner), t(v)));
  };
  const PoolVector<Variable> recorded =
      record_many("eigh", {y.values, y.vectors}, std::span<const Variable>(&a, 1), rule, {.outputs = true});
  return {recorded[0], recorded[1]};
}

// A = Q R       dA = [dQ + Q sym(M)] R^-T,  M = R dR^T - dQ^T Q,  sym(M) = the lower triangle of M, mirrored
QrOf<Variable> qr(const Variable& a) {
  const Qr y = qr(a.value());
  auto rule = [](std::span<const Variable> g, Gradients& out) {
    const Variable q = out.output(0), r = out.output(1);
    Variable m;
    if (g[1].defined()) add_to(m, matmul(r, t(g[1])));
    if (g[0].defined()) add_to(m, -matmul(t(g[0]), q));
    const int64_t n = r.size(-1);
    Variable b = matmul(q, m * triangle(n, 0, r) + t(m * triangle(n, 1, r)));
    if (g[0].defined()) b = b + g[0];
    out.set(0, t(solve_triangular(r, t(b), {.upper = true})));
  };
  const PoolVector<Variable> recorded =
      record_many("qr", {y.q, y.r}, std::span<const Variable>(&a, 1), rule, {.outputs = true});
  return {recorded[0], recorded[1]};
}

// A = L L^T     dA = L^-T P L^-1, symmetrised, with P the lower triangle of L^T dL, its diagonal halved
// (I. Murray, Differentiation of the Cholesky decomposition, 2016)
Variable cholesky(const Variable& a) {
  return record("cholesky", cholesky(a.value()), {a},
                [](const Variable& g, Gradients& out) {
                  const Variable l = out.output();
                  const int64_t n = l.size(-1);
                  const Variable half = 0.5 * (triangle(n, 0, l) + triangle(n, 1, l));
                  const Variable left = solve_triangular(l, matmul(t(l), g) * half, {.transposed = true});
                  const Variable da = solve_triangular(l, t(left), {.transposed = true});
                  out.set(0, 0.5 * (da + t(da)));
                },
                {.outputs = true});
}

// op(A) X = B   dB = op(A)^-T dX,  d op(A) = -dB X^T on the triangle
Variable solve_triangular(const Variable& a, const Variable& b, TriangularOptions options) {
  return record("solve_triangular", solve_triangular(a.value(), b.value(), options), {a, b},
                [a = Saved(a), shape = b.shape(), options](const Variable& g, Gradients& out) {
                  const Variable db = solve_triangular(a(), g, {options.upper, !options.transposed});
                  if (out.needed(1)) out.set(1, sum_to(db, shape));
                  if (!out.needed(0)) return;
                  const Variable x = out.output();
                  const Variable da = options.transposed ? matmul(x, t(db)) : matmul(db, t(x));
                  const Variable lower = triangle(a().size(-1), 0, a());
                  out.set(0, sum_to(-da * (options.upper ? t(lower) : lower), a().shape()));
                },
                {.outputs = true});
}

}  // namespace tenon

TENON_BACKWARD(svd)
TENON_BACKWARD(eigh)
TENON_BACKWARD(qr)
TENON_BACKWARD(cholesky)
TENON_BACKWARD(solve_triangular)
