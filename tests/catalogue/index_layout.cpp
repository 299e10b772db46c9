// Joining, padding and turning: cat, stack, split, pad, flip, roll.
#include <limits>

#include "autograd/ops/index.h"
#include "autograd/ops/view.h"
#include "core/ops/index.h"
#include "core/ops/view.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

constexpr const char* kMoved = "elements are moved, not changed";

// Parts that differ on the axis alone; one of them is empty in the sizes that allow it.
std::vector<Shape> part_shapes(Draw& d, int axis) {
  Shape shape{d.extent(2, 3, 20), d.extent(3, 5, 30), d.extent(2, 3, 40)};
  if (d.is(Size::empty)) shape = {2, 3, 2}, shape[(axis + 1) % 3] = 0;
  std::vector<Shape> shapes = {shape, shape, shape};
  if (!d.is(Size::one)) shapes[1][axis] += 2, shapes[2][axis] = 0;
  return shapes;
}

const Register cat_row({
    .op = "cat",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, 1, -1}) {
            const int a = normalize_axis("test", axis, 3);
            Case c;
            c.label = concat("axis ", axis);
            for (const Shape& shape : part_shapes(d, a)) c.inputs.push_back(d.normal(shape));
            c.tensors = [=](const Tensors& in) { return Tensors{cat(in, axis)}; };
            c.variables = [=](const Variables& in) { return Variables{cat(in, axis)}; };
            c.reference = [=](const Arrays& in) {
              Shape shape = in[0].shape;
              for (size_t k = 1; k < in.size(); ++k) shape[a] += in[k].shape[a];
              Array y(shape);
              int64_t i = 0;
              for_each_index(shape, [&](Dims at) {
                size_t k = 0;
                while (at[a] >= in[k].shape[a]) at[a] -= in[k++].shape[a];
                y[i++] = in[k][broadcast_position(in[k].shape, at)];
              });
              return Arrays{y};
            };
            cases.push_back(c);
            Case other = c;
            other.label += " int32";
            for (Tensor& x : other.inputs) x = d.integers(x.shape(), -9, 9, int32);
            other.variables = nullptr;
            cases.push_back(other);
          }
          return cases;
        },
    .refusals =
        [] {
          auto zeros = [](const Shape& s, DType dtype = float32) { return Tensor::zeros(s, dtype); };
          return std::vector<Refusal>{
              {"nothing", [] { cat(std::vector<Tensor>{}, 0); }, {"cat", "at least one"}},
              {"undefined",
               [=] {
                 cat({zeros({2}), Tensor()}, 0);
               },
               {"cat", "undefined"}},
              {"axis",
               [=] {
                 cat({zeros({2}), zeros({2})}, 1);
               },
               {"cat", "axis 1"}},
              {"shapes",
               [=] {
                 cat({zeros({2, 3}), zeros({2, 4})}, 0);
               },
               {"cat", "[2, 3]", "[2, 4]", "axis 0"}},
              {"ranks",
               [=] {
                 cat({zeros({2, 3}), zeros({2})}, 0);
               },
               {"cat", "[2, 3]", "[2]"}},
              {"dtypes",
               [=] {
                 cat({zeros({2}), zeros({2}, float64)}, 0);
               },
               {"cat", "float32", "float64"}}};
        },
    .tolerance = 0,
    .tolerance_reason = kMoved,
});

const Register stack_row({
    .op = "stack",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, 1, -1}) {
            const int a = normalize_axis("test", axis, 3);
            Case c;
            c.label = concat("axis ", axis);
            Shape shape{d.extent(2, 3, 100), d.extent(3, 5, 200)};
            c.inputs = {d.normal(shape), d.normal(shape), d.normal(shape)};
            c.tensors = [=](const Tensors& in) { return Tensors{stack(in, axis)}; };
            c.variables = [=](const Variables& in) { return Variables{stack(in, axis)}; };
            c.reference = [=](const Arrays& in) {
              Shape to = in[0].shape;
              to.insert(a, static_cast<int64_t>(in.size()));
              Array y(to);
              int64_t i = 0;
              for_each_index(to, [&](Dims at) {
                const Array& layer = in[static_cast<size_t>(at[a])];
                at.erase(a);
                y[i++] = layer[broadcast_position(layer.shape, at)];
              });
              return Arrays{y};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"nothing", [] { stack(std::vector<Tensor>{}, 0); }, {"stack", "at least one"}},
              {"undefined", [] { stack({Tensor()}, 0); }, {"stack", "undefined"}},
              {"axis", [] { stack({Tensor::zeros({2})}, 2); }, {"stack", "axis 2"}},
              {"shapes",
               [] {
                 stack({Tensor::zeros({2}), Tensor::zeros({3})}, 0);
               },
               {"stack", "[2]", "[3]"}}};
        },
    .tolerance = 0,
    .tolerance_reason = kMoved,
});

const Register split_row({
    .op = "split",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (int axis : {0, -1}) {
            const int a = normalize_axis("test", axis, 3);
            Case c;
            c.label = concat("axis ", axis);
            Shape shape{d.extent(4, 5, 100), d.extent(2, 3, 20), d.extent(5, 7, 30)};
            std::vector<int64_t> sizes = {shape[a] / 2, 0, shape[a] - shape[a] / 2};
            c.inputs = {d.normal(shape)};
            c.tensors = [=](const Tensors& in) { return split(in[0], axis, sizes); };
            c.variables = [=](const Variables& in) { return split(in[0], axis, sizes); };
            c.reference = [=](const Arrays& in) {
              Arrays parts;
              int64_t start = 0;
              for (int64_t size : sizes) {
                Shape part_shape = in[0].shape;
                part_shape[a] = size;
                Array part(part_shape);
                int64_t i = 0;
                for_each_index(part_shape, [&](Dims at) {
                  at[a] += start;
                  part[i++] = in[0][broadcast_position(in[0].shape, at)];
                });
                parts.push_back(part);
                start += size;
              }
              return parts;
            };
            cases.push_back(c);
            // A part whose gradient never comes counts as 0.
            Case partial = c;
            partial.label += " partly used";
            partial.tensors = [=](const Tensors& in) { return Tensors{split(in[0], axis, sizes)[2]}; };
            partial.variables = [=](const Variables& in) { return Variables{split(in[0], axis, sizes)[2]}; };
            partial.reference = [whole = c.reference](const Arrays& in) { return Arrays{whole(in)[2]}; };
            cases.push_back(partial);
          }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { split(Tensor(), 0, {1}); }, {"split", "undefined"}},
              {"axis", [] { split(Tensor::zeros({2}), 1, {2}); }, {"split", "axis 1"}},
              {"sum",
               [] {
                 split(Tensor::zeros({2, 5}), 1, {2, 2});
               },
               {"split", "add up to 4", "[2, 5]", "5"}},
              {"negative",
               [] {
                 split(Tensor::zeros({3}), 0, {4, -1});
               },
               {"split", "sizes >= 0", "-1"}}};
        },
    .tolerance = 0,
    .tolerance_reason = kMoved,
});

using PadForm = std::function<Tensor(const Tensor&, const Dims&, const Dims&)>;
using PadVariableForm = std::function<Variable(const Variable&, const Dims&, const Dims&)>;

// `source(i, extent)` is the position of element i of a padded axis in x (i < 0 or i >= extent in the frame),
// or -1 for the padded value, 3.
Row pad_row(const char* op, bool from_elements, PadForm tensor_form, PadVariableForm variable_form,
            int64_t (*source)(int64_t i, int64_t extent), std::vector<Refusal> more) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    std::vector<Case> cases;
    Shape shape{d.extent(2, 3, 30), d.extent(4, 5, 40), d.extent(3, 5, 50)};
    if (d.is(Size::empty) && from_elements) shape = {0, 4, 3};
    std::vector<std::pair<Dims, Dims>> paddings = {
        {{0, 2, 1}, {0, 1, 2}}, {{1, 0, 0}, {0, 0, 0}}, {{0, 0, 0}, {0, 0, 0}}};
    if (d.is(Size::one) && from_elements) paddings = {{{0, 0, 0}, {0, 0, 0}}};
    if (d.is(Size::empty) && from_elements) paddings = {{{0, 2, 1}, {0, 1, 2}}};
    for (const auto& [first, last] : paddings) {
      const Dims before = first, after = last;
      Case c;
      c.label = concat(before, " ", after);
      c.inputs = {d.normal(shape)};
      c.tensors = [=](const Tensors& in) { return Tensors{tensor_form(in[0], before, after)}; };
      c.variables = [=](const Variables& in) { return Variables{variable_form(in[0], before, after)}; };
      c.reference = [=](const Arrays& in) {
        Shape to = in[0].shape;
        for (int i = 0; i < 3; ++i) to[i] += before[i] + after[i];
        Array y(to, 3);
        int64_t i = 0;
        for_each_index(to, [&](Dims at) {
          bool inside = true;
          for (int k = 0; k < 3; ++k) {
            at[k] = source(at[k] - before[k], in[0].shape[k]);
            inside = inside && at[k] >= 0;
          }
          if (inside) y[i] = in[0][broadcast_position(in[0].shape, at)];
          ++i;
        });
        return Arrays{y};
      };
      cases.push_back(c);
      Case other = c;
      other.label += " uint8";
      other.inputs = {d.integers(shape, 0, 9, uint8)};
      other.variables = nullptr;
      cases.push_back(other);
    }
    return cases;
  };
  row.refusals = [=] {
    std::vector<Refusal> refusals = {
        {"undefined", [=] { tensor_form(Tensor(), {1}, {1}); }, {op, "undefined"}},
        {"negative",
         [=] {
           tensor_form(Tensor::zeros({3, 4}), {0, 1}, {0, -1});
         },
         {op, ">= 0", "[0, -1]"}},
        {"too few",
         [=] {
           tensor_form(Tensor::zeros({3, 4}), {1}, {1});
         },
         {op, "each axis of [3, 4]", "[1]"}},
        {"beyond int64",
         [=] {
           const int64_t most = std::numeric_limits<int64_t>::max();
           tensor_form(Tensor::zeros({3}), {most}, {most});
         },
         {op, "too large"}}};
    refusals.insert(refusals.end(), more.begin(), more.end());
    return refusals;
  };
  row.tolerance = 0;
  row.tolerance_reason = kMoved;
  return row;
}

const Register constant_row(pad_row(
    "pad", false,
    [](const Tensor& x, const Dims& before, const Dims& after) { return pad(x, before, after, 3); },
    [](const Variable& x, const Dims& before, const Dims& after) { return pad(x, before, after, 3); },
    [](int64_t i, int64_t extent) { return i >= 0 && i < extent ? i : -1; }, {}));

const Register reflect_row(pad_row(
    "pad_reflect", true,
    [](const Tensor& x, const Dims& before, const Dims& after) { return pad_reflect(x, before, after); },
    [](const Variable& x, const Dims& before, const Dims& after) { return pad_reflect(x, before, after); },
    [](int64_t i, int64_t extent) {
      while (i < 0 || i >= extent) i = i < 0 ? -i : 2 * (extent - 1) - i;
      return i;
    },
    {{"too wide",
      [] { pad_reflect(Tensor::zeros({3}), {3}, {0}); },
      {"pad_reflect", "extent 3", "3 and 0"}}}));

const Register replicate_row(pad_row(
    "pad_replicate", true,
    [](const Tensor& x, const Dims& before, const Dims& after) { return pad_replicate(x, before, after); },
    [](const Variable& x, const Dims& before, const Dims& after) { return pad_replicate(x, before, after); },
    [](int64_t i, int64_t extent) { return i < 0         ? 0
                                           : i >= extent ? extent - 1
                                                         : i; },
    {{"nothing to repeat",
      [] { pad_replicate(Tensor::zeros({0}), {3}, {0}); },
      {"pad_replicate", "extent 0"}}}));

Shape turned_shape(Draw& d) { return {d.extent(2, 3, 30), d.extent(3, 5, 40), d.extent(4, 7, 50)}; }

const Register flip_row({
    .op = "flip",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const Dims& axes : {Dims{0}, Dims{-1}, Dims{0, 2}, Dims{1, -1, 0}, Dims{}}) {
            Case c;
            c.label = concat("axes ", axes);
            c.inputs = {d.normal(turned_shape(d))};
            c.tensors = [=](const Tensors& in) { return Tensors{flip(in[0], axes)}; };
            c.variables = [=](const Variables& in) { return Variables{flip(in[0], axes)}; };
            c.reference = [=](const Arrays& in) {
              Array y(in[0].shape);
              int64_t i = 0;
              for_each_index(y.shape, [&](Dims at) {
                for (int64_t axis : axes) {
                  int a = normalize_axis("test", axis, 3);
                  at[a] = y.shape[a] - 1 - at[a];
                }
                y[i++] = in[0][broadcast_position(y.shape, at)];
              });
              return Arrays{y};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{{"undefined", [] { flip(Tensor(), {0}); }, {"flip", "undefined"}},
                                      {"axis", [] { flip(Tensor::zeros({2}), {1}); }, {"flip", "axis 1"}},
                                      {"twice",
                                       [] {
                                         flip(Tensor::zeros({2, 2}), {1, -1});
                                       },
                                       {"flip", "twice"}}};
        },
    .tolerance = 0,
    .tolerance_reason = kMoved,
});

const Register roll_row({
    .op = "roll",
    .cases =
        [](Draw& d) {
          std::vector<Case> cases;
          for (const auto& [first, second] :
               {std::pair<Dims, Dims>{{0}, {1}}, {{-1}, {-9}}, {{0, 2}, {5, 2}}, {{1}, {0}}}) {
            const Dims axes = first, shifts = second;
            Case c;
            c.label = concat("axes ", axes, " by ", shifts);
            c.inputs = {d.normal(turned_shape(d))};
            c.tensors = [=](const Tensors& in) { return Tensors{roll(in[0], axes, shifts)}; };
            c.variables = [=](const Variables& in) { return Variables{roll(in[0], axes, shifts)}; };
            c.reference = [=](const Arrays& in) {
              Array y(in[0].shape);
              int64_t i = 0;
              for_each_index(y.shape, [&](Dims at) {
                for (int k = 0; k < axes.rank(); ++k) {
                  int a = normalize_axis("test", axes[k], 3);
                  at[a] = (at[a] + shifts[k]) % y.shape[a];
                  if (at[a] < 0) at[a] += y.shape[a];
                }
                y[broadcast_position(y.shape, at)] = in[0][i++];
              });
              return Arrays{y};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          return std::vector<Refusal>{
              {"undefined", [] { roll(Tensor(), {0}, {1}); }, {"roll", "undefined"}},
              {"axis", [] { roll(Tensor::zeros({2}), {1}, {1}); }, {"roll", "axis 1"}},
              {"lists",
               [] {
                 roll(Tensor::zeros({2, 2}), {0, 1}, {1});
               },
               {"roll", "[0, 1]", "[1]"}}};
        },
    .tolerance = 0,
    .tolerance_reason = kMoved,
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(cat)
TENON_ROW(stack)
TENON_ROW(split)
TENON_ROW(pad)
TENON_ROW(pad_reflect)
TENON_ROW(pad_replicate)
TENON_ROW(flip)
TENON_ROW(roll)
