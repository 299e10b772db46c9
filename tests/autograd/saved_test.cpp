// Saved tensors that were overwritten before backward came to use them.
#include <doctest/doctest.h>

#include <string>

#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
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
