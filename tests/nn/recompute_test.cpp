// Layers inside a checkpointed segment behave as outside of it.
#include <doctest/doctest.h>

#include "autograd/checkpoint.h"
#include "autograd/ops/elementwise.h"
#include "autograd/ops/reduce.h"
#include "core/random.h"
#include "nn/dropout.h"
#include "nn/norm.h"
#include "tests/seed.h"

using namespace tenon;

TEST_CASE("recomputation: dropout draws the same mask again, running statistics count a batch once") {
  Generator draws(test_seed(), 60);
  const Tensor x = random_normal({8, 4, 3, 3}, draws);
  struct Result {
    std::vector<float> y, dx, dweight, mean;
    uint64_t position;
  };
  auto run = [&](bool recompute) {
    Generator generator(test_seed(), 61);
    BatchNorm2d norm(4);
    Dropout dropout(0.4, generator);
    Variable input(x.clone(), true);
    VariableFunction segment = [&](const std::vector<Variable>& in) {
      return std::vector<Variable>{square(dropout.forward(norm.forward(in[0])))};
    };
    Variable y = recompute ? checkpoint(segment, {input}, {&generator})[0] : segment({input})[0];
    backward(sum(y * 0.5));
    return Result{y.value().to_vector<float>(), input.grad().value().to_vector<float>(),
                  norm.weight.grad().value().to_vector<float>(), norm.running_mean.value().to_vector<float>(),
                  generator.state().position};
  };
  const Result plain = run(false), again = run(true);
  CHECK(again.y == plain.y);
  CHECK(again.dx == plain.dx);
  CHECK(again.dweight == plain.dweight);
  CHECK(again.mean == plain.mean);
  CHECK(again.position == plain.position);
}
