#include "core/ops/view.h"

#include "autograd/ops/view.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

Shape shape_of(Draw& d) { return {d.extent(2, 3, 100), d.extent(4, 6, 60), d.extent(3, 5, 70)}; }

// A row of one input whose reference says, for every index of the result, which element of x stands there.
template <class TensorForm, class VariableForm>
Row view_row(const char* op, TensorForm tensor_form, VariableForm variable_form,
             std::function<Array(const Array&)> reference, std::function<std::vector<Refusal>()> refusals) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    Case c;
    c.inputs = {d.normal(shape_of(d))};
    c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0])}; };
    c.variables = [=](const Variables& in) { return Variables{variable_form(in[0])}; };
    c.reference = [=](const Arrays& in) { return Arrays{reference(in[0])}; };
    return std::vector<Case>{c};
  };
  row.refusals = std::move(refusals);
  row.tolerance = 0;
  row.tolerance_reason = "elements are moved, not changed";
  return row;
}

Shape merged(const Shape& s) { return {s[0] * s[1], s[2]}; }

const Register reshape_row(view_row(
    "reshape", [](const Tensor& x) { return x.reshape(merged(x.shape())); },
    [](const Variable& x) { return reshape(x, merged(x.shape())); },
    [](const Array& x) {
      Array y = x;
      y.shape = merged(x.shape);
      return y;
    },
    [] {
      return std::vector<Refusal>{{"count",
                                   [] {
                                     Tensor::zeros({2, 3}).reshape({4});
                                   },
                                   {"reshape", "[2, 3]", "[4]"}},
                                  {"two open",
                                   [] {
                                     Tensor::zeros({2, 3}).reshape({-1, -1});
                                   },
                                   {"reshape", "one extent"}}};
    }));

const Register permute_row(view_row(
    "permute",
    [](const Tensor& x) {
      return x.permute({2, 0, 1});
    },
    [](const Variable& x) {
      return permute(x, {2, 0, 1});
    },
    [](const Array& x) {
      Array y({x.shape[2], x.shape[0], x.shape[1]});
      int64_t i = 0;
      for_each_index(y.shape, [&](const Dims& at) { y[i++] = x.at({at[1], at[2], at[0]}); });
      return y;
    },
    [] {
      return std::vector<Refusal>{{"rank",
                                   [] {
                                     Tensor::zeros({2, 3}).permute({0});
                                   },
                                   {"permute", "[2, 3]"}},
                                  {"twice",
                                   [] {
                                     Tensor::zeros({2, 3}).permute({0, 0});
                                   },
                                   {"permute", "twice"}}};
    }));

// Every second element of the middle axis, from the second on.
const Register slice_row(view_row(
    "slice", [](const Tensor& x) { return x.slice(1, x.size(1) > 1, x.size(1), 2); },
    [](const Variable& x) { return slice(x, 1, x.size(1) > 1, x.size(1), 2); },
    [](const Array& x) {
      int64_t start = x.shape[1] > 1;
      Array y({x.shape[0], (x.shape[1] - start + 1) / 2, x.shape[2]});
      int64_t i = 0;
      for_each_index(y.shape, [&](const Dims& at) { y[i++] = x.at({at[0], start + 2 * at[1], at[2]}); });
      return y;
    },
    [] {
      return std::vector<Refusal>{{"range",
                                   [] {
                                     Tensor::zeros({2, 3}).slice(1, 1, 4);
                                   },
                                   {"slice", "[2, 3]", "1:4"}},
                                  {"step",
                                   [] {
                                     Tensor::zeros({2, 3}).slice(1, 0, 2, 0);
                                   },
                                   {"slice", "step"}}};
    }));

const Register expand_row(view_row(
    "expand",
    [](const Tensor& x) {
      return x.unsqueeze(1).expand({x.size(0), 3, x.size(1), x.size(2)});
    },
    [](const Variable& x) {
      return expand(unsqueeze(x, 1), {x.size(0), 3, x.size(1), x.size(2)});
    },
    [](const Array& x) {
      Array y({x.shape[0], 3, x.shape[1], x.shape[2]});
      int64_t i = 0;
      for_each_index(y.shape, [&](const Dims& at) { y[i++] = x.at({at[0], at[2], at[3]}); });
      return y;
    },
    [] {
      return std::vector<Refusal>{{"extent",
                                   [] {
                                     Tensor::zeros({2, 3}).expand({2, 4});
                                   },
                                   {"expand", "[2, 3]", "[2, 4]"}},
                                  {"rank",
                                   [] {
                                     Tensor::zeros({2, 3}).expand({3});
                                   },
                                   {"expand", "[2, 3]", "[3]"}}};
    }));

const Register slice_scatter_row(view_row(
    "slice_scatter",
    [](const Tensor& x) {
      return slice_scatter(x, {x.size(0), 2 * x.size(1) + 1, x.size(2)}, 1, 1, 2 * x.size(1) + 1, 2);
    },
    [](const Variable& x) {
      return slice_scatter(x, {x.size(0), 2 * x.size(1) + 1, x.size(2)}, 1, 1, 2 * x.size(1) + 1, 2);
    },
    [](const Array& x) {
      Array y({x.shape[0], 2 * x.shape[1] + 1, x.shape[2]});
      int64_t i = 0;
      for_each_index(x.shape, [&](const Dims& at) { y.at({at[0], 2 * at[1] + 1, at[2]}) = x[i++]; });
      return y;
    },
    [] {
      return std::vector<Refusal>{
          {"undefined", [] { slice_scatter(Tensor(), {2}, 0, 0, 1); }, {"slice_scatter", "undefined"}},
          {"shape",
           [] { slice_scatter(Tensor::zeros({2}), {4}, 0, 0, 3); },
           {"slice_scatter", "[3]", "[2]"}}};
    }));

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(reshape)
TENON_ROW(permute)
TENON_ROW(slice)
TENON_ROW(expand)
TENON_ROW(slice_scatter)
