#include "core/ops/linalg.h"

#include <atomic>
#include <limits>

#include "core/cpu/linalg.h"
#include "core/ops/contract.h"
#include "core/ops/dispatch.h"
#include "core/ops/elementwise.h"
#include "core/ops/index.h"
#include "core/ops/matmul.h"
#include "core/ops/reduce.h"
#include "cuda/kernels/linalg.h"

namespace tenon {
namespace {

// [..., tail]: the leading axes of `like`, its last two replaced.
Shape batched(const Tensor& like, std::initializer_list<int64_t> tail) {
  Shape shape;
  for (int i = 0; i + 2 < like.rank(); ++i) shape.push_back(like.shape()[i]);
  for (int64_t extent : tail) shape.push_back(extent);
  return shape;
}

void check_matrices(const char* op, const Tensor& a) {
  TENON_CHECK(a.defined(), op, ": undefined tensor");
  TENON_CHECK(is_floating(a.dtype()), op, ": expects float32 or float64, got ", a.str());
  TENON_CHECK(a.rank() >= 2, op, ": expects rank >= 2, got ", a.shape());
}
void check_square(const char* op, const Tensor& a) {
  check_matrices(op, a);
  TENON_CHECK(a.size(-1) == a.size(-2), op, ": expects square matrices, got ", a.shape());
}

// [..., m, n] as [count, m, n] and its steps; not for empty tensors. `flat` keeps a copy alive, if it had to be made.
MatrixBatch batch_of(const Tensor& a, Tensor& flat) {
  flat = a.reshape({-1, a.size(-2), a.size(-1)});
  const Strides& step = flat.strides();
  return {flat.size(0), flat.size(1), flat.size(2), step[0], step[1], step[2]};
}

// Where kernels say what became of each matrix.
class Report {
 public:
  Report(int64_t count, Device device) : status_(Tensor::zeros({count}, int32, device)) {}
  LinalgStatus* raw() const { return static_cast<LinalgStatus*>(status_.raw()); }

  /// Throws in the name of the first matrix at fault.
  void check(const char* op) const {
    const std::vector<int32_t> status = status_.to_vector<int32_t>();
    for (size_t b = 0; b < status.size(); ++b) {
      const char* fault = describe(static_cast<LinalgStatus>(status[b]));
      TENON_CHECK(fault == nullptr, op, ": matrix ", b, " of ", status.size(), " ", fault);
    }
  }

 private:
  static const char* describe(LinalgStatus status) {
    switch (status) {
      case LinalgStatus::ok:
        return nullptr;
      case LinalgStatus::not_finite:
        return "has a NaN or an infinity";
      case LinalgStatus::not_converged:
        return "does not converge";
      case LinalgStatus::not_positive_definite:
        return "is not positive definite";
    }
    return "has an unknown status";
  }
  Tensor status_;
};

std::atomic<int64_t> decomposed = 0;

// Starts a decomposition; what it will have come to is added to `reports`.
Svd start_svd(const Tensor& a, std::vector<Report>& reports) {
  check_matrices("svd", a);
  const int64_t m = a.size(-2), n = a.size(-1), k = std::min(m, n);
  Svd out{Tensor::empty(batched(a, {m, k}), a.dtype(), a.device()),
          Tensor::empty(batched(a, {k}), a.dtype(), a.device()),
          Tensor::empty(batched(a, {n, k}), a.dtype(), a.device())};
  if (a.is_empty()) return out;
  // Kernels take tall matrices: of a wide one they see the transpose, A^T = V S U^T.
  const bool wide = m < n;
  Tensor flat;
  SvdPlan plan;
  plan.a = batch_of(wide ? a.t() : a, flat);
  decomposed += plan.a.count;
  plan.sign_by_v = wide;
  Tensor &u = wide ? out.v : out.u, &v = wide ? out.u : out.v;
  const Report& report = reports.emplace_back(plan.a.count, a.device());
  TENON_DISPATCH(a.device(), svd, plan, a.dtype(), flat.raw(), u.raw(), out.s.raw(), v.raw(), report.raw());
  return out;
}

}  // namespace

int64_t svd_count() { return decomposed; }

Svd svd(const Tensor& a) {
  std::vector<Report> reports;
  Svd out = start_svd(a, reports);
  for (const Report& report : reports) report.check("svd");
  return out;
}

std::vector<Svd> svd(const std::vector<Tensor>& matrices) {
  for (const Tensor& a : matrices) {
    check_matrices("svd", a);
    TENON_CHECK(a.rank() == 2, "svd: a list expects matrices, got ", a.shape());
    check_same_dtype("svd", matrices[0], a);
    check_same_device("svd", matrices[0], a);
  }
  std::vector<Svd> out(matrices.size());
  std::vector<Report> reports;  // read when all are started: to read one is to wait for the device
  for (size_t first = 0; first < matrices.size(); ++first) {
    if (out[first].s.defined()) continue;
    std::vector<Tensor> alike;
    std::vector<size_t> places;
    for (size_t i = first; i < matrices.size(); ++i)
      if (matrices[i].shape() == matrices[first].shape()) alike.push_back(matrices[i]), places.push_back(i);
    const Svd all = start_svd(stack(alike, 0), reports);
    for (size_t i = 0; i < places.size(); ++i) {
      const int64_t at = static_cast<int64_t>(i);
      out[places[i]] = {all.u.select(0, at), all.s.select(0, at), all.v.select(0, at)};
    }
  }
  for (const Report& report : reports) report.check("svd");
  return out;
}

Svd truncated(const Svd& full, int64_t rank) {
  TENON_CHECK(full.s.defined(), "truncated: undefined decomposition");
  TENON_CHECK(rank >= 0 && rank <= full.s.size(-1), "truncated: expects 0 <= rank <= ", full.s.size(-1),
              ", got ", rank);
  return {full.u.narrow(-1, 0, rank), full.s.narrow(-1, 0, rank), full.v.narrow(-1, 0, rank)};
}

int64_t rank_for_energy(const Tensor& s, double share) {
  TENON_CHECK(s.defined() && s.rank() == 1 && is_floating(s.dtype()),
              "rank_for_energy: expects singular values [k], got ",
              s.defined() ? s.str() : "an undefined tensor");
  TENON_CHECK(share >= 0 && share <= 1, "rank_for_energy: expects a share in [0, 1], got ", share);
  const std::vector<double> values = s.to(float64).to_vector<double>();
  double all = 0;
  for (double x : values) all += x * x;
  double dropped = 0;
  size_t rank = values.size();
  while (rank > 0 && dropped + values[rank - 1] * values[rank - 1] <= share * all) {
    --rank;
    dropped += values[rank] * values[rank];
  }
  return static_cast<int64_t>(rank);
}

Eigh eigh(const Tensor& a) {
  check_square("eigh", a);
  const int64_t n = a.size(-1);
  Eigh out{Tensor::empty(batched(a, {n}), a.dtype(), a.device()),
           Tensor::empty(a.shape(), a.dtype(), a.device())};
  if (a.is_empty()) return out;
  Tensor flat;
  const MatrixBatch batch = batch_of(a, flat);
  const Report report(batch.count, a.device());
  TENON_DISPATCH(a.device(), eigh, batch, a.dtype(), flat.raw(), out.values.raw(), out.vectors.raw(),
                 report.raw());
  report.check("eigh");
  return out;
}

Qr qr(const Tensor& a) {
  check_matrices("qr", a);
  const int64_t m = a.size(-2), n = a.size(-1);
  TENON_CHECK(m >= n, "qr: expects at least as many rows as columns, got ", a.shape());
  Qr out{Tensor::empty(a.shape(), a.dtype(), a.device()),
         Tensor::empty(batched(a, {n, n}), a.dtype(), a.device())};
  if (a.is_empty()) return out;
  Tensor flat;
  const MatrixBatch batch = batch_of(a, flat);
  const Report report(batch.count, a.device());
  TENON_DISPATCH(a.device(), qr, batch, a.dtype(), flat.raw(), out.q.raw(), out.r.raw(), report.raw());
  report.check("qr");
  return out;
}

Tensor cholesky(const Tensor& a) {
  check_square("cholesky", a);
  Tensor l = Tensor::empty(a.shape(), a.dtype(), a.device());
  if (a.is_empty()) return l;
  Tensor flat;
  const MatrixBatch batch = batch_of(a, flat);
  const Report report(batch.count, a.device());
  TENON_DISPATCH(a.device(), cholesky, batch, a.dtype(), flat.raw(), l.raw(), report.raw());
  report.check("cholesky");
  return l;
}

Tensor solve_triangular(const Tensor& a, const Tensor& b, TriangularOptions options) {
  check_square("solve_triangular", a);
  check_matrices("solve_triangular", b);
  check_same_dtype("solve_triangular", a, b);
  check_same_device("solve_triangular", a, b);
  const int64_t n = a.size(-1), columns = b.size(-1);
  TENON_CHECK(b.size(-2) == n, "solve_triangular: ", a.shape(), " expects ", n, " rows on the right, got ",
              b.shape());
  const Shape batch = broadcast_shapes("solve_triangular", batched(a, {}), batched(b, {}));
  Shape a_shape = batch, x_shape = batch;
  a_shape.push_back(n), a_shape.push_back(n);
  x_shape.push_back(n), x_shape.push_back(columns);
  Tensor x = Tensor::empty(x_shape, a.dtype(), a.device());
  if (x.is_empty()) return x;
  x.copy_(b.expand(x_shape));
  const Tensor matrices = a.expand(a_shape).contiguous();
  const TriangularPlan plan{batch.numel(), n, columns, options.upper, options.transposed};
  TENON_DISPATCH(a.device(), solve_triangular, plan, a.dtype(), matrices.raw(), x.raw());
  return x;
}

Tensor polar(const Tensor& a) {
  check_matrices("polar", a);
  const int64_t m = a.size(-2), n = a.size(-1);
  TENON_CHECK(m >= n, "polar: expects at least as many rows as columns, got ", a.shape());
  if (a.is_empty()) return Tensor::empty(a.shape(), a.dtype(), a.device());
  const double epsilon =
      a.dtype() == float32 ? std::numeric_limits<float>::epsilon() : std::numeric_limits<double>::epsilon();
  Tensor x = div(a, norm2(a, {-2, -1}, true));
  for (int step = 0; step < 60; ++step) {
    Tensor next = sub(affine(x, 1.5, 0), matmul(x, affine(matmul(x.t(), x), 0.5, 0)));
    const double change = amax(abs(sub(next, x))).item();
    x = next;
    // Convergence is quadratic: a change of sqrt(epsilon) leaves an error of epsilon.
    if (change <= std::sqrt(epsilon) / 4) return x;
  }
  fail("polar: does not converge: a matrix of ", a.shape(), " is singular, or has a NaN or an infinity");
}

}  // namespace tenon

TENON_FORWARD(svd)
TENON_FORWARD(eigh)
TENON_FORWARD(qr)
TENON_FORWARD(cholesky)
TENON_FORWARD(solve_triangular)
