// What an op costs beside its arithmetic: a training step of a perceptron 16-16-16-1 on one sample, of which the
// arithmetic is less than a microsecond.
#include "autograd/ops/elementwise.h"
#include "bench/harness.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

struct Perceptron {
  explicit Perceptron(Device device) {
    Generator generator(1);
    model = make_mlp({16, 16, 16, 1}, generator);
    model->to(device);
    x = Variable(random_normal({1, 16}, generator).to(device));
    y = Variable(random_normal({1, 1}, generator).to(device));
  }
  void step(Optimizer& optimizer) const {
    optimizer.zero_grad();
    backward(mse_loss(model->forward(x), y));
    optimizer.step();
  }
  std::shared_ptr<Sequential> model;
  Variable x, y;
};

template <class Optimizer, class Options>
Case step_case(const char* name, Device device, Options options) {
  return {name, 0, 0, [=] {
            auto perceptron = std::make_shared<Perceptron>(device);
            auto optimizer = std::make_shared<Optimizer>(perceptron->model->named_parameters(), options);
            return std::vector<Contestant>{{"tenon", [=] { perceptron->step(*optimizer); }}};
          }};
}

std::vector<Case> cases(Device device) {
  return {step_case<SGD>("overhead/mlp16-sgd", device, SgdOptions()),
          step_case<Adam>("overhead/mlp16-adam", device, AdamOptions())};
}

const Family family("overhead", cases);

}  // namespace
}  // namespace tenon::bench
