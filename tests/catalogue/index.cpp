// Picking and placing: gather, scatter_add, index_select, index_add, one_hot, masks, nonzero.
#include "core/ops/index.h"

#include "autograd/ops/index.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

// Extents of an operand with the axis that is indexed at 0, 1 or 2.
Shape shape_of(Draw& d) {
  if (d.is(Size::empty)) return {2, 3, 4};  // the index is empty instead
  return {d.extent(2, 3, 20), d.extent(3, 5, 60), d.extent(4, 7, 40)};
}

// Flat position of `at` in `shape` with one coordinate replaced.
int64_t with(const Shape& shape, Dims at, int axis, double coordinate) {
  at[axis] = static_cast<int64_t>(coordinate);
  return broadcast_position(shape, at);
}

// The case of floats, and copies of it in the other dtypes, which have no gradients.
std::vector<Case> in_all_dtypes(Draw& d, const Case& c) {
  std::vector<Case> cases = {c};
  if (d.is(Size::large)) return cases;
  for (DType dtype : {int64, int32, uint8}) {
    Case other = c;
    other.label += concat(" ", dtype);
    other.inputs[0] = d.integers(c.inputs[0].shape(), 0, 9, dtype);
    other.variables = nullptr;
    cases.push_back(other);
  }
  return cases;
}

void append(std::vector<Case>& cases, const std::vector<Case>& more) {
  cases.insert(cases.end(), more.begin(), more.end());
}

constexpr const char* kSums = "sums of some 40 terms in float64, rounded once";

const Register gather_row({
    .op = "gather",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, 1, -1}) {
            Shape shape = shape_of(d), picked = shape;
            const int a = normalize_axis("test", axis, 3);
            picked[a] = d.extent(5, 2, 50);
            Case c;
            c.label = concat("axis ", axis);
            c.inputs = {d.normal(shape), d.integers(picked, 0, shape[a])};
            c.tensors = [=](const Tensors& in) { return Tensors{gather(in[0], axis, in[1])}; };
            c.variables = [=](const Variables& in) { return Variables{gather(in[0], axis, in[1].value())}; };
            c.reference = [=](const Arrays& in) {
              Array y(in[1].shape);
              int64_t i = 0;
              for_each_index(y.shape, [&](const Dims& at) {
                y[i] = in[0][with(in[0].shape, at, a, in[1][i])];
                ++i;
              });
              return Arrays{y};
            };
            append(cases, in_all_dtypes(d, c));
          }
          return cases;
        },
    .refusals =
        [] {
          auto index = [](int64_t i) { return Tensor::full({1, 2}, static_cast<double>(i), int64); };
          return std::vector<Refusal>{
              {"undefined", [=] { gather(Tensor(), 0, index(0)); }, {"gather", "undefined"}},
              {"undefined index",
               [=] {
                 gather(Tensor::zeros({3, 2}), 0, Tensor());
               },
               {"gather", "undefined index"}},
              {"axis",
               [=] {
                 gather(Tensor::zeros({3, 2}), 2, index(0));
               },
               {"gather", "axis 2", "rank 2"}},
              {"index dtype",
               [] {
                 gather(Tensor::zeros({3, 2}), 0, Tensor::zeros({1, 2}, int32));
               },
               {"gather", "int64", "int32"}},
              {"index shape",
               [=] {
                 gather(Tensor::zeros({3, 4}), 0, index(0));
               },
               {"gather", "[3, 4]", "[1, 2]"}},
              {"index rank",
               [] {
                 gather(Tensor::zeros({3, 4}), 0, Tensor::zeros({2}, int64));
               },
               {"gather", "[3, 4]", "[2]"}},
              {"too large",
               [=] {
                 gather(Tensor::zeros({3, 2}), 0, index(3));
               },
               {"gather", "index 3", "extent of 3"}},
              {"negative",
               [=] {
                 gather(Tensor::zeros({3, 2}), 0, index(-1));
               },
               {"gather", "index -1", "extent of 3"}},
              {"nothing to pick",
               [=] {
                 gather(Tensor::zeros({0, 2}), 0, index(0));
               },
               {"gather", "index 0", "extent of 0"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

const Register scatter_add_row({
    .op = "scatter_add",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, 1, -1}) {
            const int a = normalize_axis("test", axis, 3);
            Shape shape = shape_of(d);
            if (d.is(Size::empty)) shape[a] = 0;  // nothing is added to zeros
            const int64_t extent = d.extent(3, 2, 50) + (d.is(Size::empty) ? 4 : 0);
            Case c;
            c.label = concat("axis ", axis);
            c.inputs = {d.normal(shape), d.integers(shape, 0, extent)};
            c.tensors = [=](const Tensors& in) { return Tensors{scatter_add(in[0], axis, in[1], extent)}; };
            c.variables = [=](const Variables& in) {
              return Variables{scatter_add(in[0], axis, in[1].value(), extent)};
            };
            c.reference = [=](const Arrays& in) {
              Shape to = in[0].shape;
              to[a] = extent;
              Array y(to);
              int64_t i = 0;
              for_each_index(in[0].shape, [&](const Dims& at) {
                y[with(to, at, a, in[1][i])] += in[0][i];
                ++i;
              });
              return Arrays{y};
            };
            append(cases, in_all_dtypes(d, c));
          }
          return cases;
        },
    .refusals =
        [] {
          auto index = [](int64_t i) { return Tensor::full({1, 2}, static_cast<double>(i), int64); };
          return std::vector<Refusal>{
              {"undefined", [=] { scatter_add(Tensor(), 0, index(0), 3); }, {"scatter_add", "undefined"}},
              {"axis",
               [=] {
                 scatter_add(Tensor::zeros({1, 2}), -3, index(0), 3);
               },
               {"scatter_add", "axis -3"}},
              {"index dtype",
               [] {
                 scatter_add(Tensor::zeros({1, 2}), 0, Tensor::zeros({1, 2}), 3);
               },
               {"scatter_add", "int64", "float32"}},
              {"index shape",
               [=] {
                 scatter_add(Tensor::zeros({3, 2}), 0, index(0), 3);
               },
               {"scatter_add", "[3, 2]", "[1, 2]"}},
              {"extent",
               [=] {
                 scatter_add(Tensor::zeros({1, 2}), 0, index(0), -1);
               },
               {"scatter_add", "extent", "-1"}},
              {"too large",
               [=] {
                 scatter_add(Tensor::zeros({1, 2}), 0, index(7), 3);
               },
               {"scatter_add", "index 7", "extent of 3"}},
              {"negative",
               [=] {
                 scatter_add(Tensor::zeros({1, 2}), 0, index(-2), 3);
               },
               {"scatter_add", "index -2", "extent of 3"}}};
        },
    .tolerance = 1e-6,
    .tolerance_reason = kSums,
});

// Which axis of x, and the shape of the index that takes its place.
std::vector<std::pair<int, Shape>> selections(Draw& d) {
  if (d.is(Size::large)) return {{0, {30}}, {1, {30, 3}}, {2, {60}}};
  if (d.is(Size::one)) return {{0, {1}}, {1, {}}, {2, {1, 1}}};
  if (d.is(Size::empty)) return {{0, {0}}, {1, {0, 2}}, {2, {2, 0}}};
  return {{0, {d.extent(5, 7, 0)}}, {1, {2, 2}}, {1, {}}, {-1, {d.extent(2, 11, 0)}}};
}

// The multi-index `at` over x with the axis replaced by those of the index: the coordinates of the index in
// it, and those of x with 0 on the axis.
std::pair<Dims, Dims> parted(const Dims& at, int axis, int index_rank) {
  Dims in_index, in_x;
  for (int i = 0; i < at.rank(); ++i) {
    if (i == axis) in_x.push_back(0);
    (i >= axis && i < axis + index_rank ? in_index : in_x).push_back(at[i]);
  }
  if (axis == at.rank()) in_x.push_back(0);
  return {in_index, in_x};
}

Shape replaced(const Shape& shape, int axis, const Shape& by) {
  Shape out;
  for (int i = 0; i < shape.rank(); ++i) {
    if (i == axis) {
      for (int64_t extent : by) out.push_back(extent);
    } else {
      out.push_back(shape[i]);
    }
  }
  return out;
}

const Register index_select_row({
    .op = "index_select",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const auto& [axis, index_shape] : selections(d)) {
            const int a = normalize_axis("test", axis, 3);
            Case c;
            c.label = concat("axis ", axis, " index ", index_shape);
            Shape shape = shape_of(d);
            c.inputs = {d.normal(shape), d.integers(index_shape, 0, shape[a])};
            c.tensors = [=, axis = axis](const Tensors& in) {
              return Tensors{index_select(in[0], axis, in[1])};
            };
            c.variables = [=, axis = axis](const Variables& in) {
              return Variables{index_select(in[0], axis, in[1].value())};
            };
            c.reference = [=](const Arrays& in) {
              Array y(replaced(in[0].shape, a, in[1].shape));
              int64_t i = 0;
              for_each_index(y.shape, [&](const Dims& at) {
                auto [in_index, in_x] = parted(at, a, in[1].shape.rank());
                double chosen = in[1][broadcast_position(in[1].shape, in_index)];
                y[i++] = in[0][with(in[0].shape, in_x, a, chosen)];
              });
              return Arrays{y};
            };
            append(cases, in_all_dtypes(d, c));
          }
          return cases;
        },
    .refusals =
        [] {
          auto index = [](int64_t i) { return Tensor::full({2}, static_cast<double>(i), int64); };
          return std::vector<Refusal>{
              {"undefined", [=] { index_select(Tensor(), 0, index(0)); }, {"index_select", "undefined"}},
              {"axis", [=] { index_select(Tensor::zeros({3}), 1, index(0)); }, {"index_select", "axis 1"}},
              {"index dtype",
               [] { index_select(Tensor::zeros({3}), 0, Tensor::zeros({2}, uint8)); },
               {"index_select", "int64", "uint8"}},
              {"too large",
               [=] {
                 index_select(Tensor::zeros({3, 2}), 1, index(2));
               },
               {"index_select", "index 2", "extent of 2"}},
              {"negative",
               [=] { index_select(Tensor::zeros({3}), 0, index(-1)); },
               {"index_select", "index -1", "extent of 3"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

const Register index_add_row({
    .op = "index_add",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const auto& [axis, index_shape] : selections(d)) {
            const int a = normalize_axis("test", axis, 3);
            const int64_t extent = d.is(Size::empty) ? 4 : d.extent(3, 4, 50);
            Case c;
            c.label = concat("axis ", axis, " index ", index_shape);
            Shape shape = replaced(shape_of(d), a, index_shape);
            c.inputs = {d.normal(shape), d.integers(index_shape, 0, extent)};
            c.tensors = [=, axis = axis](const Tensors& in) {
              return Tensors{index_add(in[0], axis, in[1], extent)};
            };
            c.variables = [=, axis = axis](const Variables& in) {
              return Variables{index_add(in[0], axis, in[1].value(), extent)};
            };
            Shape to = shape_of(d);
            to[a] = extent;
            c.reference = [=](const Arrays& in) {
              Array y(to);
              int64_t i = 0;
              for_each_index(in[0].shape, [&](const Dims& at) {
                auto [in_index, in_y] = parted(at, a, in[1].shape.rank());
                double chosen = in[1][broadcast_position(in[1].shape, in_index)];
                y[with(to, in_y, a, chosen)] += in[0][i++];
              });
              return Arrays{y};
            };
            append(cases, in_all_dtypes(d, c));
          }
          return cases;
        },
    .refusals =
        [] {
          auto index = [](int64_t i) { return Tensor::full({2}, static_cast<double>(i), int64); };
          return std::vector<Refusal>{
              {"undefined", [=] { index_add(Tensor(), 0, index(0), 3); }, {"index_add", "undefined"}},
              {"axis", [=] { index_add(Tensor::zeros({2}), 1, index(0), 3); }, {"index_add", "axis 1"}},
              {"rank",
               [] {
                 index_add(Tensor::zeros({2}), 0, Tensor::zeros({1, 2, 1}, int64), 3);
               },
               {"index_add", "[2]", "[1, 2, 1]"}},
              {"shape",
               [=] {
                 index_add(Tensor::zeros({3, 4}), 0, index(0), 3);
               },
               {"index_add", "[2]", "[3, 4]"}},
              {"too large",
               [=] { index_add(Tensor::zeros({2}), 0, index(3), 3); },
               {"index_add", "index 3", "extent of 3"}},
              {"negative",
               [=] { index_add(Tensor::zeros({2}), 0, index(-1), 3); },
               {"index_add", "index -1", "extent of 3"}}};
        },
    .tolerance = 1e-6,
    .tolerance_reason = kSums,
});

const Register one_hot_row({
    .op = "one_hot",
    .cases =
        [](Draw& d) {
          Case c;
          const int64_t classes = d.extent(4, 7, 90);
          c.inputs = {d.integers({d.extent(3, 5, 400), 2}, 0, std::max<int64_t>(classes, 1))};
          c.tensors = [=](const Tensors& in) {
            return Tensors{one_hot(in[0], classes), one_hot(in[0], classes, uint8),
                           one_hot(in[0], classes, int64)};
          };
          c.reference = [=](const Arrays& in) {
            Shape shape = in[0].shape;
            shape.push_back(classes);
            Array y(shape);
            for (int64_t i = 0; i < in[0].numel(); ++i) y[i * classes + static_cast<int64_t>(in[0][i])] = 1;
            return Arrays{y, y, y};
          };
          return std::vector<Case>{c};
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { one_hot(Tensor(), 3); }, {"one_hot", "undefined"}},
              {"dtype", [] { one_hot(Tensor::zeros({2}), 3); }, {"one_hot", "int64", "float32"}},
              {"classes", [] { one_hot(Tensor::zeros({2}, int64), -3); }, {"one_hot", "-3"}},
              {"too large",
               [] { one_hot(Tensor::full({2}, 5, int64), 3); },
               {"one_hot", "index 5", "extent of 3"}},
              {"negative",
               [] { one_hot(Tensor::full({2}, -5, int64), 3); },
               {"one_hot", "index -5", "extent of 3"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "zeros and ones",
});

// x and a mask that broadcasts to it.
std::vector<Case> masked_cases(Draw& d,
                               const std::function<Tensor(const Tensor&, const Tensor&)>& tensor_form,
                               const std::function<Variable(const Variable&, const Tensor&)>& variable_form,
                               const std::function<Array(const Array&, const Array&)>& reference) {
  std::vector<Case> cases;
  Shape shape{d.extent(3, 5, 150), d.extent(4, 7, 500)};
  for (const Shape& mask : {shape, Shape{shape[1]}, Shape{shape[0], 1}}) {
    Case c;
    c.label = concat("mask ", mask);
    c.inputs = {d.normal(shape), d.integers(mask, 0, 2, uint8)};
    c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], in[1])}; };
    c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], in[1].value())}; };
    c.reference = [=](const Arrays& in) { return Arrays{reference(in[0], in[1])}; };
    append(cases, in_all_dtypes(d, c));
  }
  return cases;
}

std::vector<Refusal> mask_refusals(const char* op,
                                   const std::function<void(const Tensor&, const Tensor&)>& call) {
  return {{"undefined", [=] { call(Tensor(), Tensor::zeros({2}, uint8)); }, {op, "undefined"}},
          {"undefined mask", [=] { call(Tensor::zeros({2}), Tensor()); }, {op, "undefined"}},
          {"mask dtype", [=] { call(Tensor::zeros({2}), Tensor::zeros({2})); }, {op, "uint8", "float32"}},
          {"mask shape",
           [=] {
             call(Tensor::zeros({2}), Tensor::zeros({2, 2}, uint8));
           },
           {op, "[2, 2]", "[2]"}}};
}

const Register masked_fill_row({
    .op = "masked_fill",
    .cases =
        [](Draw& d) {
          return masked_cases(
              d, [](const Tensor& x, const Tensor& mask) { return masked_fill(x, mask, 7); },
              [](const Variable& x, const Tensor& mask) { return masked_fill(x, mask, 7); },
              [](const Array& x, const Array& mask) {
                Array y = x;
                int64_t i = 0;
                for_each_index(x.shape, [&](const Dims& at) {
                  if (mask[broadcast_position(mask.shape, at)] != 0) y[i] = 7;
                  ++i;
                });
                return y;
              });
        },
    .refusals =
        [] {
          return mask_refusals("masked_fill", [](const Tensor& x, const Tensor& m) { masked_fill(x, m, 1); });
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

const Register masked_select_row({
    .op = "masked_select",
    .cases =
        [](Draw& d) {
          return masked_cases(
              d, [](const Tensor& x, const Tensor& mask) { return masked_select(x, mask); },
              [](const Variable& x, const Tensor& mask) { return masked_select(x, mask); },
              [](const Array& x, const Array& mask) {
                Array y;
                int64_t i = 0;
                for_each_index(x.shape, [&](const Dims& at) {
                  if (mask[broadcast_position(mask.shape, at)] != 0) y.v.push_back(x[i]);
                  ++i;
                });
                y.shape = {y.numel()};
                return y;
              });
        },
    .refusals =
        [] {
          return mask_refusals("masked_select",
                               [](const Tensor& x, const Tensor& m) { masked_select(x, m); });
        },
    .tolerance = 0,
    .tolerance_reason = "elements are moved, not changed",
});

// Values of which about half are 0, in every dtype.
std::vector<Case> half_zero_cases(Draw& d, const std::function<Tensor(const Tensor&)>& tensor_form,
                                  const std::function<Array(const Array&)>& reference) {
  std::vector<Case> cases;
  for (DType dtype : {float64, int64, int32, uint8}) {
    Case c;
    c.label = concat(dtype);
    c.inputs = {d.integers({d.extent(3, 5, 150), d.extent(4, 7, 500)}, 0, 2, dtype)};
    c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0])}; };
    c.reference = [=](const Arrays& in) { return Arrays{reference(in[0])}; };
    cases.push_back(c);
  }
  return cases;
}

const Register nonzero_row({
    .op = "nonzero",
    .cases =
        [](Draw& d) {
          return half_zero_cases(
              d, [](const Tensor& x) { return nonzero(x); },
              [](const Array& x) {
                Array y;
                for (int64_t i = 0; i < x.numel(); ++i)
                  if (x[i] != 0) y.v.push_back(static_cast<double>(i));
                y.shape = {y.numel()};
                return y;
              });
        },
    .refusals =
        [] {
          return std::vector<Refusal>{{"undefined", [] { nonzero(Tensor()); }, {"nonzero", "undefined"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "positions",
});

const Register count_nonzero_row({
    .op = "count_nonzero",
    .cases =
        [](Draw& d) {
          auto as_tensor = [](const Tensor& x) {
            return Tensor::scalar(static_cast<double>(count_nonzero(x)), int64, x.device());
          };
          return half_zero_cases(d, as_tensor, [](const Array& x) {
            Array y(Shape{});
            for (double v : x.v) y[0] += v != 0;
            return y;
          });
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { count_nonzero(Tensor()); }, {"count_nonzero", "undefined"}}};
        },
    .tolerance = 0,
    .tolerance_reason = "a count",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(gather)
TENON_ROW(scatter_add)
TENON_ROW(index_select)
TENON_ROW(index_add)
TENON_ROW(one_hot)
TENON_ROW(masked_fill)
TENON_ROW(masked_select)
TENON_ROW(nonzero)
TENON_ROW(count_nonzero)
