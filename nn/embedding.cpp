#include "nn/embedding.h"

#include "autograd/ops/index.h"
#include "nn/init.h"

namespace tenon {

Embedding::Embedding(int64_t count, int64_t width, Generator& generator) {
  weight = add_parameter("weight", Tensor::empty({count, width}));
  init::normal(weight.value(), generator, 0, 1);
}

Variable Embedding::forward(const Variable& ids) { return index_select(weight, 0, ids.value()); }

Shape Embedding::walk(const Shape& input, LayerUses& uses) const {
  Shape output = input;
  output.push_back(weight.size(1));
  uses.push_back({this, input, output, 0});
  return output;
}

}  // namespace tenon
