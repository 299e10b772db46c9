#include "nn/sparse.h"

#include "autograd/ops/view.h"

namespace tenon {

SparseLinear::SparseLinear(const SparseMatrix& weight, const Tensor& layer_bias, Epilogue epilogue)
    : pattern_(weight.pattern), epilogue_(epilogue) {
  TENON_CHECK(!layer_bias.defined() || layer_bias.shape() == Shape{weight.rows()},
              "SparseLinear: expects a bias [", weight.rows(), "], got ", layer_bias.str());
  values = add_parameter("values", weight.values);
  if (layer_bias.defined()) bias = add_parameter("bias", layer_bias);
}

Variable SparseLinear::forward(const Variable& x) {
  TENON_CHECK(x.rank() == 2 && x.size(1) == pattern_.columns(), "SparseLinear: expects [N, ",
              pattern_.columns(), "], got ", x.shape());
  pattern_ = pattern_.to(values.device());  // where `to` moved the module
  return transpose(spmm(pattern_, values, transpose(x, 0, 1), bias, epilogue_), 0, 1);
}

Shape SparseLinear::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() == 2 && input[1] == pattern_.columns(), "SparseLinear: walk: expects [N, ",
              pattern_.columns(), "], got ", input);
  const Shape output{input[0], pattern_.rows()};
  uses.push_back({this, input, output, input[0] * pattern_.entries() * pattern_.block_rows()});
  return output;
}

}  // namespace tenon
