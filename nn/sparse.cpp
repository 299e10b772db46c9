#include "nn/sparse.h"

#include "autograd/ops/view.h"
#include "core/ops/image.h"

namespace tenon {

namespace {
void check_bias(const char* layer, const SparseMatrix& weight, const Tensor& bias) {
  TENON_CHECK(!bias.defined() || bias.shape() == Shape{weight.rows()}, layer, ": expects a bias [",
              weight.rows(), "], got ", bias.str());
}
}  // namespace

// ---- SparseLinear -----------------------------------------------------------------------------------

SparseLinear::SparseLinear(const SparseMatrix& weight, const Tensor& layer_bias, Epilogue epilogue,
                           Inputs inputs)
    : pattern_(weight.pattern), epilogue_(epilogue), inputs_(inputs) {
  check_bias("SparseLinear", weight, layer_bias);
  values = add_parameter("values", weight.values);
  if (layer_bias.defined()) bias = add_parameter("bias", layer_bias);
}

Variable SparseLinear::forward(const Variable& x) {
  TENON_CHECK(x.rank() == 2 && x.size(1) == pattern_.columns(), "SparseLinear: expects [N, ",
              pattern_.columns(), "], got ", x.shape());
  pattern_ = pattern_.to(values.device());  // where `to` moved the module
  if (inputs_ == Inputs::nonzero) return spmspv(pattern_, values, x, bias, epilogue_);
  return transpose(spmm(pattern_, values, transpose(x, 0, 1), bias, epilogue_), 0, 1);
}

Shape SparseLinear::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() == 2 && input[1] == pattern_.columns(), "SparseLinear: walk: expects [N, ",
              pattern_.columns(), "], got ", input);
  const Shape output{input[0], pattern_.rows()};
  uses.push_back({this, input, output, input[0] * pattern_.entries() * pattern_.block_rows()});
  return output;
}

// ---- SparseConv -------------------------------------------------------------------------------------

SparseConv::SparseConv(const SparseMatrix& weight, const Dims& kernel, const ConvOptions& options,
                       const Tensor& layer_bias, Epilogue epilogue)
    : pattern_(weight.pattern), kernel_(kernel), options_(options), epilogue_(epilogue) {
  check_bias("SparseConv", weight, layer_bias);
  TENON_CHECK(kernel.rank() >= 1 && kernel.rank() <= 3 && kernel.numel() >= 1 &&
                  weight.columns() % kernel.numel() == 0,
              "SparseConv: a weight of ", weight.columns(), " columns does not fit a kernel ", kernel);
  options_.padding = per_axis("SparseConv", "padding", kernel.rank(), options.padding, 0, 0);
  options_.dilation = per_axis("SparseConv", "dilation", kernel.rank(), options.dilation, 1, 1);
  values = add_parameter("values", weight.values);
  if (layer_bias.defined()) bias = add_parameter("bias", layer_bias);
}

Shape SparseConv::walk(const Shape& input, LayerUses& uses) const {
  TENON_CHECK(input.rank() == kernel_.rank() + 2 && input[1] * kernel_.numel() == pattern_.columns(),
              "SparseConv: walk: expects ", pattern_.columns() / kernel_.numel(), " channels and rank ",
              kernel_.rank() + 2, ", got ", input);
  Shape output{input[0], pattern_.rows()};
  for (int i = 0; i < kernel_.rank(); ++i)
    output.push_back(room_of_window("SparseConv", spatial_extents(input), kernel_, options_.padding,
                                    options_.dilation, i) +
                     1);
  const int64_t positions = pattern_.rows() == 0 ? 0 : output.numel() / pattern_.rows();
  uses.push_back({this, input, output, positions * pattern_.entries() * pattern_.block_rows()});
  return output;
}

}  // namespace tenon
