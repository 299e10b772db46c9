#include "nn/linear.h"

#include "autograd/ops/matmul.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/view.h"
#include "autograd/tape.h"
#include "core/ops/elementwise.h"
#include "core/ops/matmul.h"
#include "nn/init.h"

namespace tenon {
namespace {

// y = x W^T + b      dx = g W, dW = g^T x, db = sum over rows of g
// A node of its own, rather than transpose, matmul and add: dW comes out as W lies in memory, and y is
// written once.
Variable linear_rows(const Variable& x, const Variable& weight, const Variable& bias) {
  Tensor y = matmul(x.value(), weight.value().t());
  if (bias.defined()) binary_into(Binary::add, y, bias.value(), y);
  return record("linear", std::move(y), {x, weight, bias},
                [x = Saved(x), w = Saved(weight)](const Variable& g, Gradients& out) {
                  if (out.needed(0)) out.set(0, matmul(g, w()));
                  if (out.needed(1)) out.set(1, matmul(transpose(g, 0, 1), x()));
                  if (out.needed(2)) out.set(2, sum(g, {0}));
                });
}

}  // namespace

Variable linear(const Variable& x, const Variable& weight, const Variable& bias) {
  TENON_CHECK(weight.rank() == 2 && x.rank() >= 1 && x.size(-1) == weight.size(1), "linear: weight ",
              weight.shape(), " expects an input [..., ", weight.size(-1), "], got ", x.shape());
  TENON_CHECK(!bias.defined() || bias.shape() == Shape{weight.size(0)}, "linear: bias expects shape [",
              weight.size(0), "], got ", bias.shape());
  if (x.rank() == 2) return linear_rows(x, weight, bias);
  Shape shape = x.shape();
  shape[shape.rank() - 1] = weight.size(0);
  Shape rows{
      weight.size(1) == 0 ? shape.numel() / std::max<int64_t>(weight.size(0), 1) : x.numel() / weight.size(1),
      weight.size(1)};
  return reshape(linear_rows(reshape(x, rows), weight, bias), shape);
}

Linear::Linear(int64_t in, int64_t out, Bias with_bias, Generator& generator) {
  TENON_CHECK(in >= 0 && out >= 0, "Linear: expects extents >= 0, got in ", in, ", out ", out);
  weight = add_parameter("weight", Tensor::empty({out, in}));
  if (with_bias == Bias::yes) bias = add_parameter("bias", Tensor::empty({out}));
  init::layer_default(weight.value(), with_bias == Bias::yes ? bias.value() : Tensor(), generator);
}

Shape Linear::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() >= 1 && input.back() == in_features(), "Linear: walk: expects [..., ",
              in_features(), "], got ", input);
  Shape output = input;
  output[output.rank() - 1] = out_features();
  uses.push_back({this, input, output, output.numel() * in_features()});
  return output;
}

}  // namespace tenon
