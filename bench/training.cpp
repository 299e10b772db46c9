// Training steps with Adam: LeNet-300-100 at batch 100, without and with the Hoyer-Square regulariser on every
// parameter, and ResNet-20 at batch 128 on 32 x 32 images; what recording one op costs; and Adam alone, over the
// parameters of ResNet-20 and of ResNet-50.
#include "autograd/ops/elementwise.h"
#include "bench/harness.h"
#include "core/ops/lists.h"
#include "core/ops/sparsity.h"
#include "nn/loss.h"
#include "nn/models/mlp.h"
#include "nn/models/resnet.h"
#include "nn/optim.h"

namespace tenon::bench {
namespace {

// Tenon's own step with the products of cuBLAS and cuDNN.
constexpr cuda::Settings kLibraries{.matmul_by_cublas = true, .conv_by_cudnn = true};

struct Trainer {
  Trainer(std::shared_ptr<Sequential> network, const Shape& input, Device device, double lambda)
      : strength(lambda), model(std::move(network)) {
    Generator generator(1);
    model->to(device);
    images = Variable(random_uniform(input, generator).to(device));
    labels = random_integers({input[0]}, generator, 0, 10).to(device);
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

std::shared_ptr<Trainer> lenet_trainer(Device device, double lambda) {
  Generator generator(1);
  return std::make_shared<Trainer>(make_lenet_300_100(generator), Shape{100, 784}, device, lambda);
}

std::vector<Case> lenet_cases(Device device) {
  // 266,200 multiply-adds an image forward, as many for the weights' gradients, and those of the two upper
  // layers again for the gradients of their inputs; each weight, gradient and Adam moment is read or written
  // once or twice.
  const double flops = 2.0 * 100 * (2 * 266200 + 31000);
  const double bytes = 4.0 * 266610 * 9;
  const auto step = [=](double lambda) {
    return [=] {
      auto trainer = lenet_trainer(device, lambda);
      return beside_library(
          device, [=] { trainer->step(); }, "libraries", kLibraries);
    };
  };
  return {{"lenet300/step", flops, bytes, step(0)},
          {"lenet300/step-hoyer", flops, bytes, step(2e-4)},
          {"lenet300/hoyer-alone", 4.0 * 266610, 4.0 * 266610 * 4,
           [=] {
             auto trainer = lenet_trainer(device, 2e-4);
             trainer->step();
             return std::vector<Contestant>{{"tenon", [=] { trainer->add_regulariser(); }}};
           }},
          {"lenet300/recorded-add", 0, 0, [=] {
             Variable x(Tensor::ones({1}, float32, device), true);
             return std::vector<Contestant>{{"tenon", [=] { add(x, x); }}};
           }}};
}

std::vector<Case> resnet_cases(Device device) {
  const double batch = 128;
  // 40.8 M multiply-adds an image forward, and twice that on the way back, without the gradient of the images
  // (442,368). Each of the 188,416 numbers an image that the convolutions make is written and read once, and its
  // gradient too, even if all else were fused into them.
  const double flops = 2 * batch * (3 * 40.8e6 - 442368), bytes = 4 * batch * 188416 * 4;
  return {{"resnet20/step", flops, bytes, [=] {
             Generator generator(1);
             auto trainer = std::make_shared<Trainer>(make_cifar_resnet(20, 10, Block::basic, generator),
                                                      Shape{128, 3, 32, 32}, device, 0);
             return beside_library(
                 device, [=] { trainer->step(); }, "libraries", kLibraries);
           }}};
}

// One fused step over a network's parameters: p, m and v are read and written, g is read.
Case adam_case(const char* name, Device device, double parameters,
               std::shared_ptr<Sequential> (*make)(Generator&)) {
  return {name, 14 * parameters, 28 * parameters, [=] {
            Generator generator(1);
            Tensors p, g, m, v;
            for (const Variable& variable : make(generator)->parameters()) {
              p.push_back(variable.value().to(device));
              for (Tensors* list : {&g, &m, &v})
                list->push_back(Tensor::full(variable.shape(), 1e-3, float32, device));
            }
            const std::vector<int64_t> counts(p.size(), 10);
            AdamStep step{};
            return std::vector<Contestant>{{"tenon", [=] { adam_step(p, g, m, v, {}, counts, step); }}};
          }};
}

std::vector<Case> adam_cases(Device device) {
  return {adam_case("adam/resnet20", device, 0.27e6,
                    [](Generator& g) { return make_cifar_resnet(20, 10, Block::basic, g); }),
          adam_case("adam/resnet50", device, 25557032,
                    [](Generator& g) { return make_imagenet_resnet(50, 1000, g); })};
}

const Family lenet("lenet300", lenet_cases);
const Family resnet("resnet20", resnet_cases);
const Family adam("adam", adam_cases);

}  // namespace
}  // namespace tenon::bench
