// One training step of LeNet-300-100 at batch 100 with Adam, without and with the Hoyer-Square regulariser on
// every parameter; and what recording one op costs.
#include "autograd/ops/elementwise.h"
#include "bench/harness.h"
#include "core/ops/sparsity.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

struct Trainer {
  explicit Trainer(double lambda) : strength(lambda) {
    Generator generator(1);
    model = make_lenet_300_100(generator);
    images = Variable(random_uniform({100, 784}, generator));
    labels = random_integers({100}, generator, 0, 10);
    optimizer = std::make_unique<Adam>(model->named_parameters(), AdamOptions{});
  }

  void step() {
    optimizer->zero_grad();
    backward(cross_entropy(model->forward(images), labels));
    if (strength > 0) add_regulariser();
    optimizer->step();
  }

  void add_regulariser() {
    values.clear(), grads.clear();
    for (const Variable& p : model->parameters()) {
      values.push_back(p.value());
      grads.push_back(p.grad().value());
    }
    hoyer_square_gradient_add(values, grads, strength);
  }

  double strength;
  std::shared_ptr<Sequential> model;
  Variable images;
  Tensor labels;
  std::unique_ptr<Adam> optimizer;
  std::vector<Tensor> values, grads;
};

std::vector<Case> cases() {
  // 266,200 multiply-adds an image forward, as many for the weights' gradients, and those of the two upper
  // layers again for the gradients of their inputs; each weight, gradient and Adam moment is read or written
  // once or twice.
  const double flops = 2.0 * 100 * (2 * 266200 + 31000);
  const double bytes = 4.0 * 266610 * 9;
  auto plain = std::make_shared<Trainer>(0), hoyer = std::make_shared<Trainer>(2e-4);
  auto regulariser = std::make_shared<Trainer>(2e-4);
  regulariser->step();
  Variable x(Tensor::ones({1}), true);
  return {{"lenet300/step", flops, bytes, {{"tenon", [=] { plain->step(); }}}},
          {"lenet300/step-hoyer", flops, bytes, {{"tenon", [=] { hoyer->step(); }}}},
          {"lenet300/hoyer-alone",
           4.0 * 266610,
           4.0 * 266610 * 4,
           {{"tenon", [=] { regulariser->add_regulariser(); }}}},
          {"lenet300/recorded-add", 0, 0, {{"tenon", [=] { add(x, x); }}}}};
}

const Family lenet("lenet300", cases);

}  // namespace
}  // namespace tenon::bench
