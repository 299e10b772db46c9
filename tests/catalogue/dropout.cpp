#include "core/ops/dropout.h"

#include "autograd/ops/dropout.h"
#include "tests/catalogue/row.h"

namespace tenon::catalogue {
namespace {

constexpr uint64_t kSeed = 2014, kStream = 15;

// The mask by its definition: word i of the stream decides element i of `shape`.
std::vector<bool> naive_mask(const Shape& shape, double p) {
  Generator generator(kSeed, kStream);
  std::vector<bool> kept;
  for (int64_t i = 0; i < shape.numel(); ++i) kept.push_back(generator.next() * 0x1p-32 < 1 - p);
  return kept;
}

// y = mask ? x / (1 - p) : 0, the mask of a shape that broadcasts to x
Array naive_dropout(const Array& x, const Shape& mask_shape, const std::vector<bool>& kept, double p) {
  Array y(x.shape);
  int64_t i = 0;
  for_each_index(x.shape, [&](const Dims& at) {
    if (kept[static_cast<size_t>(broadcast_position(mask_shape, at))]) y[i] = x[i] / (1 - p);
    ++i;
  });
  return y;
}

Shape channels_of(Shape shape) {
  for (int i = 2; i < shape.rank(); ++i) shape[i] = 1;
  return shape;
}

using TensorForm = Dropped (*)(const Tensor&, double, Generator&);
using VariableForm = Variable (*)(const Variable&, double, Generator&);

Row random_row(const char* op, bool channels, TensorForm tensor_form, VariableForm variable_form) {
  Row row;
  row.op = op;
  row.cases = [=](Draw& d) {
    Shape shape{d.extent(2, 3, 30), d.extent(3, 5, 40), d.extent(2, 3, 150)};
    std::vector<Case> cases;
    for (double p : {0.0, 0.3, 0.5, 1.0}) {
      const Shape mask_shape = channels ? channels_of(shape) : shape;
      Case c;
      c.label = concat(shape, " p ", p);
      c.inputs = {d.normal(shape)};
      // A generator of its own for each call: the same draw every time.
      c.tensors = [=](const Tensors& in) {
        Generator generator(kSeed, kStream);
        Dropped out = tensor_form(in[0], p, generator);
        return Tensors{out.y};
      };
      c.variables = [=](const Variables& in) {
        Generator generator(kSeed, kStream);
        return Variables{variable_form(in[0], p, generator)};
      };
      c.reference = [=](const Arrays& in) {
        return Arrays{naive_dropout(in[0], mask_shape, naive_mask(mask_shape, p), p)};
      };
      cases.push_back(c);
      Case mask = c;
      mask.label += " mask";
      mask.tensors = [=](const Tensors& in) {
        Generator generator(kSeed, kStream);
        return Tensors{tensor_form(in[0], p, generator).mask};
      };
      mask.variables = nullptr;
      mask.reference = [=](const Arrays&) {
        Array kept(mask_shape);
        std::vector<bool> naive = naive_mask(mask_shape, p);
        for (int64_t i = 0; i < kept.numel(); ++i) kept[i] = naive[static_cast<size_t>(i)] ? 1 : 0;
        return Arrays{kept};
      };
      cases.push_back(mask);
    }
    return cases;
  };
  row.refusals = [=] {
    auto call = [=](const Tensor& x, double p) {
      Generator generator(kSeed);
      tensor_form(x, p, generator);
    };
    auto refusals = unary_refusals(op, [=](const Tensor& x) { call(x, 0.5); });
    refusals.push_back({"p above", [=] { call(Tensor::zeros({2, 3}), 1.5); }, {op, "p in [0, 1]", "1.5"}});
    refusals.push_back({"p below", [=] { call(Tensor::zeros({2, 3}), -0.5); }, {op, "p in [0, 1]", "-0.5"}});
    if (channels)
      refusals.push_back({"rank", [=] { call(Tensor::zeros({2}), 0.5); }, {op, "[N, C, *]", "[2]"}});
    return refusals;
  };
  row.tolerance_reason = "one product";
  return row;
}

const Register dropout_row(random_row("dropout", false, &dropout, &dropout));
const Register channels_row(random_row("dropout_channels", true, &dropout_channels, &dropout_channels));

const Register with_mask_row({
    .op = "dropout_with_mask",
    .cases =
        [](Draw& d) {
          Shape shape{d.extent(2, 3, 30), d.extent(3, 5, 40), d.extent(2, 3, 150)};
          std::vector<Case> cases;
          for (const Shape& mask_shape : {shape, channels_of(shape), Shape{shape[2]}}) {
            Case c;
            c.label = concat(shape, " mask ", mask_shape);
            c.inputs = {d.normal(shape), d.integers(mask_shape, 0, 2, uint8)};
            c.tensors = [](const Tensors& in) { return Tensors{dropout_with_mask(in[0], in[1], 0.2)}; };
            c.variables = [](const Variables& in) {
              return Variables{dropout_with_mask(in[0], in[1].value(), 0.2)};
            };
            c.reference = [](const Arrays& in) {
              std::vector<bool> kept;
              for (double m : in[1].v) kept.push_back(m != 0);
              return Arrays{naive_dropout(in[0], in[1].shape, kept, 0.2)};
            };
            cases.push_back(c);
          }
          return cases;
        },
    .refusals =
        [] {
          const char* op = "dropout_with_mask";
          Tensor x = Tensor::zeros({2, 3}), mask = Tensor::zeros({2, 3}, uint8);
          auto refusals = unary_refusals(op, [=](const Tensor& t) { dropout_with_mask(t, mask, 0.5); });
          refusals.push_back({"p", [=] { dropout_with_mask(x, mask, 2); }, {op, "p in [0, 1]", "got 2"}});
          refusals.push_back(
              {"no mask", [=] { dropout_with_mask(x, Tensor(), 0.5); }, {op, "uint8 mask", "undefined"}});
          refusals.push_back(
              {"mask's dtype", [=] { dropout_with_mask(x, x, 0.5); }, {op, "uint8 mask", "float32"}});
          refusals.push_back({"mask's shape",
                              [=] { dropout_with_mask(x, Tensor::zeros({2}, uint8), 0.5); },
                              {op, "[2]", "[2, 3]"}});
          return refusals;
        },
    .tolerance_reason = "one product",
});

}  // namespace
}  // namespace tenon::catalogue

TENON_ROW(dropout)
TENON_ROW(dropout_channels)
TENON_ROW(dropout_with_mask)
