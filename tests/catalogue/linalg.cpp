#include "core/ops/linalg.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "autograd/ops/linalg.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// Decompositions are unique only where values are apart, and signs only by the convention (the first component that
// reaches half of the largest is positive). So matrices are drawn near diagonal ones with steps of 1 on the diagonal:
// vectors near the axes, far from any change of sign.
Tensor near_ladder(Draw& d, int64_t count, int64_t m, int64_t n, double noise = 0.04) {
  Tensor a = d.normal({count, m, n});
  const int64_t k = std::min(m, n);
  for (int64_t b = 0; b < count; ++b)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j) {
        double& x = a.data<double>()[(b * m + i) * n + j];
        x = noise * x + (i == j ? static_cast<double>(k - i) + 0.5 : 0);
      }
  return a;
}

// One matrix of a batch, rows of doubles.
struct Matrix {
  int64_t rows, columns;
  std::vector<double> v;

  Matrix(int64_t m, int64_t n) : rows(m), columns(n), v(static_cast<size_t>(m * n)) {}
  double& operator()(int64_t i, int64_t j) { return v[static_cast<size_t>(i * columns + j)]; }
  double operator()(int64_t i, int64_t j) const { return v[static_cast<size_t>(i * columns + j)]; }
};
Matrix matrix_of(const Array& a, int64_t b) {
  Matrix x(a.shape.back(1), a.shape.back(0));
  for (int64_t e = 0; e < x.rows * x.columns; ++e)
    x.v[static_cast<size_t>(e)] = a[b * x.rows * x.columns + e];
  return x;
}
Matrix transposed(const Matrix& x) {
  Matrix y(x.columns, x.rows);
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.columns; ++j) y(j, i) = x(i, j);
  return y;
}
Matrix symmetric_part(const Matrix& x) {
  Matrix y(x.rows, x.columns);
  for (int64_t i = 0; i < x.rows; ++i)
    for (int64_t j = 0; j < x.columns; ++j) y(i, j) = (x(i, j) + x(j, i)) / 2;
  return y;
}
double dot_of_columns(const Matrix& x, int64_t p, const Matrix& y, int64_t q) {
  double sum = 0;
  for (int64_t i = 0; i < x.rows; ++i) sum += x(i, p) * y(i, q);
  return sum;
}
void store(Array& out, int64_t b, const Matrix& x) {
  for (int64_t e = 0; e < x.rows * x.columns; ++e)
    out[b * x.rows * x.columns + e] = x.v[static_cast<size_t>(e)];
}
double sign_of(const Matrix& x, int64_t j) {
  double largest = 0;
  for (int64_t i = 0; i < x.rows; ++i) largest = std::max(largest, std::fabs(x(i, j)));
  for (int64_t i = 0; i < x.rows; ++i)
    if (std::fabs(x(i, j)) >= largest / 2) return x(i, j) < 0 ? -1 : 1;
  return 1;
}

// Plain one-sided Jacobi on a tall matrix: w becomes U S, v the turns.
void turn_to_orthogonal(Matrix& w, Matrix& v) {
  for (int64_t j = 0; j < v.rows; ++j) v(j, j) = 1;
  for (int sweep = 0; sweep < 30; ++sweep)
    for (int64_t p = 0; p < w.columns; ++p)
      for (int64_t q = p + 1; q < w.columns; ++q) {
        const double angle = 0.5 * std::atan2(2 * dot_of_columns(w, p, w, q),
                                              dot_of_columns(w, p, w, p) - dot_of_columns(w, q, w, q));
        const double c = std::cos(angle), s = std::sin(angle);
        for (Matrix* x : {&w, &v})
          for (int64_t i = 0; i < x->rows; ++i) {
            const double a = (*x)(i, p), b = (*x)(i, q);
            (*x)(i, p) = c * a + s * b;
            (*x)(i, q) = c * b - s * a;
          }
      }
}

Arrays svd_reference(const Array& a) {
  const int64_t m = a.shape.back(1), n = a.shape.back(0), k = std::min(m, n),
                count = k == 0 ? 0 : a.numel() / (m * n);
  Array u({a.shape[0], m, k}), s({a.shape[0], k}), v({a.shape[0], n, k});
  for (int64_t b = 0; b < count; ++b) {
    Matrix w = m < n ? transposed(matrix_of(a, b)) : matrix_of(a, b), x(k, k);
    turn_to_orthogonal(w, x);
    std::vector<int64_t> order(static_cast<size_t>(k));
    std::iota(order.begin(), order.end(), int64_t{0});
    std::sort(order.begin(), order.end(),
              [&](int64_t i, int64_t j) { return dot_of_columns(w, i, w, i) > dot_of_columns(w, j, w, j); });
    Matrix left(w.rows, k), right(k, k);
    for (int64_t j = 0; j < k; ++j) {
      const int64_t from = order[static_cast<size_t>(j)];
      const double length = std::sqrt(dot_of_columns(w, from, w, from));
      const double sign = sign_of(m < n ? x : w, from);
      s[b * k + j] = length;
      for (int64_t i = 0; i < w.rows; ++i) left(i, j) = sign * w(i, from) / length;
      for (int64_t i = 0; i < k; ++i) right(i, j) = sign * x(i, from);
    }
    store(u, b, m < n ? right : left);
    store(v, b, m < n ? left : right);
  }
  return {u, s, v};
}

Case svd_case(const std::string& label, const Tensor& a) {
  Case c;
  c.label = concat(label, " ", a.shape());
  c.inputs = {a};
  c.tensors = [](const Tensors& in) {
    Svd y = svd(in[0]);
    return Tensors{y.u, y.s, y.v};
  };
  c.variables = [](const Variables& in) {
    SvdOf<Variable> y = svd(in[0]);
    return Variables{y.u, y.s, y.v};
  };
  c.reference = [](const Arrays& in) { return svd_reference(in[0]); };
  return c;
}

std::vector<Case> svd_cases(Draw& d) {
  const int64_t count = d.extent(2, 3, 40), n = d.extent(4, 5, 12);
  const int64_t longer = d.extent(6, 7, 17);
  std::vector<Case> cases{svd_case("square", near_ladder(d, std::max<int64_t>(count, 1), n, n))};
  cases.push_back(svd_case("tall", near_ladder(d, count, longer, n)));
  cases.push_back(svd_case("wide", near_ladder(d, count, n, longer)));
  if (d.is(Size::odd)) cases.push_back(svd_case("one row", near_ladder(d, 2, 1, 7)));
  // Past the columns that share lanes; several, so that threads share them.
  if (d.is(Size::large)) cases.push_back(svd_case("one by one", near_ladder(d, 5, 60, 53)));
  return cases;
}

const Register svd_row({
    .op = "svd",
    .cases = svd_cases,
    .refusals =
        [] {
          std::vector<Refusal> refusals = unary_refusals("svd", [](const Tensor& x) { svd(x); });
          Tensor bad = Tensor::ones({3, 2, 2});
          bad.data<float>()[9] = NAN;
          refusals.push_back({"rank", [] { svd(Tensor::ones({3})); }, {"svd", "rank >= 2", "[3]"}});
          refusals.push_back({"NaN", [bad] { svd(bad); }, {"svd", "matrix 2 of 3", "NaN"}});
          refusals.push_back({"list of a batch",
                              [] {
                                svd(std::vector<Tensor>{Tensor::ones({1, 2, 2})});
                              },
                              {"svd", "[1, 2, 2]"}});
          refusals.push_back({"mixed list",
                              [] {
                                svd(std::vector<Tensor>{Tensor::ones({2, 2}), Tensor::ones({2, 2}, float64)});
                              },
                              {"svd", "float32", "float64"}});
          return refusals;
        },
    .tolerance = 2e-5,
    .tolerance_reason = "vectors are known to the rounding of A over the gap of their values: 13 * 6e-8 / 1, "
                        "some of it n times",
    .tolerance64 = 1e-11,
});

std::vector<Case> eigh_cases(Draw& d) {
  const int64_t count = d.extent(2, 3, 24), n = d.extent(5, 7, 20);
  Case c;
  c.label = concat("[", count, ", ", n, ", ", n, "]");
  c.inputs = {near_ladder(d, count, n, n)};
  c.tensors = [](const Tensors& in) {
    Eigh y = eigh(in[0]);
    return Tensors{y.values, y.vectors};
  };
  c.variables = [](const Variables& in) {
    EighOf<Variable> y = eigh(in[0]);
    return Variables{y.values, y.vectors};
  };
  c.reference = [](const Arrays& in) {
    const Array& a = in[0];
    const int64_t size = a.shape.back(), matrices = a.shape[0];
    Array values({matrices, size}), vectors(a.shape);
    for (int64_t b = 0; b < matrices * std::min<int64_t>(size, 1); ++b) {
      // Positive definite as it is drawn: the columns of A V = V W are orthogonal, their lengths the values.
      Matrix w = symmetric_part(matrix_of(a, b)), v(size, size), sorted(size, size);
      turn_to_orthogonal(w, v);
      std::vector<int64_t> order(static_cast<size_t>(size));
      std::iota(order.begin(), order.end(), int64_t{0});
      std::sort(order.begin(), order.end(), [&](int64_t i, int64_t j) {
        return dot_of_columns(w, i, w, i) < dot_of_columns(w, j, w, j);
      });
      for (int64_t j = 0; j < size; ++j) {
        const int64_t from = order[static_cast<size_t>(j)];
        values[b * size + j] = std::sqrt(dot_of_columns(w, from, w, from));
        for (int64_t i = 0; i < size; ++i) sorted(i, j) = sign_of(v, from) * v(i, from);
      }
      store(vectors, b, sorted);
    }
    return Arrays{values, vectors};
  };
  return {c};
}

std::vector<Refusal> square_refusals(const char* op, const std::function<void(const Tensor&)>& call) {
  std::vector<Refusal> refusals = unary_refusals(op, call);
  refusals.push_back({"rank", [call] { call(Tensor::ones({3})); }, {op, "rank >= 2", "[3]"}});
  refusals.push_back({"not square", [call] { call(Tensor::ones({2, 3})); }, {op, "square", "[2, 3]"}});
  return refusals;
}

const Register eigh_row({
    .op = "eigh",
    .cases = eigh_cases,
    .refusals =
        [] {
          std::vector<Refusal> refusals = square_refusals("eigh", [](const Tensor& x) { eigh(x); });
          refusals.push_back({"infinity",
                              [] {
                                eigh(Tensor::full({2, 2}, INFINITY));
                              },
                              {"eigh", "matrix 0 of 1", "infinity"}});
          return refusals;
        },
    .tolerance = 2e-5,
    .tolerance_reason = "vectors are known to the rounding of A over the gap of their values; on the device "
                        "A + 2 |A| is rounded",
    .tolerance64 = 1e-11,
});

std::vector<Case> qr_cases(Draw& d) {
  const int64_t count = d.extent(2, 3, 24), n = d.extent(4, 5, 12), m = d.extent(6, 7, 21);
  std::vector<Case> cases;
  auto add = [&](const Tensor& a) {
    Case c;
    c.label = concat(a.shape());
    c.inputs = {a};
    c.tensors = [](const Tensors& in) {
      Qr y = qr(in[0]);
      return Tensors{y.q, y.r};
    };
    c.variables = [](const Variables& in) {
      QrOf<Variable> y = qr(in[0]);
      return Variables{y.q, y.r};
    };
    // Gram-Schmidt, each column twice.
    c.reference = [](const Arrays& in) {
      const int64_t matrices = in[0].shape[0], rows = in[0].shape[1], columns = in[0].shape[2];
      Array q(in[0].shape), r({matrices, columns, columns});
      for (int64_t b = 0; b < matrices * std::min<int64_t>(columns, 1); ++b) {
        Matrix x = matrix_of(in[0], b), y(columns, columns);
        for (int64_t j = 0; j < columns; ++j) {
          for (int pass = 0; pass < 2; ++pass)
            for (int64_t k = 0; k < j; ++k) {
              const double along = dot_of_columns(x, k, x, j);
              y(k, j) += along;
              for (int64_t i = 0; i < rows; ++i) x(i, j) -= along * x(i, k);
            }
          y(j, j) = std::sqrt(dot_of_columns(x, j, x, j));
          for (int64_t i = 0; i < rows; ++i) x(i, j) /= y(j, j);
        }
        store(q, b, x);
        store(r, b, y);
      }
      return Arrays{q, r};
    };
    cases.push_back(c);
  };
  add(near_ladder(d, count, m, n, 0.4));
  add(near_ladder(d, std::max<int64_t>(count, 1), n, n, 0.2));
  if (d.is(Size::large)) add(near_ladder(d, 3, 80, 70, 0.4));  // past a panel
  return cases;
}

const Register qr_row({
    .op = "qr",
    .cases = qr_cases,
    .refusals =
        [] {
          std::vector<Refusal> refusals = unary_refusals("qr", [](const Tensor& x) { qr(x); });
          refusals.push_back({"rank", [] { qr(Tensor::ones({3})); }, {"qr", "rank >= 2", "[3]"}});
          refusals.push_back({"wide", [] { qr(Tensor::ones({2, 3})); }, {"qr", "rows", "[2, 3]"}});
          refusals.push_back({"NaN",
                              [] {
                                qr(Tensor::full({2, 3, 2}, NAN));
                              },
                              {"qr", "matrix 0 of 2", "NaN"}});
          return refusals;
        },
    .tolerance = 1e-5,
    .tolerance_reason = "the rounding of A times its condition number, which is about 10 here",
    .tolerance64 = 1e-11,
});

std::vector<Case> cholesky_cases(Draw& d) {
  const int64_t count = d.extent(2, 3, 40), n = d.extent(4, 7, 21);
  Case c;
  c.label = concat("[", count, ", ", n, ", ", n, "]");
  c.inputs = {near_ladder(d, count, n, n)};
  c.tensors = [](const Tensors& in) { return Tensors{cholesky(in[0])}; };
  c.variables = [](const Variables& in) { return Variables{cholesky(in[0])}; };
  c.reference = [](const Arrays& in) {
    Array out(in[0].shape);
    const int64_t matrices = in[0].shape[0], size = in[0].shape[1];
    for (int64_t b = 0; b < matrices * std::min<int64_t>(size, 1); ++b) {
      const Matrix x = symmetric_part(matrix_of(in[0], b));
      Matrix l(size, size);
      for (int64_t i = 0; i < size; ++i)
        for (int64_t j = 0; j <= i; ++j) {
          double rest = x(i, j);
          for (int64_t k = 0; k < j; ++k) rest -= l(i, k) * l(j, k);
          l(i, j) = i == j ? std::sqrt(rest) : rest / l(j, j);
        }
      store(out, b, l);
    }
    return Arrays{out};
  };
  return {c};
}

const Register cholesky_row({
    .op = "cholesky",
    .cases = cholesky_cases,
    .refusals =
        [] {
          std::vector<Refusal> refusals = square_refusals("cholesky", [](const Tensor& x) { cholesky(x); });
          Tensor indefinite = Tensor::from<float>({1, 0, 0, 1, 1, 2, 2, 1}, {2, 2, 2});
          refusals.push_back({"indefinite",
                              [indefinite] { cholesky(indefinite); },
                              {"cholesky", "matrix 1 of 2", "not positive definite"}});
          return refusals;
        },
});

std::vector<Case> solve_cases(Draw& d) {
  const int64_t count = d.extent(2, 3, 9), n = d.extent(4, 5, 30), columns = d.extent(3, 7, 140);
  std::vector<Case> cases;
  for (const bool upper : {false, true})
    for (const bool transposed_ : {false, true}) {
      const TriangularOptions options{upper, transposed_};
      Case c;
      c.label = concat(upper ? "upper" : "lower", transposed_ ? ", transposed" : "", ", ", count, " of ", n);
      // One of each batch stands for all, in turn.
      c.inputs = {near_ladder(d, upper ? 1 : count, n, n, 0.3),
                  d.normal({transposed_ && !upper ? 1 : count, n, columns})};
      c.tensors = [options](const Tensors& in) { return Tensors{solve_triangular(in[0], in[1], options)}; };
      c.variables = [options](const Variables& in) {
        return Variables{solve_triangular(in[0], in[1], options)};
      };
      c.reference = [options, count](const Arrays& in) {
        const int64_t size = in[1].shape[1], width = in[1].shape[2];
        // Where both batches are 1 by broadcasting, so is the result; an empty one wins.
        const int64_t batch = in[0].shape[0] == 1 ? in[1].shape[0] : in[0].shape[0];
        Array x({batch, size, width});
        if (x.numel() == 0) return Arrays{x};
        for (int64_t b = 0; b < batch; ++b) {
          Matrix a = matrix_of(in[0], in[0].shape[0] == 1 ? 0 : b),
                 y = matrix_of(in[1], in[1].shape[0] == 1 ? 0 : b);
          for (int64_t i = 0; i < size; ++i)
            for (int64_t j = 0; j < size; ++j)
              if (options.upper ? j < i : j > i) a(i, j) = 0;
          if (options.transposed) a = transposed(a);
          const bool from_below = options.upper != options.transposed;
          for (int64_t step = 0; step < size; ++step) {
            const int64_t i = from_below ? size - 1 - step : step;
            for (int64_t c2 = 0; c2 < width; ++c2) {
              for (int64_t j = 0; j < size; ++j)
                if (j != i) y(i, c2) -= a(i, j) * y(j, c2);
              y(i, c2) /= a(i, i);
            }
          }
          store(x, b, y);
        }
        return Arrays{x};
      };
      cases.push_back(c);
    }
  return cases;
}

const Register solve_row({
    .op = "solve_triangular",
    .cases = solve_cases,
    .refusals =
        [] {
          Tensor a = Tensor::ones({2, 2});
          return std::vector<Refusal>{
              {"undefined", [a] { solve_triangular(a, Tensor()); }, {"solve_triangular", "undefined"}},
              {"dtype",
               [] {
                 solve_triangular(Tensor::ones({2, 2}, int32), Tensor::ones({2, 2}, int32));
               },
               {"solve_triangular", "int32"}},
              {"mixed dtypes",
               [a] {
                 solve_triangular(a, Tensor::ones({2, 2}, float64));
               },
               {"solve_triangular", "float32", "float64"}},
              {"not square",
               [] {
                 solve_triangular(Tensor::ones({2, 3}), Tensor::ones({2, 3}));
               },
               {"solve_triangular", "square", "[2, 3]"}},
              {"rows",
               [a] {
                 solve_triangular(a, Tensor::ones({3, 1}));
               },
               {"solve_triangular", "2 rows", "[3, 1]"}},
              {"batches",
               [] {
                 solve_triangular(Tensor::ones({2, 2, 2}), Tensor::ones({3, 2, 1}));
               },
               {"solve_triangular", "[2]", "[3]"}},
          };
        },
    .tolerance = 5e-6,
    .tolerance_reason = "substitution multiplies roundings by the condition of the triangle",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(svd)
TENON_ROW(eigh)
TENON_ROW(qr)
TENON_ROW(cholesky)
TENON_ROW(solve_triangular)
