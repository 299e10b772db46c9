// Saved tensors that were overwritten before backward came to use them.
#include <doctest/doctest.h>

#include <string>

#include "autograd/ops/detection.h"
#include "autograd/ops/dropout.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/norm.h"
#include "autograd/ops/pool.h"
#include "autograd/ops/reduce.h"
#include "autograd/ops/softmax.h"
#include "autograd/variable.h"
#include "core/ops/lists.h"

using namespace tenon;

namespace {

std::string error_of_backward(const Variable& root) {
  try {
    backward(root);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("autograd: a saved input that was overwritten stops backward, and both ops are named") {
  Variable x(Tensor::ones({3}), true), y(Tensor::ones({3}), true);
  Variable loss = sum(x * y);
  Tensor values[] = {x.value()};
  lists_scale(values, 2);
  const std::string message = error_of_backward(loss);
  CHECK(message.find("mul") != std::string::npos);
  CHECK(message.find("lists_scale") != std::string::npos);
  CHECK(message.find("float32 [3]") != std::string::npos);
}

TEST_CASE("autograd: a saved output that was overwritten stops backward, and both ops are named") {
  Variable x(Tensor::ones({3}), true);
  Variable y = exp(x);
  Variable loss = sum(y);
  y.value().fill_(0);
  const std::string message = error_of_backward(loss);
  CHECK(message.find("exp") != std::string::npos);
  CHECK(message.find("fill_") != std::string::npos);
}

TEST_CASE("autograd: what a rule does not need may be overwritten") {
  Variable x(Tensor::ones({3}), true), y(Tensor::ones({3}), true);
  Variable loss = sum(x + y);  // add keeps shapes only
  x.value().fill_(5);
  CHECK(error_of_backward(loss).empty());
  CHECK(x.grad().value().to_vector<float>() == std::vector<float>{1, 1, 1});
}

TEST_CASE(
    "autograd: constants of a rule are saved like inputs: conditions, labels, masks, indices, statistics, "
    "boxes") {
  Variable x(Tensor::ones({2, 2, 2, 2}), true), row(Tensor::ones({2, 2}), true);
  struct Use {
    const char* op;
    Variable y;
    Tensor constant;
  };
  std::vector<Use> uses;
  const Tensor condition = Tensor::ones({2, 2}, uint8);
  uses.push_back({"where", where(condition, row, row), condition});
  const Tensor labels = Tensor::zeros({2}, int64);
  uses.push_back({"softmax_cross_entropy", softmax_cross_entropy(row, labels, 0), labels});
  const Tensor mask = Tensor::ones({2, 2}, uint8);
  uses.push_back({"dropout_with_mask", dropout_with_mask(row, mask, 0.5), mask});
  const auto [most, at] = max_with_index(row, 1);
  uses.push_back({"max_with_index", most, at});
  PoolOptions window;
  window.kernel = {2};
  const auto [pooled, index] = max_pool(x, window);
  uses.push_back({"max_pool", pooled, index});
  const NormalizedVariable whitened = batch_norm(x, {}, {}), rectified = batch_norm_relu(x, {}, {}, {}),
                           grouped = group_norm(x, 1, {}, {});
  uses.push_back({"batch_norm", whitened.y, whitened.mean});
  uses.push_back({"batch_norm_relu", rectified.y, rectified.variance});
  uses.push_back({"group_norm", grouped.y, grouped.variance});
  const Tensor boxes = Tensor::ones({1, 4}), image = Tensor::zeros({1}, int64);
  RoiAlignOptions cell;
  cell.height = cell.width = 1;
  uses.push_back({"roi_align", roi_align(x, boxes, image, cell), boxes});
  for (const Use& use : uses) {
    CAPTURE(use.op);
    use.constant.fill_(1);
    const std::string message = error_of_backward(sum(use.y));
    CHECK(message.find(use.op) != std::string::npos);
    CHECK(message.find("fill_") != std::string::npos);
  }
}
