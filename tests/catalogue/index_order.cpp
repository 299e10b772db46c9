// Order along one axis: sort, argsort, topk, cumsum.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "autograd/ops/index.h"
#include "core/ops/index.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

Shape shape_of(Draw& d) { return {d.extent(2, 3, 40), d.extent(5, 7, 50), d.extent(3, 2, 30)}; }

// Calls f with the flat positions of the elements of each line along an axis.
void for_each_line(const Shape& shape, int axis, const std::function<void(const std::vector<int64_t>&)>& f) {
  Shape starts = shape;
  starts[axis] = std::min<int64_t>(1, shape[axis]);
  for_each_index(starts, [&](Dims at) {
    std::vector<int64_t> line;
    for (at[axis] = 0; at[axis] < shape[axis]; ++at[axis]) line.push_back(broadcast_position(shape, at));
    f(line);
  });
}

// The first k of each line by a selection sort: smallest (or largest) first, the earlier of equals first.
Arrays first_in_order(const Array& x, int64_t k, int axis, bool descending) {
  Shape shape = x.shape;
  shape[axis] = k;
  Array values(shape), indices(shape);
  std::vector<std::vector<int64_t>> targets;
  for_each_line(shape, axis, [&](const std::vector<int64_t>& line) { targets.push_back(line); });
  size_t line_number = 0;
  if (k > 0)
    for_each_line(x.shape, axis, [&](const std::vector<int64_t>& line) {
      std::vector<size_t> order(line.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = i;
      std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
        return descending ? x[line[a]] > x[line[b]] : x[line[a]] < x[line[b]];
      });
      for (size_t i = 0; i < static_cast<size_t>(k); ++i) {
        values[targets[line_number][i]] = x[line[order[i]]];
        indices[targets[line_number][i]] = static_cast<double>(order[i]);
      }
      ++line_number;
    });
  return {values, indices};
}

// Floats without ties, for the gradients' sake, and integers with many.
std::vector<Case> with_ties(Draw& d, const Case& c) {
  std::vector<Case> cases = {c};
  if (d.is(Size::large)) return cases;
  for (DType dtype : {float64, int64, uint8}) {
    Case ties = c;
    ties.label += concat(" ties ", dtype);
    ties.inputs = {d.integers(c.inputs[0].shape(), 0, 4, dtype)};
    ties.variables = nullptr;
    cases.push_back(ties);
  }
  return cases;
}

std::vector<Case> order_cases(
    Draw& d, const std::function<int64_t(int64_t extent)>& wanted,
    const std::function<std::pair<Tensor, Tensor>(const Tensor&, int64_t k, int64_t axis, bool)>& tensor_form,
    const std::function<std::pair<Variable, Tensor>(const Variable&, int64_t k, int64_t axis, bool)>&
        variable_form) {
  std::vector<Case> cases;
  for (int axis : {0, 1, -1})
    for (bool descending : {false, true}) {
      const int a = normalize_axis("test", axis, 3);
      Shape shape = shape_of(d);
      const int64_t k = wanted(shape[a]);
      Case c;
      c.label = concat("axis ", axis, descending ? " descending" : " ascending");
      c.inputs = {d.distinct(shape)};
      c.tensors = [=](const Tensors& in) {
        auto [values, indices] = tensor_form(in[0], k, axis, descending);
        return Tensors{values, indices};
      };
      c.variables = [=](const Variables& in) {
        auto [values, indices] = variable_form(in[0], k, axis, descending);
        return Variables{values, Variable(indices)};
      };
      c.reference = [=](const Arrays& in) { return first_in_order(in[0], k, a, descending); };
      for (Case& each : with_ties(d, c)) cases.push_back(std::move(each));
    }
  return cases;
}

const Register sort_row({
    .op = "sort",
    .cases =
        [](Draw& d) {
          return order_cases(
              d, [](int64_t extent) { return extent; },
              [](const Tensor& x, int64_t, int64_t axis, bool descending) {
                return sort(x, axis, descending);
              },
              [](const Variable& x, int64_t, int64_t axis, bool descending) {
                return sort(x, axis, descending);
              });
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { sort(Tensor()); }, {"sort", "undefined"}},
              {"axis", [] { sort(Tensor::zeros({2}), 1); }, {"sort", "axis 1"}},
              {"rank 0", [] { sort(Tensor::zeros({})); }, {"sort", "axis -1", "rank 0"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

const Register argsort_row({
    .op = "argsort",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases = order_cases(
              d, [](int64_t extent) { return extent; },
              [](const Tensor& x, int64_t, int64_t axis, bool descending) {
                return std::pair(argsort(x, axis, descending), Tensor());
              },
              nullptr);
          for (Case& c : cases) {
            c.variables = nullptr;
            c.tensors = [f = c.tensors](const Tensors& in) { return Tensors{f(in)[0]}; };
            c.reference = [f = c.reference](const Arrays& in) { return Arrays{f(in)[1]}; };
          }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { argsort(Tensor()); }, {"argsort", "undefined"}},
              {"axis", [] { argsort(Tensor::zeros({2}), -2); }, {"argsort", "axis -2"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "positions",
});

const Register topk_row({
    .op = "topk",
    .cases =
        [](Draw& d) {
          auto tensors = [](const Tensor& x, int64_t k, int64_t axis, bool largest) {
            return topk(x, k, axis, largest);
          };
          auto variables = [](const Variable& x, int64_t k, int64_t axis, bool largest) {
            return topk(x, k, axis, largest);
          };
          std::vector<Case> cases = order_cases(
              d, [](int64_t extent) { return (extent + 1) / 2; }, tensors, variables);
          std::vector<Case> none = order_cases(
              d, [](int64_t) { return 0; }, tensors, variables);
          cases.push_back(none.front());
          cases.back().label += " k = 0";
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{{"undefined", [] { topk(Tensor(), 1); }, {"topk", "undefined"}},
                                      {"axis", [] { topk(Tensor::zeros({2}), 1, 1); }, {"topk", "axis 1"}},
                                      {"k too large",
                                       [] {
                                         topk(Tensor::zeros({2, 3}), 4);
                                       },
                                       {"topk", "k <= 3", "[2, 3]", "got 4"}},
                                      {"k negative",
                                       [] {
                                         topk(Tensor::zeros({2, 3}), -1);
                                       },
                                       {"topk", "0 <= k", "got -1"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

const Register cumsum_row({
    .op = "cumsum",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, 1, -1})
            for (bool reverse : {false, true}) {
              const int a = normalize_axis("test", axis, 3);
              Case c;
              c.label = concat("axis ", axis, reverse ? " reverse" : "");
              c.inputs = {d.normal(shape_of(d))};
              c.tensors = [=](const Tensors& in) { return Tensors{cumsum(in[0], axis, reverse)}; };
              c.variables = [=](const Variables& in) { return Variables{cumsum(in[0], axis, reverse)}; };
              c.reference = [=](const Arrays& in) {
                Array y(in[0].shape);
                for_each_line(y.shape, a, [&](std::vector<int64_t> line) {
                  if (reverse) std::reverse(line.begin(), line.end());
                  double total = 0;
                  for (int64_t i : line) y[i] = total += in[0][i];
                });
                return Arrays{y};
              };
              cases.push_back(c);
              Case other = c;
              other.label += " int32";
              other.inputs = {d.integers(shape_of(d), -9, 9, int32)};
              other.variables = nullptr;
              cases.push_back(other);
            }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{{"undefined", [] { cumsum(Tensor(), 0); }, {"cumsum", "undefined"}},
                                      {"axis", [] { cumsum(Tensor::zeros({2}), 1); }, {"cumsum", "axis 1"}}};
        },
    .tolerance = 1e-6,
    .tolerance_reason = "sums in float64, rounded once",
});

}  // namespace

TEST_CASE("sort and topk: NaN is larger than every number, infinities too") {
  const double nan = std::numeric_limits<double>::quiet_NaN(),
               infinity = std::numeric_limits<double>::infinity();
  Tensor x = Tensor::from<double>({1, nan, infinity, -0.0, nan, 0.0, -infinity});
  CHECK(sort(x).second.to_vector<int64_t>() == std::vector<int64_t>{6, 3, 5, 0, 2, 1, 4});
  CHECK(sort(x, 0, true).second.to_vector<int64_t>() == std::vector<int64_t>{1, 4, 2, 0, 3, 5, 6});
  CHECK(topk(x, 3).second.to_vector<int64_t>() == std::vector<int64_t>{1, 4, 2});
  CHECK(topk(x, 3, 0, false).second.to_vector<int64_t>() == std::vector<int64_t>{6, 3, 5});
  CHECK(std::isnan(topk(x, 1).first.item()));
}

}  // namespace tenon::catalogue

TENON_ROW(sort)
TENON_ROW(argsort)
TENON_ROW(topk)
TENON_ROW(cumsum)
