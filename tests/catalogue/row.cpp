#include "tests/catalogue/row.h"

#include <algorithm>
#include <cmath>

namespace tenon::contract::row {
#define TENON_OP(name, family, differentiable, devices, reason) extern const char name##_;
#include "core/ops/list.inc"
#undef TENON_OP
}  // namespace tenon::contract::row

namespace tenon::catalogue {
namespace {
const char* const kRows[] = {
#define TENON_OP(name, family, differentiable, devices, reason) &contract::row::name##_,
#include "core/ops/list.inc"
#undef TENON_OP
};

std::vector<Row>& mutable_rows() {
  static std::vector<Row> rows;
  return rows;
}
}  // namespace

int linked_rows() {
  return static_cast<int>(
      std::count_if(std::begin(kRows), std::end(kRows), [](const char* p) { return p != nullptr; }));
}

Register::Register(Row row) { mutable_rows().push_back(std::move(row)); }
const std::vector<Row>& rows() { return mutable_rows(); }

int64_t Array::linear(std::initializer_list<int64_t> index) const {
  int64_t position = 0;
  int axis = 0;
  for (int64_t i : index) position = position * shape[axis++] + i;
  return position;
}

void for_each_index(const Shape& shape, const std::function<void(const Dims&)>& f) {
  if (shape.numel() == 0) return;
  Dims index = Dims::filled(shape.rank(), 0);
  while (true) {
    f(index);
    int axis = shape.rank() - 1;
    while (axis >= 0 && ++index[axis] == shape[axis]) index[axis--] = 0;
    if (axis < 0) return;
  }
}

int64_t broadcast_position(const Shape& shape, const Dims& index) {
  int64_t position = 0;
  int extra = index.rank() - shape.rank();
  for (int i = 0; i < shape.rank(); ++i)
    position = position * shape[i] + (shape[i] == 1 ? 0 : index[i + extra]);
  return position;
}

int64_t Draw::extent(int64_t normal, int64_t odd, int64_t large) const {
  switch (size) {
    case Size::normal:
      return normal;
    case Size::odd:
      return odd;
    case Size::one:
      return 1;
    case Size::empty:
      return 0;
    case Size::large:
      return large;
  }
  return normal;
}

Tensor Draw::away_from(const Shape& shape, std::vector<double> kinks, double gap) {
  Tensor x = normal(shape);
  double* p = x.data<double>();
  for (int64_t i = 0; i < x.numel(); ++i)
    for (double kink : kinks)
      if (std::fabs(p[i] - kink) < gap)
        p[i] = kink + (p[i] < kink ? -gap : gap) * (1 + generator.next_uniform());
  return x;
}

Tensor Draw::far_from_zero(const Shape& shape) {
  Tensor x = uniform(shape, 20, 25);
  for (int64_t i = 0; i < x.numel(); i += 2) x.data<double>()[i] *= -1;
  return x;
}

Tensor Draw::distinct(const Shape& shape) {
  Tensor order = random_permutation(shape.numel(), generator);
  Tensor x = Tensor::empty(shape, float64);
  const int64_t middle = x.numel() / 2;
  for (int64_t i = 0; i < x.numel(); ++i)
    x.data<double>()[i] =
        0.02 * static_cast<double>(order.data<int64_t>()[i] - middle) + 0.01 * generator.next_uniform();
  return x;
}

std::vector<Refusal> unary_refusals(const char* op, const std::function<void(const Tensor&)>& call) {
  return {
      {"undefined", [call] { call(Tensor()); }, {op, "undefined"}},
      {"dtype", [call] { call(Tensor::zeros({2}, int32)); }, {op, "expects float32 or float64", "int32"}}};
}

std::vector<Refusal> binary_refusals(const char* op,
                                     const std::function<void(const Tensor&, const Tensor&)>& call) {
  return {{"undefined", [call] { call(Tensor::zeros({2}), Tensor()); }, {op, "undefined"}},
          {"mixed dtypes",
           [call] { call(Tensor::zeros({2}), Tensor::zeros({2}, float64)); },
           {op, "float32", "float64"}},
          {"shapes",
           [call] {
             call(Tensor::zeros({2, 3}), Tensor::zeros({2, 4}));
           },
           {op, "[2, 3]", "[2, 4]"}}};
}

}  // namespace tenon::catalogue
