#include "core/ops/upsample.h"

#include <cmath>

#include "autograd/ops/upsample.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

enum class Mode { nearest, linear, aligned };

// How much of element i of n_in is in element j of n_out.
double naive_weight(Mode mode, int64_t i, int64_t j, int64_t n_in, int64_t n_out) {
  if (mode == Mode::nearest) return j * n_in / n_out == i ? 1 : 0;
  const double in = static_cast<double>(n_in), out = static_cast<double>(n_out), at = static_cast<double>(j);
  double position = (at + 0.5) * in / out - 0.5;
  if (mode == Mode::aligned) position = n_out > 1 ? at * (in - 1) / (out - 1) : 0;
  position = std::min(std::max(position, 0.0), in - 1);
  return std::max(0.0, 1 - std::fabs(position - static_cast<double>(i)));
}

// One axis, as a product with the matrix of weights: naive_weight(to, from) if transposed.
Array along(const Array& x, int axis, int64_t extent, Mode mode, bool transposed) {
  Shape shape = x.shape;
  shape[axis] = extent;
  Array y(shape);
  int64_t inner = 1, n = x.shape[axis];
  for (int i = axis + 1; i < shape.rank(); ++i) inner *= shape[i];
  for (int64_t j = 0; j < extent; ++j)
    for (int64_t i = 0; i < n; ++i) {
      double w = transposed ? naive_weight(mode, j, i, extent, n) : naive_weight(mode, i, j, n, extent);
      if (w == 0) continue;
      for (int64_t o = 0; o < y.numel() / (extent * inner); ++o)
        for (int64_t l = 0; l < inner; ++l) y[(o * extent + j) * inner + l] += w * x[(o * n + i) * inner + l];
    }
  return y;
}

Array naive_resize(Array x, const Dims& size, Mode mode, bool transposed) {
  for (int i = 0; i < size.rank(); ++i) x = along(x, i + 2, size[i], mode, transposed);
  return x;
}

struct Variant {
  Shape small;  // the extents of x (of the result, for a backward)
  Dims size;
};

// Larger, smaller, as it was, and from or to a single element.
std::vector<Variant> variants(Draw& d) {
  if (d.is(Size::large))
    return {{{2, 3, 70, 80}, {140, 200}},
            {{2, 3, 150, 180}, {70, 77}},
            {{1, 2, 20, 21, 22}, {40, 42, 30}},
            {{5, 20, 700}, {1000}}};
  if (d.is(Size::empty)) return {{{0, 2, 3}, {5}}, {{2, 0, 3, 4}, {5, 5}}};
  if (d.is(Size::one)) return {{{1, 1, 1}, {1}}, {{1, 1, 1, 1}, {3, 1}}, {{1, 1, 4, 1}, {1, 2}}};
  int64_t n = d.extent(1, 2, 0), e = d.extent(3, 5, 0);
  return {{{n, 2, e}, {2 * e}},
          {{n, 2, e}, {e - 1}},
          {{n, 1, e, 2}, {e + 2, 5}},
          {{n, 1, e, 4}, {e, 3}},
          {{n, 1, 2, e, 2}, {3, e + 1, 4}}};
}

// Case and refusals of the map (or its transposed), whichever mode.
template <class TensorForm, class VariableForm>
Row resize_row(const char* op, std::vector<Mode> modes, bool transposed, TensorForm tensor_form,
               VariableForm variable_form) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    for (Mode mode : modes)
      for (const Variant& v : variants(d)) {
        Shape from = v.small;
        Dims to = v.size;
        if (transposed)
          for (int i = 0; i < to.rank(); ++i) std::swap(from[i + 2], to[i]);
        Case c;
        c.label = concat(from, " to ", to, mode == Mode::aligned ? " aligned" : "");
        const bool aligned = mode == Mode::aligned;
        c.inputs = {d.normal(from)};
        c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], to, aligned)}; };
        c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], to, aligned)}; };
        c.reference = [=](const Arrays& in) { return Arrays{naive_resize(in[0], to, mode, transposed)}; };
        cases.push_back(c);
      }
    return cases;
  };
  row.refusals = [=] {
    auto refusals = unary_refusals(op, [=](const Tensor& x) { tensor_form(x, {3}, false); });
    auto refuse = [&](const char* label, Shape shape, Dims size, std::vector<std::string> message) {
      message.push_back(op);
      refusals.push_back({label, [=] { tensor_form(Tensor::zeros(shape), size, false); }, message});
    };
    refuse("rank", {2, 3}, {}, {"[N, C, (D, (H,)) W]", "[2, 3]"});
    refuse("extents", {2, 3, 4, 5}, {8}, {"2 extents", "[8]"});
    refuse("no extent", {2, 3, 4}, {0}, {"at least 1", "[0]"});
    refuse("no elements", {2, 3, 0}, {4}, {"no elements along axis 2", "[2, 3, 0]"});
    return refusals;
  };
  row.tolerance_reason = "weights in float32, and sums of a few products";
  return row;
}

const Register nearest_row(resize_row(
    "upsample_nearest", {Mode::nearest}, false,
    [](const Tensor& x, const Dims& size, bool) { return upsample_nearest(x, size); },
    [](const Variable& x, const Dims& size, bool) { return upsample_nearest(x, size); }));
const Register nearest_backward_row(resize_row(
    "upsample_nearest_backward", {Mode::nearest}, true,
    [](const Tensor& g, const Dims& size, bool) { return upsample_nearest_backward(g, size); },
    [](const Variable& g, const Dims& size, bool) { return upsample_nearest_backward(g, size); }));
const Register linear_row(resize_row(
    "upsample_linear", {Mode::linear, Mode::aligned}, false,
    [](const Tensor& x, const Dims& size, bool aligned) { return upsample_linear(x, size, aligned); },
    [](const Variable& x, const Dims& size, bool aligned) { return upsample_linear(x, size, aligned); }));
const Register linear_backward_row(resize_row(
    "upsample_linear_backward", {Mode::linear, Mode::aligned}, true,
    [](const Tensor& g, const Dims& size, bool aligned) {
      return upsample_linear_backward(g, size, aligned);
    },
    [](const Variable& g, const Dims& size, bool aligned) {
      return upsample_linear_backward(g, size, aligned);
    }));

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(upsample_nearest)
TENON_ROW(upsample_nearest_backward)
TENON_ROW(upsample_linear)
TENON_ROW(upsample_linear_backward)
